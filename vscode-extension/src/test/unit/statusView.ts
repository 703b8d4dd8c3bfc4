import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { english } from '../../l10n';
import type { EnergyTotals, ServerState, StatusParams } from '../../protocol';
import { readSettings } from '../../settings';
import { escapeMarkdown, type Known, type Phase, stand, statusView as render } from '../../statusView';

const settings = readSettings(() => undefined);
const totals: EnergyTotals = {
  savedJoules: 12.3, savedStddev: 3.4, spentJoules: 30, cancelledJoules: 2, loadJoules: 5,
  residencyJoules: null, acceptedCharsPerJoule: 4, method: 'measured', source: 'rapl package-0', switches: [],
  requests: 14,
};
const status = (state: ServerState, energy: Partial<EnergyTotals> = {}): StatusParams => ({
  state, model: null, message: 'The small model is sure enough.', energy: { ...totals, ...energy },
});
const known = (more: Partial<Known>): Known => ({
  phase: { kind: 'running' },
  status: undefined,
  ageMs: 0,
  lastModel: 'small',
  unanswered: 0,
  settings,
  language: 'python',
  ...more,
});
const statusView = (facts: Known) => render(facts, english);
const text = (more: Partial<Known>): string => statusView(known(more)).text;

describe('the text in the status bar', () => {
  it('names the model of the last answer and what was saved, always an estimate', () => {
    assert.equal(text({ status: status('ready') }), '$(zap) small · ~12 J saved');
    assert.equal(text({ status: status('ready', { method: 'attributed' }) }), '$(zap) small · ~12 J saved');
    assert.equal(text({ status: status('ready', { method: 'estimated' }) }), '$(zap) small · ~12 J saved');
    assert.equal(text({ status: status('ready', { method: 'unavailable' }) }), '$(zap) small · —');
    assert.equal(text({ status: status('ready', { savedJoules: null }) }), '$(zap) small · —');
  });

  it('calls a loss a loss', () => {
    const loss = status('ready', { savedJoules: -0.14, savedStddev: 0.03, method: 'estimated' });
    assert.equal(text({ status: loss }), '$(zap) small · ~0.14 J lost');
  });

  it('claims nothing within the error, nor before ten requests', () => {
    const within = status('ready', { savedJoules: 6, savedStddev: 3.4 });
    assert.equal(text({ status: within }), '$(zap) small · no measurable saving');
    assert.equal(text({ status: status('ready', { requests: 9 }) }), '$(zap) small · 30 J spent');
    const early = status('ready', { requests: 9, method: 'estimated' });
    assert.equal(text({ status: early }), '$(zap) small · ~30 J spent');
  });

  it('names no model before one has answered', () => {
    assert.equal(text({ status: status('ready'), lastModel: null }), '$(zap) ~12 J saved');
  });

  it('keeps its width while the model thinks', () => {
    assert.equal(text({ status: status('thinking') }), '$(loading~spin) small · ~12 J saved');
  });

  it('says the state where there is no answer to speak of', () => {
    assert.equal(text({ status: status('ready', { requests: 0 }) }), '$(zap) Jouline: ready');
    assert.equal(text({ status: status('paused') }), '$(debug-pause) Jouline: paused');
    assert.equal(text({}), '$(loading~spin) Jouline: starting');
  });
});

describe('the state', () => {
  const stateOf = (more: Partial<Known>): string => stand(known(more), english).state;
  const dead: Phase = { kind: 'dead', message: 'The server keeps ending: no model.' };

  it('tells what is being installed, and offers to try again where that failed', () => {
    const installing = render(known({ phase: { kind: 'installing', message: 'Installing the engine…' } }), english);
    assert.deepEqual([installing.state, installing.message], ['starting', 'Installing the engine…']);
    assert.equal(installing.text, '$(loading~spin) Jouline: installing');
    const missing = render(known({ phase: { kind: 'missing', message: 'No Python.', waysOut: ['retry'] } }), english);
    assert.equal(missing.state, 'trouble');
    assert.match(missing.tooltip, /command:jouline\.install/);
  });

  it('offers the way back from every state', () => {
    const offered = (more: Partial<Known>): string => statusView(known(more)).tooltip;
    assert.match(offered({ settings: { ...settings, enable: false } }), /Switch on\]\(command:jouline\.toggle\)/);
    const off = { ...settings, languages: { python: false } };
    assert.match(offered({ settings: off }), /On for python\]\(command:jouline\.toggleLanguage\)/);
    assert.match(offered({ phase: dead }), /command:jouline\.restart/);
  });

  it('puts the switch before all else', () => {
    assert.equal(stateOf({ settings: { ...settings, enable: false }, phase: dead }), 'off');
  });

  it('tells why there is no server, and marks it', () => {
    const view = statusView(known({ phase: dead, status: status('ready') }));
    assert.deepEqual([view.state, view.message, view.severity], ['trouble', dead.message, 'error']);
  });

  it('is off, with the reason, in a language that is switched off', () => {
    const off = { ...settings, languages: { python: false } };
    const { state, message } = stand(known({ settings: off, status: status('ready') }), english);
    assert.equal(state, 'off');
    assert.match(message, /python.*jouline\.languages/);
  });

  it('never sticks: what goes on too long or gets no answer ends in ready or in trouble', () => {
    assert.equal(stateOf({ ageMs: 119_000 }), 'starting');
    assert.equal(stateOf({ ageMs: 121_000 }), 'trouble');
    assert.equal(stateOf({ status: status('starting'), ageMs: 121_000 }), 'trouble');
    assert.equal(stateOf({ status: status('thinking'), ageMs: 19_000 }), 'thinking');
    assert.equal(stateOf({ status: status('thinking'), ageMs: 21_000 }), 'ready');
    assert.equal(stateOf({ status: status('ready'), unanswered: 3 }), 'trouble');
  });
});

describe('the tooltip', () => {
  it('holds the sentence of the last decision, the totals with their spread, and how they are known', () => {
    const { tooltip } = statusView(known({ status: status('ready', { method: 'estimated' }) }));
    assert.match(tooltip, /The small model is sure enough\./);
    assert.match(tooltip, /\| Saved \|.* ~12 J ± 3\.4 J \|/);
    assert.match(tooltip, /Estimated \(~\)/);
    assert.match(tooltip, /Energy saving 50/);
  });

  it('gives each kind of work its line, and tells when the method changed', () => {
    const switches = ['12:00:01: rapl package-0 could not be read; estimated from now on.'];
    const { tooltip } = statusView(known({ status: status('ready', { switches }) }));
    assert.match(tooltip, /\| Spent \|.* 30 J \|/);
    assert.match(tooltip, /\| Stopped requests \|.* 2\.0 J \|/);
    assert.match(tooltip, /\| Between requests \|.* — \|/);
    assert.match(tooltip.replaceAll('\\', ''), /since: 12:00:01: rapl package-0 could not be read/);
    assert.ok(!statusView(known({ status: status('ready') })).tooltip.includes('since:'));
  });

  it('shows the words of the server as they stand', () => {
    const message = 'A [link](command:evil) | $(zap) <b>';
    const { tooltip } = statusView(known({ status: { ...status('ready'), message } }));
    assert.ok(!tooltip.includes('[link](command:evil)'));
    assert.ok(tooltip.includes(escapeMarkdown(message)));
    assert.equal(escapeMarkdown(message).replace(/\\(.)/g, '$1'), message);
  });
});
