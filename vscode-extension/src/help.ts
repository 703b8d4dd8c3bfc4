import * as vscode from 'vscode';
import { writeSetting } from './writeSetting';

export type Help = 'settings' | 'retry' | 'restart' | 'python' | 'log';

export interface HelpParts {
  readonly log: vscode.LogOutputChannel;
  readonly restart: () => Promise<void>;
}

/** Says what is wrong, with a way out behind each button, the best one first. */
export async function offerHelp(message: string, waysOut: readonly Help[], parts: HelpParts): Promise<void> {
  const { t } = vscode.l10n;
  const labels: Readonly<Record<Help, string>> = {
    settings: t('Open Settings'),
    retry: t('Try Again'),
    restart: t('Restart'),
    python: t('Choose Python…'),
    log: t('Show Log'),
  };
  const chosen = await vscode.window.showErrorMessage(message, ...waysOut.map((way) => labels[way]));
  switch (waysOut.find((way) => labels[way] === chosen)) {
    case 'settings': await openSettings('jouline.server'); break;
    case 'retry':
    case 'restart': await parts.restart(); break;
    case 'python': if (await choosePython()) await parts.restart(); break;
    case 'log': parts.log.show(true); break;
    case undefined:
  }
}

export function openSettings(query: string): Thenable<unknown> {
  return vscode.commands.executeCommand('workbench.action.openSettings', query);
}

async function choosePython(): Promise<boolean> {
  const title = vscode.l10n.t('Choose a Python of version 3.11 or newer');
  const [file] = (await vscode.window.showOpenDialog({ title, canSelectMany: false })) ?? [];
  if (file) await writeSetting('server.python', file.fsPath);
  return file !== undefined;
}
