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
