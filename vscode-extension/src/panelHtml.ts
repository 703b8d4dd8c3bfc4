/** The panel's page: a frame that the script fills. */

import type { Translate } from './l10n';
import { escapeHtml, type PageParts, pageStart } from './page';

export interface PanelPage extends PageParts {
  readonly nonce: string;
  readonly script: string;
  readonly place: 'side' | 'editor';
}

/** The page as HTML. */
export function panelHtml({ script, ...page }: PanelPage, t: Translate): string {
  const { nonce, place } = page;
  const button = (action: string, label: string, title = '') =>
    `<button type="button" class="quiet" data-action="${action}" title="${escapeHtml(title || label)}">${escapeHtml(label)}</button>`;
  const section = (id: string, title: string, body: string) =>
    `<section aria-labelledby="${id}-title" id="${id}"><h2 id="${id}-title">${escapeHtml(title)}</h2>${body}</section>`;
  return `${pageStart({ ...page, title: t('Jouline: Energy') })}
<body>
<main>
<h1 class="spoken">${escapeHtml(t('Jouline: Energy'))}</h1>
<p id="notice" role="status" hidden></p>
<section id="headline" aria-labelledby="headline-title">
<h2 id="headline-title" class="eyebrow"></h2>
<p class="amount" id="headline-amount"></p>
<p class="detail" id="headline-detail"></p>
<p class="method" id="headline-method"></p>
</section>
<section id="slider-section" aria-labelledby="slider-title">
<h2 id="slider-title"></h2>
<div class="dial"><svg id="curve" class="curve" viewBox="0 0 100 34" preserveAspectRatio="none" aria-hidden="true"></svg>
<input type="range" id="slider" min="0" max="100" step="1" list="stops" aria-labelledby="slider-title" aria-describedby="slider-source">
<datalist id="stops"></datalist>
<div class="ends" aria-hidden="true"><span id="end-accurate"></span><output id="slider-value" for="slider"></output><span id="end-saving"></span></div></div>
<dl class="prediction"><div><dt>${escapeHtml(t('Energy'))}</dt><dd id="predicted-energy"></dd></div><div><dt>${escapeHtml(t('Accuracy'))}</dt><dd id="predicted-accuracy"></dd></div></dl>
<div class="field"><label for="floor" id="floor-name"></label><input type="number" id="floor" min="0" max="100" step="1" inputmode="numeric"></div>
<p class="note" id="floor-note" role="status"></p>
<p class="note" id="slider-source"></p>
</section>
${section('periods', t('Account'), `<table><thead><tr><td></td><th scope="col">${escapeHtml(t('Saved'))}</th><th scope="col">${escapeHtml(t('Spent'))}</th><th scope="col" class="roomy">${escapeHtml(t('Requests'))}</th><th scope="col" class="roomy">${escapeHtml(t('Accepted'))}</th></tr></thead><tbody id="period-rows"></tbody></table><dl class="facts" id="facts"></dl>`)}
${section('chart', t('Where the joules went'), `<div class="tabs" role="group" aria-label="${escapeHtml(t('Stretch of time'))}" id="spans"></div><p class="note" id="chart-summary" role="status"></p><div class="plot"><span class="top" id="chart-top" aria-hidden="true"></span><svg id="bars" role="img" preserveAspectRatio="none"></svg></div><div class="axis" aria-hidden="true"><span id="axis-first"></span><span id="axis-last"></span></div><ul class="legend" id="legend"></ul><details><summary>${escapeHtml(t('As a table'))}</summary><table id="chart-table"><thead><tr><th scope="col">${escapeHtml(t('Time'))}</th><th scope="col">${escapeHtml(t('Spent'))}</th><th scope="col">${escapeHtml(t('Of which'))}</th></tr></thead><tbody></tbody></table></details>`)}
${section('shares', t('Shares of all time'), `<table><thead><tr><td></td><th scope="col" class="spare">${escapeHtml(t('Requests'))}</th><th scope="col">${escapeHtml(t('Joules'))}</th><th scope="col">${escapeHtml(t('Share'))}</th></tr></thead><tbody id="share-rows"></tbody></table>`)}
${section('pair', t('Models'), `<p id="pair-in-use"></p><p class="note" id="pair-router"></p><p class="note" id="pair-offer" role="status"></p><div id="pair-progress" hidden><label for="pair-bar" id="pair-progress-text"></label><progress id="pair-bar" max="1"></progress></div><div class="buttons"><button type="button" id="pair-action"></button>${button('calibrate', t('Calibrate'), t('Fit the router and the energy figures to this machine and this code'))}</div>`)}
${section('meters', t('Meters'), `<dl id="meter-rows"></dl><p class="note" id="machine"></p><div class="buttons">${button('energyPermission', t('How to measure more'))}</div>`)}
<div class="buttons last">${button('explain', t('Why this model?'))}${button('export', t('Export'))}${place === 'side' ? button('openPanelInEditor', t('Open in editor')) : ''}</div>
<p id="busy" class="note" role="status" hidden></p>
</main>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
