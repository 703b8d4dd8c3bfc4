/** A server that died: why, and how often it is started again. */

import type { Translate } from './l10n';

/** How a process ended, in the words of node:child_process. */
export interface Ended {
  readonly exitCode?: number | null;
  readonly signalCode?: string | null;
}

/** The cause as a sentence's second half; undefined where the process has not ended. */
export function causeOfDeath({ exitCode, signalCode }: Ended, lastWords: string, t: Translate): string | undefined {
  if (typeof signalCode === 'string') return t('its process was ended by {0}.', signalCode);
  if (typeof exitCode !== 'number') return undefined;
  return lastWords === '' ? t('its process ended with status {0}.', exitCode) : lastWords;
}

const WINDOW_MS = 180_000;
const MOST_DEATHS = 5;
const FIRST_WAIT_MS = 500;

/** Waits twice as long after each death within three minutes, and gives up at the fifth. */
export class Backoff {
  private deaths: number[] = [];

  constructor(private readonly now: () => number) {}

  /** Counts a death: the wait before the next start in ms, or null where the server should stay down. */
  died(): number | null {
    const now = this.now();
    this.deaths = [...this.deaths.filter((death) => now - death < WINDOW_MS), now];
    return this.deaths.length >= MOST_DEATHS ? null : FIRST_WAIT_MS * 2 ** (this.deaths.length - 1);
  }

  /** Forgets the deaths: the user asked for a start. */
  forgive(): void {
    this.deaths = [];
  }
}
