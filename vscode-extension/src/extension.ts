import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { Backoff } from './backoff';
import { DOCUMENTS, ServerConnection } from './client';
import { offerHelp, registerCommands } from './commands';
import { InlineCompletions } from './inlineCompletion';
import { createLog } from './log';
import { DID_PARTIALLY_ACCEPT, DID_REJECT, DID_SHOW } from './protocol';
import { resolveServer } from './resolve';
import { type ReadSetting, readSettings, type Settings, summary, toInitializationOptions } from './settings';
import { type After, type Report, ShownSuggestion } from './shown';
import { StatusItem } from './status';

// VS Code awaits what deactivate returns, and nothing else: the server's end must be reachable from there.
let connection: ServerConnection | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const status = new StatusItem(settings);
  const completions = createCompletions(log, status);
  const server = createConnection(log, completions);
  connection = server;
  const restart = () => (settings().enable ? server.restart() : server.stop());
  const request = <T>(method: string, params: object) => server.request<T>(method, params);
  context.subscriptions.push(
    log, status, completions, server,
    server.onStatus((params) => { status.statusChanged(params); }),
    server.onDidChangePhase((phase) => {
      status.phaseChanged(phase);
      if (phase.kind === 'missing') void offerHelp(phase.message, 'Open Settings', { log, restart });
      if (phase.kind === 'dead') void offerHelp(phase.message, 'Restart', { log, restart });
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('jouline')) return;
      status.refresh();
      log.info(`Settings changed: ${summary(settings())}.`);
      if (event.affectsConfiguration('jouline.server.path')) void restart();
      else server.notify('workspace/didChangeConfiguration', { settings: toInitializationOptions(read) });
      startWhereNeeded(server, { again: true });
    }),
    vscode.window.onDidChangeActiveTextEditor(() => {
      status.refresh();
      startWhereNeeded(server);
    }),
    ...registerCommands({ log, settings, restart, request, lastPlace: () => completions.place }),
  );
  startWhereNeeded(server);
}

export function deactivate(): Promise<void> | undefined {
  return connection?.stop();
}

function createCompletions(log: vscode.LogOutputChannel, status: StatusItem): InlineCompletions {
  const report: Report = {
    shown: (id) => connection?.notify(DID_SHOW, { id }),
    partiallyAccepted: (id, acceptedLength) => {
      connection?.notify(DID_PARTIALLY_ACCEPT, { id, acceptedLength });
    },
    rejected: (id) => connection?.notify(DID_REJECT, { id }),
  };
  return new InlineCompletions({
    shown: new ShownSuggestion(report, after),
    log,
    debugLog: () => settings().debugLog,
    answered: (inTime) => { status.answered(inTime); },
  });
}

function createConnection(log: vscode.LogOutputChannel, completions: InlineCompletions): ServerConnection {
  return new ServerConnection({
    log,
    backoff: new Backoff(() => performance.now()),
    resolve: () => resolveServer({
      setting: settings().serverPath,
      environment: process.env,
      home: homedir(),
      platform: process.platform,
      isExecutable,
    }),
    initializationOptions: () => toInitializationOptions(read),
    middleware: completions.middleware,
  });
}

/** No file, no server: an editor that only shows a folder spends nothing. */
function startWhereNeeded(server: ServerConnection, how: { again: boolean } = { again: false }): void {
  const open = vscode.window.visibleTextEditors.map((editor) => editor.document);
  const wanted = open.some((document) => vscode.languages.match(DOCUMENTS, document) > 0);
  if (wanted && settings().enable) void server.start(how);
}

const read: ReadSetting = (key) => vscode.workspace.getConfiguration('jouline').get(key);

function settings(): Settings {
  return readSettings(read);
}

const after: After = (waitMs, then) => {
  const timer = setTimeout(then, waitMs);
  return () => { clearTimeout(timer); };
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
