/** Which server to run. */

import { posix, win32 } from 'node:path';

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
}

export interface Surroundings {
  readonly setting: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly platform: NodeJS.Platform;
  readonly isExecutable: (path: string) => boolean;
}

const ARGS = ['serve', '--stdio'] as const;
const NOT_FOUND = 'The jouline server was not found: install it (pip install jouline) '
  + 'or set jouline.server.path to the full path of its executable.';

/**
 * Finds the `jouline` executable.
 *
 * 1. the setting jouline.server.path
 * 2. the environment variable JOULINE_SERVER
 * 3. `jouline` in a folder of PATH
 * 4. none: a sentence that says what to do
 *
 * A place that was named (1, 2) and holds no executable ends the search: running another server than the one
 * asked for would be a surprise. Relative paths and relative folders of PATH never count, as they would be
 * looked up in whatever folder is open.
 */
export function resolveServer(around: Surroundings): ServerCommand | ServerMissing {
  const variable = (around.environment.JOULINE_SERVER ?? '').trim();
  if (around.setting !== '') return named(around.setting, 'the setting jouline.server.path', around);
  if (variable !== '') return named(variable, 'the environment variable JOULINE_SERVER', around);
  return onPath(around) ?? missing(NOT_FOUND);
}

function named(written: string, source: string, around: Surroundings): ServerCommand | ServerMissing {
  const path = paths(around);
  const command = /^~[/\\]/.test(written) ? path.join(around.home, written.slice(2)) : written;
  if (!path.isAbsolute(command)) return missing(`Give a full path: ${source} is "${written}".`);
  if (!around.isExecutable(command)) return missing(`No executable is at "${command}", named by ${source}.`);
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
  return { kind: 'missing', message };
}
