import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  completes, type ReadSetting, readSettings, SETTING_KEYS, SETUP_KEYS, summary, toInitializationOptions,
} from '../../settings';

interface Manifest {
  contributes: { configuration: { properties: Record<string, { default: unknown; scope: string }> } };
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const declared = manifest.contributes.configuration.properties;
const defaults: ReadSetting = (key) => declared[`jouline.${key}`]?.default;

function reading(values: Record<string, unknown>): ReadSetting {
  return (key) => (key in values ? values[key] : defaults(key));
}

describe('settings', () => {
  it('declares in package.json exactly the settings that are read', () => {
    const keys = [...SETTING_KEYS, ...SETUP_KEYS].map((key) => `jouline.${key}`);
    assert.deepEqual(Object.keys(declared).sort(), keys.sort());
  });

  it('lets no untrusted workspace name an executable or a model, or shorten the list of files left alone', () => {
    const machine = [
      'jouline.server.path', 'jouline.server.python', 'jouline.server.wheels',
      'jouline.model.small', 'jouline.model.large',
    ];
    const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
    assert.deepEqual(restricted, [...machine, 'jouline.exclude']);
    for (const name of machine) assert.equal(declared[name]?.scope, 'machine', name);
  });

  it('falls back to the declared default from every bad value', () => {
    const bad = { enable: 'yes', energySaving: 101, qualityFloor: 'off', languages: [1], onBattery: 'sleep',
      'server.path': 7, 'server.python': [], 'server.wheels': null, 'debug.log': 1 };
    const { serverWheels, ...read } = readSettings(reading(bad));
    assert.equal(serverWheels, '');
    assert.deepEqual({ ...read, serverWheels: readSettings(defaults).serverWheels }, readSettings(defaults));
  });

  it('keeps good values', () => {
    const good = { enable: false, energySaving: 0, qualityFloor: 97.5, languages: { markdown: false },
      onBattery: 'pause', 'server.path': ' /opt/jouline ', 'server.python': '/usr/bin/python3', 'server.wheels': ' /wheels', 'debug.log': true };
    assert.deepEqual(readSettings(reading(good)), {
      enable: false, energySaving: 0, qualityFloor: 97.5, languages: { markdown: false },
      onBattery: 'pause', serverPath: '/opt/jouline', serverPython: '/usr/bin/python3', serverWheels: '/wheels', debugLog: true,
    });
  });

  it('reads "*" as the languages that are not named', () => {
    const settings = readSettings(reading({ languages: { '*': false, python: true } }));
    assert.deepEqual(['python', 'rust'].map((language) => completes(settings, language)), [true, false]);
    assert.equal(completes(readSettings(defaults), 'rust'), true);
  });

  it('sums them up in a line', () => {
    const values = { energySaving: 100, qualityFloor: 95, languages: { python: false, rust: true } };
    assert.equal(
      summary(readSettings(reading(values))),
      'on, energy saving 100, quality floor 95 %, languages off: python, on battery: same',
    );
  });

  it('sends what is set, nested at the dots and as it was written, the bad values too', () => {
    const { jouline: usual } = toInitializationOptions(defaults);
    const { jouline: sent } = toInitializationOptions(reading({ energySaving: 'much', 'model.small': 'tiny' }));
    assert.deepEqual(sent, { ...usual, energySaving: 'much', model: { small: 'tiny' } });
    assert.deepEqual(usual.debug, { log: false });
    assert.ok(!('qualityFloor' in usual) && !('model' in usual), 'what is empty is left to the server');
  });
});
