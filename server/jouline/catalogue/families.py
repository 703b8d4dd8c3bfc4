"""Which family a model file is of, by what it says of itself. An unknown family is refused, never guessed."""

import re
from collections.abc import Mapping
from dataclasses import replace

from jouline.catalogue.card import FamilyCard, FimCard
from jouline.catalogue.gguf_header import GgufHeader
from jouline.errors import CatalogueError

_PUNCTUATION = re.compile(r"[^a-z0-9]+")


def recognise(header: GgufHeader, families: Mapping[str, FamilyCard], family: FamilyCard | None = None) -> FamilyCard:
    """Return the family of a file, or check the one the user names.

    Raises `CatalogueError` for a file without fill-in-the-middle tokens, of no known family, or of more than one.
    """
    if family is not None:
        check_markers(header, family.fim)
        return family
    holding = [each for each in families.values() if not missing_markers(header, fim_of(header, each))]
    if not holding and not header.fim_ids:
        raise CatalogueError(
            f"{header.path} has no fill-in-the-middle tokens, so it cannot complete at a cursor; "
            "choose a code model that has them, such as qwen2.5-coder-1.5b."
        )
    named = [each for each in holding if header.architecture in each.architectures and _is_named(header, each)]
    if len(named) == 1:
        return named[0]
    raise CatalogueError(_unknown(header, [each.id for each in named or holding]))


def fim_of(header: GgufHeader, family: FamilyCard) -> FimCard:
    """Return the family's layout with the markers that the file's own metadata names, where it names them."""
    named = {
        role: header.tokens[number].decode(errors="replace")
        for role, number in header.fim_ids.items()
        if number < len(header.tokens) and getattr(family.fim, role) is not None
    }
    return replace(family.fim, **named)  # type: ignore[arg-type]  # the keys are marker names, the values texts


def missing_markers(header: GgufHeader, fim: FimCard) -> list[str]:
    """Return the markers of a layout that a file's vocabulary lacks."""
    return [marker for marker in fim.markers if header.token_id(marker) is None]


def check_markers(header: GgufHeader, fim: FimCard) -> None:
    """Raise `CatalogueError` if the vocabulary lacks a marker of the layout."""
    if missing := missing_markers(header, fim):
        raise CatalogueError(f"{header.path} has no token {missing[0]}, so it is not of that family; choose another.")


def _is_named(header: GgufHeader, family: FamilyCard) -> bool:
    own = [_plain(name) for name in header.names]
    return any(_plain(name) in text for name in family.names for text in own)


def _plain(name: str) -> str:
    return _PUNCTUATION.sub("", name.lower())


def _unknown(header: GgufHeader, possible: list[str]) -> str:
    name = header.names[0] if header.names else "no name"
    hint = f"if you know that it is asked like {' or '.join(possible)}, say so with --family" if possible else ""
    return (
        f"{header.path} ({name}, architecture {header.architecture or 'unknown'}) is of no family whose prompts are "
        f"known here; {hint or 'choose a model that `jouline models list` shows'}."
    )
