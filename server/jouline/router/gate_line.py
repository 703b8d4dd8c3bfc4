"""The cursor's line as the gate sees it, left and right of the cursor (pure).

Names and meanings are the trained gate's own: the router may look at other things without the gate having to be
trained anew.
"""

import math
import re

from jouline.router.syntax import CHAR_CLASSES, START_KINDS, STARTS, char_class, one_hot, scan, stub

LINE_CHARS = 300  # of a longer line only the end is looked at
_FIRST_WORD = re.compile(r"\s*(@|[A-Za-z_]\w*)")
_CLOSING = frozenset(")]}\"'`,:;")
_CHARS = one_hot("char", CHAR_CLASSES)
_STARTS = one_hot("start", START_KINDS)


def line_features(left: str, right: str) -> dict[str, float]:
    """Describe a line by its lengths, brackets, strings, the last character and the first word."""
    code, rest = left.lstrip(), right.strip()
    quote, depth, opener = scan(code)
    before_word = code[: len(code) - len(stub(left))]
    features = {
        "line_chars": math.log1p(len(code)),
        "indent": float(min(len(left) - len(code), 40)),
        "in_string": float(quote in {"'", '"', "`"}),
        "in_comment": float(quote == "#"),
        "line_depth": float(min(depth, 5)),
        "open_paren": float(opener == "("),
        "open_square": float(opener == "["),
        "after_assign": float(" = " in code or code.endswith(" =")),
        "after_dot": float(before_word.endswith(".")),
        "after_self": float(before_word.endswith("self.")),
        "spaces_right": float(bool(right) and not rest),
        "closers_right": float(bool(rest) and not set(rest) - _CLOSING),
        "chars_right": math.log1p(len(rest)),
    }
    last, first = char_class(left[-1:]), _first_word(left)
    return features | _CHARS[last] | _STARTS[first]


def _first_word(left: str) -> str:
    match = _FIRST_WORD.match(left)
    return STARTS.get(match.group(1), "other") if match else "other"
