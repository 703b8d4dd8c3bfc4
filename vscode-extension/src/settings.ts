/** The settings `jouline.*`: what this side needs of them, and the form in which they go to the server. */

export type OnBattery = 'same' | 'save' | 'pause';

export interface Settings {
  readonly enable: boolean;
  readonly energySaving: number;
  readonly qualityFloor: number | null;
  readonly languages: Readonly<Record<string, boolean>>;
  readonly onBattery: OnBattery;
  readonly serverPath: string;
  readonly serverPython: string;
  readonly serverWheels: string;
  readonly debugLog: boolean;
}

/** One line for the log. */
export function summary({ enable, energySaving, qualityFloor, languages, onBattery }: Settings): string {
  const off = Object.keys(languages).filter((language) => !languages[language]);
  return [
    enable ? 'on' : 'off',
    `energy saving ${energySaving}`,
    `quality floor ${qualityFloor === null ? 'off' : `${qualityFloor} %`}`,
    `languages off: ${off.join(' ') || 'none'}`,
    `on battery: ${onBattery}`,
  ].join(', ');
}

/** Whether completions are wanted in a language; "*" stands for those that are not named. */
export function completes({ languages }: Settings, language: string): boolean {
  return languages[language] ?? languages['*'] ?? true;
}

/** A setting's value by its key without the prefix, as the user wrote it; undefined where there is none. */
export type ReadSetting = (key: string) => unknown;

/** What the server is told; it ignores what only this side needs. */
export const SETTING_KEYS = [
  'enable',
  'energySaving',
  'qualityFloor',
  'shadowEvaluations',
  'languages',
  'exclude',
  'onBattery',
  'model.small',
  'model.large',
  'server.path',
  'debug.log',
] as const;

/** What only this side needs: how the server comes to be. */
export const SETUP_KEYS = ['server.python', 'server.wheels'] as const;

/** Reads what the extension itself acts on. A bad value gives its default; the server tells the user. */
export function readSettings(read: ReadSetting): Settings {
  const [enable, debugLog] = [read('enable'), read('debug.log')];
  const [serverPath, onBattery] = [read('server.path'), read('onBattery')];
  return {
    enable: typeof enable === 'boolean' ? enable : true,
    energySaving: percent(read('energySaving')) ?? 50,
    qualityFloor: percent(read('qualityFloor')),
    languages: switches(read('languages')),
    onBattery: onBattery === 'save' || onBattery === 'pause' ? onBattery : 'same',
    serverPath: text(serverPath),
    serverPython: text(read('server.python')),
    serverWheels: text(read('server.wheels')),
    debugLog: debugLog === true,
  };
}

/**
 * The settings as the server reads them, in initializationOptions and workspace/didChangeConfiguration alike:
 * nested at the dots under "jouline", every value as it was written, so that the server can name a bad one.
 * What is empty is left out: it means whatever the server's own settings file says.
 */
export function toInitializationOptions(read: ReadSetting): { jouline: Record<string, unknown> } {
  const jouline: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    const value = read(key);
    if (value !== undefined && value !== null && value !== '') place(jouline, key.split('.'), value);
  }
  return { jouline };
}

function place(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const inner = (target[head] ?? {}) as Record<string, unknown>;
  target[head] = inner;
  place(inner, rest, value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

function percent(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= 100 ? value : null;
}

function switches(value: unknown): Record<string, boolean> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, boolean] => typeof entry[1] === 'boolean'),
  );
}
