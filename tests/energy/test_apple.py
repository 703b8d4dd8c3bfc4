"""Apple silicon through a fake of its reader."""

from types import SimpleNamespace

import pytest

from jouline.energy.apple import open_apple
from tests.energy.fakes import FakeClock

MAC = ("darwin", "arm64")


class Monitor:
    """The reader's monitor: millijoules since it began."""

    def __init__(self, **fields):
        self.fields = fields

    def get_cumulative_energy(self):
        if self.fields is None:
            raise RuntimeError("IOReport is gone")
        return SimpleNamespace(**self.fields)


def test_reads_processor_and_memory_in_joules():
    """Millijoules since the monitor began."""
    clock, monitor = FakeClock(), Monitor(cpu_total_mj=1000, dram_mj=500)
    (cpu, dram), refused = open_apple(clock, lambda: monitor, MAC)
    first = cpu.read(), dram.read()
    monitor.fields = {"cpu_total_mj": 9000, "dram_mj": 2500}
    clock.passes(1.0)
    assert cpu.read().joules_total - first[0].joules_total == pytest.approx(8.0)
    assert dram.read().joules_total - first[1].joules_total == pytest.approx(2.0)
    assert refused == []


def test_what_the_chip_does_not_say_is_unavailable():
    """Older chips say nothing about memory; that is no zero."""
    (cpu,), (refused,) = open_apple(FakeClock(), lambda: Monitor(cpu_total_mj=1, dram_mj=None), MAC)
    assert (cpu.name, refused.name) == ("apple cpu", "apple dram")


def test_a_missing_reader_comes_with_its_remedy():
    """What to install, as a text to copy."""

    def load():
        raise ImportError("no module named zeus_apple_silicon")

    meters, (refused,) = open_apple(FakeClock(), load, MAC)
    assert meters == []
    assert "pip install zeus-apple-silicon" in refused.remedy


def test_a_reader_that_fails_is_unknown():
    """An error while reading gives None with a reason."""
    clock, monitor = FakeClock(), Monitor(cpu_total_mj=1, dram_mj=None)
    (cpu,), _ = open_apple(clock, lambda: monitor, MAC)
    monitor.fields = None
    assert cpu.read().joules_total is None


@pytest.mark.parametrize("system", [("linux", "x86_64"), ("darwin", "x86_64"), ("win32", "AMD64")])
def test_other_systems_are_not_asked(system):
    """Nothing is loaded and nothing is said."""
    assert open_apple(FakeClock(), None, system) == ([], [])
