import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bar, ENERGY_STOPS } from '../../energyStops';
import { readSettings } from '../../settings';

describe('the energy-saving stops', () => {
  it('are five, evenly from one end to the other, the default among them', () => {
    const values = ENERGY_STOPS.map((stop) => stop.value);
    assert.deepEqual(values, [0, 25, 50, 75, 100]);
    assert.ok(values.includes(readSettings(() => undefined).energySaving));
  });

  it('are drawn in ten squares', () => {
    assert.deepEqual([0, 50, 100].map(bar), ['▱▱▱▱▱▱▱▱▱▱', '▰▰▰▰▰▱▱▱▱▱', '▰▰▰▰▰▰▰▰▰▰']);
  });
});
