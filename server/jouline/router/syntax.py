"""What can be told of a place from its own line and the few lines around it, without parsing the file (pure)."""

import math
import re

from jouline.completion import CompletionRequest

LINE_CHARS = 300  # of a longer line only the end is looked at
_IDENTIFIER_END = re.compile(r"[A-Za-z_]\w*\Z")
_FIRST_WORD = re.compile(r"\s*(@|[A-Za-z_]\w*)")
_OPERATORS = frozenset("+-*/%&|^~<>!?\\")
_OPENERS = "([{"
_CLOSERS = ")]}"

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


def line_features(request: CompletionRequest) -> dict[str, float]:
    """Describe the cursor's line left and right of the cursor: lengths, character classes, brackets, strings."""
    left, right = request.line_prefix[-LINE_CHARS:], request.rest_of_line
    code = left.lstrip()
    quote, depth, opener = scan(left)
    features = {
        "line_chars": math.log1p(len(code)),
        "indent": min(len(left) - len(code), 40),
        "in_string": float(quote in {"'", '"', "`"}),
        "in_comment": float(quote == "#"),
        "line_depth": min(depth, 5),
        "open_paren": float(opener == "("),
        "open_square": float(opener == "["),
        "after_assign": float(" = " in code or code.endswith(" =")),
        "after_dot": float(code[: len(code) - len(stub(left))].endswith(".")),
        "after_self": float(code[: len(code) - len(stub(left))].endswith("self.")),
        "spaces_right": float(bool(right) and not right.strip()),
        "closers_right": float(bool(right.strip()) and not set(right.strip()) - set(")]}\"'`,:;")),
        "chars_right": math.log1p(len(right.strip())),
    }
    return (
        features
        | _one_hot("char", CHAR_CLASSES, char_class(left[-1:]))
        | _one_hot("start", START_KINDS, _start_kind(left))
    )


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
    skip = False
    for char in line:
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char == "#":
            return "#", len(opened), opened[-1] if opened else ""
        elif char in _OPENERS:
            opened.append(char)
        elif char in _CLOSERS and opened:
            opened.pop()
    return quote, len(opened), opened[-1] if opened else ""


def _start_kind(left: str) -> str:
    match = _FIRST_WORD.match(left)
    return STARTS.get(match.group(1), "other") if match else "other"


def _one_hot(name: str, classes: tuple[str, ...], which: str) -> dict[str, float]:
    return {f"{name}_{each}": float(each == which) for each in classes}


def around_features(request: CompletionRequest, window: str) -> dict[str, float]:
    """Describe the lines around: the two before, the one after, open docstring, where in the document.

    `window` is the text before the cursor, cut to what may be looked at.
    """
    start = request.offset - len(request.line_prefix)
    before = window[: len(window) - len(request.line_prefix)].rstrip()
    last = before[before.rfind("\n") + 1 :][:LINE_CHARS]
    following = _next_line(request)
    indent = _indent(request.line_prefix)
    return {
        "in_docstring": float((window.count('"""') + window.count("'''")) % 2),
        "previous_chars": math.log1p(len(last.strip())),
        "previous_indent": max(-12, min(12, indent - _indent(last))),
        "previous_opens": float(last.endswith((":", "(", "[", "{", ",", "\\"))),
        "previous_colon": float(last.endswith(":")),
        "next_chars": math.log1p(len(following.strip())),
        "next_indent": max(-12, min(12, indent - _indent(following))) if following.strip() else 0.0,
        "next_closes": float(following.strip()[:1] in _CLOSERS and bool(following.strip())),
        "blank_above": float(window[: len(window) - len(request.line_prefix)].endswith("\n\n")),
        "offset": math.log1p(start),
        "document_chars": math.log1p(len(request.text)),
        "python": float(request.language == "python"),
    }


def _next_line(request: CompletionRequest) -> str:
    end = request.text.find("\n", request.offset, request.offset + 2000)
    if end < 0:
        return ""
    piece = request.text[end + 1 : end + 1 + LINE_CHARS]
    return piece.split("\n", 1)[0]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
