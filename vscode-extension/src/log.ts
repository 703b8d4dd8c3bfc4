import * as vscode from 'vscode';

/** The one output channel. No source text is ever written to it. */
export function createLog(): vscode.LogOutputChannel {
  return vscode.window.createOutputChannel('Jouline', { log: true });
}
