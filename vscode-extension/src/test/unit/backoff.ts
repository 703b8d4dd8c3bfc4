import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Backoff } from '../../backoff';

describe('Backoff', () => {
  let now: number;
  let backoff: Backoff;
  beforeEach(() => {
    now = 0;
    backoff = new Backoff(() => now);
  });
  const deaths = (count: number): (number | null)[] => Array.from({ length: count }, () => backoff.died());

  it('waits twice as long each time and gives up at the fifth death within three minutes', () => {
    assert.deepEqual(deaths(6), [500, 1000, 2000, 4000, null, null]);
  });

  it('forgets deaths that are three minutes old', () => {
    deaths(4);
    now = 180_000;
    assert.equal(backoff.died(), 500);
  });

  it('starts anew where the user asks for a start', () => {
    deaths(5);
    backoff.forgive();
    assert.equal(backoff.died(), 500);
  });
});
