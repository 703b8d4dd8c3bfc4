"""How alike two pieces of code are, by the words they share (pure)."""

import re

_WORDS = re.compile(r"[^\W\d_][^\W_]+|\d\w+")  # of snake_case each part


def words(text: str) -> frozenset[str]:
    """Return the words of at least two characters of a text, those of snake_case apart."""
    return frozenset(_WORDS.findall(text))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share, 0..1, of two texts' words that both have; 0 where neither has any."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0
