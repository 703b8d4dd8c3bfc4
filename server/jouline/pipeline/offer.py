"""What a filter takes and gives: a text on offer, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass

from jouline.completion import CompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Text for the cursor's place that takes the place of `replace` code points right of the cursor."""

    text: str
    replace: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Nothing is offered, and why in one plain sentence."""

    reason: str


Filter = Callable[[CompletionRequest, Offer], Offer | Discard]


def is_trivial(line: str) -> bool:
    """Whether a line says too little to be told from another one: brackets, `else:`, a short word."""
    return len(line) < 4 or not any(char.isalnum() for char in line)
