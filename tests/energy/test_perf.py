"""Perf events through a fake kernel: packages, memory, scales, refusals."""

import os
import struct

import pytest

from jouline.energy.meter import open_meters
from jouline.energy.perf import cpu_list, open_perf, perf_event_open
from tests.energy.fakes import FakeClock, Powercap, tree

PMU = "bus/event_source/devices/power/"
SCALE = 2.0**-32


class Kernel:
    """Opens events as pipes: what is written is what the next read finds."""

    def __init__(self, refuses=None):
        self.refuses = refuses
        self.counts = {}
        self._pipes = []

    def __call__(self, kind, config, cpu):
        if self.refuses:
            raise self.refuses
        end, start = os.pipe()
        self._pipes.append(start)
        self.counts[config, cpu] = start
        self.stands(config, cpu, 0.0)  # the meter reads once when it is opened
        return end

    def stands(self, config, cpu, joules):
        """Let an event's counter stand at so many joules for one read."""
        os.write(self.counts[config, cpu], struct.pack("=Q", round(joules / SCALE)))

    def close(self):
        for pipe in self._pipes:
            os.close(pipe)


@pytest.fixture
def kernel():
    """Give a kernel that allows events."""
    kernel = Kernel()
    yield kernel
    kernel.close()


def described(root, *, ram=True):
    """Describe two packages as the kernel does."""
    files = {PMU + "type": "22", PMU + "cpumask": "0,18", PMU + "events/energy-pkg": "event=0x02"}
    files[PMU + "events/energy-pkg.scale"] = "2.3283064365386962890625e-10"
    if ram:
        files |= {PMU + "events/energy-ram": "event=0x03", PMU + "events/energy-ram.scale": str(SCALE)}
    return tree(root, files)


def test_reads_each_package_in_joules(tmp_path, kernel):
    """One event for each package and its memory; the scale is the kernel's."""
    clock = FakeClock()
    meters, refused = open_perf(described(tmp_path), clock, kernel)
    assert [(meter.name, meter.domain) for meter in meters] == [
        ("perf energy-pkg cpu 0", "cpu"),
        ("perf energy-pkg cpu 18", "cpu"),
        ("perf energy-ram cpu 0", "memory"),
        ("perf energy-ram cpu 18", "memory"),
    ]
    assert refused == []
    clock.passes(1.0)
    kernel.stands(2, 18, 42.5)
    assert meters[1].read().joules_total == pytest.approx(42.5)
    for meter in meters:
        meter.close()
        assert meter.read().joules_total is None


def test_a_machine_without_memory_events_still_has_packages(tmp_path, kernel):
    """Client processors count no memory here."""
    meters, _ = open_perf(described(tmp_path, ram=False), FakeClock(), kernel)
    assert [meter.domain for meter in meters] == ["cpu", "cpu"]
    for meter in meters:
        meter.close()


def test_a_refusal_is_one_reason(tmp_path):
    """The kernel's rule is named, with its setting."""
    meters, (refused,) = open_perf(described(tmp_path), FakeClock(), Kernel(PermissionError(13, "denied")))
    assert meters == []
    assert "perf_event_paranoid" in refused.reason


def test_an_event_without_a_scale_is_refused(tmp_path, kernel):
    """Units nobody states are no joules."""
    (described(tmp_path) / PMU / "events/energy-pkg.scale").unlink()
    meters, (refused,) = open_perf(tmp_path, FakeClock(), kernel)
    assert meters == []
    assert "does not describe energy-pkg" in refused.reason


def test_no_pmu_is_nothing(tmp_path):
    """A virtual machine has none, and powercap's reason is enough."""
    assert open_perf(tmp_path, FakeClock()) == ([], [])


def test_the_real_kernel_refuses_an_event_that_does_not_exist():
    """The system call is really made: an impossible device is an OSError, not a crash."""
    with pytest.raises(OSError, match=r"."):
        perf_event_open(0x7FFFFFFF, 0, 0)


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", [0]), ("0,18", [0, 18]), ("0-2,5", [0, 1, 2, 5]), ("", []), ("x", []), ("1-y", [])]
)
def test_lists_of_processors(text, cpus):
    """The kernel's own notation; nonsense is none."""
    assert cpu_list(text) == cpus


def test_powercap_is_the_first_door(tmp_path):
    """Where the package files can be read, no event is opened beside them."""
    described(tmp_path)
    Powercap(tmp_path).zone("intel-rapl:0", "package-0")
    with open_meters(tmp_path, {}, FakeClock(), sampling=False) as meters:
        assert not [meter.name for meter in meters.all if meter.name.startswith("perf")]
        assert "perf" not in {each.name for each in meters.unavailable}
