/** The five stops of the energy-saving setting. */

import type { Translate } from './l10n';

export interface EnergyStop {
  readonly value: number;
  readonly name: (t: Translate) => string;
  readonly detail: (t: Translate) => string;
}

export const ENERGY_STOPS: readonly EnergyStop[] = [
  { value: 0, name: (t) => t('Always large'), detail: (t) => t('Every request goes to the large model.') },
  { value: 25, name: (t) => t('Accuracy first'), detail: (t) => t('A quarter of the way to the least energy.') },
  { value: 50, name: (t) => t('Balanced'), detail: (t) => t('Half of what can be saved is saved.') },
  {
    value: 75,
    name: (t) => t('Energy first'),
    detail: (t) => t('Three quarters of the way to the least energy.'),
  },
  { value: 100, name: (t) => t('Least energy'), detail: (t) => t('The small model wherever it can.') },
];

/** A value drawn as ten squares, for a list that the keyboard can walk. */
export function bar(value: number): string {
  const full = Math.round(value / 10);
  return '▰'.repeat(full) + '▱'.repeat(10 - full);
}
