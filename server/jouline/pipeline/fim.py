"""Fill-in-the-middle prompts: the order of their parts, one layout a model family.

`suffix-prefix`: SUFFIX s PREFIX p, and the model goes on from the prefix; typing only appends.
`suffix-prefix-middle`: the same with MIDDLE after the prefix.
`prefix-suffix-middle`: PREFIX p SUFFIX s MIDDLE, the order most families were trained on; what is typed behind the
prefix may stand behind MIDDLE, as the beginning of what the model writes, so that here too typing only appends.
"""

from collections.abc import Callable, Sequence

from jouline.catalogue.card import FimCard
from jouline.errors import EngineError


def arrange(
    fim: FimCard,
    special: Callable[[str], int | None],
    *,
    prefix: Sequence[int],
    suffix: Sequence[int],
    typed: Sequence[int] = (),
    front: Sequence[int] = (),
) -> tuple[int, ...]:
    """Return the prompt's ids; `special` gives a marker's id, `typed` is what follows the prefix up to the cursor.

    `front` are other files: before all else where the layout marks files, else at the beginning of the prefix.

    Raises EngineError if the model's vocabulary lacks a marker of its card.
    """
    before, within = (front, ()) if fim.file is not None else ((), front)
    first, second = _marker(fim.prefix, special), _marker(fim.suffix, special)
    middle = (_marker(fim.middle, special),) if fim.middle is not None else ()
    if fim.layout == "prefix-suffix-middle":
        return (*before, first, *within, *prefix, second, *suffix, *middle, *typed)
    return (*before, second, *suffix, first, *within, *prefix, *typed, *middle)


def mark_files(
    fim: FimCard,
    special: Callable[[str], int | None],
    files: Sequence[tuple[str, str]],
    tokenise: Callable[[str], Sequence[int]],
    name: str,
) -> list[int]:
    """Return the ids of pieces of other files, each a name and a text, and the head of the file `name` behind them.

    Raises EngineError as `arrange` does.
    """
    if fim.file is None:
        return [token for _, text in files for token in tokenise(text)]
    marker = _marker(fim.file, special)
    parts = [(marker, *tokenise(f"{each}\n{text}")) for each, text in files]
    return [token for part in (*parts, (marker, *tokenise(f"{name}\n"))) for token in part]


def _marker(name: str, special: Callable[[str], int | None]) -> int:
    token = special(name)
    if token is None:
        raise EngineError(f"This model's file has no token {name}, so it cannot fill in code; choose another model.")
    return token
