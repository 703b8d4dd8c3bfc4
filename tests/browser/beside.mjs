// Ghost text beside what else an editor does while one types. Each drive leaves the files on disk as they were.
//
// A drive gets what the scenario has: { bench, host, file, below, suggestion, pressTab, step }.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { dense, eventually } from './workbench.mjs';

const GHOST_PATIENCE_MS = 6_000;
const NOTEBOOK = 'boxes.ipynb';

/** An extension under a known name, which offers nothing: that it is active is what ours looks at. */
const RIVAL = {
  name: 'supermaven', publisher: 'supermaven', version: '1.0.0', displayName: 'Supermaven',
  engines: { vscode: '^1.90.0' }, main: './main.js', activationEvents: ['*'],
  capabilities: { untrustedWorkspaces: { supported: true } },
};

/** Puts it where the workbench finds it; before the first extension is installed, which makes the list of them. */
export function installRival(host) {
  const folder = path.join(host.folder, 'extensions/supermaven.supermaven-1.0.0');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(RIVAL));
  fs.writeFileSync(path.join(folder, 'main.js'), 'exports.activate = () => undefined;\n');
}

const OFFERS_TOO = 'Supermaven offers completions too';

/** The notices of other providers, in the list of all notices. */
async function notices(bench) {
  await bench.palette('Notifications: Show Notifications');
  const centre = bench.page.locator('.notifications-center');
  await centre.waitFor();
  return centre.locator('.notification-list-item', { hasText: OFFERS_TOO });
}

/** The other extension is named when the server runs for the first time, and not when it runs anew. */
export const rival = {
  async told({ bench, step }) {
    await (await notices(bench)).waitFor();
    await bench.palette('Notifications: Clear All Notifications');
    step(`told: ${OFFERS_TOO}`);
  },
  async toldOnce({ bench, step }) {
    assert.equal(await (await notices(bench)).count(), 0, 'told again when the server started anew');
    await bench.palette('Notifications: Clear All Notifications');
    step('and not told again when the server started anew');
  },
};

/** The walkthrough's first step is done as soon as there is a server, before any file is open. */
export async function installTicked({ bench, step }) {
  await bench.statusItem.waitFor(); // the extension is there
  await bench.palette('Jouline: Get Started');
  const tick = bench.page.locator('[role="checkbox"][data-done-step-id$="install"]').first();
  await eventually('the walkthrough’s first step to be done', async () =>
    (await tick.getAttribute('aria-checked')) === 'true', 30_000);
  // by the mouse: in older workbenches the walkthrough's page keeps the keys to itself
  const tab = bench.page.locator('.tab[data-resource-name="vscode_getting_started_page"]');
  await tab.click({ button: 'middle' });
  await tab.waitFor({ state: 'detached' });
  step('the walkthrough ticks its first step');
}

const WORDS = ['return self.width * sel', 'self.area = self.width * sel', 'if isinstance(wid', 'print(self.width, sel'];

/** With the suggest widget open, ghost text continues its selected item or stays away; Tab takes the item alone. */
export async function suggestWidget(drive) {
  for (const typed of WORDS) {
    const { item, ghost } = await besideItems(drive, typed);
    if (ghost === '') continue;
    drive.step(`after "${typed}", with "${item}" selected in the suggest widget, ghost text was ${ghost}; Tab took the item`);
    return;
  }
  assert.fail(`no item of the suggest widget got ghost text beside it in ${WORDS.length} places`);
}

async function besideItems({ bench, host, file, below }, typed) {
  const before = host.read(file);
  await bench.newLineBelow(file, below);
  await bench.keyboard.type(typed, { delay: 60 });
  await bench.keyboard.press('Control+Space');
  const word = /\w+$/.exec(typed)[0];
  const found = await firstContinued(bench, word);
  await bench.keyboard.press('Tab');
  await bench.page.locator('.suggest-widget.visible').waitFor({ state: 'hidden' });
  const line = inserted(before, await bench.save(file, (saved) => saved !== before), below);
  const wanted = `${typed.slice(0, -word.length)}${found.item}`;
  assert.equal(line.trim().replace(/[\])]$/, ''), wanted, 'Tab took the selected item and nothing else');
  await restore(bench, file, before);
  return found;
}

/** The first of the widget's items, from the top, that has ghost text beside it; each is held to the rule. */
async function firstContinued(bench, word) {
  const row = bench.page.locator('.suggest-widget.visible .monaco-list-row');
  const selected = bench.page.locator('.suggest-widget.visible .monaco-list-row.focused');
  for (let index = 0; ; index += 1) {
    await selected.waitFor();
    const item = (await selected.locator('.label-name').innerText()).trim();
    const ghost = await bench.ghostText(2_000);
    assert.ok(ghost === '' || `${word}${ghost}`.startsWith(item), `beside ${item} stood ${word} and ${ghost}`);
    if (ghost !== '' || index + 1 >= Math.min(2, await row.count())) return { item, ghost };
    await bench.keyboard.press('ArrowDown');
  }
}

/** While a snippet has places to fill in, Tab goes to the next one and takes no ghost text on the way. */
export async function snippet({ bench, host, file, below, step }) {
  const before = host.read(file);
  await bench.newLineBelow(file, below);
  await bench.paletteList('Snippets: Insert Snippet', 'sideof');
  await bench.pick('sideof');
  for (const filled of ['mass', 'height * 2']) {
    await bench.keyboard.type(filled, { delay: 60 });
    await bench.ghostText(1_500);
    await bench.keyboard.press('Tab');
  }
  const text = await bench.save(file, (saved) => saved !== before);
  assert.equal(inserted(before, text, below).trim(), 'self.mass = height * 2');
  step('the places of a snippet were filled in, Tab going from one to the next');
  await restore(bench, file, before);
}

const TWICE = [['self.height', ' = '], ['self.depth', ' = dep'], ['self.height', ' = hei'], ['self.name', ' = na']];

/** With two carets, Tab writes the offered text at both of them, and undo takes it back from both. */
export async function twoCarets(drive) {
  const { bench, host, file, below, pressTab, step } = drive;
  const before = host.read(file);
  for (const [first, second] of TWICE) {
    const ghost = await typedTwice(drive, first, second);
    if (ghost === '') {
      await bench.revert();
      continue;
    }
    const written = (text) => dense(inserted(before, text, below));
    const typed = await bench.save(file, (saved) => saved !== before);
    assert.equal(written(typed), dense(`${first}${second}`.repeat(2)));
    await pressTab();
    const taken = await bench.save(file, (saved) => saved !== typed);
    assert.equal(written(taken), dense(`${first}${second}${ghost}`).repeat(2), 'the same at both carets');
    await bench.keyboard.press('Control+z');
    await bench.save(file, (saved) => saved === typed);
    step(`with two carets, "${first}${second}" got ${ghost} at both`);
    await restore(bench, file, before);
    return;
  }
  assert.fail(`none of ${TWICE.length} places got ghost text with two carets`);
}

async function typedTwice({ bench, file, below }, first, second) {
  await bench.newLineBelow(file, below);
  await bench.keyboard.type(first);
  await bench.keyboard.press('Escape');
  await bench.keyboard.press('Enter');
  await bench.keyboard.type(first);
  await bench.keyboard.press('Escape');
  await bench.palette('Add Cursor Above');
  await eventually('a second caret', async () =>
    (await bench.page.locator('.editor-instance .cursors-layer .cursor').count()) === 2, 5_000);
  await bench.keyboard.type(second, { delay: 60 });
  const shown = await bench.ghostText(GHOST_PATIENCE_MS);
  const half = shown.slice(0, shown.length / 2);
  return half.repeat(2) === shown ? half : shown; // it may be shown at both of them
}

/** Asked for by hand, candidates can be looked at in turn, and Tab takes the one that is shown. */
export async function cycling({ bench, host, file, below, pressTab, step }, places) {
  const before = host.read(file);
  for (const typed of places) {
    await bench.newLineBelow(file, below);
    await bench.keyboard.type(typed, { delay: 60 });
    await bench.ghostText(GHOST_PATIENCE_MS);
    await bench.keyboard.press('Escape');
    await bench.ghost.first().waitFor({ state: 'hidden' });
    await bench.keyboard.press('Alt+\\');
    const first = await bench.ghostText(GHOST_PATIENCE_MS);
    const second = first && (await turned(bench, 'Alt+]', first));
    if (!second) {
      await bench.revert();
      continue;
    }
    assert.equal(await turned(bench, 'Alt+[', second), first, 'the way back leads to the first one');
    assert.equal(await turned(bench, 'Alt+]', first), second, 'and forth again to the second');
    await pressTab();
    const text = await bench.save(file, (saved) => saved !== before);
    assert.equal(dense(inserted(before, text, below)), dense(`${typed}${second}`), 'the second was taken');
    step(`after "${typed}" the key for the next candidate led from ${first} to ${second}, which Tab took`);
    await restore(bench, file, before);
    return;
  }
  assert.fail(`none of ${places.length} places had a second candidate`);
}

/** The ghost text after a key that turns to another candidate; '' where it stays the same. */
async function turned(bench, key, from) {
  await bench.keyboard.press(key);
  return eventually('another candidate', async () => {
    const now = await bench.ghostText(1_000);
    return now !== from && now;
  }, 8_000).catch(() => '');
}

/** Undo after Tab gives back the very text that stood there, closed brackets and all. */
export async function undone({ bench, host, file, suggestion, pressTab, step }, places) {
  const original = host.read(file);
  const { typed } = await suggestion(places, () => true);
  const before = await bench.save(file, (saved) => saved !== original && saved.includes(typed));
  const ghost = await bench.ghostText(GHOST_PATIENCE_MS);
  await pressTab();
  await bench.save(file, (saved) => saved !== before);
  await bench.keyboard.press('Control+z');
  await bench.save(file, (saved) => saved === before);
  step(`"${typed}" got ${ghost} with Tab, and undo gave back the text to the byte`);
  await restore(bench, file, original);
}

const CELL = ['\nself.height = ', '\nself.depth = dep', '\nself.height = hei'];

/** A notebook's cell is completed as a file is, and what was taken is in the notebook on disk. */
export async function notebook({ bench, host, pressTab, step }) {
  const source = () => JSON.parse(host.read(NOTEBOOK)).cells[0].source.join('');
  const [original, before] = [host.read(NOTEBOOK), source()];
  await bench.keyboard.press('Control+p');
  await bench.page.locator('.quick-input-widget input').first().waitFor();
  await bench.keyboard.type(NOTEBOOK);
  await bench.pick(NOTEBOOK);
  await bench.page.locator('.notebookOverlay .code-cell-row .view-line').first().click();
  await bench.keyboard.press('Control+End');
  for (const typed of CELL) {
    await bench.keyboard.type(typed, { delay: 60 });
    const ghost = await bench.ghostText(GHOST_PATIENCE_MS);
    if (ghost === '') continue; // a line more is typed below
    await pressTab();
    await bench.keyboard.press('Control+s');
    const after = await eventually('the notebook to be saved', () => source() !== before && source(), 15_000);
    assert.ok(dense(after).endsWith(dense(`${typed}${ghost}`)), `in the cell on disk: ${after}`);
    await bench.palette('View: Close Editor');
    fs.writeFileSync(path.join(host.workspace, NOTEBOOK), original);
    step(`in a notebook's cell, "${typed.trim()}" got ${ghost}, and Tab put it on disk`);
    return;
  }
  assert.fail(`none of ${CELL.length} lines in a notebook's cell got ghost text`);
}

/** What stands between the last line with `below` and what stood behind it; fails where anything else was changed. */
function inserted(before, after, below) {
  const lines = before.split('\n');
  const place = lines.findLastIndex((line) => line.includes(below)) + 1;
  const [head, rest] = [lines.slice(0, place).join('\n'), `\n${lines.slice(place).join('\n')}`];
  assert.ok(after.startsWith(head) && after.endsWith(rest), `other lines were changed:\n${after}`);
  return after.slice(head.length, after.length - rest.length);
}

/** Puts the file on disk back, as the editor shows it too. */
async function restore(bench, file, text) {
  await bench.keyboard.press('Escape');
  fs.writeFileSync(path.join(bench.host.workspace, file), text);
  await bench.palette('File: Revert File');
}
