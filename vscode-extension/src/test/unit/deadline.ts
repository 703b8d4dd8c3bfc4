import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { DeadlinePassed, withDeadline } from '../../deadline';

describe('withDeadline', () => {
  it('settles as the work does', async () => {
    const giveUp = mock.fn();
    assert.equal(await withDeadline(Promise.resolve(7), 60_000, giveUp), 7);
    await assert.rejects(withDeadline(Promise.reject(new Error('no')), 60_000, giveUp), /no/);
    assert.equal(giveUp.mock.callCount(), 0);
  });

  it('gives up on work that never ends', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const giveUp = mock.fn();
    const waiting = withDeadline(new Promise(() => undefined), 15_000, giveUp);
    context.mock.timers.tick(15_000);
    await assert.rejects(waiting, (error) => error instanceof DeadlinePassed && error.waitedMs === 15_000);
    assert.equal(giveUp.mock.callCount(), 1);
  });
});
