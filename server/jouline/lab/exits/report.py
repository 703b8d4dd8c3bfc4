"""What the bench of exits found, as text and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COLOURS = {
    "margin": "tab:orange",
    "agent": "tab:blue",
    "always-back": "black",
    "drafts": "tab:green",
    "always-front": "tab:red",
}


def as_text(report: Mapping[str, Any]) -> str:
    """Return the table in Markdown: brackets are 95 % intervals over packages."""
    lines = [
        "| way | CPU ms a place | cost against the best lossless | right % | points lost | exited % | same text % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["ways"]:
        best = " (best lossless)" if row["lossless"] else ""
        columns = [
            f"{row['way']}{best}",
            _with(row, "cpu_ms", 1, 2),
            _with(row, "cost", 1, 3),
            _with(row, "right", 100, 1),
            _with(row, "lost", 100, 1),
            f"{row['exited'] * 100:.0f}",
            f"{row['same_text'] * 100:.1f}",
        ]
        lines.append(f"| {' | '.join(columns)} |")
    lines += [
        "",
        "On traces, in plain tokens of the large model, prompts of every place new tokens' catch-up included:",
        "",
    ]
    lines += ["| way | cost | right % |", "| --- | --- | --- |"]
    lines += [f"| {row['way']} | {row['cost']:.3f} | {row['right'] * 100:.1f} |" for row in report["replayed"]]
    own = report["own_cost"]
    table, lead, share = own["rule_s"] * 1e6, own["lead_s"] * 1e6, own["share"] * 100
    lines += ["", f"The agent: {table:.1f} us a token, {lead:.1f} us for the lead, {share:.2f} % of a plain token."]
    return "\n".join(lines)


def _with(row: Mapping[str, Any], name: str, factor: float, digits: int) -> str:
    low, high = row["ci95"][name]
    if low is None or high is None:
        return f"{row[name] * factor:.{digits}f}"
    return f"{row[name] * factor:.{digits}f} [{low * factor:.{digits}f}, {high * factor:.{digits}f}]"


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw exact match over cost."""
    from matplotlib.figure import Figure  # noqa: PLC0415  heavy, and of the extra `lab`

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for family, colour in _COLOURS.items():
        rows = sorted((row for row in report["ways"] if row["family"] == family), key=lambda row: row["cost"])
        if rows:
            _curve(axes, rows, family, colour)
    axes.set_xlabel("CPU-seconds, against the best lossless decoding")
    axes.set_ylabel("rest of the line exactly right, %")
    axes.legend()
    figure.savefig(path, dpi=120)


def _curve(axes: Any, rows: Sequence[Mapping[str, Any]], family: str, colour: str) -> None:
    x, y = [row["cost"] for row in rows], [row["right"] * 100 for row in rows]
    axes.plot(x, y, "o-", color=colour, label=family)
    for row, across, up in zip(rows, x, y, strict=True):
        low, high = row["ci95"]["cost"]
        if low is not None:
            axes.plot([low, high], [up, up], color=colour, alpha=0.3)
        if row["setting"] is not None:
            axes.annotate(f"{row['setting']:g}", (across, up), textcoords="offset points", xytext=(4, 4), fontsize=7)
