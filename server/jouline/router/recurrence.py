"""Copy evidence: whether what stands before the cursor occurred before, and what followed it then (pure).

Small models complete what they can copy. String searches in C over a bounded window keep this cheap.
"""

import math
import re

from jouline.router.above import Above

MATCH_CHARS = 64  # a longer match tells no more
_STEPS = (1, 2, 4, 7, 11, 16, 23, 32, 45)  # halved among: three or four searches
_FOLLOWING_CHARS = 80
_OCCURRENCES = 4
_WORD = re.compile(r"\w+")
_TAILS = (1, 3)  # tokens; with two nothing more is told
_NOWHERE = (0, 0, 0)


def recurrence_features(above: Above, window: str, left: str, tails: list[str], stub: str) -> dict[str, float]:
    """Describe recurrences of the text before the cursor.

    `window` is the text above with the cursor's line before the cursor, `left`; `tails` holds the last token before
    the cursor, the last two tokens, and the last three, each as text that ends at the cursor; `stub` is the
    identifier that is being written.
    """
    found = {size: _followed(window, tails[size - 1]) if len(tails) >= size else _NOWHERE for size in _TAILS}
    counts = [window.count(tail) - 1 for tail in tails[:2]] + [0, 0]
    return (
        _match_features(window)
        | _line_features(above.text, left)
        | _tail_features(found, counts)
        | _stub_features(above.text, stub)
    )


def longest_match(window: str) -> tuple[int, int]:
    """Return how many characters at the end of `window` occurred earlier in it, and where that occurrence ends.

    At most `MATCH_CHARS` are told. The occurrence is the nearest of one of the lengths in `_STEPS`, followed
    backwards, so that another may agree a few characters further. (0, -1) where not even the shortest occurs.
    """
    low, high, end = 0, len(_STEPS), -1
    while low < high:
        middle = (low + high) // 2
        size = _STEPS[middle]
        at = window.rfind(window[-size:], 0, len(window) - 1) if size < len(window) else -1
        if at >= 0:
            low, end = middle + 1, at + size
        else:
            high = middle
    return (match_length(window, end), end) if end >= 0 else (0, -1)


def match_length(window: str, end: int) -> int:
    """Return how many characters before `end` agree with the end of `window`, at most `MATCH_CHARS`."""
    size = min(MATCH_CHARS, end)
    here, there = window[len(window) - size :], window[end - size : end]
    if here == there:
        return size
    low, high = 0, size  # the length that agrees lies in [low, high): halving keeps the comparisons in C
    while high - low > 1:
        middle = (low + high) // 2
        if here[size - middle : size - low] == there[size - middle : size - low]:
            low = middle
        else:
            high = middle
    return low


def _match_features(window: str) -> dict[str, float]:
    length, end = longest_match(window)
    following = _rest(window, end) if length else ""
    second = window.rfind(window[-length:], 0, end - 1) if length else -1
    agree = _agreement(following, _rest(window, second + length)) if second >= 0 else 0
    return {
        "match_chars": float(length),
        "match_distance": math.log1p(len(window) - end if length else 0),
        "match_agree": float(agree),
        "match_rest": float(len(following)),
    }


def _line_features(above: str, left: str) -> dict[str, float]:
    code = left.lstrip()
    at = above.rfind("\n" + left) if code else -1
    return {
        "line_again": float(at >= 0),
        "line_rest": float(len(_rest(above, at + 1 + len(left)))) if at >= 0 else -1.0,
        "line_count": math.log1p(above.count(code)) if code else 0.0,
    }


def _tail_features(found: dict[int, tuple[int, int, int]], counts: list[int]) -> dict[str, float]:
    """Describe the last one and the last three tokens; surprise is -log p of the last after the one before it, here."""
    features = {
        "tail1_count": math.log1p(counts[0]),
        "tail2_count": math.log1p(counts[1]),
        "surprise": math.log((counts[0] + 1.0) / (counts[1] + 0.5)),
    }
    for size, (distance, agree, rest) in found.items():
        features |= {
            f"tail{size}_distance": math.log1p(distance),
            f"tail{size}_agree": float(agree),
            f"tail{size}_rest": float(rest),
        }
    return features


def _stub_features(above: str, stub: str) -> dict[str, float]:
    length = _nearest_name(above, stub) if stub else 0
    return {
        "stub_chars": float(min(len(stub), 24)),
        "stub_known": math.log1p(above.count(stub)) if stub else 0.0,
        "stub_rest": float(length - len(stub)) if length else -1.0,
    }


def _nearest_name(above: str, stub: str) -> int:
    """Return the length of the nearest identifier that begins with `stub`, among its last occurrences; 0 for none."""
    at = len(above)
    for _ in range(_OCCURRENCES):
        at = above.rfind(stub, 0, at + len(stub) - 1)
        if at < 0:
            return 0
        if at == 0 or not (above[at - 1].isalnum() or above[at - 1] == "_"):
            found = _WORD.match(above, at)
            return found.end() - at if found else 0
    return 0


def _followed(window: str, piece: str) -> tuple[int, int, int]:
    """Find the last two earlier occurrences of `piece`, which ends the window.

    Returns the distance in characters to the nearest (0: none), how far what followed the two agrees (within the
    line), and how much followed the nearest in its line.
    """
    first = window.rfind(piece, 0, len(window) - 1) if piece else -1
    if first < 0:
        return _NOWHERE
    end = first + len(piece)
    following = _rest(window, end)
    second = window.rfind(piece, 0, end - 1)
    agree = _agreement(following, _rest(window, second + len(piece))) if second >= 0 else 0
    return len(window) - end, agree, len(following)


def _rest(window: str, start: int) -> str:
    end = window.find("\n", start, start + _FOLLOWING_CHARS)
    return window[start : end if end >= 0 else start + _FOLLOWING_CHARS]


def _agreement(one: str, other: str) -> int:
    if one == other:
        return len(one)
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
