import * as vscode from 'vscode';
import type { StatusParams, Tier } from './protocol';
import type { Settings } from './settings';
import { type Phase, type StatusView, statusView, TOOLTIP_COMMANDS } from './statusView';

const LEAST_WAIT_MS = 1_000;
// A small model answers sooner than this: a spinner that only flashes says nothing.
const THINKING_SHOWN_AFTER_MS = 400;
const LOOK_AGAIN_MS = 5_000;

/** The status bar item: painted at most once a second, and again while a state could have gone stale. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'jouline.status', vscode.StatusBarAlignment.Right, 90,
  );
  private phase: Phase = { kind: 'idle' };
  private status: StatusParams | undefined;
  private lastModel: Tier | null = null;
  private since = Date.now();
  private unanswered = 0;
  private paintedAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly settings: () => Settings) {
    this.item.name = 'Jouline';
    this.item.command = 'jouline.openPanel';
    this.item.show();
    this.paint();
  }

  /** The process came up, went down, or will not come. What an earlier server said no longer holds. */
  phaseChanged(phase: Phase): void {
    if (phase.kind === 'starting' || phase.kind === 'installing') {
      this.status = undefined;
      this.lastModel = null;
    }
    this.phase = phase;
    this.since = Date.now();
    this.unanswered = 0;
    this.refresh();
  }

  /** Why nothing is offered now, in a sentence; '' while all is well. */
  get notice(): string {
    const { state, message } = this.view();
    return state === 'ready' || state === 'thinking' ? '' : message;
  }

  statusChanged(status: StatusParams): void {
    this.status = status;
    this.lastModel = status.model ?? this.lastModel;
    this.since = Date.now();
    this.refresh(status.state === 'thinking' ? THINKING_SHOWN_AFTER_MS : 0);
  }

  answered(inTime: boolean): void {
    this.unanswered = inTime ? 0 : this.unanswered + 1;
    if (!inTime) this.refresh();
  }

  /** Paints what is known: at once where the last painting is a second old, else when it is. */
  refresh(leastWaitMs = 0): void {
    clearTimeout(this.timer);
    const waitMs = Math.max(leastWaitMs, this.paintedAt + LEAST_WAIT_MS - Date.now());
    if (waitMs <= 0) this.paint();
    else this.timer = setTimeout(() => { this.paint(); }, waitMs);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  private paint(): void {
    this.paintedAt = Date.now();
    const view = this.view();
    this.item.text = view.text;
    this.item.tooltip = trusted(view.tooltip);
    this.item.accessibilityInformation = { label: view.label, role: 'button' };
    this.item.backgroundColor = view.severity === 'none'
      ? undefined
      : new vscode.ThemeColor(`statusBarItem.${view.severity}Background`);
    const mayGoStale = view.state === 'starting' || view.state === 'thinking';
    if (mayGoStale) this.timer = setTimeout(() => { this.paint(); }, LOOK_AGAIN_MS);
  }

  private view(): StatusView {
    return statusView({
      phase: this.phase,
      status: this.status,
      ageMs: Date.now() - this.since,
      lastModel: this.lastModel,
      unanswered: this.unanswered,
      settings: this.settings(),
      language: vscode.window.activeTextEditor?.document.languageId,
    }, vscode.l10n.t);
  }
}

function trusted(markdown: string): vscode.MarkdownString {
  const text = new vscode.MarkdownString(markdown, true);
  text.isTrusted = { enabledCommands: [...TOOLTIP_COMMANDS] };
  return text;
}
