import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ShownSuggestion } from '../../shown';

// A document of one line, its caret behind `before`; `accept`, `take` and `type` are what a person does.
class Scene {
  readonly told: string[] = [];
  private waiting: (() => void)[] = [];
  readonly shown = new ShownSuggestion(
    {
      shown: (id) => this.told.push(`shown ${id}`),
      partiallyAccepted: (id, length) => this.told.push(`part ${id} ${length}`),
      rejected: (id) => this.told.push(`rejected ${id}`),
    },
    (_waitMs, then) => {
      this.waiting.push(then);
      return () => { this.waiting = this.waiting.filter((other) => other !== then); };
    },
  );

  constructor(public text = '') {}

  offer(id: string, text: string): void {
    this.shown.offered({ id, uri: 'a.py', text, start: this.text.length, agreed: 0 });
  }

  type(text: string, right = ''): void {
    this.text += text;
    const whole = this.text + right;
    this.shown.edited({ uri: 'a.py', end: whole.length, between: (start, end) => whole.slice(start, end) });
  }

  accept(id: string, text: string): void {
    this.type(text);
    this.shown.accepted(id);
  }

  /** What was told, once the grace period is over. */
  finally(): string[] {
    const due = this.waiting;
    this.waiting = [];
    for (const then of due) then();
    return this.told;
  }
}

describe('ShownSuggestion', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene('x = ');
    scene.offer('1', 'width + height');
  });

  it('tells at once that a suggestion is shown', () => {
    assert.deepEqual(scene.told, ['shown 1']);
  });

  it('tells nothing more of a suggestion that is accepted: its own command does', () => {
    scene.accept('1', 'width + height');
    assert.deepEqual(scene.finally(), ['shown 1']);
  });

  it('tells nothing of typing along', () => {
    for (const key of 'wid') scene.type(key);
    assert.deepEqual(scene.finally(), ['shown 1']);
  });

  it('tells how much was taken, counted from the start of the text', () => {
    scene.type('width');
    scene.type(' + height');
    assert.deepEqual(scene.finally(), ['shown 1', 'part 1 14']);
  });

  it('rejects a suggestion that the user typed away from', () => {
    scene.type('w');
    scene.type('h');
    assert.deepEqual(scene.finally(), ['shown 1', 'rejected 1']);
  });

  it('never rejects what was taken in part', () => {
    scene.type('width');
    scene.type('!');
    assert.deepEqual(scene.finally(), ['shown 1', 'part 1 5']);
  });

  it('rejects a suggestion that another one displaces, and not one that another one continues', () => {
    scene.offer('2', 'depth');
    scene.type('d');
    scene.offer('3', 'epth');
    assert.deepEqual(scene.finally(), ['shown 1', 'shown 2', 'shown 3', 'rejected 1']);
  });

  it('takes a bracket that the editor closed by itself for no disagreement', () => {
    scene.offer('2', '(a, b):');
    scene.type('(', ')');
    scene.accept('2', 'a, b):');
    assert.deepEqual(scene.finally(), ['shown 1', 'shown 2', 'rejected 1']);
  });

  it('leaves other documents alone', () => {
    scene.shown.edited({ uri: 'b.py', end: 1, between: () => '?' });
    assert.deepEqual(scene.finally(), ['shown 1']);
  });

  it('counts an edit before the place as a rejection', () => {
    scene.shown.edited({ uri: 'a.py', end: 0, between: () => '' });
    assert.deepEqual(scene.finally(), ['shown 1', 'rejected 1']);
  });
});
