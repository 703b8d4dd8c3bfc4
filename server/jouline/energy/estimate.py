"""Estimates from processor time, for machines whose counters cannot be read.

The **CPU-time model**: joules = busy seconds of our threads x watts of one busy core. The watts come from the
machine's own power limit where it is shown, from the user's own figure where there is one, else from a table of
published design powers by kind of machine; the interval is wide because they do not know this processor's clock,
voltage or load. The error is the same for every request, so a ratio of two estimates is far better than either.
"""

from dataclasses import dataclass
from pathlib import Path

from jouline.completion import Method
from jouline.energy.clock import Clock
from jouline.energy.rapl import find_zones
from jouline.energy.reading import Domain, Reading, Sharing
from jouline.hardware import Hardware, read_int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreWatts:
    """Watts of one busy core with the bounds it may lie in, and where they come from."""

    watts: float
    low_w: float
    high_w: float
    source: str


# Published design power over physical cores, package overhead included; high end: one core at its turbo clock,
# low end: a core's second hardware thread, or a lowered clock.
_TABLE = {
    # AMD EPYC 9654: 360 W / 96 cores. Intel Xeon 8480+: 350 W / 56. A virtual processor is often half a core.
    "server": CoreWatts(watts=4.5, low_w=1.8, high_w=9.0, source="typical server core"),
    # Ampere Altra Q80-30: 210 W / 80 cores.
    "arm-server": CoreWatts(watts=2.5, low_w=1.0, high_w=5.0, source="typical Arm server core"),
    # Intel Core i7-1365U: 15 to 55 W / 10 cores. AMD Ryzen 7 7840U: 15 to 30 W / 8.
    "laptop": CoreWatts(watts=6.0, low_w=2.0, high_w=16.0, source="typical laptop core"),
    # AMD Ryzen 9 7950X: 170 W / 16 cores. Intel Core i9-13900K: 125 to 253 W / 24.
    "desktop": CoreWatts(watts=10.0, low_w=4.0, high_w=28.0, source="typical desktop core"),
    # Apple M1 to M4: 4 to 6 W for a performance core, 0.3 to 0.6 W for an efficiency core.
    "apple": CoreWatts(watts=4.0, low_w=0.5, high_w=7.0, source="typical Apple silicon core"),
    # Raspberry Pi 4: 6.4 W with four cores busy less 2.7 W idle.
    "board": CoreWatts(watts=1.2, low_w=0.5, high_w=3.0, source="typical single-board core"),
}
_SERVER_NAMES = ("epyc", "xeon", "opteron")
# All cores busy, each draws its share of the limit; one alone may draw several, a second thread less than one.
_LIMIT_LOW, _LIMIT_HIGH = 0.4, 3.0
_OWN_FIGURE_SPREAD = 0.15  # a person's reading of a wall plug under load


def core_watts(hardware: Hardware, root: Path, own_figure_w: float | None = None) -> CoreWatts:
    """Return what one busy core draws here: the user's figure, else the machine's limit, else the table's."""
    if own_figure_w is not None and own_figure_w > 0:
        low, high = 1 - _OWN_FIGURE_SPREAD, 1 + _OWN_FIGURE_SPREAD
        return CoreWatts(
            watts=own_figure_w, low_w=own_figure_w * low, high_w=own_figure_w * high, source="your own figure"
        )
    return _from_power_limit(hardware, root) or _TABLE[_kind(hardware)]


def _from_power_limit(hardware: Hardware, root: Path) -> CoreWatts | None:
    # The limit's file is readable by all even where the energy counter is root's.
    zones = [zone for zone in find_zones(root) if zone.is_package and zone.path.name.startswith("intel-rapl:")]
    limits = [read_int(zone.path / "constraint_0_power_limit_uw") for zone in zones]
    known = [limit * 1e-6 for limit in limits if limit]
    if not known or len(known) != len(zones) or not hardware.cores:
        return None
    watts = sum(known) / hardware.cores
    return CoreWatts(
        watts=watts,
        low_w=watts * _LIMIT_LOW,
        high_w=watts * _LIMIT_HIGH,
        source=f"this processor's power limit of {sum(known):.0f} W over {hardware.cores} cores",
    )


def _kind(hardware: Hardware) -> str:
    name, arm = hardware.cpu_name.lower(), hardware.architecture in {"aarch64", "arm64", "armv7l"}
    if "apple" in name or (arm and hardware.architecture == "arm64"):
        return "apple"
    if arm:
        return "board" if "raspberry" in name or hardware.threads <= 4 else "arm-server"
    if hardware.server or any(word in name for word in _SERVER_NAMES):
        return "server"
    if hardware.portable:
        return "laptop"
    return "server" if hardware.virtual else "desktop"


class CpuTimeMeter:
    """The CPU-time model as a meter: always there, always an estimate, nobody's energy but ours."""

    name = "cpu-time model"
    method: Method = "estimated"
    domain: Domain = "cpu"
    sharing: Sharing = "own"
    sample_every_s: float | None = None
    resolution_s = 1e-6
    overhead_s = 1e-6

    def __init__(self, core: CoreWatts, *, counted: bool, clock: Clock) -> None:
        self.core = core
        self.counted = counted
        self.covers = f"this process alone, at {core.watts:.2g} W a busy core ({core.source})"
        self._clock = clock

    def read(self) -> Reading:
        """Return the joules of this process since it began."""
        return Reading(self._clock.cpu() * self.core.watts, self._clock.now())

    def close(self) -> None:
        """Nothing is open."""
