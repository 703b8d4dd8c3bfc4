/** Runs a program and hears what it says. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Ran {
  /** null where it could not be started or was ended from outside. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last lines of both streams. */
  readonly tail: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly heard?: (line: string) => void;
  readonly waitMs?: number;
}

export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<Ran>;

const TAIL_LINES = 60;

/** Never rejects: a program that cannot be started has no code. When aborted, it ends with all that it started. */
export const run: Run = (command, args, { env, cwd, signal, heard, waitMs } = {}) =>
  new Promise((resolve) => {
    if (signal?.aborted) {
      resolve({ code: null, stdout: '', tail: '' });
      return;
    }
    const posix = process.platform !== 'win32';
    const child = spawn(command, args, {
      env: { ...process.env, ...env }, cwd, windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'], detached: posix,
    });
    const out: string[] = [];
    const tail: string[] = [];
    const listen = (stream: NodeJS.ReadableStream, kept?: string[]) => createInterface({ input: stream }).on('line', (line) => {
      kept?.push(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      heard?.(line);
    });
    const kill = () => { end(child.pid, posix); };
    const timer = waitMs === undefined ? undefined : setTimeout(kill, waitMs);
    const finish = (code: number | null, last = '') => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      resolve({ code, stdout: out.join('\n'), tail: [...tail, last].filter(Boolean).join('\n') });
    };
    listen(child.stdout, out);
    listen(child.stderr);
    signal?.addEventListener('abort', kill, { once: true });
    child.on('error', (error) => { finish(null, error.message); });
    child.on('close', (code) => { finish(code); });
  });

function end(pid: number | undefined, posix: boolean): void {
  if (pid === undefined) return;
  try {
    if (posix) process.kill(-pid, 'SIGKILL'); // the group: pip and the compilers under it
    else spawn('taskkill', ['/pid', String(pid), '/t', '/f'], { windowsHide: true });
  } catch {
    // it has ended by itself
  }
}
