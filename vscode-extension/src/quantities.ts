/** How joules, shares and times are written. */

import type { EnergyMethod } from './protocol';

export const UNKNOWN = '—';

/** Joules signed by how they are known: `12 J` measured, `~12 J` attributed or estimated, `—` unknown. */
export function joules(amount: number | null, method: EnergyMethod): string {
  if (amount === null || method === 'unavailable') return UNKNOWN;
  return `${method === 'measured' ? '' : '~'}${quantity(amount)}`;
}

/** What was saved is an estimate however well the rest is measured: the alternative never ran. */
export function estimated(amount: number | null, method: EnergyMethod): string {
  return joules(amount, method === 'unavailable' ? method : 'estimated');
}

/** An amount of joules with a unit that fits. */
export function quantity(amount: number): string {
  const size = Math.abs(amount);
  if (size >= 1e6) return `${digits(amount / 1e6)} MJ`;
  if (size >= 1000) return `${digits(amount / 1000)} kJ`;
  return size >= 0.0995 || size < 5e-5 ? `${digits(amount)} J` : `${digits(amount * 1000)} mJ`;
}

/** Milliseconds, without a claim to fractions. */
export function milliseconds(amount: number | null): string {
  return amount === null ? UNKNOWN : `${amount.toFixed(amount < 9.5 ? 1 : 0)} ms`;
}

/** A share of 0..1 in percent. */
export function percent(share: number | null): string {
  return share === null ? UNKNOWN : `${(100 * share).toFixed(0)} %`;
}

/** Megabytes or gigabytes. */
export function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

// Two significant digits below 100: the figures are not known better than that.
function digits(amount: number): string {
  const size = Math.abs(amount);
  const places = size >= 9.95 ? 0 : size >= 0.995 ? 1 : 2;
  const text = size.toFixed(places);
  if (Number(text) === 0) return '0';
  return amount < 0 ? `−${text}` : text;
}
