"""`python -m jouline.lab.exits`: traces, training, operating points and measurement of the exit agent, in one go."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jouline.engine.exit import ExitAgent, ExitPoint
from jouline.errors import JoulineError
from jouline.lab.exits import points as choosing
from jouline.lab.exits.bench import Bench, open_bench
from jouline.lab.exits.learn import Agent, train
from jouline.lab.exits.measure import measure, own_cost, rows, ways
from jouline.lab.exits.replay import (
    BINS,
    Chooser,
    Prices,
    QualityOracle,
    agreement_oracle,
    plain_cost,
    replay,
    table_rule,
)
from jouline.lab.exits.report import as_text, plot
from jouline.lab.exits.speed import speed
from jouline.lab.exits.traces import Floats, Traces, collect
from jouline.lab.packages import fetch
from jouline.lab.places import sources
from jouline.lab.retype import Block, blocks

PRICES = (0.003, 0.006, 0.012, 0.025)  # right texts that a plain token of the large model is worth
MARGINS = (0.01, 0.03)  # right texts lost at which the margin rule is measured
_DEPTH = 400  # tokens of context at which passes are priced


def main() -> int:
    """Run every step; traces that are there are kept."""
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    with open_bench() as bench:
        if given.drafts:
            drawn = _blocks(given, "test", given.test_blocks)
            print(json.dumps(speed(bench, drawn, seed=given.seed, tell=_counter("blocks", len(drawn)))))  # noqa: T201
        else:
            _run(bench, given)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/train_exit", description="Train and measure the exit agent.")
    parser.add_argument("--folder", type=Path, required=True, help="where traces are kept")
    parser.add_argument(
        "--packages", type=Path, required=True, help="where packages are kept (see `jouline lab packages`)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the agent, for the product")
    parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="where table, figures and plot go")
    parser.add_argument("--train-blocks", type=int, default=6, help="blocks a package to train on")
    parser.add_argument("--validate-blocks", type=int, default=10, help="blocks a package to choose points on")
    parser.add_argument("--test-blocks", type=int, default=10, help="blocks a package to replay rules on")
    parser.add_argument("--measured-blocks", type=int, default=10, help="of those, how many to time")
    parser.add_argument("--drafts", action="store_true", help="only measure what drafts gain, and print it as JSON")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _run(bench: Bench, given: argparse.Namespace) -> None:
    prices = _prices(bench, given)
    training = _traces(bench, given, "train", given.train_blocks)
    validation = _traces(bench, given, "validate", given.validate_blocks)
    trained = _train(training, prices, given.seed)
    agent, margin = choosing.agents(trained, validation, prices), choosing.margins(validation, prices)
    chosen = choosing.points(agent, margin, lossless=1.0)
    baseline = [(loss, choosing.cheapest(margin, loss)) for loss in MARGINS]
    drawn = _blocks(given, "test", given.measured_blocks)
    report = {
        "weights": _weights(bench),
        "prices": asdict(prices),
        "places": {"train": len(training.length), "validate": len(validation.length)},
        "validation": {"agent": choosing.as_rows(agent), "margin": choosing.as_rows(margin)},
        "replayed": _replayed(
            _traces(bench, given, "test", given.test_blocks),
            prices,
            {f"agent {point.energy_saving}": choosing.table_of(point) for point in chosen}
            | {f"margin {loss * 100:g}": (found.table, found.bias) for loss, found in baseline if found},
        ),
        "own_cost": own_cost(bench, drawn, chosen[-1] if chosen else choosing.point(margin[0], 100)),
        "ways": _measured(bench, drawn, [(loss, found) for loss, found in baseline if found], chosen, given.seed),
    }
    _write(bench, given, chosen, report)


def _prices(bench: Bench, given: argparse.Namespace) -> Prices:
    """Return what passes cost here, measured once, so that training again gives the same."""
    made_of = hashlib.sha256(json.dumps(_weights(bench)).encode()).hexdigest()[:12]
    path = given.folder / f"prices-{made_of}.json"
    if not path.exists():
        measured = Prices.of(bench.two_stage.costs_at(min(_DEPTH, bench.capacity)))
        path.write_text(json.dumps(asdict(measured)) + "\n", encoding="utf-8")
    return Prices(**json.loads(path.read_text(encoding="utf-8")))


def _train(training: Traces, prices: Prices, seed: int) -> list[Agent]:
    trained: list[Agent] = []
    for price in PRICES:
        trained.append(train(training, prices, price=price, seed=seed, start=trained[-1] if trained else None))
        _say(f"trained at a price of {price}")
    return trained


def _measured(
    bench: Bench,
    drawn: Sequence[Block],
    baseline: Sequence[tuple[float, choosing.Candidate]],
    chosen: Sequence[ExitPoint],
    seed: int,
) -> list[dict[str, Any]]:
    margin = [(loss * 100, choosing.point(found, 100)) for loss, found in baseline]
    asked = ways(bench, margin, chosen)
    tallies = measure(bench, drawn, asked, seed=seed, tell=_counter("blocks measured", len(drawn)))
    return rows(asked, tallies, drawn, seed=seed)


def _replayed(traces: Traces, prices: Prices, rules: Mapping[str, tuple[Floats, float]]) -> list[dict[str, Any]]:
    """Return what the traces say of the rules, and of those that know what they cannot."""
    nothing = np.zeros(BINS)
    named: dict[str, Chooser] = {
        "always-back": table_rule(nothing, -1.0),
        "always-front": table_rule(nothing, 1.0),
        "oracle: exits where both agree": agreement_oracle,
        "oracle: exits where nothing right is lost": QualityOracle(traces),
    }
    named |= {name: table_rule(table, bias) for name, (table, bias) in rules.items()}
    whole = plain_cost(traces, prices).sum()
    found = {name: replay(traces, prices, rule) for name, rule in named.items()}
    return [
        {"way": name, "cost": float(each.cost.sum() / whole), "right": float(each.quality.mean())}
        for name, each in found.items()
    ]


def _write(bench: Bench, given: argparse.Namespace, chosen: tuple[ExitPoint, ...], report: dict[str, Any]) -> None:
    made_from = {"places": report["places"], "prices": report["prices"], "command": "scripts/train_exit"}
    ExitAgent(weights=_weights(bench), points=chosen, made_from=made_from).save(given.out)
    given.report.mkdir(parents=True, exist_ok=True)
    (given.report / "exits.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (given.report / "exits.md").write_text(as_text(report) + "\n", encoding="utf-8")
    plot(report, given.report / "exits.png")
    print(as_text(report))  # noqa: T201  what was asked for


def _weights(bench: Bench) -> dict[str, str | None]:
    return {"small": bench.card.small.sha256, "large": bench.card.large.sha256}


def _traces(bench: Bench, given: argparse.Namespace, part: str, per_group: int) -> Traces:
    made_of = json.dumps([_weights(bench), part, per_group, given.seed])
    path = given.folder / f"{part}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.npz"
    if not path.exists():
        drawn = _blocks(given, part, per_group)
        collect(bench, drawn, tell=_counter(f"blocks traced to {part}", len(drawn))).save(path)
    return Traces.load(path)


def _blocks(given: argparse.Namespace, part: str, per_group: int) -> list[Block]:
    return blocks(sources(fetch(part, given.packages)), per_group=per_group, seed=given.seed)


def _counter(what: str, total: int) -> Callable[[int], None]:
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if done % 20 == 0 or done == total:
            _say(f"{done} of {total} {what}")

    return tell


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  progress


if __name__ == "__main__":
    try:
        sys.exit(main())
    except JoulineError as error:
        sys.exit(str(error))
