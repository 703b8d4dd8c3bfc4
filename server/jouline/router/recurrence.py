"""Copy evidence: whether what stands before the cursor occurred before, and what followed it then (pure).

Small models complete what they can copy. String searches in C over a bounded window keep this cheap.
"""

import math
import re

from jouline.router.syntax import stub

NAME_CHARS = 4_000  # before the cursor, searched for names that begin as the one being written
MATCH_CHARS = 64  # a longer match tells no more
_NAMES = re.compile(r"[A-Za-z_]\w{2,}")


def recurrence_features(window: str, left: str, tails: list[str]) -> dict[str, float]:
    """Describe recurrences of the text before the cursor.

    `window` ends at the cursor; `left` is the cursor's line before it; `tails` holds its last token, its last two
    tokens, and so on, each as text that ends at the cursor.
    """
    return (
        _match_features(window)
        | _line_features(window, left)
        | _tail_features(window, tails)
        | _stub_features(window, stub(left))
    )


def longest_match(window: str) -> int:
    """Return how many characters at the end of `window` occur in it once more, ending before its last character."""
    low, high = 0, min(MATCH_CHARS, max(0, len(window) - 1))
    while low < high:
        middle = (low + high + 1) // 2
        if window.rfind(window[-middle:], 0, len(window) - 1) >= 0:
            low = middle
        else:
            high = middle - 1
    return low


def _match_features(window: str) -> dict[str, float]:
    length = longest_match(window)
    nearest, agree, rest = _followed(window, window[-length:] if length else "")
    return {
        "match_chars": float(length),
        "match_distance": math.log1p(nearest),
        "match_agree": float(agree),
        "match_rest": float(rest),
    }


def _line_features(window: str, left: str) -> dict[str, float]:
    code = left.lstrip()
    nearest, agree, rest = _followed(window, "\n" + left if code else "")
    return {
        "line_again": float(nearest > 0),
        "line_agree": float(agree),
        "line_rest": float(rest),
        "line_count": math.log1p(window.count(code)) if code else 0.0,
    }


def _tail_features(window: str, tails: list[str]) -> dict[str, float]:
    features: dict[str, float] = {}
    for size in (1, 2, 3):
        piece = tails[size - 1] if len(tails) >= size else ""
        nearest, agree, rest = _followed(window, piece)
        features |= {
            f"tail{size}_count": math.log1p(window.count(piece) - 1) if piece else 0.0,
            f"tail{size}_distance": math.log1p(nearest),
            f"tail{size}_agree": float(agree),
            f"tail{size}_rest": float(rest),
        }
    return features


def _stub_features(window: str, name: str) -> dict[str, float]:
    known = _names_like(window[-NAME_CHARS : len(window) - len(name)], name) if name else []
    distinct = set(known)
    return {
        "stub_chars": float(min(len(name), 24)),
        "stub_known": math.log1p(len(known)),
        "stub_distinct": math.log1p(len(distinct)),
        "stub_whole": float(name in distinct),
        "stub_rest": float(len(known[-1]) - len(name)) if known else -1.0,
    }


def _names_like(text: str, name: str) -> list[str]:
    return [found for found in _NAMES.findall(text) if found.startswith(name)] if name in text else []


def _followed(window: str, piece: str) -> tuple[int, int, int]:
    """Find the last two earlier occurrences of `piece`, which ends the window.

    Returns the distance in characters to the nearest (0: none), how far what followed the two agrees (within the
    line), and how much followed the nearest in its line.
    """
    first = window.rfind(piece, 0, len(window) - 1) if piece else -1
    if first < 0:
        return 0, 0, 0
    following = _rest(window, first + len(piece))
    second = window.rfind(piece, 0, first + len(piece) - 1)
    agree = _agreement(following, _rest(window, second + len(piece))) if second >= 0 else 0
    return len(window) - len(piece) - first, agree, len(following)


def _rest(window: str, start: int) -> str:
    end = window.find("\n", start, start + 80)
    return window[start : end if end >= 0 else start + 80]


def _agreement(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
