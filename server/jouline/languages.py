"""Which language a file is written in, by its name, as LSP calls it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        ".py": "python",
        ".pyi": "python",
        ".ts": "typescript",
        ".tsx": "typescriptreact",
        ".js": "javascript",
        ".mjs": "javascript",
        ".jsx": "javascriptreact",
        ".go": "go",
        ".rs": "rust",
        ".java": "java",
        ".c": "c",
        ".h": "c",
        ".cc": "cpp",
        ".cpp": "cpp",
        ".hpp": "cpp",
        ".cs": "csharp",
        ".rb": "ruby",
        ".php": "php",
        ".sh": "shellscript",
        ".toml": "toml",
        ".json": "json",
        ".yaml": "yaml",
        ".yml": "yaml",
        ".md": "markdown",
        ".html": "html",
        ".css": "css",
        ".sql": "sql",
        ".lua": "lua",
        ".kt": "kotlin",
        ".swift": "swift",
    }
)
_NOT_CODE = frozenset({"plaintext", "json", "yaml", "toml", "markdown", "html", "css"})
CODE_SUFFIXES = frozenset(suffix for suffix, language in _LANGUAGES.items() if language not in _NOT_CODE)


def language_of(path: Path) -> str:
    """Return the LSP language id of a file by its name, `plaintext` where it tells nothing."""
    return _LANGUAGES.get(path.suffix.lower(), "plaintext")
