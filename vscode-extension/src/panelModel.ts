/** What the energy panel shows: every number as text, so that the page itself only draws. */

import { type SliderView, sliderView } from './outlook';
import type { Translate } from './l10n';
import type {
  Account, MeterCard, MissingMeter, PairInUse, PullingParams, Recommended, Report, Share, Slot,
} from './protocol';
import { estimated, joules, milliseconds, percent, quantity, size, UNKNOWN } from './quantities';
import type { Settings } from './settings';
import { methodSentence } from './statusView';

/** What the panel is made of. */
export interface PanelFacts {
  readonly report: Report;
  readonly settings: Settings;
  /** The server's state in a sentence; shown above everything else while it does not simply run. */
  readonly notice: string;
  readonly recommended: Recommended | undefined;
  readonly pulling: PullingParams | undefined;
  /** What is being done at the user's wish, in a sentence. */
  readonly busy: string;
  /** The user's language, for the names of days. */
  readonly locale: string;
}

export interface Headline {
  readonly title: string;
  readonly amount: string;
  readonly detail: string;
  readonly method: string;
}

export interface PeriodRow {
  readonly id: 'session' | 'today' | 'allTime';
  readonly name: string;
  readonly saved: string;
  readonly spread: string;
  readonly spent: string;
  readonly requests: string;
  readonly accepted: string;
}

export interface Part {
  readonly route: string;
  readonly name: string;
  /** Joules, to draw with; the text is what is read. */
  readonly amount: number;
  readonly text: string;
}

export interface Bar {
  readonly name: string;
  readonly total: string;
  readonly parts: readonly Part[];
}

export interface Chart {
  readonly id: 'hours' | 'days';
  readonly name: string;
  readonly summary: string;
  readonly top: string;
  readonly bars: readonly Bar[];
}

export interface ShareRow {
  readonly route: string;
  readonly name: string;
  readonly requests: string;
  readonly joules: string;
  /** Of all joules that are known, 0..1. */
  readonly share: number;
  readonly percent: string;
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface MeterRow {
  readonly name: string;
  readonly text: string;
  readonly remedy: string;
}

export interface PairView {
  readonly inUse: string;
  readonly router: string;
  readonly offer: string;
  /** The command behind the button, its label, and the pair that it is about; '' where there is no button. */
  readonly action: '' | 'recommend' | 'pull' | 'use';
  readonly actionName: string;
  readonly pair: string;
  readonly progress: { readonly text: string; readonly done: number | null } | null;
}

export interface PanelModel {
  readonly notice: string;
  readonly busy: string;
  readonly machine: string;
  readonly headline: Headline;
  readonly periods: readonly PeriodRow[];
  readonly slider: SliderView;
  readonly charts: readonly Chart[];
  readonly legend: readonly { readonly route: string; readonly name: string }[];
  readonly shares: readonly ShareRow[];
  readonly facts: readonly Fact[];
  readonly meters: readonly MeterRow[];
  readonly pair: PairView;
}

const HOURS = 24;
const DAYS = 30;
const HOUR_MS = 3_600_000;
const ROUTES = ['small', 'large', 'cache', 'skip', 'none', 'cancelled', 'prefetch', 'residency', 'load'] as const;

/** Renders the panel as of `now`. */
export function panelModel(facts: PanelFacts, now: Date, t: Translate): PanelModel {
  const { report } = facts;
  const shares = report.allTime.shares;
  return {
    notice: facts.notice,
    busy: facts.busy,
    machine: report.machine === '' ? '' : t('Measured on {0}.', report.machine),
    headline: headline(report.session, t),
    periods: [
      period('session', t('This session'), report.session),
      period('today', t('Today'), report.today),
      period('allTime', t('All time'), report.allTime),
    ],
    slider: sliderView(facts.settings, report, t),
    charts: charts(report, now, facts.locale, t),
    legend: ROUTES.filter((route) => shares.some((share) => share.route === route && (share.joules ?? 0) > 0))
      .map((route) => ({ route, name: routeName(route, t) })),
    shares: shareRows(report.allTime, t),
    facts: accountFacts(report.allTime, t),
    meters: [
      ...report.meters.map((meter) => meterRow(meter, t)),
      ...report.missing.map((meter) => missingRow(meter, t)),
    ],
    pair: pairView(facts, t),
  };
}

/** A route's name as a person reads it; one that is not known stands as it is. */
export function routeName(route: string, t: Translate): string {
  switch (route) {
    case 'small': return t('Small model');
    case 'large': return t('Large model');
    case 'cache': return t('From the cache');
    case 'skip': return t('Not asked');
    case 'none': return t('Nothing shown');
    case 'cancelled': return t('Stopped');
    case 'prefetch': return t('Fetched ahead');
    case 'residency': return t('Between requests');
    case 'load': return t('Loading');
    default: return route;
  }
}

function headline(account: Account, t: Translate): Headline {
  const { savedJoules, savedStddev, savedPercent, method, headlineState } = account;
  const lost = headlineState === 'lost';
  const claimed = headlineState === 'saved' || lost;
  const amount = claimed && savedJoules !== null ? estimated(Math.abs(savedJoules), method) : UNKNOWN;
  const spread = claimed && savedStddev !== null ? `± ${quantity(savedStddev)}` : '';
  const share = claimed && savedPercent !== null
    ? (lost
      ? t('{0} % more than always asking the large model', Math.abs(savedPercent).toFixed(0))
      : t('{0} % less than always asking the large model', savedPercent.toFixed(0)))
    : '';
  return {
    title: lost ? t('Lost this session') : t('Saved this session'),
    amount,
    detail: claimed ? [spread, share].filter(Boolean).join(' · ') : noClaim(account, t),
    method: account.requests === 0 ? '' : methodSentence(method, t), // before the first there is none yet
  };
}

function noClaim({ requests, headlineState }: Account, t: Translate): string {
  if (headlineState === 'no measurable saving') return t('No measurable saving: it lies within the error.');
  if (headlineState === 'unknown') return t('What was saved is not known yet.');
  return t('{0} of 10 requests needed before a saving is shown.', requests);
}

function period(id: PeriodRow['id'], name: string, account: Account): PeriodRow {
  const saved = estimated(account.savedJoules, account.method);
  const spread = account.savedStddev === null || saved === UNKNOWN ? '' : `± ${quantity(account.savedStddev)}`;
  return {
    id,
    name,
    saved,
    spread,
    spent: joules(account.spentJoules, account.method),
    requests: String(account.requests),
    accepted: String(account.accepted),
  };
}

function charts(report: Report, now: Date, locale: string, t: Translate): Chart[] {
  const { method } = report.allTime;
  const hours = Array.from({ length: HOURS }, (_, back) => new Date(now.getTime() - (HOURS - 1 - back) * HOUR_MS));
  const days = Array.from({ length: DAYS }, (_, back) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - (DAYS - 1 - back)));
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
  return [
    chart('hours', t('Last 24 hours'), report.hours, hours.map((at) => [hourKey(at), `${two(at.getHours())}:00`])),
    chart('days', t('Last 30 days'), report.days, days.map((at) => [dayKey(at), day.format(at)])),
  ];

  function chart(id: Chart['id'], name: string, slots: readonly Slot[], times: string[][]): Chart {
    const found = new Map(slots.map((slot) => [slot.at, slot.shares]));
    const bars = times.map(([key = '', label = '']) => bar(label, found.get(key) ?? []));
    const most = Math.max(0, ...bars.map((each) => sum(each.parts)));
    const all = bars.reduce((total, each) => total + sum(each.parts), 0);
    return {
      id, name, bars,
      top: joules(most, method),
      summary: all === 0 ? t('Nothing was spent in this time.') : t('{0} in all', joules(all, method)),
    };
  }

  function bar(name: string, shares: readonly Share[]): Bar {
    const parts = ROUTES.flatMap((route) => {
      const amount = shares.find((share) => share.route === route)?.joules ?? 0;
      return amount > 0 ? [{ route, name: routeName(route, t), amount, text: joules(amount, method) }] : [];
    });
    return { name, parts, total: joules(sum(parts), method) };
  }
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, part) => total + part.amount, 0);
}

function shareRows({ shares, method }: Account, t: Translate): ShareRow[] {
  const all = shares.reduce((total, share) => total + (share.joules ?? 0), 0);
  return ROUTES.flatMap((route) => shares.filter((share) => share.route === route)).map((share) => ({
    route: share.route,
    name: routeName(share.route, t),
    requests: share.route === 'residency' || share.route === 'load' ? '' : String(share.requests),
    joules: joules(share.joules, method),
    share: all > 0 ? (share.joules ?? 0) / all : 0,
    percent: share.joules === null || all === 0 ? UNKNOWN : percent(share.joules / all),
  }));
}

function accountFacts(account: Account, t: Translate): Fact[] {
  const { acceptedCharsPerJoule: each, method, spentJoulesLow: low, spentJoulesHigh: high } = account;
  const sign = method === 'measured' ? '' : '~';
  const perJoule = each === null || method === 'unavailable' ? UNKNOWN : `${sign}${each.toPrecision(2)}`;
  const between = low === null || high === null ? UNKNOWN : t('{0} to {1}', quantity(low), quantity(high));
  return [
    { name: t('Accepted characters a joule'), value: perJoule },
    { name: t('Median time to an answer'), value: milliseconds(account.medianMs) },
    { name: t('Suggestions accepted'), value: t('{0} of {1} shown', account.accepted, account.shown) },
    { name: t('What was spent lies between'), value: between },
  ];
}

function meterRow({ name, covers, method, counted }: MeterCard, t: Translate): MeterRow {
  const kind = method === 'measured' ? t('measured') : method === 'attributed' ? t('attributed') : t('estimated');
  const text = counted ? t('{0}: {1}', kind, covers) : t('{0}: {1}; shown only, not in the sums', kind, covers);
  return { name, text, remedy: '' };
}

function missingRow({ name, reason, remedy }: MissingMeter, t: Translate): MeterRow {
  return { name, text: t('cannot be read: {0}', reason), remedy: remedy ?? '' };
}

function pairView({ report, recommended, pulling }: PanelFacts, t: Translate): PairView {
  const { pair } = report;
  const inUse = pair === null ? t('The models are not loaded.') : pairInUse(pair, t);
  const router = pair === null || pair.hasRouter
    ? ''
    : t('No router was made for this pair: the small model’s own confidence decides until you calibrate.');
  const base = { inUse, router, pair: recommended?.pair ?? '', progress: progress(pulling, t) };
  if (!recommended) {
    return { ...base, offer: '', action: 'recommend', actionName: t('Which pair suits this machine?') };
  }
  if (recommended.pair === pair?.id) {
    return { ...base, offer: t('This pair suits this machine. {0}', recommended.reason), action: '', actionName: '' };
  }
  const bytes = recommended.sizeBytes === null ? '' : ` (${size(recommended.sizeBytes)})`;
  const offer = t('Recommended: {0}. {1}', recommended.pair, recommended.reason);
  return recommended.present
    ? { ...base, offer, action: 'use', actionName: t('Use {0}', recommended.pair) }
    : { ...base, offer, action: 'pull', actionName: t('Download {0}{1}', recommended.pair, bytes) };
}

function pairInUse({ small, large, smallMemoryBytes, largeMemoryBytes }: PairInUse, t: Translate): string {
  const names = t('{0} (small) and {1} (large)', small, large);
  if (smallMemoryBytes === null || largeMemoryBytes === null) return names;
  if (largeMemoryBytes === 0) return t('{0}, the large one unloaded: {1} of memory', names, size(smallMemoryBytes));
  return t('{0}: {1} and {2} of memory', names, size(smallMemoryBytes), size(largeMemoryBytes));
}

function progress(pulling: PullingParams | undefined, t: Translate): PairView['progress'] {
  if (!pulling) return null;
  const { model, doneBytes, totalBytes } = pulling;
  if (totalBytes === null) return { text: t('Waiting for {0}', model), done: null };
  return { text: t('{0}: {1} of {2}', model, size(doneBytes), size(totalBytes)), done: doneBytes / totalBytes };
}

function hourKey(at: Date): string {
  return `${dayKey(at)} ${two(at.getHours())}`;
}

function dayKey(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
