/** Which server to run. */

import { posix, win32 } from 'node:path';
import type { Translate } from './l10n';
import type { WayOut } from './statusView';

export interface ServerCommand {
  readonly kind: 'found';
  readonly command: string;
  readonly args: readonly string[];
  /** Where the executable was named, for the log. */
  readonly source: string;
}

export interface ServerMissing {
  readonly kind: 'missing';
  /** One sentence that says what to do. */
  readonly message: string;
  /** What may be done about it, in the order of the buttons. */
  readonly waysOut: readonly WayOut[];
}

export interface Surroundings {
  readonly setting: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly platform: NodeJS.Platform;
  readonly isExecutable: (path: string) => boolean;
  readonly t: Translate;
}

const ARGS = ['serve', '--stdio'] as const;

/**
 * Finds the `jouline` executable.
 *
 * 1. the setting jouline.server.path
 * 2. the environment variable JOULINE_SERVER
 * 3. what the extension itself brings (`own`), set up first where it is not there yet
 * 4. `jouline` in a folder of PATH
 * 5. none: a sentence that says what to do
 *
 * A place that was named (1, 2) and holds no executable ends the search: running another server than the one
 * asked for would be a surprise. Relative paths and relative folders of PATH never count, as they would be
 * looked up in whatever folder is open.
 */
export async function resolveServer(
  around: Surroundings,
  own: () => Promise<ServerCommand | ServerMissing | undefined>,
): Promise<ServerCommand | ServerMissing> {
  const variable = (around.environment.JOULINE_SERVER ?? '').trim();
  if (around.setting !== '') return named(around.setting, around.t('the setting jouline.server.path'), around);
  if (variable !== '') return named(variable, around.t('the environment variable JOULINE_SERVER'), around);
  return (await own()) ?? onPath(around) ?? missing(around.t(
    'The jouline server was not found: set jouline.server.path to the full path of its executable.'));
}

function named(written: string, source: string, around: Surroundings): ServerCommand | ServerMissing {
  const path = paths(around);
  const command = /^~[/\\]/.test(written) ? path.join(around.home, written.slice(2)) : written;
  if (!path.isAbsolute(command)) return missing(around.t('Give a full path: {0} is "{1}".', source, written));
  if (!around.isExecutable(command)) {
    return missing(around.t('No executable is at "{0}", named by {1}.', command, source));
  };
  return found(command, source);
}

function onPath(around: Surroundings): ServerCommand | undefined {
  const path = paths(around);
  const name = around.platform === 'win32' ? 'jouline.exe' : 'jouline';
  const folders = (around.environment.PATH ?? around.environment.Path ?? '').split(path.delimiter);
  const command = folders
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find((candidate) => around.isExecutable(candidate));
  return command === undefined ? undefined : found(command, 'the PATH');
}

function paths(around: Surroundings): typeof posix {
  return around.platform === 'win32' ? win32 : posix;
}

function found(command: string, source: string): ServerCommand {
  return { kind: 'found', command, args: ARGS, source };
}

function missing(message: string): ServerMissing {
  return { kind: 'missing', message, waysOut: ['settings', 'log', 'retry'] };
}
