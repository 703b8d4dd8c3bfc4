/** What the status bar says: a pure function of what is known. */

import type { Translate } from './l10n';
import type { EnergyMethod, EnergyTotals, ServerState, StatusParams, Tier } from './protocol';
import { estimated, joules, quantity, UNKNOWN } from './quantities';
import { completes, type Settings } from './settings';

/** What a person may do about a server that is not there. */
export type WayOut = 'settings' | 'retry' | 'python' | 'log';

/** How the server process stands. */
export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'installing'; readonly message: string }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'missing'; readonly message: string; readonly waysOut: readonly WayOut[] }
  | { readonly kind: 'dead'; readonly message: string };

export interface Known {
  readonly phase: Phase;
  /** The server's last word, and how long ago it came (or the phase began, where there is none yet). */
  readonly status: StatusParams | undefined;
  readonly ageMs: number;
  /** The model that answered last; the status names none for a cache hit or a skipped place. */
  readonly lastModel: Tier | null;
  /** Requests in a row that the server left without an answer. */
  readonly unanswered: number;
  readonly settings: Settings;
  /** The language of the active editor; undefined where none is open. */
  readonly language: string | undefined;
}

export interface Standing {
  readonly state: ServerState;
  readonly message: string;
}

export interface StatusView extends Standing {
  readonly text: string;
  readonly severity: 'none' | 'warning' | 'error';
  /** Markdown with command links and theme icons. */
  readonly tooltip: string;
  /** The same for a screen reader. */
  readonly label: string;
}

/** Commands that the tooltip links to. */
export const TOOLTIP_COMMANDS = [
  'jouline.openPanel',
  'jouline.explain',
  'jouline.energySaving',
  'jouline.toggle',
  'jouline.toggleLanguage',
  'jouline.restart',
  'jouline.install',
  'jouline.showLog',
] as const;

const STARTING_TOO_LONG_MS = 120_000;
const THINKING_TOO_LONG_MS = 20_000;
const UNANSWERED_TOO_MANY = 3;
const SWITCHES_SHOWN = 3;

const ICONS: Readonly<Record<ServerState, string>> = {
  starting: '$(loading~spin)',
  ready: '$(zap)',
  thinking: '$(loading~spin)',
  paused: '$(debug-pause)',
  off: '$(circle-slash)',
  trouble: '$(warning)',
};

/** Renders the status bar item. */
export function statusView(known: Known, t: Translate): StatusView {
  const standing = stand(known, t);
  const energy = known.status?.energy;
  const spoken = [`Jouline: ${stateName(standing.state, t)}.`, standing.message];
  if (energy && energy.requests > 0) spoken.push(`${savedOrLost(energy, t)}.`);
  return {
    ...standing,
    text: `${ICONS[standing.state]} ${shortText(standing.state, known, t)}`,
    severity: known.phase.kind === 'dead' ? 'error' : standing.state === 'trouble' ? 'warning' : 'none',
    tooltip: tooltip(standing, known, t),
    label: spoken.join(' '),
  };
}

/**
 * The state and the sentence that explains it.
 *
 * 1. switched off by the setting
 * 2. the server's environment is being made
 * 3. no server, or a server that stays down
 * 4. a server that is coming up, or that answers no more
 * 5. a language that is switched off
 * 6. what the server says, as long as it can be believed
 */
export function stand(known: Known, t: Translate): Standing {
  const { phase, settings, language, status } = known;
  if (!settings.enable) return off(t('Switched off by the setting jouline.enable.'));
  if (phase.kind === 'installing') return { state: 'starting', message: phase.message };
  if (phase.kind === 'missing' || phase.kind === 'dead') return { state: 'trouble', message: phase.message };
  if (phase.kind === 'idle') return off(t('Starts when a file is opened.'));
  if (known.unanswered >= UNANSWERED_TOO_MANY) {
    return { state: 'trouble', message: t('The server does not answer any more: restart it.') };
  }
  if (phase.kind === 'running' && language !== undefined && !completes(settings, language)) {
    return off(t('Switched off for {0} by the setting jouline.languages.', language));
  }
  return believed(status, known.ageMs, t);
}

function off(message: string): Standing {
  return { state: 'off', message };
}

function believed(status: StatusParams | undefined, ageMs: number, t: Translate): Standing {
  const standing: Standing = status ?? { state: 'starting', message: t('The server is starting.') };
  if (standing.state === 'starting' && ageMs > STARTING_TOO_LONG_MS) {
    return { state: 'trouble', message: t('The server has been starting for two minutes: see the log.') };
  }
  const stuck = standing.state === 'thinking' && ageMs > THINKING_TOO_LONG_MS;
  return { state: stuck ? 'ready' : standing.state, message: standing.message };
}

/** A state's name as a person reads it. */
export function stateName(state: ServerState, t: Translate): string {
  switch (state) {
    case 'starting': return t('starting');
    case 'ready': return t('ready');
    case 'thinking': return t('thinking');
    case 'paused': return t('paused');
    case 'off': return t('off');
    case 'trouble': return t('trouble');
  }
}

/** A tier's name as a person reads it. */
export function tierName(tier: Tier, t: Translate): string {
  return tier === 'small' ? t('small') : t('large');
}

/** How a class of numbers came about, in a sentence. */
export function methodSentence(method: EnergyMethod, t: Translate): string {
  switch (method) {
    case 'measured': return t('Measured with the counters of this machine.');
    case 'attributed':
      return t('Attributed (~): the counters of this machine, shared out by processor time.');
    case 'estimated': return t('Estimated (~): this machine has no energy counter that can be read.');
    case 'unavailable': return t('No energy figure can be given on this machine.');
  }
}

function shortText(state: ServerState, { phase, status, lastModel }: Known, t: Translate): string {
  if (phase.kind === 'installing' && state === 'starting') return t('Jouline: installing');
  const answering = state === 'ready' || state === 'thinking';
  if (!answering || !status || status.energy.requests === 0) return `Jouline: ${stateName(state, t)}`;
  const energy = savedOrLost(status.energy, t);
  return lastModel === null ? energy : `${tierName(lastModel, t)} · ${energy}`;
}

// The server's own rule (energy/savings.py): no claim from fewer requests, nor within two standard errors.
const REQUESTS_BEFORE_A_CLAIM = 10;
const ERRORS_TO_BE_SURE = 2;

// A loss is a word of its own: a minus sign behind the sign of an estimate is too easily overlooked.
function savedOrLost(energy: EnergyTotals, t: Translate): string {
  const { savedJoules, savedStddev, spentJoules, method, requests } = energy;
  if (savedJoules === null || method === 'unavailable') return UNKNOWN;
  if (requests < REQUESTS_BEFORE_A_CLAIM) return t('{0} spent', joules(spentJoules, method));
  if (Math.abs(savedJoules) <= ERRORS_TO_BE_SURE * (savedStddev ?? 0)) return t('no measurable saving');
  const amount = joules(Math.abs(savedJoules), 'estimated');
  return savedJoules < 0 ? t('{0} lost', amount) : t('{0} saved', amount);
}

function tooltip(standing: Standing, { status, settings, language, phase }: Known, t: Translate): string {
  const energy = status?.energy;
  const parts = [`**Jouline** · ${stateName(standing.state, t)}`, escapeMarkdown(standing.message)];
  if (energy && energy.requests > 0) {
    const known = `${methodSentence(energy.method, t)} ${escapeMarkdown(energy.source)}`;
    parts.push(energyTable(energy, t), `${t('Saved: against always asking the large model.')} ${known}`.trim());
    const switches = energy.switches.slice(-SWITCHES_SHOWN).join(' ');
    if (switches) parts.push(t('Counted differently since: {0}', escapeMarkdown(switches)));
  }
  parts.push(t('`Tab` accepts · `Ctrl+Right` takes a word · `Esc` hides'), '---');
  parts.push(links(settings, language, phase, t));
  return parts.join('\n\n');
}

function energyTable(energy: EnergyTotals, t: Translate): string {
  const { savedStddev, method } = energy;
  const saved = estimated(energy.savedJoules, method);
  const spread = savedStddev === null || saved === UNKNOWN ? '' : ` ± ${quantity(savedStddev)}`;
  return [
    `| ${t('This session')} | &nbsp; |`,
    '|:--|--:|',
    `| ${t('Saved')} | &nbsp; ${saved}${spread} |`,
    `| ${t('Spent')} | &nbsp; ${joules(energy.spentJoules, method)} |`,
    `| ${t('Stopped requests')} | &nbsp; ${joules(energy.cancelledJoules, method)} |`,
    `| ${t('Loading')} | &nbsp; ${joules(energy.loadJoules, method)} |`,
    `| ${t('Between requests')} | &nbsp; ${joules(energy.residencyJoules, method)} |`,
    `| ${t('Requests')} | &nbsp; ${energy.requests} |`,
  ].join('\n');
}

function links(settings: Settings, language: string | undefined, phase: Phase, t: Translate): string {
  const link = (icon: string, label: string, command: (typeof TOOLTIP_COMMANDS)[number]) =>
    `[$(${icon}) ${label}](command:${command})`;
  const parts = [
    link('graph', t('Energy panel'), 'jouline.openPanel'),
    link('settings', t('Energy saving {0}', settings.energySaving), 'jouline.energySaving'),
    link('question', t('Why?'), 'jouline.explain'),
    settings.enable
      ? link('circle-slash', t('Switch off'), 'jouline.toggle')
      : link('zap', t('Switch on'), 'jouline.toggle'),
  ];
  if (settings.enable && language !== undefined) {
    const label = completes(settings, language) ? t('Off for {0}', language) : t('On for {0}', language);
    parts.push(link('code', label, 'jouline.toggleLanguage'));
  }
  if (phase.kind === 'missing') parts.push(link('desktop-download', t('Install'), 'jouline.install'));
  else parts.push(link('debug-restart', t('Restart'), 'jouline.restart'));
  parts.push(link('output', t('Log'), 'jouline.showLog'));
  return parts.join(' &nbsp;·&nbsp; ');
}

/** Text that Markdown shows as it stands. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-!|<>~$]/g, '\\$&');
}
