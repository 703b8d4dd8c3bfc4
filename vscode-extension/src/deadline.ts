/** Answers that never come. */

export class DeadlinePassed extends Error {
  constructor(readonly waitedMs: number) {
    super(`no answer within ${Math.round(waitedMs / 1000)} s`);
  }
}

/** Settles as `work` does; once `waitMs` have passed it calls `giveUp` and rejects with DeadlinePassed. */
export async function withDeadline<T>(work: Promise<T>, waitMs: number, giveUp: () => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(new DeadlinePassed(waitMs));
    }, waitMs);
  });
  try {
    return await Promise.race([work, passed]);
  } finally {
    clearTimeout(timer);
  }
}
