/** Sets up the server that the extension brings, with progress to be seen and a way to cancel. */

import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { errorText } from './errorText';
import type { ServerCommand, ServerMissing } from './resolve';
import type { Settings } from './settings';
import { Environment, readBundle } from './setup/environment';
import { SetupCancelled, SetupFailure } from './setup/failures';
import { candidates } from './setup/pythons';
import { run } from './setup/run';
import type { WayOut } from './statusView';

export interface FirstRunParts {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly settings: () => Settings;
  /** Told what is being done, in a sentence. */
  readonly installing: (sentence: string) => void;
}

/** The environment that the extension makes for itself; undefined where the .vsix carries no server. */
export class FirstRun {
  private readonly bundleFolder: string;
  private running: Promise<ServerCommand | ServerMissing> | undefined;
  private abort = new AbortController();

  constructor(private readonly parts: FirstRunParts) {
    this.bundleFolder = vscode.Uri.joinPath(parts.context.extensionUri, 'dist', 'server').fsPath;
  }

  /** The server, set up first where it is not there yet; undefined where the extension brings none. */
  async server(): Promise<ServerCommand | ServerMissing | undefined> {
    const environment = this.environment();
    if (!environment) return undefined;
    if (environment.ready) return found(environment.executable);
    this.running ??= this.setUp(environment).finally(() => { this.running = undefined; });
    return this.running;
  }

  /** Ends what is being set up; what was done is kept. */
  cancel(): void {
    this.abort.abort();
  }

  /** Forgets what was done, so that the next start does it anew. */
  forget(): void {
    this.environment()?.forget();
  }

  private environment(): Environment | undefined {
    const bundle = readBundle(this.bundleFolder);
    return bundle && new Environment(bundle, {
      bundleFolder: this.bundleFolder,
      folder: vscode.Uri.joinPath(this.parts.context.globalStorageUri, 'server').fsPath,
      platform: process.platform,
      wheels: this.parts.settings().serverWheels,
      run,
      log: (line) => { this.parts.log.info(`setup: ${line}`); },
      t: vscode.l10n.t,
    });
  }

  private async setUp(environment: Environment): Promise<ServerCommand | ServerMissing> {
    const title = vscode.l10n.t('Jouline is setting up its server');
    const location = vscode.ProgressLocation.Notification;
    try {
      await vscode.window.withProgress({ location, title, cancellable: true }, async (progress, token) => {
        const abort = this.abort = new AbortController();
        token.onCancellationRequested(() => { abort.abort(); });
        let shown = 0;
        await environment.prepare(candidates(this.python(), await chosenPython(), process.platform), {
          signal: abort.signal,
          report: (message, percent) => {
            progress.report({ message, increment: Math.max(0, percent - shown) });
            shown = Math.max(shown, percent);
            this.parts.installing(message);
          },
        });
      });
      return found(environment.executable);
    } catch (error) {
      return this.failed(error);
    }
  }

  private failed(error: unknown): ServerMissing {
    if (error instanceof SetupCancelled) {
      const message = vscode.l10n.t('Setting up was cancelled; what was done is kept.');
      return { kind: 'missing', message, waysOut: ['retry', 'log'] };
    }
    const waysOut: readonly WayOut[] = error instanceof SetupFailure ? error.waysOut : ['retry', 'log'];
    return { kind: 'missing', message: errorText(error), waysOut };
  }

  private python(): string {
    const written = this.parts.settings().serverPython;
    return /^~[/\\]/.test(written) ? `${homedir()}${written.slice(1)}` : written;
  }
}

function found(command: string): ServerCommand {
  return { kind: 'found', command, args: ['serve', '--stdio'], source: 'the extension’s own environment' };
}

interface PythonExtension {
  readonly environments?: { getActiveEnvironmentPath?: () => { readonly path?: unknown } };
}

/** The interpreter that the Python extension uses, where there is one and it runs already. */
async function chosenPython(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension>('ms-python.python');
  if (!extension) return undefined;
  try {
    const api = extension.isActive ? extension.exports : await extension.activate();
    const path = api.environments?.getActiveEnvironmentPath?.().path;
    return typeof path === 'string' && path !== '' ? path : undefined;
  } catch {
    return undefined;
  }
}
