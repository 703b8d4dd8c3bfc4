/** What must be done so that the environment is the one that the extension brings: a pure comparison. */

/** What the .vsix carries, written by scripts/package_extension as dist/server/bundle.json. */
export interface Bundle {
  readonly version: string;
  /** The server's wheel, a file beside bundle.json. */
  readonly wheel: string;
  readonly wheelSha256: string;
  /** The engine as a requirement with its version. */
  readonly engine: string;
  /** Of libraries.txt, beside bundle.json: all that the server needs besides its engine, with hashes. */
  readonly requirementsSha256: string;
}

export const STEPS = ['environment', 'libraries', 'engine', 'server', 'check'] as const;
export type Step = (typeof STEPS)[number];

/** What each step was done with, kept beside the environment; a step that did not end well has no entry. */
export type Done = Readonly<Partial<Record<Step, string>>>;

/** What each step is to be done with. */
export function wanted(bundle: Bundle, python: string): Readonly<Record<Step, string>> {
  return {
    environment: python,
    libraries: bundle.requirementsSha256,
    engine: bundle.engine,
    server: bundle.wheelSha256,
    check: `${bundle.engine} ${bundle.requirementsSha256} ${bundle.wheelSha256}`,
  };
}

/** The steps that are left, in order. A new environment needs them all, a new server only itself and the check. */
export function plan(bundle: Bundle, python: string, done: Done): Step[] {
  const aims = wanted(bundle, python);
  if (done.environment !== aims.environment) return [...STEPS];
  return STEPS.filter((step) => done[step] !== aims[step]);
}

/** A file's text as what was done; anything that is not that counts as nothing. */
export function readDone(text: string): Done {
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data !== 'object' || data === null) return {};
    const known = Object.entries(data).filter(([step, with_]) =>
      (STEPS as readonly string[]).includes(step) && typeof with_ === 'string');
    return Object.fromEntries<string>(known);
  } catch {
    return {};
  }
}
