"""A file that is typed again."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A complete file of code. `text` keeps its line breaks; `language` is an LSP language id."""

    path: Path
    language: str
    text: str

    @property
    def uri(self) -> str:
        """The file's address as an editor would name it."""
        return self.path.resolve().as_uri()

    @property
    def indent_unit(self) -> str:
        """One step of indentation: a tab where the file begins lines with tabs, else four spaces."""
        return "\t" if "\n\t" in self.text else "    "
