// The energy panel as a person uses it: numbers, slider, themes, narrow sidebars, an accessibility check.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { eventually } from './workbench.mjs';

// the workbench begins with the light one
const THEMES = { light: 'Default Light Modern', dark: 'Default Dark Modern', contrast: 'Default High Contrast' };

/** Joules as the extension writes them (src/quantities.ts), to hold the panel against `jouline stats --json`. */
export function written(joules, method) {
  if (joules === null || method === 'unavailable') return '—';
  const size = Math.abs(joules);
  const [amount, unit] = size >= 1000 ? [joules / 1000, 'kJ'] : size >= 0.0995 ? [joules, 'J'] : [1000 * joules, 'mJ'];
  const places = Math.abs(amount) >= 9.95 ? 0 : Math.abs(amount) >= 0.995 ? 1 : 2;
  return `${method === 'measured' ? '' : '~'}${amount.toFixed(places).replace('-', '−')} ${unit}`;
}

/** The panel's rows are the sums that `jouline stats --json` prints, once no request is under way any more. */
export async function equalsStats(frame, stats) {
  let last = '';
  const row = async (id) => (await frame.locator(`#period-${id} td`).allInnerTexts()).map((text) => text.trim());
  await eventually('the panel to have the numbers of `jouline stats --json`', async () => {
    const { requests, accepted, joules, joules_method: method, saved_net_joules: saved } = stats();
    const [shownSaved, spent, ...counts] = await row('allTime');
    const estimate = method === 'unavailable' ? method : 'estimated';
    const expected = [written(saved, estimate), written(joules, method), String(requests), String(accepted)];
    const shown = [shownSaved.split(' ±')[0].replace(/\s+$/, ''), spent, ...counts];
    last = `${shown} instead of ${expected}`;
    return shown.join() === expected.join();
  }, 20_000).catch((error) => { throw new Error(`${error.message}: ${last}`); });
  return last;
}

/** Moves the slider with the keyboard; says what it predicted before and after. */
export async function moveSlider(frame, key) {
  const slider = frame.locator('#slider');
  const before = await frame.locator('#predicted-energy').innerText();
  await slider.focus();
  await slider.press(key);
  const after = await frame.locator('#predicted-energy').innerText();
  return { value: Number(await slider.inputValue()), spoken: await slider.getAttribute('aria-valuetext'), before, after };
}

/** Runs axe-core in the panel; fails on what it calls serious or critical. */
export async function accessible(frame, e2e) {
  // evaluated as a string, because the panel's policy allows no script but its own
  await frame.evaluate(fs.readFileSync(path.join(e2e, 'playwright/node_modules/axe-core/axe.min.js'), 'utf8'));
  const { violations, passes } = await frame.evaluate(() => globalThis.axe.run());
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(grave.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), [], 'accessibility of the panel');
  return { rules: passes.length, minor: violations.map(({ id }) => id) };
}

/** The panel in three themes: a picture of each, and the accessibility check with its colours. */
export async function themes(bench, frame, host, shot, e2e) {
  for (const [name, theme] of Object.entries(THEMES)) {
    const before = await frame.locator('body').getAttribute('class');
    host.setInWorkspace('workbench.colorTheme', theme);
    if (name !== 'light') {
      await eventually(`the theme ${theme}`, async () => (await frame.locator('body').getAttribute('class')) !== before);
    }
    await accessible(frame, e2e);
    await shot(`panel-${name}`);
  }
  host.setInWorkspace('workbench.colorTheme', THEMES.light);
}

/** The sidebar dragged as narrow as 200 px: nothing is cut off. */
export async function narrow(bench, frame, shot) {
  const sidebar = await bench.page.locator('.part.sidebar').boundingBox();
  const [edge, middle] = [sidebar.x + sidebar.width, sidebar.y + sidebar.height / 2];
  await bench.page.mouse.move(edge, middle);
  await bench.page.mouse.down();
  await bench.page.mouse.move(sidebar.x + 205, middle, { steps: 5 });
  await bench.page.mouse.up();
  const widths = await eventually('a narrow panel', async () => {
    const found = await frame.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    return found[0] < 215 && found;
  }, 15_000);
  assert.ok(widths[1] <= widths[0], `the panel is ${widths[1]} px wide in ${widths[0]} px`);
  await shot('panel-narrow');
  return widths[0];
}
