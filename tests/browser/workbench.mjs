// A VS Code workbench with a fresh profile: the server that shows it, and the page that it is shown in.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 90_000;
export const GHOST = '.ghost-text-decoration, .ghost-text';

/** Text without white space, in which ghost text is compared: the page splits it into coloured spans. */
export const dense = (text) => text.replace(/[\s\u00a0\u200b]+/g, '');

/** Calls `check` until it gives something, and fails with `what` when patience ends. */
export async function eventually(what, check, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${patienceMs / 1000} s in vain for ${what}`);
    await sleep(100);
  }
}

/** The workbench's files and its server process, in one folder of this run. */
export class Host {
  constructor({ e2e, codeServer, folder, settings, machineSettings, workspace, environment }) {
    Object.assign(this, { e2e, folder, environment });
    this.workspace = path.join(folder, 'workspace');
    this.userSettings = path.join(folder, 'data/User/settings.json');
    for (const inner of ['data/User', 'data/Machine', 'extensions', 'home']) {
      fs.mkdirSync(path.join(folder, inner), { recursive: true });
    }
    fs.cpSync(workspace, this.workspace, { recursive: true });
    fs.writeFileSync(this.userSettings, JSON.stringify(settings, null, 2));
    // machine-scoped settings count only from this file
    const machineFile = path.join(folder, 'data/Machine/settings.json');
    fs.writeFileSync(machineFile, JSON.stringify(machineSettings, null, 2));
    fs.writeFileSync(path.join(folder, 'config.yaml'), 'auth: none\n');
    this.storage = path.join(folder, 'data/User/globalStorage/jouline.jouline');
    this.command = path.join(e2e, codeServer, 'node_modules/.bin/code-server');
    this.args = ['--config', path.join(folder, 'config.yaml'), '--user-data-dir', path.join(folder, 'data'),
      '--extensions-dir', path.join(folder, 'extensions')];
    this.env = {
      ...process.env,
      ...environment,
      ...(codeServer.endsWith('oldest') ? { PATH: process.env.SYSTEM_PATH } : {}),
      HOME: path.join(folder, 'home'),
      EXTENSIONS_GALLERY: '{"serviceUrl":""}', // no marketplace: nothing is looked up outside
    };
  }

  install(vsix) {
    const args = [...this.args, '--install-extension', vsix, '--force'];
    const done = spawnSync(this.command, args, { env: this.env, encoding: 'utf8' });
    assert.equal(done.status, 0, `the extension could not be installed:\n${done.stdout}${done.stderr}`);
  }

  async start() {
    this.port = await freePort();
    const log = fs.openSync(path.join(this.folder, 'code-server.log'), 'a');
    const args = [...this.args, '--bind-addr', `127.0.0.1:${this.port}`, '--disable-telemetry',
      '--disable-update-check', '--ignore-last-opened', this.workspace];
    // detached: a process group of its own, which ends as a whole
    this.process = spawn(this.command, args, { env: this.env, detached: true, stdio: ['ignore', log, log] });
    const settled = () => this.process.exitCode !== null || answers(this.port);
    await eventually('the workbench to be served', settled);
    assert.equal(this.process.exitCode, null, `code-server ended; see ${this.folder}/code-server.log`);
    this.url = `http://127.0.0.1:${this.port}/?folder=${this.workspace}`;
  }

  stop() {
    if (!this.process || this.process.exitCode !== null) return;
    try {
      process.kill(-this.process.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  read(file) {
    return fs.readFileSync(path.join(this.workspace, file), 'utf8');
  }

  /** The extension's log, as it stands on disk. */
  log() {
    const logs = path.join(this.folder, 'data/logs');
    if (!fs.existsSync(logs)) return '';
    const files = fs.readdirSync(logs, { recursive: true }).filter((name) => /Jouline\.log$/.test(name));
    return files.map((name) => fs.readFileSync(path.join(logs, name), 'utf8')).join('');
  }

  /** Writes a setting as a person does who edits the folder's settings file. */
  setInWorkspace(key, value) {
    const file = path.join(this.workspace, '.vscode/settings.json');
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const settings = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
    fs.writeFileSync(file, JSON.stringify({ ...settings, [key]: value }, null, 2));
  }

  /** A setting of the user, as it stands on disk; undefined while the file is being written. */
  userSetting(key) {
    try {
      return JSON.parse(fs.readFileSync(this.userSettings, 'utf8'))[key];
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Process ids of the language servers of this run, told by the folder that their environment names. */
  languageServers() {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
      try {
        const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        const ours = environment.includes(`JOULINE_HOME=${this.environment.JOULINE_HOME}`);
        return ours && words.includes('serve') && words.includes('--stdio');
      } catch {
        return false; // it ended meanwhile
      }
    }).map(Number);
  }
}

/** The page: what a person at the keyboard does and sees. */
export class Workbench {
  static async open(host, view) {
    const { chromium } = createRequire(path.join(host.e2e, 'playwright/'))('playwright-core');
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...view });
    page.setDefaultTimeout(PATIENCE_MS);
    return new Workbench(host, browser, page);
  }

  constructor(host, browser, page) {
    Object.assign(this, { host, browser, page });
    this.keyboard = page.keyboard;
    this.statusItem = page.locator('.statusbar-item[id*="jouline"] a').first();
    this.ghost = page.locator(GHOST);
    this.outside = new Set();
    const note = (url) => {
      // the host of a webview's own files is a name that the workbench's service worker answers: it exists nowhere
      const name = new URL(url).hostname;
      const inside = /^(blob|data|vscode-[a-z-]+):/.test(url) || name === '127.0.0.1'
        || name.endsWith('.vscode-resource.vscode-cdn.net');
      if (!inside) this.outside.add(url);
    };
    page.on('request', (request) => note(request.url()));
    page.on('websocket', (socket) => note(socket.url()));
  }

  async goto() {
    await this.page.goto(this.host.url);
    await this.page.waitForSelector('.monaco-workbench .explorer-folders-view');
  }

  async openFile(name) {
    await this.page.getByRole('treeitem', { name }).dblclick();
    await this.page.locator('.editor-instance .monaco-editor .view-line').first().waitFor();
    await this.page.locator('.editor-instance .monaco-editor .view-lines').first().click();
  }

  async palette(name) {
    await this.search(name);
    await this.pick(name);
  }

  /** Runs a command that itself shows a list, and waits until a row of it is there. */
  async paletteList(name, row) {
    await this.search(name);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: row }).first().waitFor();
  }

  async search(name) {
    await this.keyboard.press('F1');
    await this.page.locator('.quick-input-widget input').first().waitFor();
    await this.keyboard.type(name);
  }

  async pick(text) {
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click();
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  statusText() {
    return this.statusItem.innerText().then((text) => text.trim());
  }

  /** The state and its reason, as a screen reader is told them. */
  async standing() {
    return (await this.statusItem.getAttribute('aria-label').catch(() => null)) ?? '';
  }

  async untilStatus(what, matches, patienceMs = PATIENCE_MS) {
    let last = '';
    try {
      return await eventually(what, async () => {
        last = `${await this.statusText()} (${await this.standing()})`;
        assert.ok(!/the server keeps ending/i.test(last), 'the server does not start');
        return matches(last) ? last : '';
      }, patienceMs);
    } catch (error) {
      error.message += `; the status bar says: ${last}`;
      throw error;
    }
  }

  /** The ghost text without white space once it stands still, or '' where none comes in time. */
  async ghostText(patienceMs) {
    const end = Date.now() + patienceMs;
    for (let before = '', now = ''; Date.now() < end; before = now) {
      await sleep(300);
      now = dense((await this.ghost.allInnerTexts()).join(''));
      if (now !== '' && now === before) return now;
    }
    return '';
  }

  /** Puts the caret at the end of the last line that holds `text`, and begins a line below it. */
  async newLineBelow(file, text) {
    const line = this.host.read(file).split('\n').findLastIndex((each) => each.includes(text));
    assert.ok(line >= 0, `no line with ${text}`);
    await this.focusEditor();
    await this.keyboard.press('Control+Home');
    for (let step = 0; step < line; step += 1) await this.keyboard.press('ArrowDown');
    await this.keyboard.press('End');
    await this.keyboard.press('Enter');
  }

  /** Gives the keyboard back to the editor; a page that has it passes the keys on in its own time. */
  async focusEditor() {
    await this.keyboard.press('Control+1');
    await eventually('the editor to have the keyboard', () =>
      this.page.evaluate(() => Boolean(globalThis.document.activeElement?.closest('.monaco-editor'))), 15_000);
  }

  /** Gives up what was not saved. */
  async revert() {
    await this.keyboard.press('Escape');
    await this.palette('File: Revert File');
  }

  async save(file, matches) {
    await this.keyboard.press('Control+s');
    return eventually(`${file} to be saved`, () => {
      const text = this.host.read(file);
      return matches(text) ? text : '';
    }, 15_000);
  }

  /** The frame of the energy panel in the sidebar (`side`) or in the editor area (`editor`), once it shows what the server reported. */
  panel(place) {
    return eventually(`the energy panel (${place})`, async () => {
      for (const frame of this.page.frames()) {
        const drawn = frame.locator(`html[data-place="${place}"] #predicted-energy:text-matches("\\\\d")`);
        if (await drawn.count().catch(() => 0)) return frame;
      }
      return undefined;
    });
  }

  async screenshot(file) {
    await this.page.screenshot({ path: file });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}
