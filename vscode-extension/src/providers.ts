/** Other extensions that offer inline completions: two ghost texts at one place hide each other. */

/** Their ids, lower case, and the names that their users know. */
const OTHERS: Readonly<Record<string, string>> = {
  'amazonwebservices.amazon-q-vscode': 'Amazon Q',
  'codeium.codeium': 'Windsurf (Codeium)',
  'continue.continue': 'Continue',
  'ggml-org.llama-vscode': 'llama.vscode',
  'github.copilot': 'GitHub Copilot',
  'github.copilot-chat': 'GitHub Copilot',
  'google.geminicodeassist': 'Gemini Code Assist',
  'rjmacarthy.twinny': 'twinny',
  'sourcegraph.cody-ai': 'Cody',
  'supermaven.supermaven': 'Supermaven',
  'tabbyml.vscode-tabby': 'Tabby',
  'tabnine.tabnine-vscode': 'Tabnine',
};

/** The names of those among the active extensions, each once. */
export function otherProviders(active: readonly string[]): string[] {
  const names = active.map((id) => OTHERS[id.toLowerCase()]).filter((name) => name !== undefined);
  return [...new Set(names)].sort();
}
