/** The answer to "why this model?", in a line. */

import type { Translate } from './l10n';
import type { EnergyMethod, ExplainResult } from './protocol';
import { joules } from './quantities';

/** The server's sentence, and behind it what is known of the completion: model, confidence, time, energy. */
export function explanation({ reason, completion }: ExplainResult, t: Translate): string {
  const facts = completion === undefined ? [] : factsOf(completion, t);
  return facts.length === 0 ? reason : `${reason} (${facts.join(', ')})`;
}

function factsOf(completion: Record<string, unknown>, t: Translate): string[] {
  const { model, confidence } = completion;
  const totalMs = inner(completion, 'timings_ms', 'total');
  const spent = inner(completion, 'energy', 'joules');
  const method = inner(completion, 'energy', 'method') as EnergyMethod;
  const facts: string[] = [];
  if (typeof model === 'string') facts.push(t('{0} model', model));
  if (typeof confidence === 'number') facts.push(t('confidence {0}', confidence.toFixed(2)));
  if (typeof totalMs === 'number') facts.push(`${totalMs.toFixed(0)} ms`);
  if (typeof spent === 'number') facts.push(joules(spent, method));
  return facts;
}

function inner(record: Record<string, unknown>, name: string, field: string): unknown {
  const value = record[name];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}
