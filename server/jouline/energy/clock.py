"""Time as the meters need it: wall time, time asleep, our processor time, everybody's."""

import math
import os
import time

import psutil

BUSY_TICK_S = 0.01  # USER_HZ is 100 on every Linux, whatever the kernel's own tick (man 7 time)
_IDLE_FIELDS = slice(3, 5)  # of /proc/stat's first line: idle and iowait (man 5 proc)
_GUEST_FIELDS = 8  # guest and guest_nice are counted in user and nice already


class Clock:
    """The real clocks; tests give another with the same methods. All in seconds."""

    def __init__(self) -> None:
        self._stat = _open("/proc/stat")
        # Every processor that is busy may be off by a tick, in either direction.
        self.busy_error_s = BUSY_TICK_S * math.sqrt(os.cpu_count() or 1)
        self._boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux alone has it

    def now(self) -> float:
        """Return monotonic time that stands still while the machine sleeps, where the system has such a clock."""
        return time.monotonic()

    def awake_and_asleep(self) -> float:
        """Return monotonic time that runs on while the machine sleeps; `now` where there is none."""
        return time.monotonic() if self._boot is None else time.clock_gettime(self._boot)

    def wall(self) -> float:
        """Return seconds since 1970; may step in either direction."""
        return time.time()

    def cpu(self) -> float:
        """Return the processor time of this process, user and system, all threads."""
        return time.process_time()

    def busy(self) -> float:
        """Return the processor time of all programs on this machine, in steps of `BUSY_TICK_S` per processor."""
        if self._stat is None:
            times = psutil.cpu_times()
            return float(sum(times)) - times.idle
        return busy_seconds(os.pread(self._stat, 256, 0))

    def close(self) -> None:
        """Close what is open."""
        if self._stat is not None:
            os.close(self._stat)
            self._stat = None


def busy_seconds(stat: bytes) -> float:
    """Return the non-idle seconds in the first line of `/proc/stat`."""
    ticks = list(map(int, stat.split(b"\n", 1)[0].split()[1 : 1 + _GUEST_FIELDS]))
    return (sum(ticks) - sum(ticks[_IDLE_FIELDS])) * BUSY_TICK_S


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
