"""All graphics boards together: opened while a model of ours lies on one, closed when it leaves."""

from pathlib import Path

from jouline.energy.clock import Clock
from jouline.energy.hwmon import open_hwmon
from jouline.energy.nvml import Nvidia
from jouline.energy.reading import Meter, Unavailable
from jouline.hardware import Gpu, find_gpus

NO_BOARD = "no NVIDIA board is on the PCI bus"
WOULD_WAKE = "the board sleeps, and asking it would wake it"
ON_DEMAND = "opened only while a model lies on the board, because an open handle keeps it awake"


class Boards:
    """The boards of one machine; `root` stands for `/sys`."""

    def __init__(self, root: Path, clock: Clock, nvidia: Nvidia) -> None:
        self._root = root
        self._clock = clock
        self._nvidia = nvidia

    def open(self) -> tuple[tuple[Meter, ...], tuple[Unavailable, ...]]:
        """Open what can be read, NVIDIA boards that sleep included: a model of ours keeps them awake."""
        nvidia, refused = self._nvidia.open()
        others, silent = open_hwmon(find_gpus(self._root), self._clock)
        return (*nvidia, *others), (*refused, *silent)

    def close(self) -> None:
        """Let the boards sleep again."""
        self._nvidia.close()

    def while_closed(self) -> tuple[Unavailable, ...]:
        """Say why no board is read now; touches none."""
        gpus = find_gpus(self._root)
        nvidia = [gpu for gpu in gpus if gpu.vendor == "nvidia"]
        others = [gpu for gpu in gpus if gpu.vendor == "amd"]
        reasons = [Unavailable(name="nvml", reason=_reason(nvidia) if nvidia else NO_BOARD)]
        reasons.extend(Unavailable(name=f"hwmon amd {gpu.address}", reason=_reason([gpu])) for gpu in others)
        return tuple(reasons)


def _reason(gpus: list[Gpu]) -> str:
    return WOULD_WAKE if any(gpu.asleep for gpu in gpus) else ON_DEMAND
