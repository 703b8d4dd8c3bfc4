import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { english } from '../../l10n';
import { NO_REPORT } from '../../noReport';
import { type PanelFacts, panelModel } from '../../panelModel';
import type { Account, PairInUse, Report } from '../../protocol';
import { readSettings } from '../../settings';

const now = new Date(2026, 10, 20, 14, 30);
const account: Account = {
  ...NO_REPORT.session,
  requests: 40, shown: 12, accepted: 5, spentJoules: 20, spentJoulesLow: 8, spentJoulesHigh: 40,
  method: 'estimated', savedJoules: 12.3, savedStddev: 3.4, savedPercent: 38.1, headlineState: 'saved',
  acceptedCharsPerJoule: 4.25, medianMs: 12.4,
  shares: [
    { route: 'small', requests: 30, joules: 6 },
    { route: 'large', requests: 4, joules: 14 },
    { route: 'cache', requests: 6, joules: null },
    { route: 'residency', requests: 0, joules: 20 },
  ],
};
const pair: PairInUse = {
  id: 'embedded', small: 'front', large: 'back', hasRouter: true, mostSaving: 100,
  smallMemoryBytes: 12.4e6, largeMemoryBytes: 14.6e6,
};
const report: Report = {
  ...NO_REPORT,
  machine: 'ada (a processor)', session: account, today: account, allTime: account,
  hours: [{ at: '2026-11-20 14', shares: [{ route: 'small', requests: 1, joules: 2 }] }],
  days: [{ at: '2026-11-19', shares: [{ route: 'large', requests: 1, joules: 3 }] }],
  meters: [{ name: 'cpu-time', covers: 'this process', method: 'estimated', counted: true }],
  missing: [{ name: 'rapl', reason: 'permission denied', remedy: 'Run chmod.' }],
  outlook: [
    { energySaving: 0, joules: 0.05, quality: 0.2 },
    { energySaving: 50, joules: 0.04, quality: 0.18 },
    { energySaving: 100, joules: 0.025, quality: 0.1 },
  ],
  outlookMethod: 'estimated',
  pair,
};
const facts = (more: Partial<PanelFacts> = {}): PanelFacts => ({
  report, settings: readSettings(() => undefined), notice: '', recommended: undefined, pulling: undefined,
  busy: '', locale: 'en', ...more,
});
const model = (more: Partial<PanelFacts> = {}) => panelModel(facts(more), now, english);
const withSession = (more: Partial<Account>) => model({ report: { ...report, session: { ...account, ...more } } });

describe('the headline', () => {
  it('is an estimate with its error, and says how the joules are known', () => {
    assert.deepEqual(model().headline, {
      title: 'Saved this session', amount: '~12 J',
      detail: '± 3.4 J · 38 % less than always asking the large model',
      method: 'Estimated (~): this machine has no energy counter that can be read.',
    });
  });

  it('calls a loss a loss', () => {
    const { title, amount, detail } = withSession({ savedJoules: -2, savedPercent: -9, headlineState: 'lost' }).headline;
    assert.equal(title, 'Lost this session');
    assert.equal(amount, '~2.0 J');
    assert.match(detail, /9 % more than/);
  });

  it('says nothing of how it was measured before there was anything to measure', () => {
    assert.equal(withSession({ requests: 0, method: 'unavailable', headlineState: 'too few requests' }).headline.method, '');
    assert.notEqual(withSession({ requests: 1, method: 'unavailable' }).headline.method, '');
  });
  it('claims nothing that may not be claimed', () => {
    for (const headlineState of ['too few requests', 'no measurable saving', 'unknown']) {
      const { amount, detail } = withSession({ headlineState, savedPercent: null }).headline;
      assert.equal(amount, '—', headlineState);
      assert.ok(detail.endsWith('.'), headlineState);
    }
  });
});

describe('the account', () => {
  it('has a row for each stretch of time, unknown joules as a dash', () => {
    const { periods } = model({ report: { ...report, today: NO_REPORT.today } });
    assert.deepEqual(periods.map(({ saved, spread, spent }) => [saved, spread, spent]), [
      ['~12 J', '± 3.4 J', '~20 J'], ['—', '', '—'], ['~12 J', '± 3.4 J', '~20 J'],
    ]);
  });

  it('gives each route its share of all joules, and no share to what is not known', () => {
    const shares = model().shares.map(({ name, requests, percent }) => [name, requests, percent]);
    assert.deepEqual(shares, [
      ['Small model', '30', '15 %'], ['Large model', '4', '35 %'], ['From the cache', '6', '—'],
      ['Between requests', '', '50 %'],
    ]);
  });

  it('tells joules a character and latency', () => {
    assert.deepEqual(model().facts.map(({ value }) => value), ['~4.3', '12 ms', '5 of 12 shown', '8.0 J to 40 J']);
  });
});

describe('the chart', () => {
  it('has a bar for every hour and day, the last one now, empty where nothing was done', () => {
    const [hours, days] = model().charts;
    assert.ok(hours && days);
    assert.deepEqual([hours.bars.length, days.bars.length], [24, 30]);
    assert.deepEqual(hours.bars.at(-1)?.parts.map(({ route, text }) => [route, text]), [['small', '~2.0 J']]);
    assert.deepEqual(days.bars.at(-2)?.parts.map(({ route }) => route), ['large']);
    assert.equal(hours.bars.filter((bar) => bar.parts.length > 0).length, 1);
    assert.equal(hours.summary, '~2.0 J in all');
  });
});

describe('the slider', () => {
  it('has a prediction for each of its places, joules signed as estimates', () => {
    const { predictions } = model().slider;
    assert.equal(predictions.length, 101);
    assert.deepEqual(predictions[0], {
      energy: '~50 mJ a request', accuracy: '20.0 of 100 right, 100 % of the large model’s',
      spoken: 'Energy saving 0: ~50 mJ a request, 20.0 of 100 right, 100 % of the large model’s.',
    });
    assert.match(predictions.at(100)?.accuracy ?? '', /50 % of the large model’s/);
  });

  it('predicts no more than the quality floor allows, and says so', () => {
    const settings = { ...readSettings(() => undefined), qualityFloor: 90, energySaving: 100 };
    const { predictions, floor } = model({ report: { ...report, pair: { ...pair, mostSaving: 50 } }, settings }).slider;
    assert.equal(predictions.at(100)?.energy, '~40 mJ a request');
    assert.equal(floor.note, 'The quality floor holds energy saving at 50.');
  });

  it('promises nothing without a calibration', () => {
    const { predictions, curve, source } = model({ report: { ...report, outlook: [] } }).slider;
    assert.deepEqual([predictions.at(50)?.energy, curve.length], ['', 0]);
    assert.match(source, /^No calibration/);
  });
});

describe('meters and models', () => {
  it('say why a meter cannot be read, with the remedy', () => {
    assert.deepEqual(model().meters, [
      { name: 'cpu-time', text: 'estimated: this process', remedy: '' },
      { name: 'rapl', text: 'cannot be read: permission denied', remedy: 'Run chmod.' },
    ]);
  });

  it('say what memory the pair takes, as far as that is known', () => {
    const inUse = (more: Partial<PairInUse>) => model({ report: { ...report, pair: { ...pair, ...more } } }).pair.inUse;
    assert.equal(inUse({}), 'front (small) and back (large): 12 MB and 15 MB of memory');
    assert.equal(inUse({ largeMemoryBytes: 0 }), 'front (small) and back (large), the large one unloaded: 12 MB of memory');
    assert.equal(inUse({ smallMemoryBytes: null }), 'front (small) and back (large)');
  });

  it('offer the recommended pair: look, download with progress, use', () => {
    const recommended = {
      pair: 'big', small: 'b1', large: 'b2', present: false, sizeBytes: 3e9, reason: 'It fits.',
    };
    const view = (more: Partial<PanelFacts>) => model(more).pair;
    assert.deepEqual([view({}).action, view({}).offer], ['recommend', '']);
    assert.deepEqual(
      [view({ recommended }).action, view({ recommended }).actionName], ['pull', 'Download big (3.0 GB)']);
    assert.equal(view({ recommended: { ...recommended, present: true } }).action, 'use');
    assert.equal(view({ recommended: { ...recommended, pair: 'embedded' } }).action, '');
    const pulling = { model: 'b1', doneBytes: 1e9, totalBytes: 2e9 };
    assert.deepEqual(view({ recommended, pulling }).progress, { text: 'b1: 1.0 GB of 2.0 GB', done: 0.5 });
  });
});
