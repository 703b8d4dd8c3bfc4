"""Golden fixtures: a document with a mark, what the model wrote, and what became of it, as plain text.

    === the rule that the case holds (invoked)
    print($0)
    --- value)
    +++ print(value)$0

`---` is the model's text, `+++` the document after it was taken, `!!!` a part of the reason why nothing is offered.
What has several lines begins on the line behind its mark. `␠`, `⇥` and `␍` stand for a space, a tab and a carriage
return at a line's end. The file's name is the language.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
_PARTS = re.compile(r"^(---|\+\+\+|!!!)(?: |$)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One rule at one place; exactly one of `after` and `discard` is there."""

    language: str
    name: str
    before: str
    text: str
    after: str | None = None
    discard: str | None = None

    @property
    def trigger(self) -> str:
        """Whether the person asked by hand."""
        return "invoked" if self.name.endswith("(invoked)") else "automatic"

    def __str__(self) -> str:
        return f"{self.language}: {self.name}"


def cases() -> list[Case]:
    """Return the cases of all languages."""
    return [case for path in sorted((FOLDER / "postprocess").glob("*.txt")) for case in _cases(path)]


def block_places() -> list[tuple[str, str, bool]]:
    """Return rule, document with its mark, and whether a block is wanted there."""
    found = []
    for path in sorted((FOLDER / "blocks").glob("*.txt")):
        for part in _parts(path):
            name, body = part.rstrip("\n").split("\n", 1)
            before, wanted = body.split("\n--- ")
            assert wanted in {"block", "line"}, name
            found.append((f"{path.stem}: {name}", before + "\n", wanted == "block"))
    return found


def _parts(path: Path) -> list[str]:
    whole = path.read_text(encoding="utf-8").rstrip("\n") + "\n"
    return re.split(r"^=== ", whole, flags=re.MULTILINE)[1:]


def _cases(path: Path) -> list[Case]:
    return [_case(path.stem, part) for part in _parts(path)]


def _case(language: str, part: str) -> Case:
    name, body = part.rstrip("\n").split("\n", 1)
    before, *rest = _PARTS.split(body)
    parts = zip(rest[::2], rest[1::2], strict=True)
    found = {mark: _plain(text.removeprefix("\n").removesuffix("\n")) for mark, text in parts}
    assert set(found) in ({"---", "+++"}, {"---", "!!!"}), name
    after = found["+++"] + "\n" if "+++" in found else None
    return Case(
        language=language, name=name, before=_plain(before), text=found["---"], after=after, discard=found.get("!!!")
    )


def _plain(text: str) -> str:
    return text.replace("␠", " ").replace("⇥", "\t").replace("␍", "\r")
