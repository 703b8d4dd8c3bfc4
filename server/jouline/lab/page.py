"""One self-contained HTML page over any number of runs of the bench, and its plots as PNG files."""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jouline.errors import ConfigError
from jouline.lab.plots import DRAWN, INK, MUTED, PAPER, SERIES, Plot, plots, png, svg
from jouline.lab.report import as_text, floor_text, simulation_text

_TEXTS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "evaluation": as_text,
    "simulation": simulation_text,
    "floor": floor_text,
}
_SERIES_DARK = (
    "#6cb0ff", "#ff9a5c", "#5fd38a", "#b79bff", "#ff86bd", "#5cd0e3",
    "#e6c257", "#a3adff", "#9bd56b", "#f2a27e", "#e28df0", "#a9b6c6",
)  # fmt: skip


def write_page(runs: Sequence[Path], folder: Path) -> Path:
    """Write `index.html` and the PNG files of all runs into a folder; returns the page's path.

    A run is what `evaluate`, `simulate` or `floor` printed with `--json`. Raises `ConfigError` for anything else.
    """
    reports = {run: _read(run) for run in runs}
    names = _names(list(reports))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sections = []
        for name, report in zip(names, reports.values(), strict=True):
            drawn = plots(report)
            for plot in drawn:
                (folder / f"{name}-{plot.name}.png").write_bytes(png(plot.figure))
            sections.append(_section(name, report, drawn))
        page = folder / "index.html"
        page.write_text(_page(names, sections), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The report cannot be written to {folder} ({error.strerror}).") from error
    return page


def _read(run: Path) -> dict[str, Any]:
    try:
        report = json.loads(run.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no run at {run}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The run {run} cannot be read ({error}).") from error
    if not isinstance(report, dict) or report.get("kind") not in DRAWN:
        raise ConfigError(
            f"{run} is no run: give what `jouline lab evaluate`, `simulate` or `floor` prints with --json."
        )
    return report


def _names(runs: Sequence[Path]) -> list[str]:
    """Return a name for each run, its file's, numbered where two are alike."""
    stems = [run.stem for run in runs]
    return [stem if stems.count(stem) == 1 else f"{stem}-{at}" for at, stem in enumerate(stems, 1)]


def _section(name: str, report: dict[str, Any], drawn: Sequence[Plot]) -> str:
    figures = "\n".join(_figure(name, number, plot) for number, plot in enumerate(drawn))
    labels = {key: found["label"] for key, found in _parts(report).items() if found.get("label")}
    told = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(label)}</dd>" for key, label in labels.items())
    what_ran = f"<details><summary>What was run</summary><dl>{told}</dl></details>" if told else ""
    title = html.escape(name)
    tables = _tables(_TEXTS[report["kind"]](report))
    return f'<section id="{title}"><h2>{title}</h2>\n{figures}\n{tables}\n{what_ran}</section>'


def _parts(report: dict[str, Any]) -> dict[str, Any]:
    return dict(report.get("routers") or report.get("policies") or {})


def _figure(name: str, number: int, plot: Plot) -> str:
    prefix = f"{''.join(letter if letter.isalnum() else '-' for letter in name)}-{number}"
    drawing = svg(plot.figure, prefix, html.escape(plot.title))
    caption = f"<figcaption><strong>{html.escape(plot.title)}.</strong> {html.escape(plot.says)}</figcaption>"
    return f"<figure>{drawing}{caption}</figure>"


def _tables(markdown: str) -> str:
    """Return Markdown of paragraphs and tables as HTML."""
    return "\n".join(_block(block) for block in markdown.split("\n\n"))


def _block(block: str) -> str:
    if not block.startswith("|"):
        return f"<p>{html.escape(block)}</p>"
    head, _, *body = (_cells(line) for line in block.split("\n"))
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body)
    columns = "".join(f"<th>{cell}</th>" for cell in head)
    return f'<div class="wide"><table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cells(line: str) -> list[str]:
    return [html.escape(cell.strip()) for cell in line.strip().strip("|").split("|")]


def _page(names: Sequence[str], sections: Sequence[str]) -> str:
    links = "".join(f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name in names)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Jouline bench</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        f"<header><h1>Jouline bench</h1><nav>{links}</nav></header>\n<main>\n" + "\n".join(sections) + "\n</main>\n"
        "</body>\n</html>\n"
    )


def _variables(ink: str, muted: str, paper: str, card: str, series: Sequence[str]) -> str:
    colours = "".join(f"--series-{number}:{colour};" for number, colour in enumerate(series))
    return f"--ink:{ink};--muted:{muted};--paper:{paper};--card:{card};{colours}"


def _style() -> str:
    light = _variables(INK, MUTED, PAPER, "#eef1f5", SERIES)
    dark = _variables("#e6e9ee", "#98a2b0", "#14171c", "#1d2229", _SERIES_DARK)
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
        "header,main{max-width:72rem;margin:0 auto;padding:1rem 1.25rem}"
        "h1{margin:.5rem 0;font-size:1.6rem}h2{margin:2.5rem 0 1rem;font-size:1.25rem}"
        "nav{display:flex;flex-wrap:wrap;gap:.5rem 1rem}a{color:var(--series-0)}"
        "figure{margin:0 0 1.5rem;padding:1rem;background:var(--paper);border:1px solid var(--card);border-radius:8px}"
        "section{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:0 1.25rem}"
        "section>h2,section>p,section>.wide,section>details{grid-column:1/-1}"
        "figcaption{color:var(--muted);font-size:.9rem;margin-top:.5rem}"
        "svg{width:100%;height:auto;display:block}svg text{font-family:inherit!important}"
        ".wide{overflow-x:auto;margin-bottom:1.5rem}"
        "table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;white-space:nowrap}"
        "th,td{padding:.3rem .7rem;text-align:left;border-bottom:1px solid var(--card)}"
        "thead th{position:sticky;top:0;background:var(--card)}"
        "details{margin-bottom:1rem}summary{cursor:pointer}"
        "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.9rem}"
        "dt{font-weight:600}dd{margin:0}"
        "@media print{nav{display:none}figure{break-inside:avoid}}"
    )
