import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import { DeadlinePassed, withDeadline } from './deadline';
import { ACCEPTED, type ExplainParams } from './protocol';
import type { ShownSuggestion, Suggestion } from './shown';

const ANSWER_WAIT_MS = 15_000;

export interface InlineCompletionParts {
  readonly shown: ShownSuggestion;
  readonly log: vscode.LogOutputChannel;
  readonly debugLog: () => boolean;
  /** Told after each request whether the server answered in time. */
  readonly answered: (inTime: boolean) => void;
}

type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;
type Next = Parameters<NonNullable<Middleware['provideInlineCompletionItems']>>[4];

/** Stands between the editor and the client: sees what is shown, and waits for no answer for ever. */
export class InlineCompletions implements vscode.Disposable {
  private readonly subscription: vscode.Disposable;
  private lastPlace: ExplainParams | undefined;

  readonly middleware: Middleware = {
    provideInlineCompletionItems: (document, position, context, token, next) =>
      this.provide(document, position, context, token, next),
    executeCommand: (command, args, next) => {
      const [id] = args as unknown[];
      if (command === ACCEPTED && typeof id === 'string') this.parts.shown.accepted(id);
      return next(command, args) as unknown;
    },
  };

  constructor(private readonly parts: InlineCompletionParts) {
    this.subscription = vscode.workspace.onDidChangeTextDocument((event) => { this.edited(event); });
  }

  /** Where the last completion was asked for. */
  get place(): ExplainParams | undefined {
    return this.lastPlace;
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Next,
  ): Promise<Answer> {
    const { line, character } = position;
    this.lastPlace = { uri: document.uri.toString(), position: { line, character } };
    const began = performance.now();
    const own = { before: 0, after: 0 };
    const answer = await this.ask((inner) => {
      own.before = performance.now() - began;
      return next(document, position, context, inner);
    }, token);
    const answered = performance.now();
    const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
    if (!token.isCancellationRequested) this.offer(document, position, items);
    const outcome = token.isCancellationRequested ? 'cancelled' : `${items.length} offered`;
    own.after = performance.now() - answered;
    this.line(answered - began, own.before + own.after, outcome);
    return answer;
  }

  private async ask(
    next: (token: vscode.CancellationToken) => vscode.ProviderResult<Answer>,
    token: vscode.CancellationToken,
  ): Promise<Answer> {
    const source = new vscode.CancellationTokenSource();
    const link = token.onCancellationRequested(() => { source.cancel(); });
    try {
      const asked = Promise.resolve(next(source.token));
      const answer = await withDeadline(asked, ANSWER_WAIT_MS, () => { source.cancel(); });
      this.parts.answered(true);
      return answer;
    } catch (error) {
      if (error instanceof DeadlinePassed) this.parts.answered(false);
      else if (!(error instanceof vscode.CancellationError)) throw error;
      return undefined;
    } finally {
      link.dispose();
      source.dispose();
    }
  }

  private offer(
    document: vscode.TextDocument,
    position: vscode.Position,
    items: readonly vscode.InlineCompletionItem[],
  ): void {
    const [item] = items;
    const suggestion = item && suggestionOf(document, position, item);
    if (suggestion) this.parts.shown.offered(suggestion);
  }

  private edited(event: vscode.TextDocumentChangeEvent): void {
    const { document, contentChanges } = event;
    const [change, ...more] = contentChanges;
    if (!change) return;
    this.parts.shown.edited({
      uri: document.uri.toString(),
      end: more.length === 0 ? change.rangeOffset + change.text.length : null,
      between: (start, end) =>
        document.getText(new vscode.Range(document.positionAt(start), document.positionAt(end))),
    });
  }

  private line(tookMs: number, ownMs: number, outcome: string): void {
    if (!this.parts.debugLog()) return;
    this.parts.log.info(`request: ${Math.round(tookMs)} ms, of which the extension ${ownMs.toFixed(2)} ms, ${outcome}`);
  }
}

function suggestionOf(
  document: vscode.TextDocument,
  position: vscode.Position,
  item: vscode.InlineCompletionItem,
): Suggestion | undefined {
  const [id] = (item.command?.arguments ?? []) as unknown[];
  if (typeof id !== 'string' || typeof item.insertText !== 'string') return undefined;
  const start = document.offsetAt(item.range?.start ?? position);
  return {
    id,
    uri: document.uri.toString(),
    text: item.insertText,
    start,
    agreed: document.offsetAt(position) - start,
  };
}
