/** The five stops of the energy-saving setting. */

export interface EnergyStop {
  readonly value: number;
  readonly name: string;
  readonly detail: string;
}

export const ENERGY_STOPS: readonly EnergyStop[] = [
  { value: 0, name: 'Always large', detail: 'Every request goes to the large model.' },
  { value: 25, name: 'Accuracy first', detail: 'A quarter of the way to the least energy.' },
  { value: 50, name: 'Balanced', detail: 'Half of what can be saved is saved.' },
  { value: 75, name: 'Energy first', detail: 'Three quarters of the way to the least energy.' },
  { value: 100, name: 'Least energy', detail: 'The small model wherever it can.' },
];

/** A value drawn as ten squares, for a list that the keyboard can walk. */
export function bar(value: number): string {
  const full = Math.round(value / 10);
  return '▰'.repeat(full) + '▱'.repeat(10 - full);
}
