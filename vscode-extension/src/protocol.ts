/**
 * Names and payloads of Jouline's own messages, as they go over the wire.
 *
 * The server's side is server/jouline/lsp/protocol.py; a test holds the two equal, so this file keeps to
 * plain interfaces with one field a line. A value that is not known is null, never 0.
 */

export const STATUS = 'jouline/status';
export const ENERGY = 'jouline/energy';
export const EXPLAIN = 'jouline/explain';
export const MODELS = 'jouline/models';
export const REPORT = 'jouline/report';
export const DECISIONS = 'jouline/decisions';
export const RECOMMEND = 'jouline/recommend';
export const PULL = 'jouline/pull';
export const PULLING = 'jouline/pulling';
export const DID_SHOW = 'jouline/didShow';
export const DID_PARTIALLY_ACCEPT = 'jouline/didPartiallyAccept';
export const DID_REJECT = 'jouline/didReject';

/** The command that every item carries; the server executes it, and its one argument is the item's id. */
export const ACCEPTED = 'jouline.accepted';

export type ServerState = 'starting' | 'ready' | 'thinking' | 'paused' | 'off' | 'trouble';
export type Tier = 'small' | 'large';
export type EnergyMethod = 'measured' | 'attributed' | 'estimated' | 'unavailable';

/** This session's totals; `switches` are changes of method in one sentence each, oldest first. */
export interface EnergyTotals {
  savedJoules: number | null;
  savedStddev: number | null;
  spentJoules: number | null;
  cancelledJoules: number | null;
  loadJoules: number | null;
  residencyJoules: number | null;
  acceptedCharsPerJoule: number | null;
  method: EnergyMethod;
  source: string;
  switches: string[];
  requests: number;
}

/** jouline/status, server to client. `message` is one plain sentence. */
export interface StatusParams {
  state: ServerState;
  model: Tier | null;
  message: string;
  energy: EnergyTotals;
}

export interface Position {
  line: number;
  character: number;
}

/** jouline/explain, client to server. */
export interface ExplainParams {
  uri: string;
  position: Position;
}

/** `completion` is the JSON that `jouline complete --json` prints, without the text. */
export interface ExplainResult {
  reason: string;
  completion?: Record<string, unknown>;
}

/** The result of jouline/models: the catalogue's pairs. */
export interface ModelsResult {
  pairs: Record<string, unknown>[];
}

/** What one route had: a tier, `cache`, `skip`, `none`, `cancelled`, `residency`, `load`. */
export interface Share {
  route: string;
  requests: number;
  joules: number | null;
}

/** Sums over a stretch of time, as `jouline stats --json` has them; `headline` is what may be claimed. */
export interface Account {
  requests: number;
  shown: number;
  accepted: number;
  acceptedChars: number;
  spentJoules: number | null;
  spentJoulesLow: number | null;
  spentJoulesHigh: number | null;
  method: EnergyMethod;
  savedJoules: number | null;
  savedStddev: number | null;
  savedPercent: number | null;
  headline: string;
  headlineState: string;
  acceptedCharsPerJoule: number | null;
  medianMs: number | null;
  shares: Share[];
}

/** One bar of a chart: an hour (`YYYY-MM-DD HH`) or a day (`YYYY-MM-DD`) of local time. */
export interface Slot {
  at: string;
  shares: Share[];
}

export interface MeterCard {
  name: string;
  covers: string;
  method: EnergyMethod;
  counted: boolean;
}

export interface MissingMeter {
  name: string;
  reason: string;
  remedy: string | null;
}

/** What an energy saving promises by the calibration: joules a request, share of places right (0..1). */
export interface Outlook {
  energySaving: number;
  joules: number | null;
  quality: number | null;
}

/** `mostSaving` is the highest energy saving that the quality floor allows; an unloaded model takes 0 bytes. */
export interface PairInUse {
  id: string;
  small: string;
  large: string;
  hasRouter: boolean;
  mostSaving: number;
  smallMemoryBytes: number | null;
  largeMemoryBytes: number | null;
}

/** The result of jouline/report: all that the energy panel shows; null and empty until models are loaded. */
export interface Report {
  machine: string;
  session: Account;
  today: Account;
  allTime: Account;
  hours: Slot[];
  days: Slot[];
  meters: MeterCard[];
  missing: MissingMeter[];
  outlook: Outlook[];
  outlookMethod: EnergyMethod;
  pair: PairInUse | null;
}

/** The result of jouline/decisions: the latest answers, newest first, without any text. */
export interface DecisionsResult {
  decisions: Record<string, unknown>[];
}

/** The result of jouline/recommend. */
export interface Recommended {
  pair: string;
  small: string;
  large: string;
  present: boolean;
  sizeBytes: number | null;
  reason: string;
}

/** jouline/pull, client to server; the answer comes when the pair's models are here. */
export interface PullParams {
  pair: string;
}

export interface PullResult {
  problem: string | null;
}

/** jouline/pulling, server to client. */
export interface PullingParams {
  model: string;
  doneBytes: number;
  totalBytes: number | null;
}

/** jouline/didShow, client to server. */
export interface DidShowParams {
  id: string;
}

/** jouline/didPartiallyAccept, client to server: UTF-16 units from the start of the item's text. */
export interface DidPartiallyAcceptParams {
  id: string;
  acceptedLength: number;
}

/** jouline/didReject, client to server. */
export interface DidRejectParams {
  id: string;
}
