import * as vscode from 'vscode';
import type { Phase } from './statusView';

/** The walkthrough, whose first step is done once there is a server. */
export class Walkthrough {
  private installed = false;

  phaseChanged({ kind }: Phase): void {
    this.installed = kind !== 'installing' && kind !== 'missing';
    void this.tell(this.installed);
  }

  /**
   * Opens it. VS Code ticks a step when its key turns true, but not where it was true already as the steps were
   * read, which opening may be the first to do: so the key turns anew.
   */
  async open(): Promise<void> {
    await this.tell(false);
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', 'jouline.jouline#start');
    await this.tell(this.installed);
  }

  private tell(installed: boolean): Thenable<unknown> {
    return vscode.commands.executeCommand('setContext', 'jouline.installed', installed);
  }
}
