/** What the status bar says: a pure function of what is known. */

import type { EnergyMethod, EnergyTotals, ServerState, StatusParams, Tier } from './protocol';
import { completes, type Settings } from './settings';

/** How the server process stands. */
export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'missing'; readonly message: string }
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
  'jouline.explain',
  'jouline.energySaving',
  'jouline.toggle',
  'jouline.restart',
  'jouline.showLog',
] as const;

const STARTING_TOO_LONG_MS = 120_000;
const THINKING_TOO_LONG_MS = 20_000;
const UNANSWERED_TOO_MANY = 3;

const ICONS: Readonly<Record<ServerState, string>> = {
  starting: '$(loading~spin)',
  ready: '$(zap)',
  thinking: '$(loading~spin)',
  paused: '$(debug-pause)',
  off: '$(circle-slash)',
  trouble: '$(warning)',
};

const KEYS = '`Tab` accepts · `Ctrl+Right` takes a word · `Esc` hides';

const SWITCHES_SHOWN = 3;

const BASELINE = 'Saved: against always asking the large model.';

const METHODS: Readonly<Record<EnergyMethod, string>> = {
  measured: 'Measured with the counters of this machine.',
  attributed: 'Attributed (~): the counters of this machine, shared out by processor time.',
  estimated: 'Estimated (~): this machine has no energy counter that can be read.',
  unavailable: 'No energy figure can be given on this machine.',
};

/** Renders the status bar item. */
export function statusView(known: Known): StatusView {
  const standing = stand(known);
  const energy = known.status?.energy;
  const spoken = [`Jouline: ${standing.state}.`, standing.message];
  if (energy) spoken.push(`Saved ${saved(energy)}.`);
  return {
    ...standing,
    text: `${ICONS[standing.state]} ${shortText(standing.state, known)}`,
    severity: known.phase.kind === 'dead' ? 'error' : standing.state === 'trouble' ? 'warning' : 'none',
    tooltip: tooltip(standing, energy, known.settings),
    label: spoken.join(' '),
  };
}

/**
 * The state and the sentence that explains it.
 *
 * 1. switched off by the setting
 * 2. no server, or a server that stays down
 * 3. a server that is coming up, or that answers no more
 * 4. a language that is switched off
 * 5. what the server says, as long as it can be believed
 */
export function stand(known: Known): Standing {
  const { phase, settings, language, status } = known;
  if (!settings.enable) return { state: 'off', message: 'Switched off by the setting jouline.enable.' };
  if (phase.kind === 'missing' || phase.kind === 'dead') return { state: 'trouble', message: phase.message };
  if (phase.kind === 'idle') return { state: 'off', message: 'Starts when a file is opened.' };
  if (known.unanswered >= UNANSWERED_TOO_MANY) {
    return { state: 'trouble', message: 'The server does not answer any more: restart it.' };
  }
  if (phase.kind === 'running' && language !== undefined && !completes(settings, language)) {
    return { state: 'off', message: `Switched off for ${language} by the setting jouline.languages.` };
  }
  return believed(status, known.ageMs);
}

function believed(status: StatusParams | undefined, ageMs: number): Standing {
  const standing: Standing = status ?? { state: 'starting', message: 'The server is starting.' };
  if (standing.state === 'starting' && ageMs > STARTING_TOO_LONG_MS) {
    return { state: 'trouble', message: 'The server has been starting for two minutes: see the log.' };
  }
  const stuck = standing.state === 'thinking' && ageMs > THINKING_TOO_LONG_MS;
  return { state: stuck ? 'ready' : standing.state, message: standing.message };
}

function shortText(state: ServerState, { status, lastModel }: Known): string {
  const answering = state === 'ready' || state === 'thinking';
  if (!answering || !status || status.energy.requests === 0) return `Jouline: ${state}`;
  const energy = savedOrLost(status.energy);
  return lastModel === null ? energy : `${lastModel} · ${energy}`;
}

const UNKNOWN = '—';

/** Joules signed by how they are known: `12 J` measured, `~12 J` attributed or estimated, `—` unknown. */
export function joules(amount: number | null, method: EnergyMethod): string {
  if (amount === null || method === 'unavailable') return UNKNOWN;
  return `${method === 'measured' ? '' : '~'}${quantity(amount)}`;
}

// The server's own rule (energy/savings.py): no claim from fewer requests, nor within two standard errors.
const REQUESTS_BEFORE_A_CLAIM = 10;
const ERRORS_TO_BE_SURE = 2;

// A loss is a word of its own: a minus sign behind the sign of an estimate is too easily overlooked.
function savedOrLost({ savedJoules, savedStddev, spentJoules, method, requests }: EnergyTotals): string {
  if (savedJoules === null || method === 'unavailable') return UNKNOWN;
  if (requests < REQUESTS_BEFORE_A_CLAIM) return `${joules(spentJoules, method)} spent`;
  if (Math.abs(savedJoules) <= ERRORS_TO_BE_SURE * (savedStddev ?? 0)) return 'no measurable saving';
  return `${joules(Math.abs(savedJoules), 'estimated')} ${savedJoules < 0 ? 'lost' : 'saved'}`;
}

// What was saved is an estimate however well the rest is measured: the alternative never ran.
function saved({ savedJoules, method }: EnergyTotals): string {
  return joules(savedJoules, method === 'unavailable' ? method : 'estimated');
}

function quantity(amount: number): string {
  const size = Math.abs(amount);
  if (size >= 1e6) return `${digits(amount / 1e6)} MJ`;
  return size >= 1000 ? `${digits(amount / 1000)} kJ` : `${digits(amount)} J`;
}

// Two significant digits below 100: the figures are not known better than that.
function digits(amount: number): string {
  const size = Math.abs(amount);
  const places = size >= 9.95 ? 0 : size >= 0.995 ? 1 : 2;
  const text = size.toFixed(places);
  if (Number(text) === 0) return '0';
  return amount < 0 ? `−${text}` : text;
}

function tooltip(standing: Standing, energy: EnergyTotals | undefined, settings: Settings): string {
  const parts = [`**Jouline** · ${standing.state}`, escapeMarkdown(standing.message)];
  if (energy && energy.requests > 0) {
    const known = `${METHODS[energy.method]} ${escapeMarkdown(energy.source)}`;
    parts.push(energyTable(energy), `${BASELINE} ${known}`.trim());
    const switches = energy.switches.slice(-SWITCHES_SHOWN).join(' ');
    if (switches) parts.push(`Counted differently since: ${escapeMarkdown(switches)}`);
  }
  parts.push(KEYS, '---', links(settings));
  return parts.join('\n\n');
}

function energyTable(energy: EnergyTotals): string {
  const { savedStddev, method } = energy;
  const spread = savedStddev === null || saved(energy) === UNKNOWN ? '' : ` ± ${quantity(savedStddev)}`;
  return [
    '| This session | &nbsp; |',
    '|:--|--:|',
    `| Saved | &nbsp; ${saved(energy)}${spread} |`,
    `| Spent | &nbsp; ${joules(energy.spentJoules, method)} |`,
    `| Stopped requests | &nbsp; ${joules(energy.cancelledJoules, method)} |`,
    `| Loading | &nbsp; ${joules(energy.loadJoules, method)} |`,
    `| Between requests | &nbsp; ${joules(energy.residencyJoules, method)} |`,
    `| Requests | &nbsp; ${energy.requests} |`,
  ].join('\n');
}

function links(settings: Settings): string {
  return [
    `[$(settings) Energy saving ${settings.energySaving}](command:jouline.energySaving "Choose how much")`,
    '[$(question) Why?](command:jouline.explain "Why this model?")',
    `[${settings.enable ? '$(circle-slash) Switch off' : '$(zap) Switch on'}](command:jouline.toggle)`,
    '[$(debug-restart) Restart](command:jouline.restart "Restart the server")',
    '[$(output) Log](command:jouline.showLog "Show the log")',
  ].join(' &nbsp;·&nbsp; ');
}

/** Text that Markdown shows as it stands. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-!|<>~$]/g, '\\$&');
}
