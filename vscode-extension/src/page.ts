/** What every page of ours begins with: nothing is loaded from elsewhere, and no style is inline. */

export interface PageParts {
  readonly language: string;
  /** The origin from which the webview may load, as VS Code names it. */
  readonly source: string;
  readonly style: string;
}

export interface PageStart extends PageParts {
  readonly title: string;
  /** In the editor area there is room for two columns. */
  readonly place: 'side' | 'editor';
  /** Of the one script that the page may run; without it, none. */
  readonly nonce?: string;
}

/** The page from its first byte to the end of its head. */
export function pageStart({ language, source, style, title, place, nonce }: PageStart): string {
  const script = nonce === undefined ? '' : ` script-src 'nonce-${nonce}';`;
  const policy = `default-src 'none'; style-src ${source};${script} base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="${escapeHtml(language)}" data-place="${place}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>${escapeHtml(title)}</title>
</head>`;
}

/** Text that HTML shows as it stands. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
