/** Which Python the environment is made with. */

export interface Candidate {
  readonly command: string;
  readonly args: readonly string[];
}

/** What a Python says of itself. */
export interface Python {
  readonly executable: string;
  readonly version: readonly [number, number, number];
  readonly hasVenv: boolean;
}

export const OLDEST = [3, 11] as const;

/** Asks a Python for its executable, its version, and whether it can make environments. */
export const QUESTION = [
  'import importlib.util, json, sys',
  'venv = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))',
  'print(json.dumps([sys.executable, sys.version_info[:3], venv]))',
].join('\n');

/**
 * Where to look, in order.
 *
 * 1. the setting jouline.server.python, and then nowhere else
 * 2. the interpreter that the Python extension uses
 * 3. the PATH, newest version first where it is named, and Windows' launcher
 */
export function candidates(setting: string, chosen: string | undefined, platform: NodeJS.Platform): Candidate[] {
  const plain = (command: string): Candidate => ({ command, args: [] });
  if (setting !== '') return [plain(setting)];
  const named = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python'].map(plain);
  const onPath = platform === 'win32' ? [{ command: 'py', args: ['-3'] }, plain('python')] : named;
  return chosen === undefined ? onPath : [plain(chosen), ...onPath];
}

/** Reads the answer to `QUESTION`; undefined where it is none. */
export function readPython(output: string): Python | undefined {
  try {
    const [executable, version, hasVenv] = JSON.parse(output.trim().split('\n').at(-1) ?? '') as unknown[];
    const numbers = Array.isArray(version) && version.length === 3 && version.every((part) => typeof part === 'number');
    if (typeof executable !== 'string' || executable === '' || !numbers) return undefined;
    return { executable, version: version as unknown as Python['version'], hasVenv: hasVenv === true };
  } catch {
    return undefined;
  }
}

export function newEnough({ version: [major, minor] }: Python): boolean {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
