"""Routers of the bench as folders: what they were taught from, how, and the points fixed for them on other rows.

A folder holds the training rows themselves and `router.json`; opening it teaches the router again, with the same seed
to the same result. So nothing is unpickled, and a router that remembers its queries (knn, sw-ranking) needs no second
copy. A network (bert-like) is written as ONNX too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jouline.errors import ConfigError, RouterError
from jouline.lab.described import shared_features
from jouline.lab.outcomes import Row, read, write
from jouline.lab.queries import Encoder
from jouline.lab.routers.bert_like import BertLike
from jouline.lab.routers.by_text import TAUGHT
from jouline.lab.routers.contestant import Contestant, Split
from jouline.lab.routers.names import ROUTERS, make
from jouline.lab.sentences import sentences
from jouline.lab.table import Table, table

CARD, ROWS, NOTES = "router.json", "train.jsonl.gz", "card.md"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A router's folder, read."""

    name: str
    train: Table
    seed: int


def keep(name: str, outcomes: Table, folder: Path, *, seed: int = 0) -> dict[str, Any]:
    """Write a router of that name, taught on these outcomes, and its card; return what the card says.

    Raises `ConfigError` for a name that is not there, or for rows that it cannot learn from.
    """
    if name not in ROUTERS:
        raise ConfigError(f"There is no router {name!r} in the bench: choose among {', '.join(ROUTERS)}.")
    _contestant(Kept(name=name, train=outcomes, seed=seed), outcomes)
    card = {
        "version": VERSION,
        "router": name,
        "small": outcomes.small,
        "large": outcomes.large,
        "seed": seed,
        "rows": len(outcomes),
        "groups": len(set(outcomes.groups.tolist())),
        "cost_unit": outcomes.cost_unit,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / ROWS, outcomes.rows)
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / NOTES).write_text(_notes(card), encoding="utf-8")
    if name in TAUGHT:
        _write_network(TAUGHT[name]((outcomes.small, outcomes.large), 0, seed), outcomes, folder)
    return card


def _notes(card: dict[str, Any]) -> str:
    lines = [
        f"# Router `{card['router']}` from `{card['small']}` to `{card['large']}`",
        "",
        f"Made for this pair of models alone, from {card['rows']} rows of {card['groups']} groups ({ROWS}), costs in",
        f"{card['cost_unit']}, seed {card['seed']}. Points are fixed by `jouline lab calibrate` on other rows.",
    ]
    return "\n".join(lines) + "\n"


def _write_network(router: Any, outcomes: Table, folder: Path) -> None:
    """Write the encoder of a network as ONNX: described rows in, chances of losing, tying and winning out."""
    if not isinstance(router, BertLike):
        return
    names = shared_features((outcomes,))
    encoder = Encoder(outcomes.rows, names, embeds=None if names else sentences())
    queries = encoder.queries(outcomes.rows)
    router.learn(queries, np.stack([outcomes.small_quality, outcomes.large_quality], axis=1))
    network = router.network(outcomes.large)
    if network is not None:
        from jouline.lab.training import export  # noqa: PLC0415  slow to import

        export(network, queries.described.shape[1], folder / "encoder.onnx")


def is_kept(folder: Path) -> bool:
    """Whether a folder holds a router of the bench; the product's has a calibration of its own instead."""
    return (folder / CARD).is_file()


def opened(folder: Path) -> Kept:
    """Read a router's folder; raise `RouterError` where it is damaged or of another version."""
    try:
        card = _checked(json.loads((folder / CARD).read_text(encoding="utf-8")))
        rows: Sequence[Row] = read(folder / ROWS)
        return Kept(name=card["router"], train=table(rows, card["small"], card["large"]), seed=int(card["seed"]))
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise RouterError(f"The router in {folder} cannot be used ({error}); train it again.") from error


def _checked(card: dict[str, Any]) -> dict[str, Any]:
    if card["version"] != VERSION or card["router"] not in ROUTERS:
        raise ValueError(f"version {card['version']}, router {card['router']}")
    return card


def contestant(kept: Kept, split: Split) -> Contestant:
    """Return a kept router as evaluation holds it against others: taught on its own rows, not on the split's."""
    if set(split.models) != {kept.train.small, kept.train.large}:
        made_for = f"{kept.train.small} and {kept.train.large}"
        raise RouterError(f"The router {kept.name} was made for {made_for}, not for {', '.join(split.models)}.")
    return make(kept.name, replace(split, train=kept.train), seed=kept.seed)


def _contestant(kept: Kept, outcomes: Table) -> Contestant:
    models = (outcomes.small, outcomes.large)
    return contestant(
        kept, Split(train=kept.train, validate=outcomes, test=outcomes, models=models, embeds=sentences())
    )


def fix_point(
    folder: Path,
    outcomes: Table,
    *,
    large_share: float | None = None,
    quality_floor: float | None = None,
    energy_saving: int | None = None,
) -> dict[str, Any]:
    """Return the operating point wanted, fixed on these rows, and write it beside the router.

    `large_share` is RouteLLM's calibration: the point whose share of large calls is nearest, with the threshold on the
    expected gain that gives it, where the router tells one. `quality_floor` is percent of the large model's quality,
    kept at the least cost. With neither it is the point of `energy_saving`, 50 unless given.
    """
    found = _contestant(opened(folder), outcomes)
    quality, cost = found.test.quality.mean(axis=1), found.test.cost.mean(axis=1)
    share = (found.test.answered != 0).mean(axis=1)
    index = 50 if energy_saving is None else energy_saving
    if large_share is not None:
        index = int(np.argmin(np.abs(share - large_share)))
    elif quality_floor is not None:
        kept = np.flatnonzero(quality >= quality_floor / 100 * float(outcomes.large_quality.mean()))
        if not len(kept):
            raise ConfigError(
                f"No operating point keeps {quality_floor:g} % of the large model's quality on this table."
            )
        index = int(kept[np.argmin(cost[kept])])
    gain = None if found.gain is None else np.quantile(found.gain, 1.0 - float(share[index]))
    point = {
        "energy_saving": index,
        "quality": float(quality[index]),
        "cost": float(cost[index]),
        "share_large": float(share[index]),
        "gain_threshold": None if gain is None else float(gain),
        "cost_unit": outcomes.cost_unit,
    }
    (folder / "point.json").write_text(json.dumps(point, indent=1) + "\n", encoding="utf-8")
    return point
