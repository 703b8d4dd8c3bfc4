import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveServer, type Surroundings } from '../../resolve';

const around = (executables: readonly string[], more: Partial<Surroundings> = {}): Surroundings => ({
  setting: '',
  environment: {},
  home: '/home/ada',
  platform: 'linux',
  isExecutable: (path) => executables.includes(path),
  ...more,
});

const everywhere = ['/set/jouline', '/variable/jouline', '/path/jouline'];
const environment = { JOULINE_SERVER: '/variable/jouline', PATH: '/nothing:/path' };

function commandOf(surroundings: Surroundings): string {
  const server = resolveServer(surroundings);
  return server.kind === 'found' ? server.command : `missing: ${server.message}`;
}

describe('resolveServer', () => {
  it('takes the setting before the variable before the PATH', () => {
    assert.equal(commandOf(around(everywhere, { setting: '/set/jouline', environment })), '/set/jouline');
    assert.equal(commandOf(around(everywhere, { environment })), '/variable/jouline');
    assert.equal(commandOf(around(everywhere, { environment: { PATH: '/nothing:/path' } })), '/path/jouline');
  });

  it('runs the language server over stdio', () => {
    const server = resolveServer(around(everywhere, { environment }));
    assert.deepEqual(server.kind === 'found' && server.args, ['serve', '--stdio']);
  });

  it('never falls back from a place that was named and is wrong', () => {
    assert.match(
      commandOf(around(everywhere, { setting: '/typo', environment })),
      /missing: .*"\/typo".*server\.path/,
    );
    assert.match(
      commandOf(around(everywhere, { environment: { ...environment, JOULINE_SERVER: '/typo' } })),
      /missing: .*"\/typo".*JOULINE_SERVER/,
    );
  });

  it('never runs what a folder that happens to be open could hold', () => {
    const local = ['jouline', './jouline', 'bin/jouline'];
    assert.match(commandOf(around(local, { setting: 'bin/jouline' })), /missing: Give a full path/);
    assert.match(commandOf(around(local, { environment: { PATH: ':.:bin' } })), /missing: .*not found/);
  });

  it('knows the home folder', () => {
    const found = commandOf(around(['/home/ada/venv/bin/jouline'], { setting: '~/venv/bin/jouline' }));
    assert.equal(found, '/home/ada/venv/bin/jouline');
  });

  it('looks for the .exe on Windows', () => {
    const path = 'C:\\Python\\Scripts\\jouline.exe';
    const windows = around([path], { platform: 'win32', environment: { Path: 'C:\\Python\\Scripts' } });
    assert.equal(commandOf(windows), path);
  });
});
