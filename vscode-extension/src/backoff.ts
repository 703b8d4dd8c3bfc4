/** How often a server that died is started again. */

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
