"""Holds routers against each other and against the straight line between the two ends, with intervals and tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jouline.errors import ConfigError
from jouline.lab.floor import halves
from jouline.lab.folds import merged, together
from jouline.lab.grid import always
from jouline.lab.intervals import TIMES, Number, Resampling, Sample, holm, interval, p_value, samples
from jouline.lab.judge import PARITY_POINTS, Judged, above_line, cost_area, fixed_policy, gap_is_known, judge
from jouline.lab.kept import contestant, is_kept, opened
from jouline.lab.outcomes import Row, read_all
from jouline.lab.queries import Embeds
from jouline.lab.routers.contestant import Contestant, LacksEvidenceError, Split
from jouline.lab.routers.drafted import shipped
from jouline.lab.routers.names import make
from jouline.lab.sentences import sentences
from jouline.lab.table import Table, as_shown, part, table, told
from jouline.lab.training import confidence
from jouline.router.calibration import Display, load

__all__ = ["PARITY_POINTS", "above_line", "evaluate", "evaluate_tables"]

AGAINST = "random"


def evaluate_tables(
    *,
    train: Sequence[Path],
    validate: Sequence[Path] | None,
    test: Sequence[Path] | None,
    models: tuple[str, ...],
    ends: tuple[str | None, str | None] = (None, None),
    routers: Sequence[str],
    folder: Path | None = None,
    shown: bool = False,
    hashed: bool = False,
    folds: int = 0,
    seed: int = 0,
    times: int = TIMES,
) -> dict[str, Any]:
    """Read tables and evaluate routers by name, `random` and `oracle` always among them.

    `models` are all that may be chosen; the `ends` are the first two of two models, else, unless they are given,
    the one of least mean cost and the one of most mean quality in the train tables. Rows without an outcome of all
    of them are left out and counted as `rows_left_out`; routers that need more than the tables tell are left out
    too, told in `routers_left_out`, unless none of those asked for remains: `ConfigError`. Without `test` half of
    the train packages, drawn by the seed, are tested on; without `validate` a third of the others is kept back for
    it. `folder` holds a trained router, evaluated as `shipped`. With `shown` only what is above the display
    threshold counts as right, and decoding stops below it; the fixed policies then stop so too, so that
    `always-large` is the lossless one. With `folds` the train packages are split into so many parts, each tested on
    by routers taught, and points fixed, on the others.
    """
    read_in = [read_all(paths) for paths in (train, test or (), validate or ())]
    kept = [told(rows, *models) for rows in read_in]
    embeds = None if hashed else sentences()
    if folds:
        if test or validate or shown or folder:
            raise ConfigError("With --folds give only --train: every part of it is tested on in turn.")
        small, large = _ends(kept[0], models, ends)
        whole = table(kept[0], small, large, among=models)
        splits = [_fold(whole, models, (number, folds), seed, embeds) for number in range(folds)]
        display = None
    else:
        taught, tried = (kept[0], kept[1]) if test else halves(kept[0], models, seed)
        small, large = _ends(taught, models, ends)
        learn, testing = (table(rows, small, large, among=models) for rows in (taught, tried))
        learn, fixing = (learn, table(kept[2], small, large, among=models)) if validate else _kept_back(learn, seed)
        split = Split(train=learn, validate=fixing, test=testing, models=models, embeds=embeds)
        display = _display(learn, folder)
        _check_apart(split)
        splits = [_as_shown(split, display) if shown else split]
    resampling = Resampling(times=times, seed=seed)
    contestants, left_out = _entered(splits, dict.fromkeys(["random", *routers, "oracle"]), resampling)
    if folder is not None:
        kept_router = opened(folder) if is_kept(folder) else None
        contestants["shipped"] = contestant(kept_router, splits[0]) if kept_router else shipped(folder, splits[0])
    elif routers and not set(routers) - left_out.keys():
        raise ConfigError(" ".join(left_out.values()))
    report = evaluate(together(splits), contestants, resampling, None if shown else display)
    missing = sum(map(len, read_in)) - sum(map(len, kept))
    return report | {"routers_left_out": left_out, "rows_left_out": missing, "folds": folds or None}


def _fold(whole: Table, models: tuple[str, ...], which: tuple[int, int], seed: int, embeds: Embeds | None) -> Split:
    """Return one part of a table's groups to test on, the others to learn from and to fix points on."""
    number, folds = which
    names = np.random.default_rng(seed).permutation(np.unique(whole.groups))
    if len(names) < max(3, folds) or folds < 2:
        raise ConfigError(
            f"{len(names)} groups cannot be split into {folds} folds; the least are 3 groups and 2 folds."
        )
    tested = np.isin(whole.groups, names[number::folds])
    learn, fixing = _kept_back(part(whole, ~tested), seed)
    return Split(train=learn, validate=fixing, test=part(whole, tested), models=models, embeds=embeds)


def _entered(
    splits: Sequence[Split], names: Iterable[str], resampling: Resampling
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return the routers over all folds, and why others are left out."""
    if len(splits) == 1:
        return _made(names, splits[0], resampling.seed)
    made = [_made(names, split, resampling.seed) for split in splits]
    found = {name: [one[name] for one, _ in made] for name in made[0][0]}
    return {name: merged(splits, each, resampling) for name, each in found.items()}, made[0][1]


def _ends(rows: Sequence[Row], models: tuple[str, ...], given: tuple[str | None, str | None]) -> tuple[str, str]:
    if len(set(models)) < len(models) or len(models) < 2:
        raise ConfigError("Name at least two models, none of them twice.")
    absent = [name for name in given if name is not None and name not in models]
    if absent:
        raise ConfigError(f"{' and '.join(absent)} is not among the models {', '.join(models)}.")
    if len(models) == 2:
        small = given[0] or next(name for name in models if name != given[1])
        return small, next(name for name in models if name != small)
    checked = table(rows, models[0], models[1], among=models)

    def mean(model: str, name: str) -> float:
        return float(np.mean([row["outcomes"][model][name] for row in checked.rows]))

    small = given[0] or min(models, key=lambda model: mean(model, "cost"))
    others = [model for model in models if model != small]
    return small, given[1] or max(others, key=lambda model: mean(model, "quality"))


def _as_shown(split: Split, display: Display | None) -> Split:
    parts = (split.train, split.validate, split.test)
    if display is None or not split.of_two or not all(part.can_stop for part in parts):
        raise ConfigError("What is shown can be told only with log p by token, which the tables do not tell.")
    seen = [as_shown(part, display) for part in parts]
    return Split(train=seen[0], validate=seen[1], test=seen[2], models=split.models)


def _made(names: Iterable[str], split: Split, seed: int) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return the routers, and why others are left out."""
    found, left_out = {}, {}
    for name in names:
        try:
            found[name] = make(name, split, seed=seed)
        except LacksEvidenceError as error:
            left_out[name] = str(error)
    return found, left_out


def _kept_back(whole: Table, seed: int) -> tuple[Table, Table]:
    """Split a table by whole groups: two thirds to learn from, one to fix operating points on."""
    names = np.random.default_rng(seed).permutation(np.unique(whole.groups))
    if len(names) < 2:
        raise ConfigError("The train table has only one group, so that none can be kept back: give --validate.")
    back = np.isin(whole.groups, names[: max(1, len(names) // 3)])
    return part(whole, ~back), part(whole, back)


def _display(learn: Table, folder: Path | None) -> Display | None:
    """Return the display thresholds of a trained router, or those that the train table gives; None without log p."""
    if folder is not None and not is_kept(folder):
        return load(folder / "calibration.json").display
    if not learn.can_stop:
        return None
    return Display(
        small=confidence(learn.logprobs("small"), learn.small_quality),
        large=confidence(learn.logprobs("large"), learn.large_quality),
    )


def evaluate(
    split: Split, contestants: dict[str, Contestant], resampling: Resampling, display: Display | None = None
) -> dict[str, Any]:
    """Return the contract's JSON for the routers, with the fixed policies and `random` and `oracle` if given.

    The tables must share no group. `display` gives the thresholds by which `always-large-lossless` stops; without it
    or without log p it is left out. Measures that divide by the gap in quality between the two ends are null where the
    gap's own interval reaches 0.
    """
    test = split.grid(split.test)
    fixed = {
        "always-small": samples(test, always(test, test.small), resampling),
        "always-large": samples(test, always(test, test.large), resampling),
    }
    known = gap_is_known(fixed["always-small"])
    report: dict[str, Any] = _fixed(split, resampling)
    if display is not None and split.of_two and split.test.can_stop:
        lossless = Split(
            train=split.train, validate=split.validate, test=as_shown(split.test, display), models=split.models
        )
        report["always-large-lossless"] = fixed_policy(lossless.grid(lossless.test), test.large, resampling) | {
            "note": "quality: right and shown only"
        }
    judged = {name: judge(split, one, resampling, gap_known=known) for name, one in contestants.items()}
    for name, one in judged.items():
        report[name] = one.report | {"oracle_gap_closed_percent": _oracle_gap_closed(judged, name)}
    of_random = report.get("random", {}).get("saving_vs_interpolated_percent")
    for each in report.values():
        each["saving_vs_interpolated_of_random_percent"] = of_random
    _add_tests(report, judged)
    described = {"test": _described(split.test), "validate": _described(split.validate)}
    return {"kind": "evaluation", "routers": report, "models": _models(split), "gap": _gap(fixed), **described}


def _fixed(split: Split, resampling: Resampling) -> dict[str, Any]:
    """Return every model asked always, the two ends by their part."""
    test = split.grid(split.test)
    names = {test.small: "always-small", test.large: "always-large"}
    columns = [test.small, test.large, *(c for c in range(len(test.models)) if c not in names)]
    found = {names.get(c, f"always-{test.models[c]}"): fixed_policy(test, c, resampling) for c in columns}
    found["always-large"]["saving_at_parity_percent"] = 0.0
    return found


def _check_apart(split: Split) -> None:
    seen = [set(table.groups.tolist()) for table in (split.train, split.validate, split.test)]
    if seen[2] & (seen[0] | seen[1]):
        shared = sorted(seen[2] & (seen[0] | seen[1]))
        first = ", ".join(shared[:3]) + (", …" if len(shared) > 3 else "")
        raise ConfigError(
            f"The test table shares groups with the others ({len(shared)} of {len(seen[2])}: {first}): split by"
            " whole packages."
        )


def _described(table: Table) -> dict[str, Any]:
    return {"rows": len(table), "groups": len(np.unique(table.groups)), "cost_unit": table.cost_unit}


def _models(split: Split) -> dict[str, Any]:
    return {"small": split.test.small, "large": split.test.large, "all": list(split.models)}


def _gap(fixed: dict[str, list[Sample]]) -> dict[str, Any]:
    """Return the interval of the gap in quality between the two ends; shares of it mean nothing where it reaches 0."""
    found = interval([one.ends.large_quality - one.ends.small_quality for one in fixed["always-small"]])
    return {"ci95": found, "known": gap_is_known(fixed["always-small"])}


def _oracle_gap_closed(judged: dict[str, Judged], name: str) -> Number:
    """Return how much of the way from random to the oracle a router goes, by area over the cost position."""
    if not {"random", "oracle"} <= judged.keys():
        return None
    low, high, value = (cost_area(judged[key].whole) for key in ("random", "oracle", name))
    return 100.0 * (value - low) / (high - low) if high > low else None


def _add_tests(report: dict[str, Any], judged: dict[str, Judged]) -> None:
    """Add to each router the difference of its area over the cost position from the coin's, paired by resample.

    `p_holm` is corrected for all routers tested here but the oracle.
    """
    if AGAINST not in judged:
        return
    base = [cost_area(one) for one in judged[AGAINST].drawn]
    apart = {
        name: [cost_area(one) - low for one, low in zip(found.drawn, base, strict=True)]
        for name, found in judged.items()
        if name not in {AGAINST, "oracle"}
    }
    p_values: dict[str, Number] = {name: p_value(differences) for name, differences in apart.items()}
    corrected = holm(p_values)
    for name, differences in apart.items():
        value = cost_area(judged[name].whole) - cost_area(judged[AGAINST].whole)
        report[name]["paired"] = {
            "against": AGAINST,
            "quality_over_cost_position": value,
            "ci95": interval(differences),
            "p": p_values[name],
            "p_holm": corrected[name],
        }
