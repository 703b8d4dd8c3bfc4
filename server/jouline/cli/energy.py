"""`jouline energy`: what can be measured on this machine, why not, and a reading."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jouline.units import format_energy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from jouline.energy.meter import Meters
    from jouline.energy.survey import Overhead, Survey
    from jouline.energy.verify import Verification
    from jouline.energy.window import Part

DEFAULT_SECONDS = 2.0
LONGEST_SECONDS = 86_400.0
REFRESH_S = 0.5


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("energy", help="show what can be measured here, and a reading")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=seconds, default=DEFAULT_SECONDS, metavar="S", help="length of the reading")
    parser.add_argument("--verify", action="store_true", help="read the same seconds with pyRAPL and compare")
    parser.set_defaults(run=run)


def seconds(text: str) -> float:
    """Parse a length of time in seconds, above zero and at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from above 0 to {LONGEST_SECONDS:.0f}")
    return value


def run(args: argparse.Namespace) -> int:
    """Print the meters and a reading."""
    from jouline.energy.meter import open_meters
    from jouline.energy.survey import overhead
    from jouline.energy.verify import verify

    with open_meters() as meters:
        _wake_nothing(meters)
        own = overhead(meters)
        reading = _live(meters, args.seconds) if _watched(args) else _survey(meters, args.seconds)
        second = verify(meters, args.seconds) if args.verify else None
        if args.json:
            print(json.dumps(document(meters, reading, own, second), ensure_ascii=False))
        else:
            _print_tables(meters, reading, own, second)
    return 0


def document(meters: "Meters", reading: "Survey", own: "Overhead", second: "Verification | None") -> dict[str, Any]:
    """Return the reading as one JSON-ready dict; unknown is None."""
    ours = reading.ours
    return {
        "seconds": reading.seconds,
        "joules": reading.joules,
        "watts": reading.watts,
        "method": reading.method,
        "source": ours.source,
        "ours_joules": ours.joules,
        "ours_joules_low": ours.joules_low,
        "ours_joules_high": ours.joules_high,
        "ours_method": ours.method,
        "gross_joules": ours.gross_joules,
        "cpu_seconds": ours.cpu_seconds,
        "power_source": meters.power,
        "watts_per_busy_core": asdict(meters.core),
        "by_meter": [_meter_fields(meters, part, reading.seconds) for part in ours.parts],
        "unavailable": [asdict(each) for each in meters.unavailable],
        "caveats": list(ours.caveats),
        "switches": [asdict(switch) for switch in meters.switches],
        "overhead": asdict(own),
        "verify": None if second is None else asdict(second) | {"agree": second.agree},
    }


def _meter_fields(meters: "Meters", part: "Part", length_s: float) -> dict[str, Any]:
    from jouline.energy.survey import power, showed

    meter = next((meter for meter in meters.all if meter.name == part.meter), None)
    joules = showed(part)
    return {
        "name": part.meter,
        "covers": part.covers,
        "method": _class(part),
        "counted": part.counted,
        "joules": joules,
        "watts": power(joules, length_s),
        "ours_joules": part.joules if part.counted else None,
        "resolution_s": meter.resolution_s if meter else None,
        "overhead_s": meter.overhead_s if meter else None,
        "caveat": part.caveat,
    }


def _wake_nothing(meters: "Meters") -> None:
    """Open the NVIDIA boards for the reading only where all of them are awake anyway."""
    from jouline.hardware import find_gpus, sysfs_root

    boards = [gpu for gpu in find_gpus(sysfs_root()) if gpu.vendor == "nvidia"]
    if boards and all(gpu.asleep is False for gpu in boards):
        meters.use_gpu(True)


def _survey(meters: "Meters", length_s: float) -> "Survey":
    from jouline.energy.survey import survey

    return survey(meters, length_s)


def _watched(args: argparse.Namespace) -> bool:
    return not args.json and sys.stdout.isatty()


def _live(meters: "Meters", length_s: float) -> "Survey":
    """Show the watts of the last half second until the time is over; return the reading over all of it."""
    import time

    from rich.live import Live
    from rich.text import Text

    from jouline.energy.survey import summed, survey

    busy_s = meters.busy_seconds()
    end = time.monotonic() + length_s
    with meters.window(everything=True) as whole, Live(refresh_per_second=4, transient=True) as live:
        while (left := end - time.monotonic()) > 0:
            moment = survey(meters, min(REFRESH_S, left))
            watts = "  ".join(f"{name} {shown}" for name, shown in _now(moment))
            live.update(Text(f"{watts}  ({left:.0f} s left)"))
    return summed(meters, whole.measurement, meters.busy_seconds() - busy_s)


def _now(moment: "Survey") -> "Iterator[tuple[str, str]]":
    from jouline.energy.survey import power, showed

    for part in moment.ours.parts:
        yield part.meter, _watts(power(showed(part), moment.seconds), _class(part))


def _class(part: "Part") -> str:
    from jouline.energy.survey import showed

    return "unavailable" if showed(part) is None else "estimated" if part.method == "estimated" else "measured"


def _print_tables(meters: "Meters", reading: "Survey", own: "Overhead", second: "Verification | None") -> None:
    from rich.console import Console

    console = Console()
    console.print(_meters_table(reading))
    for line in (*_summary(reading, own, second), *(switch.sentence for switch in meters.switches)):
        console.print(line, highlight=False, markup=False)
    for each in meters.unavailable:
        console.print(f"\n{each.name} cannot be read: {each.reason}.", highlight=False, markup=False)
        if each.remedy:
            console.print(each.remedy, highlight=False, markup=False)


def _meters_table(reading: "Survey") -> "RenderableType":
    from rich.table import Table

    from jouline.energy.survey import power, showed

    table = Table(title=f"Energy over {reading.seconds:.1f} s")
    for heading in ("meter", "covers", "class", "joules", "watts"):
        table.add_column(heading, justify="right" if heading in {"joules", "watts"} else "left")
    for part in reading.ours.parts:
        joules = showed(part)
        method = _class(part)
        name = part.meter if part.counted else f"{part.meter} (not in the sum)"
        exact = method == "measured"
        watts = _watts(power(joules, reading.seconds), method)
        table.add_row(name, part.caveat or part.covers, method, format_energy(joules, exact=exact), watts)
    return table


def _summary(reading: "Survey", own: "Overhead", second: "Verification | None") -> list[str]:
    ours = reading.ours
    exact = ours.method == "measured"
    bounds = f"{format_energy(ours.joules_low, exact=exact)} to {format_energy(ours.joules_high, exact=exact)}"
    lines = [
        f"This process: {format_energy(ours.joules, exact=exact)} ({bounds}), {ours.method}: {ours.source}",
        f"Measuring itself: {own.window_s * 1e6:.0f} µs a request, {own.idle_percent_of_core:.2g} % of one core idle",
    ]
    if second is not None:
        both = f"ours {format_energy(second.ours_joules)}, pyRAPL {format_energy(second.pyrapl_joules)}"
        lines.append(f"Second opinion: {second.reason} ({both})")
    return lines


def _watts(watts: float | None, method: str) -> str:
    if watts is None:
        return "—"
    return f"{watts:.3g} W" if method == "measured" else f"~{watts:.2g} W"
