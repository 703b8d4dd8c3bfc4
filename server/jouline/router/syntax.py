"""What can be told of a place from its own line and the few lines around it, without parsing the file (pure)."""

import math
import re

from jouline.router.above import LINE_CHARS, Above

_IDENTIFIER_END = re.compile(r"[A-Za-z_]\w*\Z")
_FIRST_WORD = re.compile(r"\s*(@|[A-Za-z_]\w*)")
_OPERATORS = frozenset("+-*/%&|^~<>!?\\")
_OPENERS = "([{"
_CLOSERS = ")]}"
_QUOTES = frozenset("'\"`")
# Inside a string an escaped character is no mark; outside, a backslash hides nothing that is looked for in code.
_MARKS = re.compile(r"\\.|['\"`#()\[\]{}]", re.DOTALL)

CHAR_CLASSES = (
    "lower",
    "upper",
    "digit",
    "underscore",
    "space",
    "dot",
    "opener",
    "closer",
    "comma",
    "equals",
    "colon",
    "quote",
    "operator",
    "other",
)
STARTS = {
    "def": "define",
    "class": "define",
    "async": "define",
    "function": "define",
    "if": "branch",
    "elif": "branch",
    "else": "branch",
    "while": "branch",
    "case": "branch",
    "match": "branch",
    "for": "loop",
    "return": "return",
    "yield": "return",
    "import": "import",
    "from": "import",
    "raise": "raise",
    "assert": "raise",
    "except": "raise",
    "with": "with",
    "try": "with",
    "@": "decorator",
}
START_KINDS = ("define", "branch", "loop", "return", "import", "raise", "with", "decorator", "other")


def line_features(left: str, above: Above, stub_chars: int) -> dict[str, float]:
    """Describe the cursor's line before the cursor: lengths, character classes, brackets, strings, indent.

    `stub_chars` is the length of the identifier that ends at the cursor.
    """
    left = left[-LINE_CHARS:]
    code = left.lstrip()
    indent = len(left) - len(code)
    quote, depth, opener = scan(code)
    before_stub = code[: len(code) - stub_chars]
    features = {
        "line_chars": math.log1p(len(code)),
        "indent": min(indent, 40),
        "in_string": float(quote in _QUOTES),
        "in_comment": float(quote == "#"),
        "line_depth": min(depth, 5),
        "open_paren": float(opener == "("),
        "open_square": float(opener == "["),
        "after_assign": float(" = " in code or code.endswith(" =")),
        "after_dot": float(before_stub.endswith(".")),
        "after_self": float(before_stub.endswith("self.")),
        "previous_indent": max(-12, min(12, indent - above.last_indent)),
        "next_indent": 0.0 if above.next_indent is None else max(-12, min(12, indent - above.next_indent)),
    }
    return features | _CHARS[char_class(left[-1:])] | _STARTS[_start_kind(code)]


def stub(left: str) -> str:
    """Return the identifier that ends at the cursor, as far as it is written, or an empty string."""
    match = _IDENTIFIER_END.search(left[-80:])
    return match.group() if match else ""


def char_class(char: str) -> str:
    """Name the class of one character; of none, `space`."""
    if char.isalpha():
        return "upper" if char.isupper() else "lower"
    if char.isdigit():
        return "digit"
    if not char or char.isspace():
        return "space"
    return _PUNCTUATION.get(char, "other")


_PUNCTUATION = (
    {"_": "underscore", ".": "dot", ",": "comma", "=": "equals", ":": "colon"}
    | dict.fromkeys("'\"`", "quote")
    | dict.fromkeys(_OPENERS, "opener")
    | dict.fromkeys(_CLOSERS, "closer")
    | dict.fromkeys(_OPERATORS, "operator")
)


def scan(line: str) -> tuple[str, int, str]:
    """Walk a line once.

    Returns the open quote (`#` inside a comment, empty in code), how many brackets are open, and the last of them.
    """
    quote = ""
    opened: list[str] = []
    for match in _MARKS.finditer(line):
        char = match.group()
        if quote:
            quote = "" if char == quote else quote
        elif char in _QUOTES:
            quote = char
        elif char == "#":
            return "#", len(opened), opened[-1] if opened else ""
        elif char in _OPENERS:
            opened.append(char)
        elif opened and char in _CLOSERS:
            opened.pop()
    return quote, len(opened), opened[-1] if opened else ""


def _start_kind(code: str) -> str:
    match = _FIRST_WORD.match(code)
    return STARTS.get(match.group(1), "other") if match else "other"


def one_hot(name: str, classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return for each class its features: 1 at its own name, 0 at all others."""
    return {which: {f"{name}_{each}": float(each == which) for each in classes} for which in classes}


_CHARS = one_hot("char", CHAR_CLASSES)
_STARTS = one_hot("start", START_KINDS)
