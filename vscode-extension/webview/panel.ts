/** Draws the energy panel. All words and numbers come from the extension; this side only shows them. */

import type { Action, Draw, FromPage } from '../src/panelMessages';
import type { Bar, Chart, PanelModel, ShareRow } from '../src/panelModel';
import type { SliderView } from '../src/outlook';

declare function acquireVsCodeApi(): {
  postMessage: (message: FromPage) => void;
  getState: () => unknown;
  setState: (state: unknown) => void;
};

const SVG = 'http://www.w3.org/2000/svg';
const TOLD_EVERY_MS = 150;
const HELD_AFTER_MS = 1_200;
const CURVE_HEIGHT = 30;

const api = acquireVsCodeApi();
const slider = element<HTMLInputElement>('slider');
const floor = element<HTMLInputElement>('floor');
let model: PanelModel | undefined;
let span: Chart['id'] = kept() ?? 'hours';
// While a hand is on the slider, what comes from outside does not move it.
let touchedAt = -HELD_AFTER_MS;
let telling: ReturnType<typeof setTimeout> | undefined;

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the page
function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found as unknown as T;
}

function write(id: string, text: string): void {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, text = '', attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (text !== '') made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function makeSvg(tag: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function row(head: string, cells: readonly (string | Node)[], roomy = Infinity): HTMLTableRowElement {
  const made = make('tr');
  made.append(make('th', head, { scope: 'row' }));
  cells.forEach((cell, index) => {
    const data = make('td', '', index >= roomy ? { class: 'roomy' } : {});
    data.append(cell);
    made.append(data);
  });
  return made;
}

function draw(next: PanelModel): void {
  model = next;
  const { headline, pair } = next;
  write('notice', next.notice);
  element('notice').hidden = next.notice === '';
  write('busy', next.busy);
  element('busy').hidden = next.busy === '';
  write('headline-title', headline.title);
  write('headline-amount', headline.amount);
  write('headline-detail', headline.detail);
  write('headline-method', headline.method);
  write('machine', next.machine);
  drawSlider(next.slider);
  element('period-rows').replaceChildren(...next.periods.map((period) => {
    const saved = make('span', period.saved);
    saved.append(' ', make('small', period.spread));
    const made = row(period.name, [saved, period.spent, period.requests, period.accepted], 2);
    made.id = `period-${period.id}`;
    return made;
  }));
  element('facts').replaceChildren(...pairs(next.facts.map(({ name, value }) => [name, value])));
  drawSpans(next.charts);
  element('share-rows').replaceChildren(...next.shares.map(shareRow));
  drawMeters(next);
  write('pair-in-use', pair.inUse);
  write('pair-router', pair.router);
  write('pair-offer', pair.offer);
  drawPairAction(next);
}

function pairs(rows: readonly (readonly [string, string])[]): HTMLElement[] {
  return rows.map(([name, value]) => {
    const made = make('div');
    made.append(make('dt', name), make('dd', value));
    return made;
  });
}

function drawSlider(view: SliderView): void {
  const held = performance.now() - touchedAt < HELD_AFTER_MS;
  write('slider-title', view.title);
  write('end-accurate', view.ends[0]);
  write('end-saving', view.ends[1]);
  write('slider-source', view.source);
  write('floor-name', view.floor.name);
  write('floor-note', view.floor.note);
  const stops = element('stops');
  if (stops.childElementCount === 0) {
    stops.append(...view.stops.map(({ value, name }) => make('option', '', { value: String(value), label: name })));
  }
  if (!held) slider.value = String(view.value);
  if (document.activeElement !== floor) floor.value = view.floor.value === null ? '' : String(view.floor.value);
  moved();
}

function moved(): void {
  if (!model) return;
  const value = Number(slider.value);
  const predicted = model.slider.predictions[value];
  write('slider-value', String(value));
  write('predicted-energy', predicted === undefined || predicted.energy === '' ? '—' : predicted.energy);
  write('predicted-accuracy', predicted === undefined || predicted.accuracy === '' ? '—' : predicted.accuracy);
  slider.setAttribute('aria-valuetext', predicted?.spoken ?? String(value));
  drawCurve(model.slider, value);
}

/** Energy and accuracy, as shares of the large model's, over the slider's way; a line where the slider stands. */
function drawCurve({ curve }: SliderView, value: number): void {
  const height = (share: number) => 2 + CURVE_HEIGHT * (1 - Math.min(1, share));
  const line = (name: string, share: (point: (typeof curve)[number]) => number) => makeSvg('polyline', {
    class: name, points: curve.map((point) => `${point.value},${height(share(point)).toFixed(2)}`).join(' '),
  });
  const svg = element<SVGElement>('curve');
  svg.toggleAttribute('hidden', curve.length === 0);
  svg.replaceChildren(
    line('energy', (point) => point.energy),
    line('accuracy', (point) => point.accuracy),
    makeSvg('line', { class: 'here', x1: value, x2: value, y1: 0, y2: 34 }),
  );
}

function drawSpans(charts: readonly Chart[]): void {
  const buttons = charts.map((chart) => {
    const made = make('button', chart.name, {
      type: 'button', class: 'tab', 'aria-pressed': String(chart.id === span), 'data-span': chart.id,
    });
    made.addEventListener('click', () => {
      span = chart.id;
      api.setState({ span });
      drawSpans(charts);
      document.querySelector<HTMLElement>(`[data-span="${span}"]`)?.focus();
    });
    return made;
  });
  const group = element('spans');
  const hadFocus = group.contains(document.activeElement);
  group.replaceChildren(...buttons);
  if (hadFocus) buttons.find((button) => button.dataset.span === span)?.focus();
  const shown = charts.find((chart) => chart.id === span);
  if (shown) drawChart(shown);
}

function drawChart(chart: Chart): void {
  const total = (bar: Bar) => bar.parts.reduce((sum, part) => sum + part.amount, 0);
  const most = Math.max(...chart.bars.map(total), 1e-12);
  const svg = element<SVGElement>('bars');
  svg.setAttribute('viewBox', `0 0 ${chart.bars.length * 10} 100`);
  svg.setAttribute('aria-label', `${chart.name}: ${chart.summary}`);
  svg.replaceChildren(...chart.bars.flatMap((bar, index) => column(bar, index * 10, most)));
  write('chart-summary', chart.summary);
  write('chart-top', chart.top);
  write('axis-first', chart.bars[0]?.name ?? '');
  write('axis-last', chart.bars.at(-1)?.name ?? '');
  element('legend').replaceChildren(...(model?.legend ?? []).map(({ route, name }) => {
    const made = make('li');
    made.append(make('span', '', { class: `swatch ${route}`, 'aria-hidden': 'true' }), name);
    return made;
  }));
  const spent = chart.bars.filter((bar) => bar.parts.length > 0);
  element('chart-table').querySelector('tbody')?.replaceChildren(...spent.map((bar) =>
    row(bar.name, [bar.total, bar.parts.map((part) => `${part.name} ${part.text}`).join(', ')])));
}

function column(bar: Bar, left: number, most: number): SVGElement[] {
  let top = 100;
  return bar.parts.map((part) => {
    const tall = (100 * part.amount) / most;
    top -= tall;
    const made = makeSvg('rect', { x: left + 1, y: top, width: 8, height: tall, class: part.route });
    const title = makeSvg('title', {});
    title.textContent = `${bar.name}: ${part.name} ${part.text}`;
    made.append(title);
    return made;
  });
}

function shareRow(share: ShareRow): HTMLTableRowElement {
  const drawn = makeSvg('svg', { class: 'share', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  drawn.append(makeSvg('rect', { width: 100 * share.share, height: 6, class: share.route }));
  const cell = make('span', share.percent);
  const both = make('span', '', { class: 'with-bar' });
  both.append(drawn, cell);
  const made = row(share.name, [share.requests, share.joules, both]);
  made.children[1]?.classList.add('spare');
  return made;
}

function drawMeters({ meters }: PanelModel): void {
  element('meter-rows').replaceChildren(...meters.map(({ name, text, remedy }) => {
    const made = make('div');
    made.append(make('dt', name), make('dd', text));
    if (remedy !== '') made.append(make('dd', remedy, { class: 'remedy' }));
    return made;
  }));
}

function drawPairAction({ pair, busy }: PanelModel): void {
  const button = element<HTMLButtonElement>('pair-action');
  button.hidden = pair.action === '';
  button.disabled = busy !== '' || pair.progress !== null;
  if (button.textContent !== pair.actionName) button.textContent = pair.actionName;
  element('pair-progress').hidden = pair.progress === null;
  write('pair-progress-text', pair.progress?.text ?? '');
  const bar = element<HTMLProgressElement>('pair-bar');
  if (pair.progress?.done == null) bar.removeAttribute('value');
  else bar.value = pair.progress.done;
}

function tell(): void {
  clearTimeout(telling);
  telling = setTimeout(() => { api.postMessage({ kind: 'energySaving', value: Number(slider.value) }); }, TOLD_EVERY_MS);
}

function kept(): Chart['id'] | undefined {
  const state = api.getState() as { span?: unknown } | undefined;
  return state?.span === 'hours' || state?.span === 'days' ? state.span : undefined;
}

slider.addEventListener('input', () => {
  touchedAt = performance.now();
  moved();
  tell();
});
floor.addEventListener('change', () => {
  if (!floor.checkValidity()) return;
  api.postMessage({ kind: 'qualityFloor', value: floor.value === '' ? null : Number(floor.value) });
});
element('pair-action').addEventListener('click', () => {
  const action = model?.pair.action;
  if (action) api.postMessage({ kind: 'pair', action, pair: model?.pair.pair ?? '' });
});
for (const button of document.querySelectorAll<HTMLElement>('button[data-action]')) {
  button.addEventListener('click', () => {
    api.postMessage({ kind: 'run', action: button.dataset.action as Action });
  });
}
window.addEventListener('message', (event: MessageEvent<Draw>) => { draw(event.data.model); });
api.postMessage({ kind: 'ready' });
