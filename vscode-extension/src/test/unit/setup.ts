import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { english } from '../../l10n';
import { otherProviders } from '../../providers';
import { Environment } from '../../setup/environment';
import { explainFailure, SetupCancelled, SetupFailure } from '../../setup/failures';
import { type Bundle, plan, readDone, STEPS, wanted } from '../../setup/plan';
import { candidates, newEnough, readPython } from '../../setup/pythons';
import { run as realRun, type Ran, type Run } from '../../setup/run';

const bundle: Bundle = {
  version: '1', wheel: 'jouline.whl', wheelSha256: 'w1', engine: 'llama-cpp-python==0.3', requirementsSha256: 'r1',
};
const python = '/usr/bin/python3';
const all = wanted(bundle, python);

describe('the plan', () => {
  it('does everything once, and nothing twice', () => {
    assert.deepEqual(plan(bundle, python, {}), [...STEPS]);
    assert.deepEqual(plan(bundle, python, all), []);
  });

  it('does after an update only what changed, and checks it', () => {
    assert.deepEqual(plan({ ...bundle, wheelSha256: 'w2' }, python, all), ['server', 'check']);
    assert.deepEqual(plan({ ...bundle, engine: 'llama-cpp-python==0.4' }, python, all), ['engine', 'check']);
    assert.deepEqual(plan({ ...bundle, requirementsSha256: 'r2' }, python, all), ['libraries', 'check']);
  });

  it('goes on where it was interrupted, and begins anew with another Python', () => {
    const { environment, libraries } = all;
    assert.deepEqual(plan(bundle, python, { environment, libraries }), ['engine', 'server', 'check']);
    assert.deepEqual(plan(bundle, '/other/python', all), [...STEPS]);
  });

  it('takes a damaged record for none', () => {
    for (const text of ['', '[]', 'null', '{"engine": 3}', '{"unknown": "x"}']) assert.deepEqual(readDone(text), {});
  });
});

describe('which Python', () => {
  it('is the one that was named, else the Python extension’s, else one on the PATH', () => {
    const commands = (...given: Parameters<typeof candidates>) => candidates(...given).map(({ command }) => command);
    assert.deepEqual(commands('/mine', '/chosen', 'linux'), ['/mine']);
    assert.deepEqual(commands('', '/chosen', 'linux').slice(0, 2), ['/chosen', 'python3']);
    assert.deepEqual(commands('', undefined, 'win32'), ['py', 'python']);
  });

  it('is of version 3.11 or newer', () => {
    const at = (version: string) => readPython(`noise\n["/p", [${version}], true]`);
    assert.deepEqual(['3,10,9', '3,11,0', '4,0,0'].map((version) => at(version)).map((each) => each && newEnough(each)), [false, true, true]);
    for (const nonsense of ['', 'Python 3.12', '["", [3,12,0], true]', '["/p", [3], true]']) {
      assert.equal(readPython(nonsense), undefined, nonsense);
    }
  });
});

describe('a failure', () => {
  const said = (output: string) => explainFailure('libraries', output, english).message;

  it('is told as a sentence that says what to do', () => {
    assert.match(said('OSError: [Errno 28] No space left on device'), /disk is full/);
    assert.match(said('CMake Error: CMAKE_CXX_COMPILER not set'), /C\+\+ compiler/);
    assert.match(said('... NewConnectionError(...)\nERROR: No matching distribution found for x'), /network/);
    assert.match(said('The virtual environment was not created: ensurepip is not available'), /python3-venv/);
    assert.match(said('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'), /not the one that was tested/);
    assert.match(said('something\nelse broke'), /libraries.*else broke/);
  });

  it('has a button', () => {
    assert.ok(explainFailure('engine', '', english).waysOut.length > 0);
  });
});

describe('the environment', () => {
  let folder = '';
  let asked: string[] = [];
  let answer: (line: string) => Partial<Ran> = () => ({});
  let abort = new AbortController();

  const run: Run = (command, args) => {
    const line = [command.replace(folder, ''), ...args].join(' ');
    const isQuestion = line.includes('import importlib.util');
    if (!isQuestion) asked.push(line);
    const stdout = isQuestion ? '["/usr/bin/python3", [3, 11, 2], true]' : '';
    return Promise.resolve({ code: 0, stdout, tail: '', ...answer(line) });
  };
  const environment = (brought = bundle, with_: Run = run) => new Environment(brought, {
    bundleFolder: '/bundle', folder, platform: 'linux', wheels: 'https://wheels', run: with_, log: () => undefined,
    t: english,
  });
  const prepare = (brought?: Bundle) =>
    environment(brought).prepare(candidates('', undefined, 'linux'), { signal: abort.signal, report: () => undefined });
  const installs = () => asked.filter((line) => line.includes(' pip install ')).map((line) => line.split('off ')[1]);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'jouline-setup-'));
    asked = [];
    answer = () => ({});
    abort = new AbortController();
  });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  it('is made once, from locked requirements, and is then ready without a look at any Python', async () => {
    assert.equal(environment().ready, false);
    await prepare();
    assert.ok(asked[0]?.startsWith('/usr/bin/python3 -I -m venv --clear'));
    assert.deepEqual(installs(), [
      '--require-hashes --requirement /bundle/libraries.txt',
      '--no-deps --only-binary :all: --retries 1 --extra-index-url https://wheels llama-cpp-python==0.3',
      '--no-deps --no-index --force-reinstall /bundle/jouline.whl',
    ]);
    assert.match(asked.at(-1) ?? '', /bin\/jouline doctor --json$/);
    assert.equal(environment().ready, true);
    environment().forget();
    assert.equal(environment().ready, false);
  });

  it('is made once where two windows want it, whatever a dead one left behind', async () => {
    writeFileSync(join(folder, 'setup.lock'), '4194305'); // above the highest process id there is
    await Promise.all([prepare(), prepare()]);
    assert.equal(asked.filter((line) => line.includes(' -m venv ')).length, 1);
    assert.deepEqual(readdirSync(folder), ['done.json']);
  });

  it('gets a new server and nothing else where only that changed', async () => {
    await prepare();
    asked = [];
    await prepare({ ...bundle, wheelSha256: 'w2' });
    assert.deepEqual(installs(), ['--no-deps --no-index --force-reinstall /bundle/jouline.whl']);
  });

  it('compiles the locked source where no prebuilt engine can be had, or it does not load', async () => {
    for (const refused of ['--only-binary', 'import llama_cpp']) {
      environment().forget();
      asked = [];
      answer = (line) => (line.includes(refused) ? { code: 1 } : {});
      await prepare();
      assert.ok(installs().includes('--no-deps --require-hashes --no-build-isolation --requirement /bundle/engine.txt'));
    }
  });

  it('says what is wrong in the doctor’s own words', async () => {
    const stdout = JSON.stringify({ checks: [
      { verdict: 'warning', message: 'Estimated.' }, { verdict: 'broken', message: 'The small model is damaged.' },
    ] });
    answer = (line) => (line.includes('doctor') ? { code: 1, stdout } : {});
    await assert.rejects(prepare(), (error) => error instanceof SetupFailure && error.message === 'The small model is damaged.');
    assert.equal(environment().ready, false);
  });

  it('keeps what was done when it is cancelled, and goes on there', async () => {
    answer = (line) => {
      if (line.includes('llama-cpp-python')) abort.abort();
      return {};
    };
    await assert.rejects(prepare(), SetupCancelled);
    asked = [];
    abort = new AbortController();
    answer = () => ({});
    await prepare();
    assert.equal(installs().length, 2, 'the engine and the server; the libraries are there');
  });

  it('refuses an old Python, and one that cannot make environments', async () => {
    answer = (line) => (line.includes('importlib') ? { stdout: '["/p", [3, 10, 1], true]' } : {});
    await assert.rejects(prepare(), /3\.11 or newer/);
    answer = (line) => (line.includes('importlib') ? { stdout: '["/p", [3, 12, 1], false]' } : {});
    await assert.rejects(prepare(), /python3-venv/);
  });
});

describe('run', () => {
  it('ends a program with all that it started when it is aborted', async () => {
    const abort = new AbortController();
    const running = realRun('sh', ['-c', 'echo begun; sleep 600 & wait'], {
      signal: abort.signal, heard: () => { abort.abort(); },
    });
    assert.equal((await running).code, null);
  });

  it('tells of a program that is not there without rejecting', async () => {
    const { code, tail } = await realRun('/nowhere/python', []);
    assert.equal(code, null);
    assert.match(tail, /ENOENT/);
  });

  it('gives output, status and last words', async () => {
    const { code, stdout, tail } = await realRun('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    assert.equal(code, 3);
    assert.equal(stdout, 'out');
    assert.match(tail, /err/);
  });
});

describe('other providers', () => {
  it('are told once each by the names that users know', () => {
    assert.deepEqual(otherProviders(['GitHub.copilot', 'github.copilot-chat', 'ms-python.python']), ['GitHub Copilot']);
    assert.deepEqual(otherProviders(['jouline.jouline']), []);
  });
});
