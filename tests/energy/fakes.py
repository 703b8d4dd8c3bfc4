# ruff: noqa: N802  the library's own names
"""Devices that behave like the real ones: counters that step, wrap and refuse, boards that know no energy."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jouline.energy.clock import Clock

RANGE_UJ = 262_143_328_850  # an Intel package with a unit of 61 uJ


class FakeClock(Clock):
    """Clocks that stand still until they are told how much passed."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.asleep_s = 0.0
        self.cpu_s = 5.0
        self.busy_s = 50.0
        self.wall_s = 1.7e9
        self.busy_error_s = 0.01

    def passes(self, seconds: float, *, cpu: float = 0.0, busy: float | None = None) -> None:
        """Let time pass; `cpu` is ours, `busy` everybody's (ours alone unless told)."""
        self.now_s += seconds
        self.wall_s += seconds
        self.cpu_s += cpu
        self.busy_s += cpu if busy is None else busy

    def sleeps(self, seconds: float) -> None:
        """Suspend the machine for so long."""
        self.asleep_s += seconds
        self.wall_s += seconds

    def now(self) -> float:
        return self.now_s

    def awake_and_asleep(self) -> float:
        return self.now_s + self.asleep_s

    def wall(self) -> float:
        return self.wall_s

    def cpu(self) -> float:
        return self.cpu_s

    def busy(self) -> float:
        return self.busy_s

    def close(self) -> None:
        """Nothing is open."""


class Powercap:
    """A powercap tree as Linux shows it, under a folder that stands for `/sys`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = root / "class/powercap"
        self._base.mkdir(parents=True, exist_ok=True)

    def zone(self, path: str, name: str, *, joules: float = 100.0, range_uj: int | None = RANGE_UJ) -> Path:
        """Add a zone such as `intel-rapl:0:2`; returns its folder."""
        folder = self._base / path
        folder.mkdir()
        write(folder / "name", name)
        if range_uj is not None:
            write(folder / "max_energy_range_uj", str(range_uj))
        self.set(path, joules)
        return folder

    def set(self, path: str, joules: float) -> None:
        """Let a zone's counter stand at so many joules."""
        write(self._base / path / "energy_uj", str(round(joules * 1e6)))

    def add(self, path: str, joules: float) -> None:
        """Let a zone's counter go on by so many joules, wrapping as the hardware does."""
        file = self._base / path / "energy_uj"
        value = int(file.read_text()) + round(joules * 1e6)
        limit = self._base / path / "max_energy_range_uj"
        if limit.exists():
            value %= int(limit.read_text()) + 1
        write(file, str(value))

    def refuse(self, path: str) -> None:
        """Make a zone's counter unreadable, to root too: the open fails as it does without permission."""
        file = self._base / path / "energy_uj"
        file.unlink()
        file.symlink_to(file)  # a loop: OSError for everybody


def write(path: Path, text: str) -> None:
    """Write a small file as sysfs does, with a line break; the file stays the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write small files under a root; returns the root."""
    for name, text in files.items():
        write(root / name, text)
    return root


class NVMLError(Exception):
    """As pynvml's."""


class FakeNvml:
    """The driver's library with one or more boards; `None` for a board's energy or power is NOT_SUPPORTED."""

    NVMLError = NVMLError

    def __init__(self, *boards: SimpleNamespace, present: bool = True) -> None:
        self.boards = boards
        self.present = present
        self.open = 0

    def nvmlInit(self) -> None:
        if not self.present:
            raise NVMLError("Driver/library not found")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        return self.boards[index]

    def nvmlDeviceGetName(self, board: Any) -> bytes:
        return b"Fake Board"

    def nvmlDeviceGetTotalEnergyConsumption(self, board: Any) -> int:
        if board.joules is None:
            raise NVMLError("Not Supported")
        return int(board.joules * 1000)

    def nvmlDeviceGetPowerUsage(self, board: Any) -> int:
        if board.watts is None:
            raise NVMLError("Not Supported")
        return int(board.watts * 1000)

    def nvmlDeviceGetComputeRunningProcesses(self, board: Any) -> list[SimpleNamespace]:
        if board.pids is None:
            raise NVMLError("Not Supported")
        return [SimpleNamespace(pid=pid) for pid in board.pids]

    def nvmlDeviceGetProcessUtilization(self, board: Any, since: int) -> list[SimpleNamespace]:
        if not board.busy:
            raise NVMLError("Not Found")
        return [SimpleNamespace(pid=pid, smUtil=percent, timeStamp=since + 1) for pid, percent in board.busy.items()]


def board(
    *,
    joules: float | None = 1000.0,
    watts: float | None = 60.0,
    pids: list[int] | None = None,
    busy: dict[int, int] | None = None,
) -> SimpleNamespace:
    """Return a board for `FakeNvml`; `busy` is how much each process used it lately, in percent."""
    return SimpleNamespace(joules=joules, watts=watts, pids=pids, busy=busy or {})
