import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { estimated, joules, milliseconds, percent, size } from '../../quantities';

describe('joules', () => {
  it('shows two significant digits and a unit that fits', () => {
    const amounts = [0, 0.0000012, 0.0213, 0.123, 1.26, 9.96, 12.6, 126, 1260, 12_600, 1_260_000];
    const written = amounts.map((amount) => joules(amount, 'measured'));
    const expected = ['0 J', '0 J', '21 mJ', '0.12 J', '1.3 J', '10 J', '13 J', '126 J', '1.3 kJ', '13 kJ', '1.3 MJ'];
    assert.deepEqual(written, expected);
  });

  it('keeps the sign of a loss', () => {
    assert.equal(joules(-3.21, 'estimated'), '~−3.2 J');
    assert.equal(joules(-0.001, 'measured'), '−1.0 mJ');
    assert.equal(joules(12.3, 'attributed'), '~12 J');
  });

  it('never writes 0 for what is not known', () => {
    assert.equal(joules(null, 'measured'), '—');
    assert.equal(joules(0, 'unavailable'), '—');
  });
});

describe('other quantities', () => {
  it('call a saving an estimate however well the rest is measured', () => {
    assert.equal(estimated(12.3, 'measured'), '~12 J');
    assert.equal(estimated(null, 'measured'), '—');
    assert.equal(estimated(1, 'unavailable'), '—');
  });

  it('claim no more digits than are known', () => {
    assert.deepEqual([null, 4.25, 123.4].map(milliseconds), ['—', '4.3 ms', '123 ms']);
    assert.deepEqual([null, 0.914].map(percent), ['—', '91 %']);
    assert.deepEqual([200, 11_000_000, 3_400_000_000].map(size), ['1 MB', '11 MB', '3.4 GB']);
  });
});
