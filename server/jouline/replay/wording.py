"""What happened, in words: a request, a suggestion, the totals. Shared by the live view and the plain one."""

from rich.text import Text

from jouline.completion import Completion
from jouline.replay.events import Answered
from jouline.replay.report import saved_percent
from jouline.replay.tally import Tally
from jouline.units import format_energy

STYLES = {"small": "bold green", "large": "bold magenta", "cache": "bold cyan", "no model": "bold yellow"}


def who(answer: Answered) -> Text:
    """Return which models ran, for how long, and how sure the last one was: `small, then large, 31 ms, sure 82 %`."""
    completion = answer.completion
    names = completion.models_run or ("cache" if completion.action == "cache" else "no model",)
    text = Text(", then ").join(Text(name, STYLES[name]) for name in names)
    if completion.models_run:
        text.append(f", {answer.engine_ms:.0f} ms")
    if completion.confidence is not None:
        text.append(f", sure {completion.confidence:.0%}")
    return text


def offer(completion: Completion) -> str:
    """Return the suggested text on one line, in quotation marks."""
    return f"«{completion.text.replace(chr(10), '⏎')}»"


def price(completion: Completion) -> str:
    """Return what a request cost, and what it saved beside always-large; estimates carry a `~`."""
    spent = f"spent {_energy(completion.energy.joules, completion.energy.method)}"
    match completion.action:
        case "cache":
            return f"{spent}, saves none: always-large has the cache too"
        case "skip":
            return f"{spent}, avoided {_estimate(completion.energy.baseline_joules)}"
    return f"{spent}, {_saving(completion.energy.saved_joules)}"


def cost(tally: Tally) -> str:
    """Return who answered and what it took, on one line."""
    return f"{_requests(tally).plain}; {_spent(tally).plain}; {_saved(tally).plain}"


def totals(tally: Tally) -> list[Text]:
    """Return the running totals: requests by who answered, what was accepted, joules and how they are known."""
    return [
        _requests(tally),
        Text(f"{tally.shown} offered, {tally.accepted} accepted ({tally.accepted_chars} characters)"),
        _spent(tally),
        _saved(tally),
        _method(tally),
    ]


def _requests(tally: Tally) -> Text:
    counts = {name: tally.by_model[name] for name in ("small", "large")}
    counts |= {"cache": tally.actions["cache"], "skipped": tally.actions["skip"], "stopped": tally.cancelled}
    line = Text(f"{tally.requests} requests: ")
    parts = [
        Text(f"{name} ", STYLES.get(name, "bold yellow")).append(f"{count}", "none") for name, count in counts.items()
    ]
    return line.append_text(Text(", ").join(parts))


def _spent(tally: Tally) -> Text:
    line = f"spent {_energy(tally.joules.value, tally.method)}"
    if tally.cancelled:
        line += f" on answers, {_energy(tally.cancelled_joules.value, tally.method)} more on stopped requests"
    return Text(line)


def _saved(tally: Tally) -> Text:
    percent = saved_percent(tally, None)
    line = _saving(tally.saved_joules.value)
    if percent is None or percent <= 0:
        return Text(line)
    return Text(f"{line}, {percent:.0f} % of what always-large takes", style="bold green")


def _saving(joules: float | None) -> str:
    if joules is not None and joules < 0:
        return f"{_estimate(-joules)} more than always-large"
    return f"saved {_estimate(joules)}"


def _method(tally: Tally) -> Text:
    if not tally.methods:
        return Text("")
    return Text(f"{tally.method}: {tally.energy_source}" if tally.energy_source else tally.method, style="dim")


def _energy(joules: float | None, method: str) -> str:
    return format_energy(joules, exact=method == "measured")


def _estimate(joules: float | None) -> str:
    return format_energy(joules, exact=False)
