"""A file that is typed again."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A complete file of code. `text` keeps its line breaks; `language` is an LSP language id.

    `group` is the folder or file by which it was named: a package, resampled as a whole.
    """

    path: Path
    language: str
    text: str
    group: str = ""

    @property
    def uri(self) -> str:
        """The file's address as an editor would name it."""
        return self.path.resolve().as_uri()

    @property
    def indent_unit(self) -> str:
        """One step of indentation: a tab where lines begin with tabs, else the usual step of spaces, four if none."""
        if "\n\t" in self.text:
            return "\t"
        widths = [len(line) - len(line.lstrip(" ")) for line in self.text.split("\n") if line.strip()]
        steps = Counter(deeper - width for width, deeper in pairwise(widths) if 2 <= deeper - width <= 8)
        return " " * (steps.most_common(1)[0][0] if steps else 4)
