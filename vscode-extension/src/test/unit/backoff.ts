import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Backoff, causeOfDeath } from '../../backoff';
import { english } from '../../l10n';

describe('causeOfDeath', () => {
  it('lets the server speak, unless something else ended it', () => {
    assert.equal(causeOfDeath({ exitCode: 1, signalCode: null }, 'The model is gone.', english), 'The model is gone.');
    assert.match(causeOfDeath({ exitCode: null, signalCode: 'SIGKILL' }, 'Loading.', english) ?? '', /SIGKILL/);
    assert.match(causeOfDeath({ exitCode: 3, signalCode: null }, '', english) ?? '', /status 3/);
    assert.equal(causeOfDeath({ exitCode: null, signalCode: null }, 'Loading.', english), undefined);
  });
});

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

  it('leaves nine tenths of the promised five seconds to the server’s own start, after a first death', () => {
    assert.deepEqual(deaths(1), [5_000 / 10]);
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
