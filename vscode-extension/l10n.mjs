// node l10n.mjs   writes l10n/bundle.l10n.json: every message that the code hands to a translator
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('test')).map((name) => readFileSync(`src/${name}`, 'utf8'));
const messages = sources.flatMap((source) =>
  [...source.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)].map(([, text]) => text.replace(/\\(.)/g, '$1')));
const bundle = Object.fromEntries([...new Set(messages)].sort().map((message) => [message, message]));
writeFileSync('l10n/bundle.l10n.json', `${JSON.stringify(bundle, null, 2)}\n`);
