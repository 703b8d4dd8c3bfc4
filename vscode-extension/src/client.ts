import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
} from 'vscode-languageclient/node';
import { type Backoff, causeOfDeath } from './backoff';
import { withDeadline } from './deadline';
import { PULLING, type PullingParams, STATUS, type StatusParams } from './protocol';
import type { ServerCommand, ServerMissing } from './resolve';
import type { Phase } from './statusView';

/** Documents that are completed: files, new files, and cells of notebooks, in any language. */
export const DOCUMENTS = [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }];

const OWN_WORDS = 'jouline: ';
const DYING_MS = 500;
const START_WAIT_MS = 60_000;
const STOP_WAIT_MS = 3_000;
const REQUEST_WAIT_MS = 5_000;

export interface ConnectionParts {
  readonly log: vscode.LogOutputChannel;
  readonly backoff: Backoff;
  readonly resolve: () => Promise<ServerCommand | ServerMissing>;
  readonly initializationOptions: () => unknown;
  readonly middleware: Middleware;
}

/** Leaves telling the user to the status item, and never logs a message's contents, which are source text. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
  }

  override info(message: string, data?: unknown): void {
    super.info(message, data, false);
  }

  override trace(message: string): void {
    super.trace(message);
  }
}

/** One life of the server: its process and the client that talks to it. */
class Life {
  private process: ChildProcess | undefined;
  private lastLine = '';
  private ownWords = '';
  private over = false;
  readonly client: LanguageClient;

  constructor(
    private readonly server: ServerCommand,
    parts: ConnectionParts,
    private readonly died: (why: string) => void,
  ) {
    const options: LanguageClientOptions = {
      documentSelector: DOCUMENTS,
      outputChannel: parts.log,
      initializationOptions: parts.initializationOptions,
      initializationFailedHandler: () => false,
      middleware: parts.middleware,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          void this.end();
          return { action: CloseAction.DoNotRestart, message: 'The connection was closed.', handled: true };
        },
      },
      stdioOptions: {
        stdout: () => undefined,
        stderr: (stream) => {
          createInterface({ input: stream }).on('line', (line) => {
            this.heard(line);
            parts.log.info(`server: ${line}`);
          });
        },
      },
    };
    this.client = new QuietClient('jouline', 'Jouline', () => this.spawn(), options);
  }

  /** Whether the server runs, as far as is known. */
  get alive(): boolean {
    return !this.over;
  }

  async start(): Promise<void> {
    try {
      await withDeadline(this.client.start(), START_WAIT_MS, () => this.process?.kill('SIGKILL'));
    } catch (error) {
      await this.end(error);
    }
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.client.stop(STOP_WAIT_MS).catch(() => this.process?.kill());
    await this.gone(STOP_WAIT_MS).catch(() => this.process?.kill('SIGKILL'));
  }

  // The server runs outside the open folder, so that nothing in the folder can be taken for a part of it.
  private async spawn(): Promise<ChildProcess> {
    const child = spawn(this.server.command, this.server.args, { cwd: homedir(), windowsHide: true });
    this.process = child;
    await once(child, 'spawn');
    child.on('error', () => undefined);
    return child;
  }

  private heard(line: string): void {
    this.lastLine = line.trim() || this.lastLine;
    if (line.startsWith(OWN_WORDS)) this.ownWords = line.slice(OWN_WORDS.length);
  }

  // A process that closed its streams is about to leave; how it left says more than what the streams said.
  private async end(error?: unknown): Promise<void> {
    if (this.over) return;
    this.over = true;
    await this.gone(DYING_MS).catch(() => undefined);
    const left = causeOfDeath(this.process ?? {}, this.ownWords || this.lastLine, vscode.l10n.t);
    this.process?.kill('SIGKILL');
    this.died(left ?? describe(error));
  }

  private async gone(waitMs: number): Promise<void> {
    const child = this.process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await withDeadline(once(child, 'exit'), waitMs, () => undefined);
  }
}

/** The server, kept alive: started, restarted after a death with growing waits, stopped. */
export class ServerConnection implements vscode.Disposable {
  private readonly phaseChanged = new vscode.EventEmitter<Phase>();
  private readonly statusReceived = new vscode.EventEmitter<StatusParams>();
  private readonly pullTold = new vscode.EventEmitter<PullingParams>();
  private life: Life | undefined;
  private turn: Promise<void> = Promise.resolve();
  private givenUp = false;
  private queuedRestart: Promise<void> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;

  readonly onDidChangePhase = this.phaseChanged.event;
  readonly onStatus = this.statusReceived.event;
  readonly onPulling = this.pullTold.event;

  constructor(private readonly parts: ConnectionParts) {}

  /** Makes sure that there is a server to start, setting it up where it is not there yet. */
  prepare(): Promise<void> {
    return this.inTurn(async () => {
      if (this.life || this.givenUp || (await this.find()) === undefined) return;
      this.phaseChanged.fire({ kind: 'idle' });
    });
  }

  /**
   * Starts the server unless it runs; never rejects, as the outcome is told by the phase. Where it was not
   * found or was given up, that has been said, and only `again` tries once more.
   */
  start({ again = false } = {}): Promise<void> {
    return this.inTurn(async () => {
      if (!this.life && (again || !this.givenUp)) await this.begin();
    });
  }

  /** Stops the server, waits until its process is gone, and starts it; calls that come meanwhile are one. */
  restart(): Promise<void> {
    this.queuedRestart ??= this.inTurn(async () => {
      this.queuedRestart = undefined;
      this.parts.backoff.forgive();
      await this.finish();
      await this.begin();
    });
    return this.queuedRestart;
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.finish());
  }

  /** The setting up of the server goes on; told as a phase of its own. */
  installing(message: string): void {
    this.phaseChanged.fire({ kind: 'installing', message });
  }

  /** Asks the server; rejects where it is down, answers with an error, or does not answer in time. */
  async request<T>(method: string, params: object, waitMs = REQUEST_WAIT_MS): Promise<T> {
    const client = this.life?.client;
    if (!client?.isRunning()) throw new Error(vscode.l10n.t('The server is not running.'));
    const source = new vscode.CancellationTokenSource();
    const answer = client.sendRequest<T>(method, params, source.token);
    try {
      return await withDeadline(answer, waitMs, () => { source.cancel(); });
    } finally {
      source.dispose();
    }
  }

  /** Tells the server; a server that is down misses it. */
  notify(method: string, params: object): void {
    const client = this.life?.client;
    if (client?.isRunning()) client.sendNotification(method, params).catch(() => undefined);
  }

  dispose(): void {
    clearTimeout(this.retry);
    this.phaseChanged.dispose();
    this.statusReceived.dispose();
    this.pullTold.dispose();
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work).catch((error: unknown) => { this.parts.log.error(describe(error)); });
    return this.turn;
  }

  private async begin(): Promise<void> {
    clearTimeout(this.retry);
    const server = await this.find();
    if (!server) return;
    this.parts.log.info(`Starting ${server.command} ${server.args.join(' ')} (from ${server.source}).`);
    this.phaseChanged.fire({ kind: 'starting' });
    const life = new Life(server, this.parts, (why) => { this.mourn(life, why); });
    this.life = life;
    life.client.onNotification(STATUS, (status: StatusParams) => { this.statusReceived.fire(status); });
    life.client.onNotification(PULLING, (told: PullingParams) => { this.pullTold.fire(told); });
    await life.start();
    if (this.life === life && life.alive) this.phaseChanged.fire({ kind: 'running' });
  }

  private async find(): Promise<ServerCommand | undefined> {
    const server = await this.parts.resolve();
    this.givenUp = server.kind === 'missing';
    if (server.kind === 'found') return server;
    this.parts.log.warn(server.message);
    this.phaseChanged.fire({ kind: 'missing', message: server.message, waysOut: server.waysOut });
    return undefined;
  }

  private async finish(): Promise<void> {
    clearTimeout(this.retry);
    const life = this.life;
    this.life = undefined;
    await life?.stop();
    if (life) this.phaseChanged.fire({ kind: 'idle' });
  }

  private mourn(life: Life, why: string): void {
    if (this.life !== life) return;
    this.life = undefined;
    const waitMs = this.parts.backoff.died();
    this.parts.log.error(`The server ended: ${why}`);
    this.givenUp = waitMs === null;
    if (waitMs === null) {
      this.phaseChanged.fire({ kind: 'dead', message: vscode.l10n.t('The server keeps ending: {0}', why) });
      return;
    }
    this.phaseChanged.fire({ kind: 'starting' });
    this.retry = setTimeout(() => void this.start(), waitMs);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : vscode.l10n.t('the connection was closed.');
}
