import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { bar, ENERGY_STOPS } from './energyStops';
import { errorText } from './errorText';
import { explanation } from './explanation';
import { offerHelp, openSettings } from './help';
import { EnergyPanel } from './panel';
import { DECISIONS, type DecisionsResult, EXPLAIN, type ExplainParams, type ExplainResult } from './protocol';
import type { ServerCommand, ServerMissing } from './resolve';
import { completes, type Settings } from './settings';
import { run } from './setup/run';
import type { Walkthrough } from './walkthrough';
import { whyHtml } from './why';
import { writeSetting } from './writeSetting';

export interface CommandParts {
  readonly root: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  readonly settings: () => Settings;
  readonly panel: EnergyPanel;
  readonly walkthrough: Walkthrough;
  readonly restart: () => Promise<void>;
  /** Sets the server up anew, whatever was done before. */
  readonly install: () => Promise<void>;
  readonly server: () => Promise<ServerCommand | ServerMissing>;
  readonly request: <T>(method: string, params: object) => Promise<T>;
  readonly lastPlace: () => ExplainParams | undefined;
}

/** Registers every command of package.json; `jouline.accepted` is the server's, registered by the client. */
export function registerCommands(parts: CommandParts): vscode.Disposable[] {
  const table: Readonly<Record<string, () => unknown>> = {
    'jouline.openPanel': () => vscode.commands.executeCommand(`${EnergyPanel.view}.focus`),
    'jouline.openPanelInEditor': () => { parts.panel.openInEditor(); },
    'jouline.menu': () => showMenu(parts),
    'jouline.toggle': () => writeSetting('enable', !parts.settings().enable),
    'jouline.toggleLanguage': () => toggleLanguage(parts),
    'jouline.restart': () => parts.restart(),
    'jouline.install': () => parts.install(),
    'jouline.showLog': () => { parts.log.show(true); },
    'jouline.energySaving': () => chooseEnergySaving(parts),
    'jouline.explain': () => explain(parts),
    'jouline.export': () => exportAccount(parts),
    'jouline.calibrate': () => calibrate(parts),
    'jouline.energyPermission': () => runInTerminal(parts, ['energy']),
    'jouline.openWalkthrough': () => parts.walkthrough.open(),
  };
  return Object.entries(table).map(([name, does]) => vscode.commands.registerCommand(name, does));
}

async function toggleLanguage({ settings }: CommandParts): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) return;
  const { languages } = settings();
  await writeSetting('languages', { ...languages, [language]: !completes(settings(), language) });
}

interface Choice extends vscode.QuickPickItem {
  readonly run?: () => unknown;
}

async function showMenu(parts: CommandParts): Promise<void> {
  const { t } = vscode.l10n;
  const { enable } = parts.settings();
  const command = (name: string) => () => vscode.commands.executeCommand(name);
  const choices: Choice[] = [
    { label: `$(graph) ${t('Energy panel')}`, run: command('jouline.openPanel') },
    {
      label: enable ? `$(circle-slash) ${t('Switch off')}` : `$(zap) ${t('Switch on')}`,
      run: command('jouline.toggle'),
    },
    { label: `$(question) ${t('Why this model?')}`, run: command('jouline.explain') },
    { label: t('Energy saving'), kind: vscode.QuickPickItemKind.Separator },
    ...energyChoices(parts.settings()),
    { label: t('Server'), kind: vscode.QuickPickItemKind.Separator },
    { label: `$(debug-restart) ${t('Restart server')}`, run: command('jouline.restart') },
    { label: `$(output) ${t('Show log')}`, run: command('jouline.showLog') },
    { label: `$(settings-gear) ${t('Settings')}`, run: () => openSettings('@ext:jouline.jouline') },
  ];
  const chosen = await vscode.window.showQuickPick(choices, { title: 'Jouline', matchOnDescription: true });
  await chosen?.run?.();
}

async function chooseEnergySaving(parts: CommandParts): Promise<void> {
  const settings = parts.settings();
  const panel = { label: `$(graph) ${vscode.l10n.t('Any other value: open the slider')}`, run: () =>
    vscode.commands.executeCommand('jouline.openPanel') };
  const chosen = await vscode.window.showQuickPick<Choice>([...energyChoices(settings), panel], {
    title: vscode.l10n.t('Jouline: Energy Saving'),
    placeHolder: floorNote(settings),
    matchOnDescription: true,
  });
  await chosen?.run?.();
}

function floorNote({ energySaving, qualityFloor }: Settings): string {
  const { t } = vscode.l10n;
  const now = t('Now {0}.', energySaving);
  return qualityFloor === null ? now : `${now} ${t('The quality floor of {0} % wins over it.', qualityFloor)}`;
}

function energyChoices({ energySaving }: Settings): Choice[] {
  const { t } = vscode.l10n;
  return ENERGY_STOPS.map(({ value, name, detail }) => ({
    label: `${value === energySaving ? '$(check)' : '$(blank)'} ${bar(value)} ${value}`,
    description: `${name(t)}: ${detail(t)}`,
    run: () => writeSetting('energySaving', value),
  }));
}

/** The latest decisions on a page, that of the last place above them. */
async function explain(parts: CommandParts): Promise<void> {
  try {
    const place = parts.lastPlace() ?? caret();
    const here = place ? explanation(await parts.request<ExplainResult>(EXPLAIN, place), vscode.l10n.t) : '';
    const { decisions } = await parts.request<DecisionsResult>(DECISIONS, {});
    showWhy(parts.root, decisions, here);
  } catch (error) {
    const message = vscode.l10n.t('Jouline cannot explain now: {0}', errorText(error));
    await offerHelp(message, ['restart', 'log', 'settings'], parts);
  }
}

function showWhy(root: vscode.Uri, decisions: readonly Record<string, unknown>[], here: string): void {
  const folder = vscode.Uri.joinPath(root, 'dist');
  const panel = vscode.window.createWebviewPanel(
    'jouline.why', vscode.l10n.t('Why this model?'), vscode.ViewColumn.Beside, { localResourceRoots: [folder] });
  const style = panel.webview.asWebviewUri(vscode.Uri.joinPath(folder, 'panel.css')).toString();
  panel.webview.html = whyHtml(
    decisions, here, { language: vscode.env.language, source: panel.webview.cspSource, style }, vscode.l10n.t);
}

function caret(): ExplainParams | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { line, character } = editor.selection.active;
  return { uri: editor.document.uri.toString(), position: { line, character } };
}

/** Saves what `jouline stats` prints, as JSON or as CSV by the file's name. */
async function exportAccount(parts: CommandParts): Promise<void> {
  const { t } = vscode.l10n;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(homedir());
  const target = await vscode.window.showSaveDialog({
    title: t('Save the account of all time'),
    defaultUri: vscode.Uri.joinPath(folder, 'jouline-energy.json'),
    filters: { JSON: ['json'], CSV: ['csv'] },
  });
  if (!target) return;
  const form = target.path.endsWith('.csv') ? '--csv' : '--json';
  const { code, stdout, tail } = await runServer(parts, ['stats', form]);
  if (code !== 0) {
    void vscode.window.showErrorMessage(t('The account could not be exported: {0}', tail));
    return;
  }
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(`${stdout}\n`));
  void vscode.window.showInformationMessage(t('Saved {0}.', vscode.workspace.asRelativePath(target)));
}

/**
 * Fits router and energy figures to this machine and the open folders, where it can be watched and stopped; the
 * server takes up what came of it.
 */
async function calibrate(parts: CommandParts): Promise<void> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === 'file');
  if (folders.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a folder with code first: calibration learns from it.'));
    return;
  }
  if ((await runInTerminal(parts, ['calibrate', ...folders.map((folder) => folder.uri.fsPath)])) === 0) {
    await parts.restart();
  }
}

async function runServer(parts: CommandParts, args: readonly string[]) {
  const server = await parts.server();
  if (server.kind === 'missing') return { code: 1, stdout: '', tail: server.message };
  return run(server.command, args, { cwd: homedir() });
}

/** Runs a command of the server's where its progress is seen and Ctrl+C stops it; returns its exit status. */
async function runInTerminal(parts: CommandParts, args: readonly string[]): Promise<number | undefined> {
  const server = await parts.server();
  if (server.kind === 'missing') {
    await offerHelp(server.message, server.waysOut, parts);
    return undefined;
  }
  const name = `Jouline: ${args[0] ?? ''}`;
  const execution = new vscode.ProcessExecution(server.command, [...args], { cwd: homedir() });
  const kind = { type: 'jouline', command: args[0] ?? '' };
  const task = new vscode.Task(kind, vscode.TaskScope.Workspace, name, 'Jouline', execution);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, focus: true };
  const running = await vscode.tasks.executeTask(task);
  return new Promise((resolve) => {
    const ended = vscode.tasks.onDidEndTaskProcess(({ execution: each, exitCode }) => {
      if (each !== running) return;
      ended.dispose();
      resolve(exitCode);
    });
  });
}
