"""What stands above and below the cursor's line: looked at once a line, however many keys are pressed on it (pure)."""

import math
from dataclasses import dataclass

ABOVE_CHARS = 6_000  # before the cursor's line; what stands further away is not looked at
LINE_CHARS = 300  # of a longer line only this much is looked at
_CLOSERS = ")]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Above:
    """The text above the cursor's line, cut to `ABOVE_CHARS`, the line below, and what can be told of them.

    `next_indent` is None where nothing stands below.
    """

    text: str
    following: str
    features: dict[str, float]
    last_indent: int
    next_indent: int | None


def look_above(text: str, following: str) -> Above:
    """Describe the text above a line and the line that follows it."""
    before = text.rstrip()
    last = before[before.rfind("\n") + 1 :][:LINE_CHARS]
    following = following[:LINE_CHARS]
    features = {
        "in_docstring": float((text.count('"""') + text.count("'''")) % 2),
        "previous_chars": math.log1p(len(last.strip())),
        "previous_opens": float(last.endswith((":", "(", "[", "{", ",", "\\"))),
        "previous_colon": float(last.endswith(":")),
        "next_chars": math.log1p(len(following.strip())),
        "next_closes": float(following.strip()[:1] in _CLOSERS and bool(following.strip())),
        "blank_above": float(text.endswith("\n\n")),
        "above_chars": math.log1p(len(text)),
    }
    return Above(
        text=text,
        following=following,
        features=features,
        last_indent=_indent(last),
        next_indent=_indent(following) if following.strip() else None,
    )


def next_line(text: str, offset: int) -> str:
    """Return the line below the one that holds `offset`, cut to `LINE_CHARS`; empty where there is none near."""
    end = text.find("\n", offset, offset + 2000)
    if end < 0:
        return ""
    return text[end + 1 : end + 1 + LINE_CHARS].split("\n", 1)[0]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
