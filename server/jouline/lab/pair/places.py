"""Places in the held-out packages, as many in each, evenly over the characters of their code lines."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from jouline.lab.pair.corpus import Document
from jouline.lab.pair.rows import block_end
from jouline.lab.places import Line, lines_with_room

GROUPS = {"python": "Python", "typescript": "TypeScript and JavaScript", "javascript": "TypeScript and JavaScript"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cursor in a document and what is to be written there, without trailing spaces."""

    document: Document
    offset: int
    wanted: str


def draw(documents: Iterable[Document], count: int, *, seed: int) -> list[Place]:
    """Draw as many places in each package, evenly over the characters of its code lines; equal seeds, equal places.

    A larger count begins with the places of a smaller one.
    """
    packages: dict[str, list[tuple[Document, Line]]] = {}
    for document in documents:
        found = lines_with_room(document.text, document.language)
        packages.setdefault(document.package, []).extend((document, line) for line in found)
    rng = random.Random(seed)
    names = sorted(packages)
    weights = {name: list(accumulate(line.last - line.first + 1 for _, line in packages[name])) for name in names}
    drawn = (rng.choices(packages[name], cum_weights=weights[name])[0] for name in _turns(names, count))
    return [_place(document, line, rng) for document, line in drawn]


def _turns(names: Sequence[str], count: int) -> list[str]:
    return [names[i % len(names)] for i in range(count)]


def _place(document: Document, line: Line, rng: random.Random) -> Place:
    offset = rng.randint(line.first, line.last)
    return Place(document=document, offset=offset, wanted=document.text[offset : line.end])


def opening_blocks(places: Iterable[Place]) -> list[Place]:
    """Those places whose line opens a block; the whole block is what is to be written."""
    found = []
    for place in places:
        text = place.document.text
        block = text[place.offset : block_end(text, place.offset)]
        if "\n" in block:
            found.append(Place(document=place.document, offset=place.offset, wanted=block))
    return found


def sample(documents: Sequence[Document], size: int, *, seed: int = 3) -> list[Document]:
    """Return documents in a fixed random order, package by package in turn, until they hold `size` characters."""
    packages: dict[str, list[Document]] = {}
    for document in documents:
        packages.setdefault(document.package, []).append(document)
    rng = random.Random(seed)
    for group in packages.values():
        rng.shuffle(group)
    found: list[Document] = []
    while any(packages.values()) and sum(len(d.text) for d in found) < size:
        found += [group.pop() for group in packages.values() if group]
    return found


def by_group(documents: Iterable[Document]) -> dict[str, list[Document]]:
    """Documents by the language group that figures are given for, Python first."""
    groups: dict[str, list[Document]] = {name: [] for name in dict.fromkeys(GROUPS.values())}
    for document in documents:
        groups[GROUPS[document.language]].append(document)
    return {name: found for name, found in groups.items() if found}
