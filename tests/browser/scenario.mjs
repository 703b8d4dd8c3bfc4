// node scenario.mjs --vsix FILE --wheels FOLDER [--server FILE] [--oldest] [--beside] [--screenshots] [--keep]: `run`
//
// What the models write is not known beforehand: the test holds that what stands on disk is what was offered.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as beside from './beside.mjs';
import { measure, told } from './latency.mjs';
import { accessible, equalsStats, moveSlider, narrow, themes } from './panel.mjs';
import { dense, eventually, GHOST, Host, Workbench } from './workbench.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, '../..');
const FILE = 'shapes.py';
const GHOST_PATIENCE_MS = 6_000;
const LONGEST_MS = 15 * 60_000;
const SETUP_MS = 8 * 60_000;

// What is typed below "self.width = width": places at which a model of any size has something to say.
const PLACES = {
  large: [
    'self.height = ', 'if self.depth is No', 'self.height = hei', 'self.depth = dep',
    'self.area = self.width * self.hei', 'self.name = na',
  ],
  small: [
    'if self.width is No', 'self.depth = dep', 'self.height = hei', 'self.name = na', 'self.color = col',
    'self.area = self.width * self.hei', 'return self.wid',
  ],
  typedOn: ['self.color = color', 'self.weight = self.width * 2', 'self.label = str(self.weight)', 'print(self.label)'],
  bracketed: [
    'if not isinstance(width, s', 'if isinstance(width, in', 'if not isinstance(depth, (int, flo',
    'self.sides = [width, height, dep', 'self.depth = len(dep', 'print(width, height, dep',
    'assert isinstance(depth, in', 'self.depth = int(dep',
  ],
};

// For the documents: a window as small as what is to be seen, drawn twice as fine.
const PICTURE = { viewport: { width: 960, height: 600 }, deviceScaleFactor: 2 };

const PICTURE_SETTINGS = {
  'breadcrumbs.enabled': false, 'editor.stickyScroll.enabled': false, 'security.workspace.trust.enabled': false,
};
const { values: options } = parseArgs({
  options: {
    vsix: { type: 'string' },
    server: { type: 'string' },
    wheels: { type: 'string' },
    latency: { type: 'boolean', default: false },
    oldest: { type: 'boolean', default: false },
    beside: { type: 'boolean', default: false },
    screenshots: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const began = Date.now();
const step = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'jouline-browser-'));
const images = options.screenshots ? path.join(ROOT, 'docs/images') : path.join(folder, 'images');
fs.mkdirSync(images, { recursive: true });
fs.mkdirSync(path.join(folder, 'images'), { recursive: true });

const e2e = process.env.E2E_ROOT ?? path.join(ROOT, '.e2e');
const host = new Host({
  e2e,
  codeServer: options.oldest ? 'code_server_oldest' : 'code_server',
  folder,
  workspace: path.join(HERE, 'workspace'),
  settings: {
    ...JSON.parse(fs.readFileSync(path.join(HERE, 'settings.json'), 'utf8')),
    'jouline.debug.log': true,
    ...(options.screenshots ? PICTURE_SETTINGS : {}),
  },
  machineSettings: options.server ? { 'jouline.server.path': options.server } : {},
  environment: {
    JOULINE_HOME: path.join(folder, 'jouline-home'),
    // the network of the first start: a folder of wheels stands for the index
    PIP_NO_INDEX: '1',
    PIP_FIND_LINKS: options.wheels ?? '',
  },
});
const server = options.server ?? path.join(host.storage, 'server/env/bin/jouline');
const TRAP = path.join(folder, 'trapped');
let bench;
let tabs = 0;

// The others are for the eyes of whoever keeps the run's folder.
const DOCUMENTED = ['first-run', 'ghost-large', 'ghost-small', 'menu', 'panel', 'tooltip', 'why'];
const shot = (name) =>
  bench.screenshot(path.join(DOCUMENTED.includes(name) ? images : path.join(folder, 'images'), `${name}.png`));

/** Types at one place after another until ghost text comes and the status bar `suits`. */
async function suggestion(places, suits) {
  for (const typed of places) {
    await bench.newLineBelow(FILE, 'self.width = width');
    await bench.keyboard.type(typed, { delay: 60 });
    const ghost = await bench.ghostText(GHOST_PATIENCE_MS);
    const said = await bench.untilStatus('an answer', (text) => suits(text), 3_000).catch((error) => error);
    if (ghost !== '' && !(said instanceof Error)) return { typed, ghost };
    step(`  no: "${typed}" got ${ghost === '' ? 'nothing' : ghost}; ${said.message ?? said}`);
    await bench.revert();
  }
  return assert.fail(`none of ${places.length} places got ghost text as it should`);
}

const from = (model) => (text) => text.startsWith(`${model} ·`);

async function pressTab() {
  await bench.keyboard.press('Tab');
  await bench.ghost.first().waitFor({ state: 'hidden' });
  tabs += 1;
}

/** Accepts with Tab, saves, and holds the text on disk against what was typed and offered. */
async function accept({ typed, ghost }) {
  const before = host.read(FILE);
  await pressTab();
  const text = await bench.save(FILE, (saved) => saved !== before);
  const line = text.split('\n').find((each) => each.includes(typed));
  assert.ok(line, `"${typed}" is not on disk:\n${text}`);
  const accepted = text.slice(text.indexOf(typed) + typed.length);
  const expected = dense(ghost);
  assert.ok(
    dense(accepted).startsWith(expected),
    `offered was ${expected}, on disk is ${dense(accepted).slice(0, expected.length + 20)}`,
  );
  assert.ok(before.split('\n').every((each) => text.includes(each)), `lines were lost:\n${text}`);
  return line.trim();
}

async function ready() {
  await bench.goto();
  step('workbench painted');
  if (!options.server) await firstRun();
  await beside.installTicked({ bench, step });
  await bench.openFile(FILE);
  step(`${FILE} open`);
  const said = await bench.untilStatus('the server to be ready', (text) => /Jouline: ready/.test(text), SETUP_MS);
  step(`status bar: ${said}`);
  if (!options.screenshots) await beside.rival.told({ bench, step });
  await uncover();
}

/** For the pictures: the editor alone. */
async function uncover() {
  if (options.screenshots) await bench.palette('View: Close Primary Side Bar');
}

async function chooseEnergySaving(value, row) {
  await bench.paletteList('Jouline: Choose Energy Saving', row);
  await bench.pick(row);
  await eventually('the setting on disk', () => host.userSetting('jouline.energySaving') === value, 15_000);
}

/** Writes a setting and waits until the extension says that it was taken up. */
async function setInFolder(key, value, saying) {
  const before = host.log().length;
  host.setInWorkspace(key, value);
  await eventually(`${key} to be taken up`, () => {
    const lines = host.log().slice(before).split('\n');
    return lines.some((line) => /Settings changed/.test(line) && saying.test(line));
  }, 30_000);
}

async function largeModel() {
  await bench.paletteList('Jouline: Show Menu', 'Energy panel');
  await bench.page.waitForTimeout(500); // until it has faded in
  await shot('menu');
  await bench.keyboard.press('Escape');
  await chooseEnergySaving(0, 'Always large');
  step('energy saving 0, chosen among the five stops');
  const offered = await suggestion(PLACES.large, from('large'));
  const status = await bench.statusText();
  step(`ghost text of the large model after "${offered.typed}": ${offered.ghost}; ${status}`);
  await shot('ghost-large');
  step(`accepted with Tab, on disk: ${await accept(offered)}`);
}

async function smallModel() {
  await bench.statusItem.click();
  const frame = await bench.panel('side');
  const { value, spoken, before, after } = await moveSlider(frame, 'End');
  assert.ok(value === 100 && before !== after && /\d/.test(after), `predicted: ${before}, then ${after}`);
  await eventually('the slider on disk', () => host.userSetting('jouline.energySaving') === 100, 15_000);
  step(`a click on the status bar opened the panel; the slider, moved to its end, is on disk: ${spoken}`);
  await uncover();
  await bench.newLineBelow(FILE, 'self.width = width');
  for (const typed of PLACES.typedOn) { // until there are enough requests for a claim
    await bench.keyboard.type(`${typed}\n`, { delay: 90 });
  }
  await bench.revert();
  const offered = await suggestion(PLACES.small, from('small'));
  const status = await bench.statusText();
  step(`ghost text of the small model after "${offered.typed}": ${offered.ghost}; ${status}`);
  await shot('ghost-small');
  await energyShown();
  step(`accepted with Tab, on disk: ${await accept(offered)}`);
}

async function energyShown() {
  const shown = /(small|large) · (~?[\d.]+ [kM]?J (saved|lost)|no measurable saving)/;
  const text = await bench.untilStatus('the energy saved', (each) => shown.test(each));
  await bench.statusItem.hover();
  const hover = bench.page.locator('.monaco-hover', { hasText: 'Jouline' }).first();
  await hover.waitFor();
  const tooltip = await hover.innerText();
  for (const part of ['This session', 'Saved', 'Spent', 'Requests', 'Energy saving 100']) {
    assert.ok(tooltip.includes(part), `"${part}" in the tooltip:\n${tooltip}`);
  }
  await shot('tooltip');
  const [title, reason] = tooltip.split('\n').filter(Boolean);
  step(`status bar: ${text.split(' (')[0]}; tooltip: ${title} / ${reason}`);
  await bench.page.mouse.move(400, 300);
}

async function closedBrackets() {
  await setInFolder('jouline.energySaving', 0, /energy saving 0,/);
  const { typed, ghost } = await suggestion(PLACES.bracketed, () => true);
  await pressTab();
  const text = await bench.save(FILE, (saved) => saved.includes(typed));
  const line = text.split('\n').find((each) => each.includes(typed));
  assert.ok(dense(line).length > dense(typed).length + 1, `nothing of ${ghost} was accepted: ${line}`);
  for (const [open, close] of ['()', '[]']) {
    const count = (bracket) => line.split(bracket).length - 1;
    assert.ok(count(close) <= count(open), `brackets were doubled: ${line}`);
  }
  step(`brackets that the editor closed are not doubled: ${line.trim()}`);
}

async function explained() {
  await bench.palette('Jouline: Why This Model?');
  const frame = await eventually('the page that explains', async () => {
    for (const each of bench.page.frames()) if (await each.locator('body.why article').count().catch(() => 0)) return each;
    return undefined;
  });
  const here = await frame.locator('.here').innerText();
  assert.match(here, /: .{10,}\. \(.*\d ms.*\)$/, 'the reason of the last decision, and what is known of it');
  assert.ok((await frame.locator('article').count()) > 5, 'the latest decisions are listed');
  await shot('why');
  step(`asked why: ${here}`);
  await bench.palette('View: Close Editor');
}

/** In step both ways, equal to the command line, readable in every theme and at 200 px. */
async function panelShown() {
  await bench.palette('Jouline: Open the Energy Panel');
  const frame = await bench.panel('side');
  await equalsStats(frame, stats);
  await setInFolder('jouline.energySaving', 30, /energy saving 30,/);
  await eventually('the slider to follow the setting', async () => (await frame.locator('#slider').inputValue()) === '30', 15_000);
  const { rules, minor } = await accessible(frame, e2e);
  await themes(bench, frame, host, shot, e2e);
  const width = await narrow(bench, frame, shot);
  step(`the panel has the numbers of \`jouline stats --json\` and follows the setting; ${rules} rules of axe-core hold, `
    + `minor findings: ${minor.join() || 'none'}; nothing is cut off at ${width} px`);
  await uncover();
  await bench.palette('Jouline: Open the Energy Panel in the Editor Area');
  await bench.panel('editor');
  await bench.page.waitForTimeout(300); // until it has faded in
  await shot('panel');
  await bench.palette('View: Close Editor');
}

/** The account as `jouline stats --json` prints it, saved where the dialogue proposes it. */
async function exported() {
  await bench.search('Jouline: Export the Account');
  await bench.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Jouline: Export' }).first().click();
  const input = bench.page.locator('.quick-input-widget input').first();
  await eventually('the place to save at', async () => /jouline-energy\.json$/.test(await input.inputValue()));
  await bench.keyboard.press('Enter');
  const file = path.join(host.workspace, 'jouline-energy.json');
  await eventually('the exported account', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8').endsWith('\n'), 30_000);
  assert.equal(JSON.parse(fs.readFileSync(file, 'utf8')).requests, stats().requests);
  await bench.palette('Notifications: Clear All Notifications');
  step('the account was exported');
}

/** Taking a word is told apart from taking all; undo takes back what was accepted. */
async function partly() {
  const before = host.read(FILE);
  const { typed, ghost } = await suggestion(PLACES.large, () => true);
  await bench.keyboard.press('Control+ArrowRight');
  await bench.page.waitForTimeout(600);
  await bench.keyboard.press('Escape');
  const text = await bench.save(FILE, (saved) => saved !== before);
  // the same text may stand in another line: this one begins right below the place
  const lineOf = (saved) => {
    const lines = saved.split('\n');
    return dense(lines[lines.findLastIndex((line) => line.includes('self.width = width')) + 1]);
  };
  const taken = lineOf(text).slice(dense(typed).length);
  assert.ok(taken !== '' && dense(ghost).startsWith(taken), `a word of ${ghost} was taken: ${taken}`);
  await bench.keyboard.press('Control+z');
  await bench.save(FILE, (saved) => lineOf(saved) === dense(typed));
  step(`a word of ${ghost} was taken, ${taken}, and taken back with undo`);
  tabs += 1;
  await bench.revert();
}

const stats = () => JSON.parse(execFileSync(server, ['stats', '--json'], { env: host.env }));

/** A start from an empty profile: an environment of its own, with progress to be seen, from a folder of wheels. */
async function firstRun() {
  const toast = bench.page.locator('.notification-toast', { hasText: 'setting up its server' }).first();
  await toast.waitFor();
  assert.ok(await toast.locator('.monaco-progress-container').count(), 'the notification has a progress bar');
  assert.ok(await toast.getByText('Cancel').count(), 'the notification has a way to cancel');
  await bench.untilStatus('the set-up in the status bar', (text) => /Jouline: installing/.test(text));
  await shot('first-run');
  const done = path.join(host.storage, 'server/done.json');
  await eventually('the set-up to end', async () => {
    assert.doesNotMatch(await bench.standing(), /: trouble\./, 'the set-up failed');
    return fs.existsSync(done) && 'check' in JSON.parse(fs.readFileSync(done, 'utf8'));
  }, SETUP_MS);
  step('set up by itself, with a progress bar and a cancel button');
}

/** For the eyes: the walkthrough and the settings with their links. */
async function pictured() {
  await bench.palette('Jouline: Get Started');
  await bench.page.locator('.gettingStartedContainer .step-title').first().waitFor();
  await bench.page.waitForTimeout(1_000); // until its pictures are in
  await shot('walkthrough');
  await bench.palette('View: Close Editor');
  await bench.palette('Preferences: Open Settings (UI)');
  await bench.page.locator('.settings-editor .suggest-input-container').click();
  await bench.keyboard.type('@ext:jouline.jouline');
  await bench.page.locator('.settings-editor .setting-item-title', { hasText: 'Energy Saving' }).first().waitFor();
  await bench.page.waitForTimeout(1_000);
  await shot('settings');
}

/** What the untrusted folder names: programs that would leave a trace, places and models that there are not. */
function trap() {
  const program = path.join(folder, 'trap');
  fs.writeFileSync(program, `#!/bin/sh\ntouch ${TRAP}\n`, { mode: 0o755 });
  for (const key of ['server.path', 'server.python']) host.setInWorkspace(`jouline.${key}`, program);
  for (const key of ['server.wheels', 'model.small', 'model.large']) host.setInWorkspace(`jouline.${key}`, TRAP);
}

/** Restricted mode: what the folder's settings name is neither run nor looked for. */
async function untrusted() {
  await bench.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
  assert.ok(!fs.existsSync(TRAP), 'an executable that the untrusted folder names was run');
  assert.ok(!host.log().includes(path.join(folder, 'trap')), 'a server, a model or a place that the untrusted folder names was looked for');
  step('the folder is not trusted, and no server, Python, place or model that its settings name was taken');
}

/** What the ledger holds, as the server's own command tells it. */
async function accounted() {
  await eventually(`${tabs} acceptances in the ledger`, () => stats().accepted === tabs, 15_000);
  const { requests, small, large, shown, accepted, cancelled } = stats();
  assert.ok(small > 0 && large > 0 && shown >= accepted, `small ${small}, large ${large}, shown ${shown}`);
  const counts = { requests, small, large, cancelled, shown, accepted };
  step(`ledger: ${Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(', ')}`);
}

// Words of the document that stand nowhere in the server's own code.
const MARKS = ['what can be measured on them', 'A wall with three sides', 'perimeter = 2'];

/** Looks through all that was written but the documents: no log and no ledger may hold what was typed. */
function privacy() {
  const places = [path.join(folder, 'jouline-home'), path.join(folder, 'data/logs')];
  const files = places.flatMap((place) => fs.readdirSync(place, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  assert.ok(files.some((file) => /Jouline\.log$/.test(file)), `the extension's log is among ${files}`);
  assert.ok(files.some((file) => /ledger/.test(file)), `the ledger is among ${files}`);
  for (const file of files) {
    const bytes = fs.readFileSync(file);
    for (const mark of MARKS) assert.ok(!bytes.includes(mark), `${file} holds source text: ${mark}`);
  }
  step(`no source text in ${files.length} log and ledger files`);
}

/** Off by the switch and off for a language: the status bar says why, and there is a way back. */
async function switchedOff() {
  for (const enabled of [false, true]) {
    await bench.palette('Jouline: Switch On or Off');
    await eventually('the switch on disk', () => host.userSetting('jouline.enable') === enabled, 15_000);
    const told = enabled ? /: ready\./ : /: off\. .*jouline\.enable/;
    await bench.untilStatus(enabled ? 'on' : 'off', (text) => told.test(text));
  }
  await setInFolder('jouline.languages', { python: false }, /languages off: python,/);
  await bench.untilStatus('off for python', (text) => /: off\. .*python.*jouline\.languages/.test(text));
  await setInFolder('jouline.languages', {}, /languages off: none,/);
  await bench.untilStatus('on for python', (text) => /: ready\./.test(text));
  step('switched off and on; off for a language, which the status bar says');
}

async function fastTyping() {
  const cancelled = () => host.log().match(/request: \d+ ms, .*, cancelled/g)?.length ?? 0;
  const before = cancelled();
  await bench.newLineBelow(FILE, 'self.width = width');
  await bench.keyboard.type('self.perimeter = 2 * (self.width + self.height) # twice both', { delay: 70 });
  await eventually('requests to be cancelled', () => cancelled() > before, 15_000);
  step(`typing fast cancelled ${cancelled() - before} requests`);
  await bench.untilStatus('the server to be ready again', (text) => /Jouline: ready\./.test(text), 30_000);
  await bench.revert();
}

async function killedServer() {
  const [pid] = host.languageServers();
  assert.ok(pid, 'no language server of this run was found');
  const killed = Date.now();
  process.kill(pid, 'SIGKILL');
  await eventually('another server', () => host.languageServers().some((each) => each !== pid), 30_000);
  await bench.untilStatus('the new server to be ready', (text) => /Jouline: ready/.test(text));
  step(`the server was killed and was ready again after ${((Date.now() - killed) / 1000).toFixed(1)} s`);
}

/** Beside what else the editor does while one types; the large model answers, as `closedBrackets` left it. */
async function besides() {
  const drive = { bench, host, file: FILE, below: 'self.width = width', suggestion, pressTab, step };
  await beside.suggestWidget(drive);
  await beside.snippet(drive);
  await beside.twoCarets(drive);
  await beside.cycling(drive, PLACES.large);
  await beside.undone(drive, PLACES.bracketed);
  await beside.notebook(drive);
}

async function besidesOnly() {
  await setInFolder('jouline.energySaving', 0, /energy saving 0,/);
  await besides();
  await eventually(`${tabs} acceptances in the ledger`, () => stats().accepted === tabs, 15_000);
  await bench.palette('Jouline: Restart Server');
  await eventually('another server', () => host.log().match(/Starting .* serve --stdio/g).length === 2, 30_000);
  await bench.untilStatus('the new server to be ready', (text) => /Jouline: ready/.test(text));
  await beside.rival.toldOnce({ bench, step });
  await ended();
}

async function scenario() {
  trap();
  if (!options.screenshots) beside.installRival(host);
  host.install(options.vsix);
  step(`installed ${path.basename(options.vsix)}`);
  await host.start();
  step(`code-server on port ${host.port}`);
  bench = await Workbench.open(host, options.screenshots ? PICTURE : {});
  await ready();
  if (options.latency) return latency();
  if (options.beside) return besidesOnly();
  await largeModel();
  await smallModel();
  if (options.oldest) return ended();
  await explained();
  await panelShown();
  await exported();
  await closedBrackets();
  await partly();
  await besides();
  await switchedOff();
  await fastTyping();
  await killedServer();
  if (!options.screenshots) await beside.rival.toldOnce({ bench, step });
  await accounted();
  if (options.screenshots) await pictured(); // last: newer workbenches show settings in a window that covers all
  return ended();
}

/** A benchmark, not a test: what is fast enough depends on what else the machine does. */
async function latency() {
  for (const [name, value] of [['small', 100], ['large', 0]]) {
    await setInFolder('jouline.energySaving', value, new RegExp(`energy saving ${value},`));
    const places = [...PLACES[name], ...PLACES.bracketed];
    const samples = await measure(bench, host, FILE, 'self.width = width', places, GHOST);
    step(`${name}: ${told(samples)}`);
  }
}

async function ended() {
  privacy();
  if (!options.screenshots) await untrusted(); // for the pictures every folder is trusted
  assert.deepEqual([...bench.outside], [], 'requests left this machine');
  step('no request left 127.0.0.1');
}

// An end that comes from outside, or a wait that outlasts all patience, still ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { host.stop(); process.exit(1); });
const tooLong = new Promise((_resolve, reject) => {
  setTimeout(() => reject(new Error(`not done after ${LONGEST_MS / 60_000} minutes`)), LONGEST_MS).unref();
});

let failure;
try {
  await Promise.race([scenario(), tooLong]);
} catch (error) {
  failure = error;
  await bench?.screenshot(path.join(folder, 'failed.png')).catch(() => undefined);
  console.log(`FAILED: ${error.message}`);
  console.log(`screenshot: ${folder}/failed.png`);
  console.log(`the extension's log ends:\n${host.log().split('\n').slice(-25).join('\n')}`);
} finally {
  await bench?.browser.close();
  host.stop();
}
if (failure || options.keep) console.log(`the run's folder: ${folder}`);
else fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
step(failure ? '1 failed' : '1 passed');
process.exit(failure ? 1 : 0);
