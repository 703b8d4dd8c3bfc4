"""A window: what happened between two moments, with its class, its bounds and what is weak about it.

`measure` is pure: two snapshots in, one `Measurement` out. Windows may overlap; each counts the whole process.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from jouline.completion import Method
from jouline.energy.attribution import Interval, attribute, cpu_share, net_of_idle, widened
from jouline.energy.estimate import CoreWatts
from jouline.energy.reading import Domain, Meter, Reading

MODEL = "cpu-time model"
NO_IDLE_YET = "idle power is not known yet, so it is included"
OTHERS_ON_GPU = "other programs may compute on this board, so its number is an upper bound"
BY_SHARE_OF_GPU = "other programs compute on this board: ours by its share of the board's busy time"
_WEAKEST_FIRST: tuple[Method, ...] = ("unavailable", "estimated", "attributed", "measured")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Clocks and counters at one moment; `busy_s` is None where no counter needs it."""

    at_s: float
    cpu_s: float
    busy_s: float | None
    tick_error_s: float
    readings: tuple[tuple[Meter, Reading], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One meter's share of a measurement; None is unknown. Only `counted` parts are in the total."""

    meter: str
    domain: Domain
    covers: str
    counted: bool
    method: Method = "unavailable"
    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    gross_joules: float | None = None
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Energy of a window. `joules` is net of idling and ours alone; `gross_joules` is what the counters show.

    `method` is the weakest among the counted parts'. All joules are None together where the method is unavailable.
    """

    duration_s: float
    cpu_seconds: float
    parts: tuple[Part, ...]
    method: Method = "unavailable"
    source: str = ""
    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    gross_joules: float | None = None
    caveats: tuple[str, ...] = ()

    @property
    def watts(self) -> float | None:
        """Mean power over the window."""
        return None if self.joules is None or self.duration_s <= 0 else self.joules / self.duration_s


def measure(start: Snapshot, end: Snapshot, core: CoreWatts, idle_w: Callable[[Meter], float | None]) -> Measurement:
    """Return what the window between two snapshots cost us.

    A processor counter that says nothing over the window is replaced by the CPU-time model, and a caveat says so.
    """
    before = {id(meter): reading for meter, reading in start.readings}
    parts = [
        _part(meter, (before[id(meter)], reading), (start, end), idle_w(meter))
        for meter, reading in end.readings
        if id(meter) in before and meter.sharing != "own"
    ]
    counted_cpu = [meter.name for meter, _ in end.readings if meter.counted and meter.domain in {"cpu", "machine"}]
    silent = [part for part in parts if part.meter in counted_cpu and part.joules is None]
    if silent or not any(part.meter in counted_cpu for part in parts):
        parts = [replace(part, counted=False) if part.meter in counted_cpu else part for part in parts]
        parts.insert(0, model_part(end.cpu_s - start.cpu_s, core))
    return total(parts, end.at_s - start.at_s, end.cpu_s - start.cpu_s, core)


def model_part(cpu_seconds: float, core: CoreWatts) -> Part:
    """Return the CPU-time model's part for so many busy seconds of ours."""
    return Part(
        meter=MODEL,
        domain="cpu",
        covers="this process alone",
        counted=True,
        joules=cpu_seconds * core.watts,
        joules_low=cpu_seconds * core.low_w,
        joules_high=cpu_seconds * core.high_w,
        method="estimated",
    )


def everybody_part(busy_seconds: float, core: CoreWatts) -> Part:
    """Return the CPU-time model's part for so many busy seconds of all programs; shown, never counted."""
    covers = "every program on this machine, idle power not included"
    return replace(model_part(busy_seconds, core), meter=f"{MODEL}, all programs", covers=covers, counted=False)


def _part(
    meter: Meter, readings: tuple[Reading, Reading], edges: tuple[Snapshot, Snapshot], idle_w: float | None
) -> Part:
    first, last = readings
    duration_s = last.at_s - first.at_s
    why = _silence(meter, first, last, duration_s)
    if why or first.joules_total is None or last.joules_total is None:
        return _unknown(meter, why)
    gross = last.joules_total - first.joules_total
    if not meter.counted:
        return _known(meter, gross, Interval(gross, gross, gross), "measured", "")
    net = widened(net_of_idle(gross, idle_w, duration_s), meter.resolution_s / duration_s)
    caveat = NO_IDLE_YET if idle_w is None else ""
    if meter.sharing == "gpu":
        return _gpu_part(meter, gross, net, caveat, (first.share, last.share))
    return _known(meter, gross, _ours(net, *edges), "attributed", caveat)


def _gpu_part(
    meter: Meter, gross: float, net: Interval, caveat: str, shares: tuple[float | None, float | None]
) -> Part:
    if shares == (1.0, 1.0):
        return _known(meter, gross, net, "measured", caveat)
    if shares[1] is not None:
        # The driver samples who computes a few times a second, so a short window may differ from its neighbours.
        ours = Interval(0.0, net.value * shares[1], net.high)
        return _known(meter, gross, ours, "attributed", caveat or BY_SHARE_OF_GPU)
    return _known(meter, gross, Interval(0.0, net.value, net.high), "attributed", caveat or OTHERS_ON_GPU)


def _ours(net: Interval, start: Snapshot, end: Snapshot) -> Interval:
    ours_s = end.cpu_s - start.cpu_s
    busy_s = (end.busy_s or 0.0) - (start.busy_s or 0.0)
    share = cpu_share(ours_s, busy_s, end.tick_error_s)
    value = attribute(net.value, {"ours": ours_s}, busy_s)["ours"]
    return Interval(net.low * share.low, value, net.high * share.high)


def _silence(meter: Meter, first: Reading, last: Reading, duration_s: float) -> str:
    if first.joules_total is None or last.joules_total is None:
        return last.why or first.why or f"{meter.name} could not be read"
    if first.breaks != last.breaks:
        return last.why or f"{meter.name} was interrupted"
    if duration_s < meter.resolution_s:
        return f"the window is shorter than a step of {meter.name}"
    return ""


def _known(meter: Meter, gross: float, ours: Interval, method: Method, caveat: str) -> Part:
    return Part(
        meter=meter.name,
        domain=meter.domain,
        covers=meter.covers,
        joules=ours.value,
        joules_low=ours.low,
        joules_high=ours.high,
        gross_joules=gross,
        method=method,
        counted=meter.counted,
        caveat=caveat,
    )


def _unknown(meter: Meter, why: str) -> Part:
    return Part(meter=meter.name, domain=meter.domain, covers=meter.covers, counted=meter.counted, caveat=why)


def total(parts: list[Part], duration_s: float, cpu_seconds: float, core: CoreWatts) -> Measurement:
    """Return the sum of the counted parts, which is unknown where a GPU's part is."""
    # Memory that cannot be read is left out and named; a GPU that cannot be read may be most of the total.
    unknown_gpu = any(part.joules is None and part.counted and part.domain == "gpu" for part in parts)
    known = [part for part in parts if part.counted and part.joules is not None]
    caveats = tuple(dict.fromkeys(part.caveat for part in parts if part.caveat))
    if unknown_gpu or not known:
        return Measurement(duration_s=duration_s, cpu_seconds=cpu_seconds, parts=tuple(parts), caveats=caveats)
    return Measurement(
        joules=_sum([part.joules for part in known]),
        joules_low=_sum([part.joules_low for part in known]),
        joules_high=_sum([part.joules_high for part in known]),
        gross_joules=_sum([part.gross_joules for part in known]),
        method=weakest(part.method for part in known),
        source=_source(known, core),
        duration_s=duration_s,
        cpu_seconds=cpu_seconds,
        parts=tuple(parts),
        caveats=caveats,
    )


def weakest(methods: Iterable[Method]) -> Method:
    """Return the class that a sum of such numbers has; unavailable where there are none."""
    return min(methods, key=_WEAKEST_FIRST.index, default="unavailable")


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _source(parts: Iterable[Part], core: CoreWatts) -> str:
    names = [core_source(core) if part.meter == MODEL else part.meter for part in parts]
    shared = any(part.method == "attributed" for part in parts)
    return " + ".join(names) + (", by share of processor time" if shared else "")


def core_source(core: CoreWatts) -> str:
    """Return the CPU-time model's source line."""
    return f"processor time x {core.watts:.2g} W a busy core ({core.source})"
