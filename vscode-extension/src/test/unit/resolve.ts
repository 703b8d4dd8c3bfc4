import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { english } from '../../l10n';
import { resolveServer, type Surroundings } from '../../resolve';

const around = (executables: readonly string[], more: Partial<Surroundings> = {}): Surroundings => ({
  setting: '',
  environment: {},
  home: '/home/ada',
  platform: 'linux',
  t: english,
  isExecutable: (path) => executables.includes(path),
  ...more,
});

const everywhere = ['/set/jouline', '/variable/jouline', '/path/jouline'];
const environment = { JOULINE_SERVER: '/variable/jouline', PATH: '/nothing:/path' };

const nothing = () => Promise.resolve(undefined);

async function commandOf(surroundings: Surroundings): Promise<string> {
  const server = await resolveServer(surroundings, nothing);
  return server.kind === 'found' ? server.command : `missing: ${server.message}`;
}

describe('resolveServer', () => {
  it('takes the setting before the variable before the PATH', async () => {
    assert.equal(await commandOf(around(everywhere, { setting: '/set/jouline', environment })), '/set/jouline');
    assert.equal(await commandOf(around(everywhere, { environment })), '/variable/jouline');
    assert.equal(await commandOf(around(everywhere, { environment: { PATH: '/nothing:/path' } })), '/path/jouline');
  });

  it('runs the language server over stdio', async () => {
    const server = await resolveServer(around(everywhere, { environment }), nothing);
    assert.deepEqual(server.kind === 'found' && server.args, ['serve', '--stdio']);
  });

  it('never falls back from a place that was named and is wrong', async () => {
    assert.match(
      await commandOf(around(everywhere, { setting: '/typo', environment })),
      /missing: .*"\/typo".*server\.path/,
    );
    assert.match(
      await commandOf(around(everywhere, { environment: { ...environment, JOULINE_SERVER: '/typo' } })),
      /missing: .*"\/typo".*JOULINE_SERVER/,
    );
  });

  it('never runs what a folder that happens to be open could hold', async () => {
    const local = ['jouline', './jouline', 'bin/jouline'];
    assert.match(await commandOf(around(local, { setting: 'bin/jouline' })), /missing: Give a full path/);
    assert.match(await commandOf(around(local, { environment: { PATH: ':.:bin' } })), /missing: .*not found/);
  });

  it('brings its own server before it looks at the PATH, and never instead of one that was named', async () => {
    const own = () => Promise.resolve({ kind: 'found', command: '/own/jouline', args: [], source: 'own' } as const);
    const command = async (surroundings: Surroundings) => {
      const server = await resolveServer(surroundings, own);
      return server.kind === 'found' ? server.command : server.message;
    };
    assert.equal(await command(around(everywhere, { environment: { PATH: '/path' } })), '/own/jouline');
    assert.equal(await command(around(everywhere, { setting: '/set/jouline' })), '/set/jouline');
    assert.match(await command(around(everywhere, { setting: '/typo' })), /typo/);
  });

  it('knows the home folder', async () => {
    const found = await commandOf(around(['/home/ada/venv/bin/jouline'], { setting: '~/venv/bin/jouline' }));
    assert.equal(found, '/home/ada/venv/bin/jouline');
  });

  it('looks for the .exe on Windows', async () => {
    const path = 'C:\\Python\\Scripts\\jouline.exe';
    const windows = around([path], { platform: 'win32', environment: { Path: 'C:\\Python\\Scripts' } });
    assert.equal(await commandOf(windows), path);
  });
});
