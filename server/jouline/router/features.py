"""The numbers by which the classifier knows a place, at a bounded cost whatever the size of the document."""

import math
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from jouline.completion import CompletionRequest
from jouline.errors import RouterError
from jouline.router.above import ABOVE_CHARS, Above, look_above, next_line
from jouline.router.recurrence import recurrence_features
from jouline.router.syntax import line_features, stub

WINDOW_CHARS = 8_000  # before the cursor: enough to compute all features of a place again
TOKEN_CHARS = 80  # of the line before the cursor
TAIL = 3

Features = dict[str, float]


class FeatureExtractor:
    """Turns a place into named numbers; safe to use from any one thread at a time.

    What stands above the cursor's line is remembered until it changes.
    """

    def __init__(self, tokenizer: Path) -> None:
        """Open `tokenizer` (a `tokenizer.json`); raise `RouterError` when it cannot be used."""
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # the library raises plain Exception
            message = f"The tokeniser {tokenizer.name} cannot be read: restore it from the installed package."
            raise RouterError(message) from error
        self._scale = 1.0 / math.log1p(self._tokenizer.get_vocab_size())
        self._above: Above | None = None

    def extract(self, request: CompletionRequest) -> Features:
        """Return the features of the request's place by name, always the same names in the same order."""
        left = request.line_prefix
        start = request.offset - len(left)
        text = request.text[max(0, start - ABOVE_CHARS) : start]
        above = self._look_above(text, next_line(request.text, request.offset))
        name = stub(left)
        tails, tokens = self._tokens(left[-TOKEN_CHARS:])
        window = text + left[-ABOVE_CHARS:]
        return (
            line_features(left, above, len(name))
            | above.features
            | tokens
            | recurrence_features(above, window, left, tails, name)
        )

    def _look_above(self, text: str, following: str) -> Above:
        known = self._above
        if known is None or known.text != text or known.following != following:
            self._above = known = look_above(text, following)
        return known

    def _tokens(self, left: str) -> tuple[list[str], Features]:
        """Return the last token before the cursor, the last two, the last three, and what their merge ranks tell."""
        encoding = self._tokenizer.encode(left, add_special_tokens=False)
        ids, spans = encoding.ids, encoding.offsets
        features = {
            "line_tokens": float(len(ids)),
            "chars_per_token": len(left) / len(ids) if ids else 0.0,
        }
        for back in range(1, TAIL + 1):
            known = len(ids) >= back
            features[f"rank_{back}"] = math.log1p(ids[-back]) * self._scale if known else -1.0
            features[f"token_chars_{back}"] = float(spans[-back][1] - spans[-back][0]) if known else 0.0
        return [left[spans[-back][0] :] for back in range(1, min(TAIL, len(ids)) + 1)], features


class Vector:
    """Puts features into one order of names; made once, used for every row."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._pick = itemgetter(*names) if len(names) > 1 else None
        self._names = names

    def __call__(self, features: Features) -> NDArray[np.float32]:
        """Return float32 of shape (len(names),); a name unknown here raises KeyError."""
        picked = self._pick(features) if self._pick else [features[name] for name in self._names]
        return np.array(picked, dtype=np.float32)
