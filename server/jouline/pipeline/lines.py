"""Tokens of a document by its lines: a line that is known is never tokenised again, wherever the cursor moves.

A line break ends a word of every pre-tokeniser in use here, so tokens of lines put together are those of the text. A
model of which that is not true (one that puts a blank before each text, say) is found out on a sample and tokenised
whole.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence

# A line goes on through the blank lines behind it: `\s*[\r\n]+` is one pre-token (Qwen2's regular expression).
_LINE = re.compile(r"[^\n]*\n(?:\s*[\r\n])?|[^\n]+")
_KNOWN_LINES = 8_192
_KNOWN_BODIES = 4
_SAMPLE = (
    "def f(a):\n    b = [a,\n         1]\n\n    c = 1\n\n\n\n        d = 2  \n    \n\treturn b  # é 漢\n\n\n"
    "x = {\r\n    'y': 2}\r\n\r\n    z\n\nreturn\n\n"
)


class LineTokens:
    """A tokeniser that remembers lines. Not thread-safe."""

    def __init__(self, tokenise: Callable[[str], list[int]]) -> None:
        self._tokenise = tokenise
        self._known: OrderedDict[str, Sequence[int]] = OrderedDict()
        self._bodies: list[tuple[str, list[int]]] = []  # the last ones, the latest first
        self._apart: bool | None = None  # whether lines may be tokenised apart; found out when first needed

    def __call__(self, text: str) -> Sequence[int]:
        """Return the ids of `text`, the same as tokenising it whole; they may be remembered, so nobody changes them."""
        if self._apart is None:
            self._apart = self._tokenise(_SAMPLE) == self._joined(_SAMPLE)
        if not self._apart:
            return self._tokenise(text)
        end = text.rfind("\n") + 1
        if end == len(text):
            return self._whole_lines(text)
        return [*self._whole_lines(text[:end]), *self._line(text[end:])]

    def _whole_lines(self, text: str) -> list[int]:
        """Return the ids of all but the cursor's line, which are the same from one key to the next."""
        for number, (known, tokens) in enumerate(self._bodies):
            if known == text:
                if number:
                    self._bodies.insert(0, self._bodies.pop(number))
                return tokens
        tokens = self._joined(text)
        self._bodies = [(text, tokens), *self._bodies[: _KNOWN_BODIES - 1]]
        return tokens

    def _joined(self, text: str) -> list[int]:
        tokens: list[int] = []
        for line in _LINE.findall(text):
            tokens += self._line(line)
        return tokens

    def _line(self, line: str) -> Sequence[int]:
        known = self._known.get(line)
        if known is None:
            known = self._known[line] = tuple(self._tokenise(line))
            if len(self._known) > _KNOWN_LINES:
                self._known.popitem(last=False)
        return known
