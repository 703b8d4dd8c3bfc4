import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { english } from '../../l10n';
import { panelHtml } from '../../panelHtml';
import { ACTIONS, fromPage } from '../../panelMessages';
import { whyHtml } from '../../why';

const html = panelHtml({
  nonce: 'abc', source: 'https://webview', script: 'panel.js', style: 'panel.css', language: 'en', place: 'side',
}, english);

describe('the panel’s page', () => {
  it('may load nothing from elsewhere, and runs its own script only', () => {
    assert.match(html, /default-src 'none'; style-src https:\/\/webview; script-src 'nonce-abc'; base-uri 'none'/);
    assert.ok(!/ (style|on\w+)=/.test(html), 'neither inline styles nor inline handlers');
    assert.deepEqual([...html.matchAll(/<script[^>]*>/g)].map(([tag]) => tag), ['<script nonce="abc" src="panel.js">']);
  });

  it('has every element that its script looks for, each once', () => {
    const script = readFileSync('webview/panel.ts', 'utf8');
    const wanted = new Set([...script.matchAll(/(?:element(?:<\w+>)?|write)\('([\w-]+)'/g)].map(([, id]) => id));
    const ids = [...html.matchAll(/ id="([\w-]+)"/g)].map(([, id]) => id);
    assert.deepEqual([...wanted].filter((id) => ids.filter((each) => each === id).length !== 1), []);
    assert.ok(wanted.size > 20);
  });

  it('names what a screen reader needs a name for', () => {
    for (const id of ['slider', 'floor', 'pair-bar']) {
      assert.ok(new RegExp(`(for="${id}"|id="${id}"[^>]* aria-label)`).test(html), id);
    }
  });

  it('asks only for what it may', () => {
    assert.deepEqual(fromPage({ kind: 'energySaving', value: 70 }), { kind: 'energySaving', value: 70 });
    assert.deepEqual(fromPage({ kind: 'qualityFloor', value: null }), { kind: 'qualityFloor', value: null });
    for (const action of ACTIONS) assert.deepEqual(fromPage({ kind: 'run', action }), { kind: 'run', action });
    const bad = [null, 3, {}, { kind: 'energySaving', value: 101 }, { kind: 'energySaving', value: 1.5 },
      { kind: 'run', action: 'workbench.action.quit' }, { kind: 'pair', action: 'pull', pair: 4 }];
    for (const data of bad) assert.equal(fromPage(data), undefined, JSON.stringify(data));
  });
});

describe('the page that explains', () => {
  const decision = {
    at: 1_800_000_000, action: 'generate', reason: 'A <b>reason</b>.', model: 'small', language: 'python',
    models_run: ['small'], p_small_ok: 0.83, p_gain: 0.1, confidence: 0.9, energy_saving: 50,
    timings_ms: { total: 12 }, tokens: { prompt_evaluated: 4, generated: 3 },
    energy: { joules: 0.02, method: 'estimated', baseline_joules: 0.05, saved_joules: 0.03 },
    features: { indent: 4, in_string: 0 },
  };
  const page = (decisions: Record<string, unknown>[]) =>
    whyHtml(decisions, 'Here.', { language: 'en', source: 'https://webview', style: 'panel.css' }, english);

  it('tells features, probabilities and energies, and shows words as they stand', () => {
    const shown = page([decision]);
    for (const part of ['83 %', '10 %', '~20 mJ', '~50 mJ', '~30 mJ', '12 ms', 'indent', 'A &#60;b&#62;reason']) {
      assert.ok(shown.includes(part), part);
    }
    assert.ok(!shown.includes('in_string'), 'features that are zero say nothing');
    assert.ok(!shown.includes('<script') && !shown.includes('script-src'), 'no script, and none is allowed');
  });

  it('bears what is missing', () => {
    assert.match(page([{}]), /—/);
    assert.match(page([]), /has not been asked/);
  });
});

describe('translations', () => {
  // every message that the code hands to a translator, as it stands there
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('test')).map((name) => readFileSync(`src/${name}`, 'utf8'));
  const messages = new Set(sources.flatMap((source) =>
    [...source.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)].map(([, text = '']) => text.replace(/\\(.)/g, '$1'))));
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  const holes = (text: string) => [...text.matchAll(/\{\d+\}/g)].map(([hole]) => hole).sort().join();

  it('cover every message, and have its holes', () => {
    const german = read('l10n/bundle.l10n.de.json');
    const english_ = read('l10n/bundle.l10n.json');
    assert.deepEqual(Object.keys(english_).sort(), [...messages].sort());
    assert.deepEqual(Object.keys(german).sort(), [...messages].sort());
    for (const [message, text] of Object.entries(german)) assert.equal(holes(text), holes(message), message);
  });

  it('cover what package.json names', () => {
    const manifest = readFileSync('package.json', 'utf8');
    const named = [...new Set([...manifest.matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key))].sort();
    for (const file of ['package.nls.json', 'package.nls.de.json']) {
      assert.deepEqual(Object.keys(read(file)).sort(), named, file);
    }
  });
});
