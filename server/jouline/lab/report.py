"""An evaluation as text: Markdown tables for the terminal and for the log."""

from collections.abc import Sequence
from typing import Any

_OTHER_QUALITY = "always-large-lossless"  # right and shown only: it would look worse than it is beside the others
_POINTS = (25, 50, 75)
_METRICS = (
    "auc",
    "apgr",
    "cost_apgr",
    "saving_at_validated_parity_percent",
    "parity_shown",
    "saving_vs_interpolated_percent",
    "oracle_gap_closed_percent",
    "route_ms_p95",
)


def as_text(report: dict[str, Any]) -> str:
    """Return the evaluation as Markdown: fixed policies, each router's points against the line, the metrics."""
    unit = report["test"]["cost_unit"]
    found = {name: each for name, each in report["routers"].items() if name != _OTHER_QUALITY}
    always = [name for name in found if name.startswith("always-")]
    routers = {name: each for name, each in found.items() if name not in always}
    models = report["models"]
    size = f"{report['test']['rows']} rows of {report['test']['groups']} groups"
    lines = [
        f"{size}, {models['small']} to {models['large']}; [95 % bootstrap over groups].",
        "",
        f"| policy | energy saving | right % | mean {unit} | other than the small model % | above the line, points |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_always_row(name, found[name]) for name in always),
        *(_point_row(name, each["curve"][at]) for name, each in routers.items() for at in _POINTS),
        "",
        f"| router | {' | '.join(_METRICS)} | over a coin, p (Holm) |",
        f"|{' --- |' * (len(_METRICS) + 2)}",
        *(_metric_row(name, each) for name, each in routers.items()),
    ]
    return "\n".join(lines)


def sequence_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return a retyping as Markdown."""
    lines = [
        "| policy | energy saving | right % | mean cpu_seconds | large share % | above the line, points |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        quality = _with_interval(row["quality"], row["ci95"]["quality"], 100, "{:.1f}")
        cost = _with_interval(row["cpu_seconds"], row["ci95"]["cpu_seconds"], 1, "{:.4g}")
        above = _with_interval(row["above_line"], row["ci95"]["above_line"], 100, "{:+.2f}")
        head = f"| {row['policy']} | {row['energy_saving']} |"
        lines.append(f"{head} {quality} | {cost} | {100 * row['share_large']:.0f} | {above} |")
    return "\n".join(lines)


def excerpts_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return what pieces of other files are worth as Markdown."""
    lines = [
        f"{rows[0]['places']} places; gains in points over {rows[0]['gatherers']} [95 % bootstrap over packages].",
        "",
        "| shown | small right % | gain | large right % | gain | prompt tokens | CPU ms, both | gathering ms, p95 |",
        f"|{' --- |' * 8}",
    ]
    for row in rows:
        both = " | ".join(
            f"{100 * row[f'{tier}_right']:.1f} | "
            + _with_interval(row[f"{tier}_gain"], row[f"{tier}_gain_ci95"], 100, "{:+.1f}")
            for tier in ("small", "large")
        )
        cost = f"{row['prompt_tokens']:.0f} | {1e3 * row['cpu_seconds']:.0f} | {row['gather_cpu_ms_p95']:.1f}"
        lines.append(f"| {row['gatherers']} | {both} | {cost} |")
    return "\n".join(lines)


def simulation_text(report: dict[str, Any]) -> str:
    """Return a simulation as Markdown."""
    log = report["log"]
    size = f"{log['events']} events of {log['queries']} queries, {len(log['models'])} models"
    frozen_columns = "frozen, doubly robust | SNIPS | IPS | regret, doubly robust | p over random (Holm)"
    lines = [
        f"{size}; logged mean reward {log['mean_reward']:.4f}; [95 % bootstrap over queries].",
        "",
        f"| policy | {frozen_columns} | learning, by replay | regret | matched |",
        f"|{' --- |' * 9}",
    ]
    for name, found in report["policies"].items():
        frozen = [_reward(found[kind]) for kind in ("doubly_robust", "snips", "ips")]
        p_value = found.get("paired", {}).get("p_holm")
        replay = found.get("replay")
        learning = [_reward(replay), _regret(replay), str(replay["matched"])] if replay else ["", "", ""]
        cells = [*frozen, _regret(found["doubly_robust"]), "" if p_value is None else f"{p_value:.3g}", *learning]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _reward(found: dict[str, Any]) -> str:
    return _with_interval(found["mean_reward"], found["ci95"], 1, "{:.4f}")


def _regret(found: dict[str, Any]) -> str:
    return _with_interval(found["mean_regret"], found.get("regret_ci95"), 1, "{:.4f}")


def floor_text(report: dict[str, Any]) -> str:
    """Return a trial of the quality floor as Markdown."""
    saved = report["saved_vs_always_large_percent"]
    cells = _with_interval(saved["mean"], saved["range95"], 1, "{:.1f}")
    runs = f"{report['runs']} runs of {report['requests']} requests, bound {100 * report['bound']:.2f} %"
    seen = f"quality seen of {100 * report['seen']:.0f} % of the answers"
    lines = [
        f"{runs}, {seen}; the small model's failures {report['harder']:g} times as likely in the second half.",
        "",
        "| part | mean quality % [95 % of runs] | not below the bound less 1 point | within 1 point |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in report["quality"].items():
        quality = _with_interval(found["mean"], found["range95"], 100, "{:.2f}")
        not_below = 100 * report["runs_not_below_bound_less_a_point"][name]
        within = 100 * report["runs_within_a_point_of_bound"][name]
        lines.append(f"| {name.replace('_', ' ')} | {quality} | {not_below:.1f} % of runs | {within:.1f} % |")
    lines += ["", f"Saved against always-large: {cells} %; large model asked for {100 * report['share_large']:.0f} %."]
    return "\n".join(lines)


def _always_row(name: str, found: dict[str, Any]) -> str:
    quality = _with_interval(found["quality"], found["ci95"]["quality"], 100, "{:.1f}")
    cost = _with_interval(found["cost"], found["ci95"]["cost"], 1, "{:.4g}")
    return f"| {name} | | {quality} | {cost} | {100 * found['share_large']:.0f} | |"


def _point_row(name: str, point: dict[str, Any]) -> str:
    quality = _with_interval(point["quality"], point["ci95"]["quality"], 100, "{:.1f}")
    cost = _with_interval(point["cost"], point["ci95"]["cost"], 1, "{:.4g}")
    above = _with_interval(point["above_line"], point["ci95"]["above_line"], 100, "{:+.2f}")
    share = f"{100 * point['share_large']:.0f}"
    return f"| {name} | {point['energy_saving']} | {quality} | {cost} | {share} | {above} |"


def _metric_row(name: str, found: dict[str, Any]) -> str:
    cells = []
    for metric in _METRICS:
        value, interval = found.get(metric), found["ci95"].get(metric.replace("_validated", ""))
        if isinstance(value, bool):
            cells.append("yes" if value else "no")
        else:
            cells.append(_with_interval(value, interval, 1, "{:.3g}"))
    paired = found.get("paired")
    p_value = None if paired is None else paired["p_holm"]
    return f"| {name} | {' | '.join(cells)} | {'' if p_value is None else format(p_value, '.3g')} |"


def _with_interval(value: float | None, interval: list[float | None] | None, scale: float, form: str) -> str:
    if value is None:
        return "unknown"
    text = form.format(scale * value)
    if not interval or None in interval:
        return text
    low, high = (form.format(scale * end) for end in interval if end is not None)
    return f"{text} [{low}, {high}]"
