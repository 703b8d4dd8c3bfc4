"""What the editor adds by itself while a person types."""

import pytest

from jouline.replay.editor import Editor, Key, inside_string_or_comment

KEYS = {
    "⏎": Key(kind="enter", text="\n"),
    "⌫": Key(kind="backspace"),
    "⌦": Key(kind="delete"),
    "⇥": Key(kind="tab", text="    "),
}


def shown_after(text: str, keys: str) -> str:
    """Open `text` at its mark `|`, press keys, and return it with the mark where the cursor is."""
    before, _, after = text.partition("|")
    editor = Editor(before=before, after=after)
    for key in keys:
        editor.press(KEYS.get(key) or Key(kind="char", text=key))
    return f"{editor.before}|{editor.pending}{editor.after}"


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("|", "f(", "f(|)"),
        ("|", "f()", "f()|"),
        ("|", "f(a[0])", "f(a[0])|"),
        ("|\n", "{'a'}", "{'a'}|\n"),
        ("|name", "(", "(|name"),
        ("|)", "[", "[|])"),
    ],
)
def test_brackets_and_quotes_are_closed_and_typed_over(text: str, keys: str, expected: str) -> None:
    """A bracket or quote brings its other half where nothing stands right of it, and typing that half steps over it."""
    assert shown_after(text, keys) == expected


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("don|", "'", "don'|"),
        ("# it|", "'", "# it'|"),
        ("|", '"""', '"""|'),
        ("x = f|", '"', 'x = f"|"'),
        ('"a |"', "(", '"a (|"'),
    ],
)
def test_a_quote_that_opens_no_string_stays_alone(text: str, keys: str, expected: str) -> None:
    """Quotes after a word, in comments and in strings, and the third of three, are not closed."""
    assert shown_after(text, keys) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():|", "def f():\n    |"),
        ("    a = 1|", "    a = 1\n    |"),
        ("    return a|", "    return a\n|"),
        ("a\n    |", "a\n\n    |"),
    ],
)
def test_enter_indents(text: str, expected: str) -> None:
    """Enter keeps the indentation, deepens it after a colon, ends it after a return, and leaves no blank ends."""
    assert shown_after(text, "⏎") == expected


def test_enter_between_brackets_gives_the_closing_one_a_line_of_its_own() -> None:
    """Enter between a bracket and the one the editor closed opens an indented line between the two."""
    assert shown_after("|", "  f(⏎") == "  f(\n      |\n  )"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("ab⌫", "a|"), ("f(⌫", "f|"), ("⇥⇥⌫", "    |"), ("a⏎⌫", "a|"), ("f(⌦", "f(|")],
)
def test_backspace_takes_back_one_step(keys: str, expected: str) -> None:
    """Backspace removes a character, an empty pair, one step of indentation or a line break; Delete what is right."""
    assert shown_after("|", keys) == expected


def test_accepting_covers_what_the_suggestion_closes() -> None:
    """An accepted suggestion takes the place of as many code points right of the cursor as it says."""
    editor = Editor(before="", after="\n")
    for char in "print(":
        editor.press(Key(kind="char", text=char))
    editor.press(Key(kind="accept", text="a, b)", replace=1))
    assert editor.text == "print(a, b)\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [("a = 'b", True), ("a = 'b'", False), (r"a = 'b\'", True), ("a  # b", True), ("a = '#'", False)],
)
def test_strings_and_comments_are_told_by_their_line(line: str, *, expected: bool) -> None:
    """A line's beginning ends in a string or comment if a quote or mark in it is still open."""
    assert inside_string_or_comment(line) is expected
