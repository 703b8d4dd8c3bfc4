"""Laws of the person who types: the text comes out as the file has it, the same seed types the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.replay.strategies import passages

from jouline.completion import Completion
from jouline.replay.editor import Editor, Key
from jouline.replay.passages import Passage
from jouline.replay.rhythm import Rhythm
from jouline.replay.session import presses_unaided, take_out
from jouline.replay.sources import SourceFile
from jouline.replay.typist import Typist

MOST_PRESSES_PER_CHAR = 8  # far above what slips and corrections need; a typist who goes in circles passes it


def source_of(text: str) -> SourceFile:
    """Return a file with this text."""
    return SourceFile(path=Path("file.py"), language="python", text=text)


def typed(text: str, passage: Passage, seed: int) -> tuple[str, list[Key]]:
    """Type a passage with nothing offered; return the text at the end and the keys."""
    editor = take_out(source_of(text), passage)
    typist = Typist(goal=text, passage=passage, rhythm=Rhythm(seed=seed))
    keys: list[Key] = []
    while press := typist.next(editor):
        assert press.gap_ms > 0
        editor.press(press.key)
        typist.pressed(editor, press.key)
        keys.append(press.key)
        assert len(keys) <= (passage.length + 5) * MOST_PRESSES_PER_CHAR, "the typist goes in circles"
    return editor.text, keys


@given(passages(), st.integers(0, 1000))
def test_what_is_typed_is_the_file(case: tuple[str, Passage], seed: int) -> None:
    """With nothing accepted, any part of any file typed again gives the file's own text."""
    text, passage = case
    assert typed(text, passage, seed)[0] == text


@given(passages(), st.integers(0, 1000))
def test_the_same_seed_presses_the_same_keys(case: tuple[str, Passage], seed: int) -> None:
    """Two runs with one seed press the same keys, and counting them is typing them."""
    text, passage = case
    keys = typed(text, passage, seed)[1]
    assert typed(text, passage, seed)[1] == keys
    counted = presses_unaided(source_of(text), passage, Rhythm(seed=seed))
    assert counted == sum(key.presses for key in keys)


@given(passages(), st.integers(0, 1000), st.data())
def test_what_is_accepted_keeps_the_file(case: tuple[str, Passage], seed: int, data: st.DataObject) -> None:
    """Whatever is offered, right, wrong or half right, the text at the end is the file's."""
    text, passage = case
    editor = take_out(source_of(text), passage)
    typist = Typist(goal=text, passage=passage, rhythm=Rhythm(seed=seed))
    presses = 0
    while press := typist.next(editor):
        key = press.key
        if data.draw(st.integers(0, 3)) == 0:
            offered = offer(data, text, len(editor.before), len(editor.pending))
            key = typist.judge(editor, offered) or key
        editor.press(key)
        typist.pressed(editor, key)
        presses += 1
        assert presses <= (passage.length + 5) * MOST_PRESSES_PER_CHAR, "the typist goes in circles"
    assert editor.text == text


def offer(data: st.DataObject, text: str, offset: int, pending: int) -> Completion:
    """Draw a suggestion that agrees with the file for a while and may then go wrong."""
    right = text[offset : offset + data.draw(st.integers(0, 30))]
    wrong = data.draw(st.sampled_from(["", "", "?", ")", "\n    zzz"]))
    replace = data.draw(st.integers(0, pending + 1))
    return Completion(id="1", text=right + wrong, action="generate", reason="", replace=replace)


def judged(goal: str, suggestion: str, *, replace: int = 0) -> Key | None:
    """Judge `suggestion` where `goal` has its mark `|`, everything before it typed."""
    before, _, after = goal.partition("|")
    text = before + after
    editor = Editor(before="", after="")
    for char in before:
        editor.press(Key(kind="char", text=char))
    typist = Typist(goal=text, passage=Passage(start=0, end=len(text)), rhythm=Rhythm(seed=0))
    return typist.judge(editor, Completion(id="1", text=suggestion, action="generate", reason="", replace=replace))


@pytest.mark.parametrize(
    ("goal", "suggestion", "taken", "presses"),
    [
        ("x = |first + second", "first + second", "first + second", 1),
        ("x = |first + second", "first", "first", 1),
        ("x = |first + second", "first + third", "first +", 2),
        ("x = |first\ny = 2\n", "first\nz = 3", "first\n", 1),
        ("x = f(|a)", "a)", "a)", 2),
    ],
)
def test_what_agrees_is_taken(goal: str, suggestion: str, taken: str, presses: int) -> None:
    """The whole is taken with one key, else whole lines, else whole words; a doubled bracket costs a Delete."""
    key = judged(goal, suggestion)
    assert key is not None
    assert (key.text, key.presses) == (taken, presses)


@pytest.mark.parametrize("suggestion", ["second", "f", "firs_t", "first ?"])
def test_what_disagrees_soon_is_left(suggestion: str) -> None:
    """A suggestion that is wrong at once, or agrees for less than typing costs, is not taken."""
    assert judged("x = |first + second", suggestion) is None


def test_what_would_cover_more_than_the_editor_closed_is_left() -> None:
    """A suggestion that takes away more than the editor's own brackets is never accepted."""
    assert judged("f(|a)", "a)", replace=1) is not None
    assert judged("f(|a)", "a)", replace=2) is None
