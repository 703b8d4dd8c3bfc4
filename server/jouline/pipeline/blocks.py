"""One line or a block: which is wanted at a place.

A block is wanted where the code says so: behind a line that opens one whose body is still empty. The lines decide
nearly everywhere at no cost; only where they say that a block begins is the piece around the cursor parsed, to tell a
block from an object, a slice, a string or a comment.
"""

import re

from jouline.completion import CompletionRequest
from jouline.pipeline.grammars import leaf_before
from jouline.pipeline.indentation import width
from jouline.pipeline.pieces import piece_around

_BRACE = re.compile(r"\{[ \t]*\Z")
_HEADS = {
    "python": re.compile(r":[ \t]*\Z"),
    "shellscript": re.compile(r"(?:\bthen|\bdo|\belse|\{)[ \t]*\Z"),
    "lua": re.compile(r"(?:\b(?:then|do|else|repeat)|\bfunction\b.*\))[ \t]*\Z"),
    "ruby": re.compile(
        r"\A\s*(?:def|class|module|if|unless|while|until|case|begin|else|elsif|when|rescue|ensure)\b.*\Z"
        r"|(?:\bdo|\{)[ \t]*(?:\|[^|]*\|)?[ \t]*\Z"
    ),
}
_NEVER = frozenset({"html", "xml", "yaml", "json", "jsonc", "toml", "markdown", "plaintext", "ini", "csv", "sql"})
_CLOSED_BY = {"python": " pass", "ruby": "\nend", "shellscript": ""}
_BLOCKS = (
    "block",
    "_body",
    "compound_statement",
    "declaration_list",
    "enumerator_list",
    "enum_variant_list",
    "do_group",
    "switch_statement",
    "select_statement",
    "object_type",
)
_CLAUSES = ("_definition", "_statement", "_clause")
_TEXTS = frozenset(
    {"comment", "line_comment", "block_comment", "string", "string_content", "string_fragment", "template_string",
     "interpreted_string_literal", "raw_string_literal", "heredoc_body", "string_literal", "raw_string"}
)  # fmt: skip


def wants_block(request: CompletionRequest) -> bool:
    """Return whether the text at the cursor should be the body of a block.

    The cursor stands at the end of a line that opens one, or on the line right below it, which may be begun, and no
    other line of the body is there.
    """
    if request.rest_of_line.strip() or request.language in _NEVER:
        return False
    line = request.line_prefix
    end = request.offset
    below = not (line.strip() and opens_block(line, request.language))
    if below:
        end -= len(line)
        end = len(request.text[:end].rstrip())
    head = request.text[request.text.rfind("\n", 0, end) + 1 : end]
    if not opens_block(head, request.language) or (below and width(line) <= width(head)):
        return False
    return _body_is_empty(request, head) and _is_block(request, end)


def opens_block(line: str, language: str) -> bool:
    """Whether a line looks like the head of a block."""
    return bool(_HEADS.get(language, _BRACE).search(line)) and language not in _NEVER


def _body_is_empty(request: CompletionRequest, head: str) -> bool:
    following = next((line for line in request.suffix[:2_000].split("\n") if line.strip()), "")
    return not following or width(following) <= width(head)


def _is_block(request: CompletionRequest, end: int) -> bool:
    """Whether the code that ends at `end` opens a block, by its grammar; where there is none the line has said so."""
    begin, behind = piece_around(request)
    before = request.text[begin:end]
    closing = _CLOSED_BY.get(request.language, "}")
    closed = request.language not in _CLOSED_BY and behind.lstrip().startswith("}")
    leaf = leaf_before(before + ("" if closed else closing) + behind, len(before.rstrip()), request.language)
    if leaf is None:
        return True
    kind, parent = leaf.type, leaf.parent.type if leaf.parent else ""
    if kind == "{" or request.language == "ruby":
        return kind not in _TEXTS and (request.language == "ruby" or parent.endswith(_BLOCKS))
    if kind == ":":
        return parent.endswith(_CLAUSES)
    return kind in {"then", "do", "else"}
