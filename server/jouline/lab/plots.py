"""Plots of the bench's reports: each a figure in two inks that a page can colour, light or dark, and a PNG."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

# Stand-ins: in the page each becomes a CSS variable, in a PNG they are what they are.
INK, MUTED, PAPER = "#1b1f24", "#6b7480", "#fdfdfe"
SERIES = (
    "#0b66c3", "#c2410c", "#15803d", "#7c3aed", "#b91c6b", "#0e7490",
    "#a16207", "#4d5bd0", "#3f7d20", "#9a3412", "#86198f", "#475569",
)  # fmt: skip
VARIABLES: Mapping[str, str] = {
    INK: "--ink",
    MUTED: "--muted",
    PAPER: "--paper",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES)},
}
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
_SIZE, _WIDE = (7.2, 4.6), (7.2, 5.2)
_DPI = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawn figure: `name` is its file's, `title` and `says` stand beside it in the page."""

    name: str
    title: str
    says: str
    figure: Figure


def svg(figure: Figure, prefix: str, label: str) -> str:
    """Return a figure for inside a page: colours are the page's variables, ids begin with `prefix`, no XML header.

    `label` is what a reader of the screen says.
    """
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1).replace(
        "<svg", f'<svg role="img" aria-label="{label}"', 1
    )


def png(figure: Figure) -> bytes:
    """Return a figure as PNG on light paper."""
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out)
    return out.getvalue()


def _axes(across: str, up: str, size: tuple[float, float] = _SIZE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=_DPI, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.tick_params(which="both", colors=MUTED, labelcolor=INK)
    axes.grid(visible=True, color=MUTED, alpha=0.18, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    rows = len(axes.get_legend_handles_labels()[0])
    figure.legend(
        loc="outside lower center", ncols=min(4, max(1, rows)), frameon=False, labelcolor=INK, fontsize="small"
    )


def _style(number: int) -> dict[str, Any]:
    return {"color": SERIES[number % len(SERIES)], "linestyle": _DASHES[number // len(SERIES) % len(_DASHES)]}


def routers_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the routers of an evaluation that have a curve: neither fixed policies nor coin and oracle."""
    left_out = {"random", "oracle"}
    found = report["routers"].items()
    return {name: each for name, each in found if name not in left_out and not name.startswith("always-")}


def fronts(report: Mapping[str, Any]) -> Plot:
    """Return quality over cost: every router's points, the line between the ends, the coin, the oracle."""
    figure, axes = _axes(f"mean cost, {report['test']['cost_unit']}", "mean quality, %", _WIDE)
    small, large = report["routers"]["always-small"], report["routers"]["always-large"]
    line = [(small["cost"], small["quality"]), (large["cost"], large["quality"])]
    axes.plot([x for x, _ in line], [100 * y for _, y in line], color=MUTED, linestyle=":", label="interpolated line")
    for name, dashes in (("random", (0, (2, 2))), ("oracle", "-")):
        if name in report["routers"]:
            _front(axes, report["routers"][name], {"color": INK, "linestyle": dashes, "alpha": 0.75}, name)
    for number, (name, found) in enumerate(routers_of(report).items()):
        _front(axes, found, _style(number), name)
    for name, found in report["routers"].items():
        if name.startswith("always-") and name != "always-large-lossless":
            _cross(axes, name, found)
    _legend(figure, axes)
    says = (
        "Each router at its 101 operating points, fixed on validation rows. A point above the dotted line is better "
        "than a random mix of the two ends that costs the same. Crosses: one model always, with 95 % intervals."
    )
    return Plot(name="fronts", title="Quality and cost", says=says, figure=figure)


def _front(axes: Axes, found: Mapping[str, Any], style: Mapping[str, Any], label: str) -> None:
    points = sorted((point["cost"], point["quality"]) for point in found["curve"])
    axes.plot([x for x, _ in points], [100 * y for _, y in points], linewidth=1.4, label=label, **style)


def _cross(axes: Axes, name: str, found: Mapping[str, Any]) -> None:
    at, known = (found["cost"], 100 * found["quality"]), found["ci95"]
    axes.errorbar(
        *at, xerr=_bars(found["cost"], known["cost"], 1), yerr=_bars(found["quality"], known["quality"], 100),
        color=INK, fmt="x", capsize=2, linewidth=0.8,
    )  # fmt: skip
    axes.annotate(name.removeprefix("always-"), at, (5, 5), textcoords="offset points", color=INK, fontsize="x-small")


def _bars(value: float, interval: Sequence[float | None], scale: float) -> list[list[float]] | None:
    low, high = interval
    if low is None or high is None:
        return None
    return [[max(0.0, scale * (value - low))], [max(0.0, scale * (high - value))]]


def calibration(report: Mapping[str, Any]) -> Plot | None:
    """Return told against true chances that the small model is right; None where no router tells one."""
    told = {name: found["calibration"] for name, found in report["routers"].items() if found.get("calibration")}
    if not told:
        return None
    figure, axes = _axes("told chance that the small model is right", "share that is right")
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", label="perfect")
    for number, (name, found) in enumerate(told.items()):
        bins = found["bins"]
        label = f"{name} (error {found['expected_error']:.3f})"
        axes.plot([b["told"] for b in bins], [b["true"] for b in bins], marker="o", ms=3, label=label, **_style(number))
    _legend(figure, axes)
    says = "Ten bins of equal size. The expected calibration error is the mean distance from the diagonal."
    return Plot(name="calibration", title="Calibration", says=says, figure=figure)


def overhead(report: Mapping[str, Any]) -> Plot | None:
    """Return what choosing takes, by router, on a logarithmic axis; None where nothing was timed."""
    timed = {name: found["route_ms_p95"] for name, found in routers_of(report).items() if found["route_ms_p95"]}
    if not timed:
        return None
    figure, axes = _axes("processor time of a choice, 95th percentile, ms", "")
    names = sorted(timed, key=lambda name: timed[name], reverse=True)
    bars = axes.barh(names, [timed[name] for name in names], color=SERIES[0], height=0.6)
    axes.bar_label(bars, fmt="%.2g", padding=3, color=INK, fontsize="small")
    axes.set_xscale("log")
    for formatted in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatted(StrMethodFormatter("{x:g}"))
    axes.margins(x=0.15)
    says = "Describing the query and choosing, on one thread of this machine, one query at a time."
    return Plot(name="overhead", title="Overhead of the routers", says=says, figure=figure)


def shares(report: Mapping[str, Any]) -> Plot | None:
    """Return which model answers at half the energy saving, by router; None without routers."""
    routers = routers_of(report)
    if not routers:
        return None
    figure, axes = _axes("share of the queries, %", "")
    names = list(routers)[::-1]
    parts = {name: _routes(report, routers[name]["curve"][50]) for name in names}
    left = dict.fromkeys(names, 0.0)
    for number, route in enumerate(dict.fromkeys(route for each in parts.values() for route in each)):
        widths = [100 * parts[name].get(route, 0.0) for name in names]
        axes.barh(names, widths, left=[left[name] for name in names], color=SERIES[number], height=0.6, label=route)
        left = {name: left[name] + width for name, width in zip(names, widths, strict=True)}
    axes.set_xlim(0, 100)
    _legend(figure, axes)
    says = "At energy saving 50. Escalated: the small model's draft was written first, and paid for."
    return Plot(name="shares", title="Share by route", says=says, figure=figure)


def _routes(report: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, float]:
    if "share_by_model" in point:
        return dict(point["share_by_model"])
    models = report["models"]
    small = 1.0 - point["share_direct"] - point["share_escalated"]
    large = {models["large"]: point["share_direct"], f"{models['large']}, escalated": point["share_escalated"]}
    return {models["small"]: small} | {route: share for route, share in large.items() if share}


def regret(report: Mapping[str, Any]) -> Plot | None:
    """Return the regret that has run up while a policy learns, with its band; None where no optimum is logged."""
    curves = {name: found["replay"]["curve"] for name, found in report["policies"].items() if found.get("replay")}
    if not any(curves.values()):
        return None
    figure, axes = _axes("choices that the log could answer", "regret so far", _WIDE)
    for number, (name, rows) in enumerate(curves.items()):
        style = {"color": INK, "linestyle": (0, (2, 2))} if name == "random" else _style(number)
        steps = [row["step"] for row in rows]
        axes.plot(steps, [row["regret"] for row in rows], label=name, **style)
        band = [row["low"] for row in rows], [row["high"] for row in rows]
        axes.fill_between(steps, *band, color=style["color"], alpha=0.1, linewidth=0)
    _legend(figure, axes)
    says = "Replay: only what a policy chose as the log did is counted and learnt from. Bands hold 95 % of the replays."
    return Plot(name="regret", title="Regret while learning", says=says, figure=figure)


def rewards(report: Mapping[str, Any]) -> Plot:
    """Return the mean reward of each frozen policy by the doubly robust estimate, with intervals."""
    figure, axes = _axes("mean reward, doubly robust, 95 % interval", "")
    told = {name: found["doubly_robust"] for name, found in report["policies"].items()}
    names = sorted(told, key=lambda name: told[name]["mean_reward"])
    for row, name in enumerate(names):
        value, known = told[name]["mean_reward"], told[name]["ci95"]
        axes.errorbar(value, row, xerr=_bars(value, known, 1), fmt="o", color=SERIES[0], capsize=3)
    axes.set_yticks(range(len(names)), names)
    optimum = report["log"]["mean_optimal_reward"]
    if optimum is not None:
        axes.axvline(optimum, color=MUTED, linestyle=":", label="best that was to be had")
        _legend(figure, axes)
    says = "Learnt from the logged events of other queries, then frozen; valued on queries not seen, in five folds."
    return Plot(name="rewards", title="Mean reward of frozen policies", says=says, figure=figure)


def kept(report: Mapping[str, Any]) -> Plot:
    """Return mean quality over the streams of a floor's trial, in all and in either half, against the bound."""
    figure, axes = _axes("mean quality, %, 95 % of the runs", "")
    names = list(report["quality"])[::-1]
    for row, name in enumerate(names):
        found = report["quality"][name]
        bars = _bars(found["mean"], found["range95"], 100)
        axes.errorbar(100 * found["mean"], row, xerr=bars, fmt="o", color=SERIES[0], capsize=3)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.margins(y=0.3)
    axes.axvline(100 * report["bound"], color=INK, label="bound")
    axes.axvline(100 * report["bound"] - 1, color=MUTED, linestyle=":", label="1 point below it")
    _legend(figure, axes)
    says = "Seeded streams drawn from the test rows; the small model fails more often in the second half."
    return Plot(name="floor", title="The quality floor", says=says, figure=figure)


DRAWN: Mapping[str, Sequence[Callable[[Mapping[str, Any]], Plot | None]]] = {
    "evaluation": (fronts, calibration, overhead, shares),
    "simulation": (rewards, regret),
    "floor": (kept,),
}


def plots(report: Mapping[str, Any]) -> list[Plot]:
    """Return the plots of a report of any kind."""
    drawn = (draw(report) for draw in DRAWN[report["kind"]])
    return [plot for plot in drawn if plot is not None]
