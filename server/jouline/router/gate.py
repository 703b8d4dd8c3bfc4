"""Rules that hold back an automatic request where hardly any suggestion is taken: no inference costs nothing.

The rules are those of Copilot's contextual filter (fewer than ten characters, text right of the cursor), of Cody (word
characters right of the cursor, a finished statement) and what Tabby's users ask for (nothing after a deletion, issue
2840), each told with one plain reason.
"""

import re
from collections.abc import Callable

from jouline.completion import CompletionRequest

LEAST_CHARS_BEFORE = 10
_CLOSERS = frozenset(")]}>\"'`;,: \t\r")
_BLOCK = re.compile(
    r"\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match|case|function|switch|catch"
    r"|fn|func|impl|struct|enum|interface|public|private|protected|static)\b"
)
_PAIRS = {")": "(", "]": "[", "}": "{"}

Rule = Callable[[CompletionRequest], str | None]


def hold_back(request: CompletionRequest) -> str | None:
    """Return why nothing should be generated here, as one plain sentence, or None to go on.

    An explicit request, and one that waives the gate, is never held back.
    """
    if request.trigger == "invoked" or not request.gate:
        return None
    return next((reason for rule in RULES if (reason := rule(request))), None)


def _after_deletion(request: CompletionRequest) -> str | None:
    return "Text was just taken away." if request.deleted else None


def _inside_word(request: CompletionRequest) -> str | None:
    right = request.rest_of_line[:1]
    return "The cursor stands inside a word." if right == "_" or right.isalnum() else None


def _code_to_the_right(request: CompletionRequest) -> str | None:
    closed = request.rest_of_line.rstrip().removesuffix("{")  # at the line's end it opens the block of this head
    return "Code stands right of the cursor." if set(closed) - _CLOSERS else None


def _too_little_before(request: CompletionRequest) -> str | None:
    nearby = request.text[max(0, request.offset - 1000) : request.offset]
    if len(nearby.strip()) >= LEAST_CHARS_BEFORE:
        return None
    return f"Fewer than {LEAST_CHARS_BEFORE} characters stand before the cursor."


def _finished_statement(request: CompletionRequest) -> str | None:
    left, rest = request.line_prefix, request.rest_of_line.strip()
    if rest == "{" and left.rstrip()[-1:] in _PAIRS and _balanced(left):
        return "The block's head is finished by its closing bracket."
    if rest:
        return None
    if left.endswith(";"):
        return "The statement is finished by its semicolon."
    if left[-1:] in _PAIRS and _balanced(left) and not _BLOCK.match(left):
        return "The statement is finished by its closing bracket."
    return None


def _balanced(line: str) -> bool:
    return all(line.count(opening) <= line.count(closing) for closing, opening in _PAIRS.items())


RULES: tuple[Rule, ...] = (_after_deletion, _inside_word, _code_to_the_right, _too_little_before, _finished_statement)
