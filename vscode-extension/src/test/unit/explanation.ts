import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { english } from '../../l10n';
import { explanation } from '../../explanation';

const reason = 'The small model is sure enough.';

describe('explanation', () => {
  it('adds to the sentence what is known of the completion', () => {
    const completion = {
      model: 'small', confidence: 0.912, timings_ms: { total: 12.4 },
      energy: { joules: 0.0213, method: 'estimated' },
    };
    const line = explanation({ reason, completion }, english);
    assert.equal(line, `${reason} (small model, confidence 0.91, 12 ms, ~21 mJ)`);
  });

  it('leaves out what is not known', () => {
    const timings = { total: 0.4 };
    const completion = { model: null, confidence: null, timings_ms: timings, energy: { joules: null } };
    assert.equal(explanation({ reason, completion }, english), `${reason} (0 ms)`);
    assert.equal(explanation({ reason }, english), reason);
    assert.equal(explanation({ reason, completion: {} }, english), reason);
  });
});
