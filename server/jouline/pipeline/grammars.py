"""Grammars by language, each loaded when it is first asked for; what a language has none for is told by its lines."""

from functools import cache
from importlib import import_module

from tree_sitter import Language, Node, Parser

_GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "javascriptreact": ("tree_sitter_javascript", "language"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "shellscript": ("tree_sitter_bash", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
}


@cache
def _parser(language: str) -> Parser | None:
    """Return the parser of an editor's language identifier, None where there is no grammar."""
    if language not in _GRAMMARS:
        return None
    module, function = _GRAMMARS[language]
    return Parser(Language(getattr(import_module(module), function)()))


def prepare() -> None:
    """Load what all grammars need, some ten milliseconds, so that no keystroke waits for it."""
    _parser("python")


def leaf_before(text: str, offset: int, language: str) -> Node | None:
    """Parse a piece of source and return the leaf that ends at `offset`, None where there is no grammar."""
    parser = _parser(language)
    if parser is None:
        return None
    end = len(text[:offset].encode())
    return parser.parse(text.encode()).root_node.descendant_for_byte_range(max(0, end - 1), end)
