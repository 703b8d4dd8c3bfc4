"""The report of a replay as a person reads it."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from jouline.units import format_energy

_LABELS = {
    "route": "by the small model",
    "exit": "by leaving early",
    "stop": "by stopping early",
    "drafts": "by drafts",
}


def summary(report: Mapping[str, Any]) -> Table:
    """Return the report (`report_fields`) as a table of two columns; an estimate has a `~`, the unknown a dash."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in (*_typing(report), *_answers(report), *_energy(report)):
        table.add_row(label, value)
    return table


def _typing(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    saved = _percent(report["keystrokes_saved_percent"])
    taken = f"{report['accepted']} accepted ({report['accepted_chars']} characters)"
    return [
        ("typed", f"{report['chars']} characters in {_many(report['files'], 'file')}"),
        ("keystrokes", f"{report['keystrokes']}, without suggestions {report['keystrokes_unaided']}: {saved} saved"),
        ("suggestions", f"{report['shown']} shown, {taken}"),
    ]


def _answers(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    parts = [f"{name} {count}" for name, count in report["by_model"].items()]
    parts += [f"cache {report['cache_hits']}", f"skipped {report['skipped']}", f"stopped {report['cancelled']}"]
    rows = [("requests", f"{report['requests']}: {', '.join(parts)}")]
    for source, spread in report["latency_ms"].items():
        if spread is not None:
            engine = report["engine_latency_ms"][source]
            text = f"p50 {spread['p50']:.0f} ms, p95 {spread['p95']:.0f} ms; engine alone "
            rows.append((f"latency, {source}", text + f"{engine['p50']:.1f} and {engine['p95']:.1f} ms"))
    return rows


def _energy(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    exact = report["joules_method"] == "measured"

    def energy(name: str) -> str:
        return format_energy(report[name], exact=exact)

    stopped = f" on answers, {energy('cancelled_joules')} more on stopped requests" if report["cancelled"] else ""
    rows = [
        ("spent", energy("joules") + stopped),
        ("always-large", f"{format_energy(report['baseline_joules'], exact=False)} for the answered requests"),
        ("saved", _saved(report)),
    ]
    rows += [(label, format_energy(joules, exact=False)) for label, joules in _shares(report["saved_by"])]
    rows.append(("not asked", f"{format_energy(report['saved_by']['gate'], exact=False)} more that the gate avoided"))
    rows.append(("kept ready", f"{format_energy(report['residency_joules'], exact=False)} between requests"))
    return [*rows, ("how known", f"{report['joules_method']}: {report['joules_source'] or 'no meter'}")]


def _shares(saved_by: Mapping[str, float | None]) -> list[tuple[str, float]]:
    return [(f"  {label}", joules) for name, label in _LABELS.items() if (joules := saved_by.get(name)) is not None]


def _saved(report: Mapping[str, Any]) -> str:
    saved = f"{_percent(report['saved_percent'])} of that"
    if not report["extra_joules"]:
        return saved
    return f"{saved}, what only a second model costs ({format_energy(report['extra_joules'], exact=False)}) taken off"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f} %"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
