/** The energy panel: one page, shown in the sidebar and, where wished, in the editor area too. */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { panelHtml } from './panelHtml';
import { type Action, type Draw, fromPage, type FromPage } from './panelMessages';
import { panelModel } from './panelModel';
import {
  PULL, type PullingParams, type PullResult, RECOMMEND, type Recommended, REPORT, type Report,
} from './protocol';
import { errorText } from './errorText';
import { NO_REPORT } from './noReport';
import type { Settings } from './settings';

const LEAST_WAIT_MS = 1_500;
const PULL_WAIT_MS = 24 * 3_600_000;
const RECOMMEND_WAIT_MS = 120_000;

export interface PanelParts {
  readonly root: vscode.Uri;
  readonly settings: () => Settings;
  /** The server's state in a sentence, or '' while it simply runs. */
  readonly notice: () => string;
  readonly request: <T>(method: string, params: object, waitMs?: number) => Promise<T>;
  readonly write: (key: string, value: unknown) => Promise<void>;
}

interface Surface {
  readonly webview: vscode.Webview;
  readonly visible: () => boolean;
}

/** Keeps every surface that shows the panel up to date while it can be seen, and does what its page asks for. */
export class EnergyPanel implements vscode.WebviewViewProvider, vscode.Disposable {
  static readonly view = 'jouline.energy';

  private readonly surfaces = new Set<Surface>();
  private editor: vscode.WebviewPanel | undefined;
  private report: Report = NO_REPORT;
  private recommended: Recommended | undefined;
  private pulling: PullingParams | undefined;
  private busy = '';
  private askedAt = -LEAST_WAIT_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: PanelParts) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    const surface = this.fill(view.webview, 'side', () => view.visible);
    view.onDidChangeVisibility(() => { this.refresh(); });
    view.onDidDispose(() => { this.surfaces.delete(surface); });
  }

  /** Shows the panel in the editor area. */
  openInEditor(): void {
    if (this.editor) {
      this.editor.reveal();
      return;
    }
    const title = vscode.l10n.t('Jouline: Energy');
    const panel = vscode.window.createWebviewPanel('jouline.energyEditor', title, vscode.ViewColumn.Active, {});
    this.editor = panel;
    const surface = this.fill(panel.webview, 'editor', () => panel.visible);
    panel.onDidChangeViewState(() => { this.refresh(); });
    panel.onDidDispose(() => {
      this.surfaces.delete(surface);
      this.editor = undefined;
    });
  }

  /** Something may have changed: asks the server soon, where the panel can be seen. */
  refresh(): void {
    if (this.timer || !this.seen()) return;
    const waitMs = Math.max(0, this.askedAt + LEAST_WAIT_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.ask();
    }, waitMs);
  }

  /** Draws anew what is known; settings follow at once. */
  draw(): void {
    if (!this.seen()) return;
    const { report, recommended, pulling, busy } = this;
    const facts = {
      report, recommended, pulling, busy,
      settings: this.parts.settings(),
      notice: this.parts.notice(),
      locale: vscode.env.language,
    };
    const message: Draw = { kind: 'draw', model: panelModel(facts, new Date(), vscode.l10n.t) };
    for (const surface of this.surfaces) if (surface.visible()) void surface.webview.postMessage(message);
  }

  pulled(progress: PullingParams): void {
    this.pulling = progress;
    this.draw();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.editor?.dispose();
  }

  private seen(): boolean {
    return [...this.surfaces].some((surface) => surface.visible());
  }

  private async ask(): Promise<void> {
    this.askedAt = performance.now();
    try {
      this.report = await this.parts.request<Report>(REPORT, {});
    } catch {
      // the server is down, which the notice says; what was known stays
    }
    this.draw();
  }

  private fill(webview: vscode.Webview, place: 'side' | 'editor', visible: () => boolean): Surface {
    const folder = vscode.Uri.joinPath(this.parts.root, 'dist');
    const file = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
    webview.options = { enableScripts: true, localResourceRoots: [folder] };
    const surface = { webview, visible };
    this.surfaces.add(surface);
    webview.onDidReceiveMessage((data: unknown) => {
      const said = fromPage(data);
      if (said) void this.heard(said);
    });
    webview.html = panelHtml({
      nonce: randomBytes(16).toString('hex'),
      source: webview.cspSource,
      script: file('panel.js'),
      style: file('panel.css'),
      language: vscode.env.language,
      place,
    }, vscode.l10n.t);
    return surface;
  }

  private async heard(said: FromPage): Promise<void> {
    switch (said.kind) {
      case 'ready':
        this.draw();
        this.refresh();
        return;
      case 'energySaving':
      case 'qualityFloor':
        await this.parts.write(said.kind, said.value);
        return;
      case 'run':
        await vscode.commands.executeCommand(COMMANDS[said.action]);
        return;
      case 'pair':
        await this.pair(said.action, said.pair);
    }
  }

  private async pair(action: 'recommend' | 'pull' | 'use', pair: string): Promise<void> {
    if (action === 'recommend') {
      await this.working(vscode.l10n.t('Looking at this machine…'), async () => {
        this.recommended = await this.parts.request<Recommended>(RECOMMEND, {}, RECOMMEND_WAIT_MS);
      });
    } else if (action === 'pull') {
      await this.working(vscode.l10n.t('Downloading {0}…', pair), async () => {
        const { problem } = await this.parts.request<PullResult>(PULL, { pair }, PULL_WAIT_MS);
        if (problem !== null) throw new Error(problem);
        if (this.recommended) this.recommended = { ...this.recommended, present: true };
      });
    } else if (this.recommended) {
      await this.parts.write('model.small', this.recommended.small);
      await this.parts.write('model.large', this.recommended.large);
    }
  }

  private async working(sentence: string, work: () => Promise<void>): Promise<void> {
    this.busy = sentence;
    this.draw();
    try {
      await work();
    } catch (error) {
      void vscode.window.showErrorMessage(`Jouline: ${errorText(error)}`);
    } finally {
      this.busy = '';
      this.pulling = undefined;
      this.draw();
    }
  }
}

const COMMANDS: Readonly<Record<Action, string>> = {
  calibrate: 'jouline.calibrate',
  export: 'jouline.export',
  explain: 'jouline.explain',
  energyPermission: 'jouline.energyPermission',
  openPanelInEditor: 'jouline.openPanelInEditor',
  showLog: 'jouline.showLog',
};
