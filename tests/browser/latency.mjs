// From the keystroke to painted ghost text, as the page itself sees it; see `run --latency`.
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 4_000;
const LINE = /^(\S+ \S+) \[info\] request: (\d+) ms, of which the extension ([\d.]+) ms, 1 offered$/gm;

/** Notes in the page when a key went down and when ghost text was painted after it. */
async function watch(page, ghost) {
  await page.evaluate((selector) => {
    const marks = { key: 0, painted: 0 };
    globalThis.ghostMarks = marks;
    addEventListener('keydown', () => { Object.assign(marks, { key: Date.now(), painted: 0 }); }, true);
    new MutationObserver(() => {
      if (marks.painted !== 0 || !document.querySelector(selector)) return;
      marks.painted = -1; // seen, and painted with the next frame
      requestAnimationFrame(() => setTimeout(() => { marks.painted = Date.now(); }));
    }).observe(document.body, { childList: true, subtree: true });
  }, ghost);
}

/**
 * Types the last character of each place and waits for ghost text. Returns, for those that got some, milliseconds
 * from the key to the painting, of that the time before the request began (VS Code's own delay), and the extension's.
 */
export async function measure(bench, host, file, after, places, ghost) {
  await watch(bench.page, ghost);
  const samples = [];
  for (const place of places) {
    await bench.newLineBelow(file, after);
    await bench.keyboard.type(place.slice(0, -1), { delay: 30 });
    await sleep(400);
    await bench.keyboard.press('Escape');
    await sleep(200);
    const before = host.log().length;
    await bench.keyboard.press(place.at(-1));
    const marks = await painted(bench.page);
    await sleep(150); // until the line is in the log
    const [line] = [...host.log().slice(before).matchAll(LINE)];
    if (marks && line) samples.push(sample(marks, line));
    await bench.revert();
  }
  return samples;
}

async function painted(page) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(20)) {
    const marks = await page.evaluate(() => globalThis.ghostMarks);
    if (marks.painted > 0) return marks;
  }
  return undefined;
}

function sample({ key, painted: seen }, [, at, took, own]) {
  const began = new Date(at.replace(' ', 'T')).getTime() - Number(took);
  return { total: seen - key, trigger: began - key, request: Number(took), extension: Number(own) };
}

/** The medians of each part, as a line. */
export function told(samples) {
  const median = (name) => {
    const values = samples.map((each) => each[name]).sort((a, b) => a - b);
    return values.length === 0 ? NaN : values[Math.floor(values.length / 2)];
  };
  return `${samples.length} suggestions, medians: key to paint ${median('total')} ms, of that before the request `
    + `${median('trigger')} ms, the request ${median('request')} ms, of that the extension ${median('extension')} ms`;
}
