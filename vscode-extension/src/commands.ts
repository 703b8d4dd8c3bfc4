import * as vscode from 'vscode';
import { bar, ENERGY_STOPS } from './energyStops';
import { explanation } from './explanation';
import { EXPLAIN, type ExplainParams, type ExplainResult } from './protocol';
import type { Settings } from './settings';

export interface CommandParts {
  readonly log: vscode.LogOutputChannel;
  readonly settings: () => Settings;
  readonly restart: () => Promise<void>;
  readonly request: <T>(method: string, params: object) => Promise<T>;
  readonly lastPlace: () => ExplainParams | undefined;
}

/** Registers every command of package.json; `jouline.accepted` is the server's, registered by the client. */
export function registerCommands(parts: CommandParts): vscode.Disposable[] {
  const table: Readonly<Record<string, () => unknown>> = {
    'jouline.menu': () => showMenu(parts),
    'jouline.toggle': () => writeSetting('enable', !parts.settings().enable),
    'jouline.restart': () => parts.restart(),
    'jouline.showLog': () => { parts.log.show(true); },
    'jouline.energySaving': () => chooseEnergySaving(parts),
    'jouline.explain': () => explain(parts),
  };
  return Object.entries(table).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

/** Writes a setting where it is already set: in the workspace, else for the user. */
async function writeSetting(key: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('jouline');
  const inWorkspace = configuration.inspect(key)?.workspaceValue !== undefined;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update(key, value, target);
}

interface Choice extends vscode.QuickPickItem {
  readonly run?: () => unknown;
}

async function showMenu(parts: CommandParts): Promise<void> {
  const { enable } = parts.settings();
  const command = (name: string) => () => vscode.commands.executeCommand(name);
  const choices: Choice[] = [
    { label: enable ? '$(circle-slash) Switch off' : '$(zap) Switch on', run: command('jouline.toggle') },
    { label: '$(question) Why this model?', run: command('jouline.explain') },
    { label: 'Energy saving', kind: vscode.QuickPickItemKind.Separator },
    ...energyChoices(parts.settings()),
    { label: 'Server', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(debug-restart) Restart server', run: command('jouline.restart') },
    { label: '$(output) Show log', run: command('jouline.showLog') },
    { label: '$(settings-gear) Settings', run: () => openSettings('@ext:jouline.jouline') },
  ];
  const chosen = await vscode.window.showQuickPick(choices, { title: 'Jouline', matchOnDescription: true });
  await chosen?.run?.();
}

async function chooseEnergySaving(parts: CommandParts): Promise<void> {
  const settings = parts.settings();
  const chosen = await vscode.window.showQuickPick(energyChoices(settings), {
    title: 'Jouline: Energy Saving',
    placeHolder: floorNote(settings),
    matchOnDescription: true,
  });
  await chosen?.run?.();
}

function floorNote({ energySaving, qualityFloor }: Settings): string {
  const floor = qualityFloor === null ? '' : ` The quality floor of ${qualityFloor} % wins over it.`;
  return `Now ${energySaving}.${floor}`;
}

function energyChoices({ energySaving }: Settings): Choice[] {
  return ENERGY_STOPS.map(({ value, name, detail }) => ({
    label: `${value === energySaving ? '$(check)' : '$(blank)'} ${bar(value)} ${value}`,
    description: `${name}: ${detail}`,
    run: () => writeSetting('energySaving', value),
  }));
}

async function explain(parts: CommandParts): Promise<void> {
  const place = parts.lastPlace() ?? caret();
  if (!place) {
    void vscode.window.showInformationMessage('Jouline has not been asked for a completion yet.');
    return;
  }
  try {
    const answer = await parts.request<ExplainResult>(EXPLAIN, place);
    void vscode.window.showInformationMessage(`Jouline: ${explanation(answer)}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    await offerHelp(`Jouline cannot explain now: ${why}`, 'Restart', parts);
  }
}

function caret(): ExplainParams | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { line, character } = editor.selection.active;
  return { uri: editor.document.uri.toString(), position: { line, character } };
}

type HelpParts = Pick<CommandParts, 'log' | 'restart'>;

const WAYS_OUT = ['Open Settings', 'Show Log', 'Restart'] as const;

/** Says what is wrong, with a way out behind each button; `best` stands first. */
export async function offerHelp(
  message: string,
  best: (typeof WAYS_OUT)[number],
  parts: HelpParts,
): Promise<void> {
  const rest = WAYS_OUT.filter((way) => way !== best);
  const chosen = await vscode.window.showErrorMessage(message, best, ...rest);
  if (chosen === 'Open Settings') await openSettings('jouline.server.path');
  if (chosen === 'Show Log') parts.log.show(true);
  if (chosen === 'Restart') await parts.restart();
}

function openSettings(query: string): Thenable<unknown> {
  return vscode.commands.executeCommand('workbench.action.openSettings', query);
}
