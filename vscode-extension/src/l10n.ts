/** Translation, passed in where sentences are made: the pure cores know no editor. */

/** Translates an English message with {0}, {1}… filled in; `vscode.l10n.t` is one. */
export type Translate = (message: string, ...values: (string | number | boolean)[]) => string;

/** English as it stands. */
export const english: Translate = (message, ...values) =>
  message.replace(/\{(\d+)\}/g, (whole, index: string) => String(values[Number(index)] ?? whole));
