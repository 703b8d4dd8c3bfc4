/** The server's own Python environment: made, brought up to date, checked. */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Translate } from '../l10n';
import { explainFailure, noPython, noVenv, SetupCancelled, SetupFailure } from './failures';
import { type Bundle, type Done, plan, readDone, type Step, wanted } from './plan';
import { type Candidate, newEnough, type Python, QUESTION, readPython } from './pythons';
import type { Ran, Run } from './run';

export interface EnvironmentParts {
  /** Where the bundle's files lie, and where the environment is made. */
  readonly bundleFolder: string;
  readonly folder: string;
  readonly platform: NodeJS.Platform;
  /** A folder or an index where prebuilt engines may lie, besides the usual index; '' for none. */
  readonly wheels: string;
  readonly run: Run;
  readonly log: (line: string) => void;
  readonly t: Translate;
}

export interface Progress {
  readonly signal: AbortSignal;
  readonly report: (sentence: string, percent: number) => void;
}

// What each step is of the whole, as far as can be known before.
const WEIGHTS: Readonly<Record<Step, number>> = { environment: 10, libraries: 35, engine: 40, server: 5, check: 10 };
const QUESTION_WAIT_MS = 20_000;
const LOOK_AGAIN_MS = 500;

/** Reads what the .vsix carries; undefined where it carries no server. */
export function readBundle(folder: string): Bundle | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8')) as Bundle;
  } catch {
    return undefined;
  }
}

/** Makes the environment once, and after an update does only what changed. */
export class Environment {
  constructor(private readonly bundle: Bundle, private readonly parts: EnvironmentParts) {}

  /** The server's executable, whether it is there yet or not. */
  get executable(): string {
    return this.inside('jouline');
  }

  /** The Python that the environment was made with, undefined where there is none. */
  get madeWith(): string | undefined {
    return this.done.environment;
  }

  /** Whether nothing is left to be done; costs one small file's reading. */
  get ready(): boolean {
    const made = this.madeWith;
    return made !== undefined && plan(this.bundle, made, this.done).length === 0;
  }

  /** Forgets what was done, so that all is done anew. */
  forget(): void {
    rmSync(this.record, { force: true });
  }

  /**
   * Does what is left, once where several windows want it. Rejects with SetupFailure or SetupCancelled; what was done
   * stays done.
   */
  async prepare(candidates: readonly Candidate[], progress: Progress): Promise<void> {
    mkdirSync(this.parts.folder, { recursive: true });
    const free = await this.alone(progress);
    try {
      if (!this.ready) await this.work(candidates, progress);
    } finally {
      free();
    }
  }

  private async work(candidates: readonly Candidate[], progress: Progress): Promise<void> {
    const { t } = this.parts;
    progress.report(t('Looking for Python…'), 0);
    const python = await this.find(candidates, progress.signal);
    const made = this.madeWith;
    // another Python than before is no reason to make all anew, as long as the first still works
    const base = made !== undefined && (await this.works(progress.signal)) ? made : python.executable;
    const steps = plan(this.bundle, base, this.done);
    this.parts.log(`Setting up with ${base}: ${steps.join(', ') || 'nothing to do'}.`);
    let reached = 100 - steps.reduce((sum, step) => sum + WEIGHTS[step], 0);
    for (const step of steps) {
      progress.report(this.sentence(step), reached);
      await this.take(step, base, progress);
      if (progress.signal.aborted) throw new SetupCancelled();
      this.note(step, wanted(this.bundle, base)[step], step === 'environment');
      reached += WEIGHTS[step];
    }
  }

  /** Waits until no other window sets up; a lock that a dead process left counts for nothing. */
  private async alone({ signal, report }: Progress): Promise<() => void> {
    const lock = join(this.parts.folder, 'setup.lock');
    for (;;) {
      try {
        writeFileSync(lock, String(process.pid), { flag: 'wx' });
        return () => { rmSync(lock, { force: true }); };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explainFailure('environment', String(error), this.parts.t);
      }
      if (!lives(lock)) {
        rmSync(lock, { force: true });
        continue;
      }
      report(this.parts.t('Another window is setting up…'), 0);
      await sleep(LOOK_AGAIN_MS);
      if (signal.aborted) throw new SetupCancelled();
    }
  }

  private async find(candidates: readonly Candidate[], signal: AbortSignal): Promise<Python> {
    let lame: Python | undefined;
    for (const { command, args } of candidates) {
      const { code, stdout } = await this.parts.run(
        command, [...args, '-I', '-c', QUESTION], { cwd: homedir(), signal, waitMs: QUESTION_WAIT_MS });
      if (signal.aborted) throw new SetupCancelled();
      const python = code === 0 ? readPython(stdout) : undefined;
      if (python && newEnough(python)) {
        if (python.hasVenv) return python;
        lame = python;
      }
    }
    throw lame ? noVenv(this.parts.t) : noPython(this.parts.t);
  }

  private async works(signal: AbortSignal): Promise<boolean> {
    const { code } = await this.parts.run(this.inside('python'), ['-I', '-c', 'import pip'], { signal, waitMs: QUESTION_WAIT_MS });
    if (signal.aborted) throw new SetupCancelled();
    return code === 0;
  }

  private async take(step: Step, python: string, progress: Progress): Promise<void> {
    switch (step) {
      case 'environment':
        await this.must(step, python, ['-I', '-m', 'venv', '--clear', join(this.parts.folder, 'env')], progress);
        return;
      case 'engine':
        await this.engine(progress);
        return;
      case 'libraries':
        await this.pip(step, ['--require-hashes', '--requirement', this.bundled('libraries.txt')], progress);
        return;
      case 'server':
        await this.pip(step, ['--no-deps', '--no-index', '--force-reinstall', this.bundled(this.bundle.wheel)], progress);
        return;
      case 'check':
        await this.check(progress);
    }
  }

  /** A prebuilt wheel where one can be had and works here; else the locked source is compiled. */
  private async engine(progress: Progress): Promise<void> {
    const { t, log } = this.parts;
    const { wheels } = this.parts;
    const place = wheels === '' ? [] : [/^https?:/.test(wheels) ? '--extra-index-url' : '--find-links', wheels];
    const prebuilt = ['--no-deps', '--only-binary', ':all:', '--retries', '1', ...place, this.bundle.engine];
    const got = await this.tryPip(prebuilt, progress);
    if (progress.signal.aborted) throw new SetupCancelled();
    if (got.code === 0) {
      const { code } = await this.parts.run(this.inside('python'), ['-I', '-c', 'import llama_cpp'], { signal: progress.signal });
      if (code === 0) return;
    }
    log(`The engine is compiled, as no prebuilt one can be had.`);
    progress.report(t('Building the engine from source, once: 3 to 7 minutes on two cores…'), 50);
    await this.pip('engine', ['--require-hashes', '--requirement', this.bundled('build.txt')], progress);
    await this.pip('engine', ['--no-deps', '--require-hashes', '--no-build-isolation', '--requirement', this.bundled('engine.txt')], progress);
  }

  private async check(progress: Progress): Promise<void> {
    const { code, stdout, tail } = await this.parts.run(
      this.executable, ['doctor', '--json'], { cwd: homedir(), signal: progress.signal, heard: this.parts.log });
    if (progress.signal.aborted) throw new SetupCancelled();
    if (code !== 0) throw new SetupFailure(problemOf(stdout) ?? explainFailure('check', tail, this.parts.t).message);
  }

  private pip(step: Step, args: readonly string[], progress: Progress): Promise<void> {
    return this.must(step, this.inside('python'), ['-I', '-m', 'pip', 'install', '--progress-bar', 'off', ...args], progress);
  }

  private tryPip(args: readonly string[], progress: Progress): Promise<Ran> {
    return this.go(this.inside('python'), ['-I', '-m', 'pip', 'install', '--progress-bar', 'off', ...args], progress);
  }

  private async must(step: Step, command: string, args: readonly string[], progress: Progress): Promise<void> {
    const { code, tail } = await this.go(command, args, progress);
    if (progress.signal.aborted) throw new SetupCancelled();
    if (code !== 0) throw explainFailure(step, tail, this.parts.t);
  }

  private go(command: string, args: readonly string[], { signal }: Progress): Promise<Ran> {
    return this.parts.run(command, args, {
      signal,
      cwd: homedir(),
      heard: this.parts.log,
      env: { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1', CMAKE_ARGS: '-DLLAVA_BUILD=OFF' },
    });
  }

  private sentence(step: Step): string {
    const { t } = this.parts;
    switch (step) {
      case 'environment': return t('Making a Python environment of its own…');
      case 'engine': return t('Installing the engine…');
      case 'libraries': return t('Installing the libraries…');
      case 'server': return t('Installing the server and its models…');
      case 'check': return t('Checking that both models answer…');
    }
  }

  private get done(): Done {
    try {
      return readDone(readFileSync(this.record, 'utf8'));
    } catch {
      return {};
    }
  }

  private note(step: Step, done: string, anew: boolean): void {
    const begun = `${this.record}.new`; // a window that reads meanwhile finds the old record or the new one
    writeFileSync(begun, JSON.stringify({ ...(anew ? {} : this.done), [step]: done }, null, 1));
    renameSync(begun, this.record);
  }

  private get record(): string {
    return join(this.parts.folder, 'done.json');
  }

  private bundled(name: string): string {
    return join(this.parts.bundleFolder, name);
  }

  private inside(name: string): string {
    const windows = this.parts.platform === 'win32';
    return join(this.parts.folder, 'env', windows ? 'Scripts' : 'bin', windows ? `${name}.exe` : name);
  }
}

/** Whether the process that made a lock is still there. */
function lives(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The first thing that `jouline doctor --json` found wrong, in its own words. */
function problemOf(output: string): string | undefined {
  try {
    const { checks } = JSON.parse(output) as { checks?: Record<string, unknown>[] };
    const bad = checks?.find((check) => check.verdict === 'broken');
    return typeof bad?.message === 'string' ? bad.message : undefined;
  } catch {
    return undefined;
  }
}
