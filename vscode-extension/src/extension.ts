import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { Backoff } from './backoff';
import { DOCUMENTS, ServerConnection } from './client';
import { registerCommands } from './commands';
import { FirstRun } from './firstRun';
import { offerHelp } from './help';
import { InlineCompletions } from './inlineCompletion';
import { createLog } from './log';
import { EnergyPanel } from './panel';
import { DID_PARTIALLY_ACCEPT, DID_REJECT, DID_SHOW } from './protocol';
import { otherProviders } from './providers';
import { resolveServer } from './resolve';
import { type ReadSetting, readSettings, type Settings, summary, toInitializationOptions } from './settings';
import { type After, type Report, ShownSuggestion } from './shown';
import { StatusItem } from './status';
import type { Phase } from './statusView';
import { Walkthrough } from './walkthrough';
import { writeSetting } from './writeSetting';

// VS Code awaits what deactivate returns, and nothing else: the server's end must be reachable from there.
let deactivation: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const status = new StatusItem(settings);
  const walkthrough = new Walkthrough();
  const completions: InlineCompletions = createCompletions(log, status, (method, params) => {
    server.notify(method, params);
  });
  const firstRun = new FirstRun({
    context, log, settings, installing: (sentence) => { server.installing(sentence); },
  });
  const resolve = () => findServer(firstRun);
  const server: ServerConnection = createConnection(log, completions, resolve);
  const restart = () => (settings().enable ? server.restart() : server.stop());
  const request = <T>(method: string, params: object, waitMs?: number) => server.request<T>(method, params, waitMs);
  const panel = new EnergyPanel({
    root: context.extensionUri, settings, request, write: writeSetting, notice: () => status.notice,
  });
  deactivation = () => {
    firstRun.cancel();
    return server.stop();
  };
  context.subscriptions.push(
    log, status, completions, server, panel,
    vscode.window.registerWebviewViewProvider(EnergyPanel.view, panel),
    ...listen({ context, log, status, walkthrough, server, panel, restart }),
    ...registerCommands({
      root: context.extensionUri, log, settings, panel, walkthrough, restart, request, server: resolve,
      install: () => {
        firstRun.forget();
        return restart();
      },
      lastPlace: () => completions.place,
    }),
  );
  if (settings().enable) void server.prepare();
  startWhereNeeded(server);
}

export function deactivate(): Promise<void> | undefined {
  return deactivation?.();
}

interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly status: StatusItem;
  readonly walkthrough: Walkthrough;
  readonly server: ServerConnection;
  readonly panel: EnergyPanel;
  readonly restart: () => Promise<void>;
}

function listen({ context, log, status, walkthrough, server, panel, restart }: Parts): vscode.Disposable[] {
  return [
    server.onStatus((params) => {
      status.statusChanged(params);
      panel.refresh();
    }),
    server.onPulling((progress) => { panel.pulled(progress); }),
    server.onDidChangePhase((phase) => {
      status.phaseChanged(phase);
      panel.draw();
      panel.refresh();
      walkthrough.phaseChanged(phase);
      void setRunning(phase);
      if (phase.kind === 'running') tellOfOthersOnce(context);
      if (phase.kind === 'missing') void offerHelp(phase.message, phase.waysOut, { log, restart });
      if (phase.kind === 'dead') void offerHelp(phase.message, ['restart', 'log', 'settings'], { log, restart });
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('jouline')) return;
      status.refresh();
      panel.draw();
      log.info(`Settings changed: ${summary(settings())}.`);
      if (event.affectsConfiguration('jouline.server')) void restart();
      else server.notify('workspace/didChangeConfiguration', { settings: toInitializationOptions(read) });
      startWhereNeeded(server, { again: true });
    }),
    vscode.window.onDidChangeActiveTextEditor(() => {
      status.refresh();
      startWhereNeeded(server);
    }),
  ];
}

/** Keys look at this. */
function setRunning(phase: Phase): Thenable<unknown> {
  return vscode.commands.executeCommand('setContext', 'jouline.running', phase.kind === 'running');
}

function createCompletions(
  log: vscode.LogOutputChannel,
  status: StatusItem,
  notify: (method: string, params: object) => void,
): InlineCompletions {
  const report: Report = {
    shown: (id) => { notify(DID_SHOW, { id }); },
    partiallyAccepted: (id, acceptedLength) => { notify(DID_PARTIALLY_ACCEPT, { id, acceptedLength }); },
    rejected: (id) => { notify(DID_REJECT, { id }); },
  };
  return new InlineCompletions({
    shown: new ShownSuggestion(report, after),
    log,
    debugLog: () => settings().debugLog,
    answered: (inTime) => { status.answered(inTime); },
  });
}

function createConnection(
  log: vscode.LogOutputChannel,
  completions: InlineCompletions,
  resolve: () => ReturnType<typeof resolveServer>,
): ServerConnection {
  return new ServerConnection({
    log,
    backoff: new Backoff(() => performance.now()),
    resolve,
    initializationOptions: () => toInitializationOptions(read),
    middleware: completions.middleware,
  });
}

function findServer(firstRun: FirstRun): ReturnType<typeof resolveServer> {
  return resolveServer({
    setting: settings().serverPath,
    environment: process.env,
    home: homedir(),
    platform: process.platform,
    isExecutable,
    t: vscode.l10n.t,
  }, () => firstRun.server());
}

/** No file, no server: an editor that only shows a folder spends nothing. */
function startWhereNeeded(server: ServerConnection, how: { again: boolean } = { again: false }): void {
  const open = vscode.window.visibleTextEditors.map((editor) => editor.document);
  const wanted = open.some((document) => vscode.languages.match(DOCUMENTS, document) > 0);
  if (wanted && settings().enable) void server.start(how);
}

const TOLD_OF_OTHERS = 'toldOfOtherProviders';

/** Where another extension offers ghost text too, the two hide each other: said once, and never again. */
function tellOfOthersOnce(context: vscode.ExtensionContext): void {
  const active = vscode.extensions.all.filter((extension) => extension.isActive).map((extension) => extension.id);
  const [first] = otherProviders(active);
  if (first === undefined || context.globalState.get(TOLD_OF_OTHERS) === true) return;
  void context.globalState.update(TOLD_OF_OTHERS, true);
  void vscode.window.showInformationMessage(vscode.l10n.t(
    '{0} offers completions too, and VS Code shows only one at a time: switch one of the two off.', first));
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
