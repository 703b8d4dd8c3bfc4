"""Where the brackets, strings and comments of a piece of source stand, without a parser (pure).

One regular expression a family of languages. A quote that is not closed on its line is an ordinary character, so that
an apostrophe or a lifetime hides nothing; what starts a block comment or a string of several lines hides the rest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}

_HASH = frozenset({"python", "ruby", "shellscript", "yaml", "toml", "perl", "r", "makefile", "dockerfile", "elixir"})
_DASHES = frozenset({"sql", "lua", "haskell", "ada"})
_MARKUP = frozenset({"html", "xml", "vue", "svelte"})
_BACKTICKS = frozenset({"javascript", "typescript", "javascriptreact", "typescriptreact", "go", "vue", "svelte"})
PROSE = frozenset({"markdown", "plaintext", "latex", "restructuredtext"})
"""Languages of text, in which a bracket need not be closed and an apostrophe is no quote."""

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_ONE_CHAR = r"'(?:\\[^'\n]{1,8}|[^'\\\n])'"
_TRIPLE = r'"""(?:\\.|[^\\])*?(?:"""|\Z)' + r"|'''(?:\\.|[^\\])*?(?:'''|\Z)"
_BACKTICK = r"`(?:\\.|[^`\\])*(?:`|\Z)"
_SLASHES = r"//[^\n]*|/\*.*?(?:\*/|\Z)"


@dataclass(frozen=True, slots=True)
class Bracket:
    """A bracket of the code, strings and comments left out, and its offset."""

    at: int
    char: str


@cache
def _grammar(language: str) -> re.Pattern[str]:
    if language in PROSE:
        hidden = [r"(?!)"]
    elif language in _HASH:
        hidden = [r"(?<![\w$&{\\])#[^\n]*", _TRIPLE, _DOUBLE, _SINGLE]
    elif language in _DASHES:
        hidden = [r"--[^\n]*", _DOUBLE, _SINGLE]
    elif language in _MARKUP:
        hidden = [r"<!--.*?(?:-->|\Z)", _DOUBLE]
    elif language == "css":
        hidden = [r"/\*.*?(?:\*/|\Z)", _DOUBLE, _SINGLE]
    else:
        hidden = [_SLASHES, _DOUBLE, _ONE_CHAR if language in {"rust", "c", "cpp", "java", "go"} else _SINGLE]
    if language in _BACKTICKS:
        hidden.append(_BACKTICK)
    # What begins none of these is skipped in one go; the last dot takes what only looked like a beginning.
    return re.compile(rf"[^()\[\]{{}}#/\"'`<-]*(?:{'|'.join(hidden)}|([()\[\]{{}}])|.)", re.DOTALL)


def brackets(text: str, language: str) -> Iterator[Bracket]:
    """Return the brackets of the code from left to right."""
    for found in _grammar(language).finditer(text):
        if found.lastindex:
            yield Bracket(found.start(1), found[1])


def unmatched_closers(text: str, language: str = "python") -> str:
    """Return the closing brackets of `text` that close something opened before it."""
    return _unmatched(text, language)[1]


def unmatched_openers(text: str, language: str) -> str:
    """Return the opening brackets that `text` leaves open, outermost first."""
    return _unmatched(text, language)[0]


def _unmatched(text: str, language: str) -> tuple[str, str]:
    stack, loose = "", ""
    for bracket in brackets(text, language):
        if bracket.char in OPENERS:
            stack += bracket.char
        elif stack and stack[-1] == CLOSERS[bracket.char]:
            stack = stack[:-1]
        else:
            loose += bracket.char
    return stack, loose


def open_quote(line: str) -> str:
    """Return the quote that a line leaves open, escapes heeded, or an empty string."""
    quote, skip = "", False
    for char in line:
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
    return quote
