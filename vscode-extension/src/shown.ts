/** What became of a suggestion, told from the edits after it: VS Code's stable API has no event for it. */

export interface Suggestion {
  readonly id: string;
  readonly uri: string;
  /** The item's whole text, and the UTF-16 offset in the document at which it begins. */
  readonly text: string;
  readonly start: number;
  /** How much of the text already stands in the document. */
  readonly agreed: number;
}

export interface Edit {
  readonly uri: string;
  /** Offset in the document, after the edit, at which the edit ends; null where there were several edits. */
  readonly end: number | null;
  /** The document's text between two offsets, after the edit. */
  readonly between: (start: number, end: number) => string;
}

export interface Report {
  shown(id: string): void;
  partiallyAccepted(id: string, acceptedLength: number): void;
  rejected(id: string): void;
}

/** Calls `then` after `waitMs` and returns what prevents it. */
export type After = (waitMs: number, then: () => void) => () => void;

/**
 * Accepting is an edit first and the item's command a moment later, so what an edit seems to say is held back
 * for this long; the command, where it comes, overrules it.
 */
export const GRACE_MS = 400;

/** Follows the one suggestion that is on the screen. */
export class ShownSuggestion {
  private current: (Suggestion & { readonly partTaken?: boolean }) | undefined;
  private pending: { readonly id: string; readonly cancel: () => void } | undefined;

  constructor(
    private readonly report: Report,
    private readonly after: After,
  ) {}

  /** A suggestion came on the screen; the one before it was rejected, unless this one continues it. */
  offered(next: Suggestion): void {
    const before = this.current;
    if (before && !continues(before, next)) this.reject();
    this.current = next;
    this.report.shown(next.id);
  }

  /** The document changed: by typing along, by taking a part, or away from the suggestion. */
  edited(edit: Edit): void {
    const suggestion = this.current;
    if (suggestion?.uri !== edit.uri || edit.end === null) return;
    const agreed = agreement(suggestion, edit);
    if (agreed === null) {
      this.reject();
      return;
    }
    const partTaken = agreed > suggestion.agreed + 1;
    if (partTaken) {
      this.hold(suggestion.id, () => { this.report.partiallyAccepted(suggestion.id, agreed); });
    }
    this.current = agreed < suggestion.text.length
      ? { ...suggestion, agreed, partTaken: partTaken || suggestion.partTaken === true }
      : undefined;
  }

  /** The item's command ran: it was accepted to its end, whatever the edit looked like. */
  accepted(id: string): void {
    if (this.pending?.id === id) this.pending.cancel();
    if (this.current?.id === id) this.current = undefined;
  }

  private reject(): void {
    const suggestion = this.current;
    this.current = undefined;
    if (suggestion && suggestion.partTaken !== true) {
      this.hold(suggestion.id, () => { this.report.rejected(suggestion.id); });
    }
  }

  private hold(id: string, then: () => void): void {
    if (this.pending?.id === id) this.pending.cancel();
    this.pending = { id, cancel: this.after(GRACE_MS, then) };
  }
}

/** How much of the suggestion stands in the document up to the end of the edit; null where the two differ. */
function agreement(suggestion: Suggestion, edit: Edit): number | null {
  if (edit.end === null || edit.end < suggestion.start) return null;
  const written = edit.between(suggestion.start, edit.end);
  if (written.length < suggestion.agreed) return null;
  if (suggestion.text.startsWith(written)) return written.length;
  // a bracket or a quote that the editor closed by itself stands right of the caret
  const typed = /[)\]}"'`]$/.test(written) ? written.slice(0, -1) : written;
  return typed.length > suggestion.agreed && suggestion.text.startsWith(typed) ? typed.length : null;
}

function continues(before: Suggestion, next: Suggestion): boolean {
  return before.uri === next.uri && before.text.slice(before.agreed) === next.text.slice(next.agreed);
}
