"""The numbers by which the classifier knows a place, at a bounded cost whatever the size of the document."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from jouline.completion import CompletionRequest
from jouline.errors import RouterError
from jouline.router.recurrence import recurrence_features
from jouline.router.syntax import around_features, line_features

VERSION = 1
WINDOW_CHARS = 8_000  # before the cursor; what stands further away is not looked at
TOKEN_CHARS = 160  # of the line before the cursor
TAIL = 3

Features = dict[str, float]


class FeatureExtractor:
    """Turns a place into named numbers; safe to use from any one thread at a time."""

    def __init__(self, tokenizer: Path) -> None:
        """Open `tokenizer` (a `tokenizer.json`); raise `RouterError` when it cannot be used."""
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # the library raises plain Exception
            message = f"The tokeniser {tokenizer.name} cannot be read: restore it from the installed package."
            raise RouterError(message) from error
        self._scale = 1.0 / math.log1p(self._tokenizer.get_vocab_size())

    def extract(self, request: CompletionRequest) -> Features:
        """Return the features of the request's place by name, always the same names in the same order."""
        window = request.text[max(0, request.offset - WINDOW_CHARS) : request.offset]
        left = window[window.rfind("\n") + 1 :]
        tails, tokens = self._tokens(left[-TOKEN_CHARS:])
        recurrence = recurrence_features(window, left, tails)
        return line_features(request) | around_features(request, window) | tokens | recurrence

    def _tokens(self, left: str) -> tuple[list[str], Features]:
        """Return the last token before the cursor, the last two, the last three, and what their merge ranks tell."""
        encoding = self._tokenizer.encode(left, add_special_tokens=False)
        ids, spans = encoding.ids, encoding.offsets
        features = {
            "line_tokens": float(min(len(ids), 80)),
            "chars_per_token": len(left) / len(ids) if ids else 0.0,
        }
        for back in range(1, TAIL + 1):
            known = len(ids) >= back
            features[f"rank_{back}"] = math.log1p(ids[-back]) * self._scale if known else -1.0
            features[f"token_chars_{back}"] = float(spans[-back][1] - spans[-back][0]) if known else 0.0
        return [left[spans[-back][0] :] for back in range(1, min(TAIL, len(ids)) + 1)], features


def vector(features: Features, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Put features into the order of `names`, float32 of shape (len(names),); a name unknown here raises KeyError."""
    return np.fromiter((features[name] for name in names), dtype=np.float32, count=len(names))
