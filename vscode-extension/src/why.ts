/** "Why this model?": the latest decisions as a page of plain HTML, without a script. */

import type { Translate } from './l10n';
import { escapeHtml, type PageParts, pageStart } from './page';
import type { EnergyMethod } from './protocol';
import { estimated, joules, milliseconds, percent, UNKNOWN } from './quantities';
import { routeName } from './panelModel';

type Fields = Record<string, unknown>;

/** The page. `decisions` are the server's fields, newest first; `here` is the sentence about the caret's place. */
export function whyHtml(decisions: readonly Fields[], here: string, page: PageParts, t: Translate): string {
  const articles = decisions.map((decision, index) => article(decision, index === 0, t)).join('\n');
  const none = `<p>${escapeHtml(t('Jouline has not been asked for a completion yet.'))}</p>`;
  return `${pageStart({ ...page, title: t('Why this model?'), place: 'editor' })}
<body class="why">
<h1>${escapeHtml(t('Why this model?'))}</h1>
${here === '' ? '' : `<p class="here">${escapeHtml(t('At the last place: {0}', here))}</p>`}
<p class="note">${escapeHtml(t('The latest requests of this session, newest first. No text of yours is kept.'))}</p>
${articles || none}
</body>
</html>`;
}

function article(decision: Fields, open: boolean, t: Translate): string {
  const facts = factsOf(decision, t).map(([name, value]) =>
    `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('');
  return `<article><h2>${escapeHtml(title(decision, t))}</h2><p>${escapeHtml(text(decision.reason))}</p>
<dl class="facts">${facts}</dl>${features(decision, open, t)}</article>`;
}

function title(decision: Fields, t: Translate): string {
  const at = number(decision.at);
  const time = at === null ? '' : new Date(1000 * at).toLocaleTimeString();
  const action = text(decision.action);
  const model = text(decision.model);
  return [time, model === '' ? routeName(action, t) : routeName(model, t), text(decision.language)]
    .filter(Boolean).join(' · ');
}

function factsOf(decision: Fields, t: Translate): [string, string][] {
  const energy = record(decision.energy);
  const method = text(energy.method) as EnergyMethod;
  const tokens = record(decision.tokens);
  const models = Array.isArray(decision.models_run) ? decision.models_run : [];
  return [
    [t('Energy saving'), text(decision.energy_saving)],
    [t('Models that ran'), models.map((model) => routeName(String(model), t)).join(', ') || UNKNOWN],
    [t('Small model right (classifier)'), percent(number(decision.p_small_ok))],
    [t('Large model better (classifier)'), percent(number(decision.p_gain))],
    [t('Confidence of the text'), percent(number(decision.confidence))],
    [t('Joules spent'), joules(number(energy.joules), method)],
    [t('Joules always-large would have spent'), estimated(number(energy.baseline_joules), method)],
    [t('Joules saved'), estimated(number(energy.saved_joules), method)],
    [t('Time'), milliseconds(number(record(decision.timings_ms).total))],
    [t('Tokens evaluated, written'), `${text(tokens.prompt_evaluated)}, ${text(tokens.generated)}`],
  ];
}

function features(decision: Fields, open: boolean, t: Translate): string {
  const named = Object.entries(record(decision.features)).filter(([, value]) => value !== 0);
  if (named.length === 0) return '';
  const rows = named.map(([name, value]) =>
    `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(text(value))}</td></tr>`).join('');
  const summary = t('What the classifier saw ({0} features that are not zero)', named.length);
  return `<details${open ? ' open' : ''}><summary>${escapeHtml(summary)}</summary><table class="features"><tbody>${rows}</tbody></table></details>`;
}

function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
