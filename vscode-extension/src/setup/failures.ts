/** What went wrong while setting up: a sentence and a way out for each. */

import type { Translate } from '../l10n';
import type { WayOut } from '../statusView';
import type { Step } from './plan';

/** A failure that a person can do something about. `waysOut` stand in the order of the buttons. */
export class SetupFailure extends Error {
  constructor(message: string, readonly waysOut: readonly WayOut[] = ['retry', 'log']) {
    super(message);
  }
}

export class SetupCancelled extends Error {}

const NO_NETWORK = new RegExp([
  'Temporary failure in name resolution', 'NewConnectionError', 'ConnectTimeout', 'Network is unreachable',
  'Max retries exceeded', 'Could not fetch URL', 'getaddrinfo failed', 'ProxyError', 'No matching distribution found',
].join('|'), 'i');

const SIGNS: readonly [RegExp, (t: Translate) => SetupFailure][] = [
  [/No space left on device|\[Errno 28\]|not enough space/i, (t) =>
    new SetupFailure(t('The disk is full: make room for about 500 MB, then try again.'))],
  [/ensurepip is not available|No module named '?(venv|ensurepip)/i, noVenv],
  [/CMAKE_C(XX)?_COMPILER|No CMAKE_.*COMPILER|Visual Studio|Compiler not found|xcrun: error/i, (t) =>
    new SetupFailure(t('No prebuilt engine fits this machine, and building one needs a C++ compiler: install one (for instance apt-get install g++, or xcode-select --install), then try again.'))],
  [NO_NETWORK, (t) =>
    new SetupFailure(t('Packages could not be fetched: the first start needs the network once. Connect, then try again.'))],
  [/THESE PACKAGES DO NOT MATCH THE HASHES/i, (t) =>
    new SetupFailure(t('A package is not the one that was tested, so it was not installed: look at the log, then try again.'))],
  [/Permission denied|\[Errno 13\]|EACCES|Read-only file system/i, (t) =>
    new SetupFailure(t('The extension’s folder cannot be written: make it writable, then try again.'))],
];

/** The failure of a step, told from what its program said last. */
export function explainFailure(step: Step, output: string, t: Translate): SetupFailure {
  const sign = SIGNS.find(([pattern]) => pattern.test(output));
  if (sign) return sign[1](t);
  const last = output.trim().split('\n').at(-1)?.trim() ?? '';
  return new SetupFailure(t('Setting up failed ({0}): {1}', step, last || t('no reason was given')));
}

export function noPython(t: Translate): SetupFailure {
  return new SetupFailure(
    t('Jouline needs Python 3.11 or newer, and none was found: install it, or choose one.'), ['python', 'retry', 'log']);
}

export function noVenv(t: Translate): SetupFailure {
  return new SetupFailure(
    t('This Python cannot make environments: install python3-venv (for instance apt-get install python3-venv), or choose another.'),
    ['retry', 'python', 'log']);
}
