"""The meters of a machine: windows, attribution, fallbacks, idle power, sleeping boards."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.energy.meter import open_meters
from jouline.energy.nvml import Nvidia
from jouline.energy.sampler import Sampler
from jouline.energy.window import NO_IDLE_YET
from tests.energy.fakes import FakeClock, FakeNvml, Powercap, board, tree

PCI = "bus/pci/devices/0000:01:00.0/"


class Machine:
    """A fake machine with one package, memory and a clock."""

    def __init__(self, root, *, library=None):
        self.powercap = Powercap(root)
        self.powercap.zone("intel-rapl:0", "package-0")
        self.powercap.zone("intel-rapl:0:2", "dram")
        self.clock = FakeClock()
        self.library = library or FakeNvml(present=False)
        nvidia = Nvidia(self.clock, load=lambda: self.library)
        self.meters = open_meters(root, {}, self.clock, nvidia, sampling=False)

    def passes(self, seconds, *, watts=0.0, memory_watts=0.0, cpu=0.0, busy=None):
        """Let time pass at a power."""
        self.powercap.add("intel-rapl:0", watts * seconds)
        self.powercap.add("intel-rapl:0:2", memory_watts * seconds)
        self.clock.passes(seconds, cpu=cpu, busy=busy)

    def idles(self, watts):
        """Let the idle baseline be known."""
        for _ in range(3):
            self.passes(2.0, watts=watts)
            self.meters.sample()


@pytest.fixture
def machine(tmp_path):
    """Give a machine with counters."""
    return Machine(tmp_path)


def bare(tmp_path):
    """Open the meters of a machine without any counter."""
    clock = FakeClock()
    return clock, open_meters(tmp_path, {}, clock, sampling=False)


def test_without_counters_everything_is_an_estimate_and_says_so(tmp_path):
    """The normal state of a virtual machine: the model's number, its bounds, its source, no gross."""
    clock, meters = bare(tmp_path)
    with meters.window() as window:
        clock.passes(1.0, cpu=0.5)
    m = window.measurement
    assert m.method == "estimated"
    assert m.joules == pytest.approx(0.5 * meters.core.watts)
    assert m.joules_low < m.joules < m.joules_high
    assert m.gross_joules is None
    assert (m.duration_s, m.cpu_seconds) == (pytest.approx(1.0), pytest.approx(0.5))
    assert "processor time" in m.source
    assert not meters.counts_joules
    assert meters.sample_every_s() is None


def test_our_share_is_net_of_idling_and_by_processor_time(machine):
    """30 W for 2 s, 10 W of it idle, half of the busy time ours: 20 J."""
    machine.idles(10.0)
    with machine.meters.window() as window:
        machine.passes(2.0, watts=30.0, cpu=1.0, busy=2.0)
    m = window.measurement
    assert m.method == "attributed"
    assert m.joules == pytest.approx(20.0, rel=0.01)
    assert m.gross_joules == pytest.approx(60.0, rel=0.01)
    assert m.joules_low < m.joules < m.joules_high
    assert m.caveats == ()
    assert machine.meters.counts_joules


def test_memory_is_a_part_of_its_own_in_the_sum(machine):
    """The package does not contain its memory."""
    machine.idles(0.0)
    with machine.meters.window() as window:
        machine.passes(2.0, watts=30.0, memory_watts=5.0, cpu=2.0)
    joules = {part.meter: part.joules for part in window.measurement.parts}
    assert joules["rapl package-0"] == pytest.approx(60.0, rel=0.01)
    assert joules["rapl dram (package-0)"] == pytest.approx(10.0, rel=0.01)
    assert window.measurement.joules == pytest.approx(70.0, rel=0.01)


def test_before_the_idle_baseline_is_known_it_says_so(machine):
    """Idle power is in the number, the low end is zero, and a caveat says why."""
    with machine.meters.window() as window:
        machine.passes(1.0, watts=30.0, cpu=1.0)
    assert NO_IDLE_YET in window.measurement.caveats
    assert window.measurement.joules_low == 0.0


def test_a_window_below_the_counters_step_falls_back_to_the_model(machine):
    """Half a millisecond on a counter that steps every millisecond is no measurement, and no zero."""
    with machine.meters.window() as window:
        machine.passes(0.0005, cpu=0.0005)
    m = window.measurement
    assert m.method == "estimated"
    assert m.joules > 0
    assert any("shorter than a step" in caveat for caveat in m.caveats)


def test_a_sleep_in_the_window_is_an_estimate_and_a_switch(machine):
    """The counter's step over a suspend is unknown; processor time is not."""
    with machine.meters.window() as window:
        machine.clock.sleeps(3600.0)
        machine.passes(1.0, watts=30.0, cpu=0.5)
    assert window.measurement.method == "estimated"
    assert any("asleep" in caveat for caveat in window.measurement.caveats)
    assert [switch.text for switch in machine.meters.switches if "asleep" in switch.text]


def test_a_lost_counter_is_shown_as_a_switch_of_method_and_back(machine):
    """A fallback is never silent: it is in the measurement, in the log and in `switches`."""
    with machine.meters.window():
        machine.passes(1.0, watts=30.0, cpu=0.5)
    file = machine.powercap.root / "class/powercap/intel-rapl:0/energy_uj"
    kept = file.read_text()
    file.write_text("")
    with machine.meters.window() as window:
        machine.clock.passes(1.0, cpu=0.5)
    file.write_text(kept)
    with machine.meters.window() as again:
        machine.passes(1.0, watts=30.0, cpu=0.5)
    assert window.measurement.method == "estimated"
    assert again.measurement.method == "attributed"
    texts = [switch.text for switch in machine.meters.switches]
    assert "estimated from now on" in texts[0]
    assert "can be read again" in texts[-1]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["work", "sleep", "reset", "lost"]), st.floats(0.01, 50.0), st.floats(0.0, 300.0)),
    min_size=1,
    max_size=12,
)


@given(events=EVENTS)
def test_no_history_gives_a_negative_or_an_unlabelled_number(tmp_path_factory, events):
    """Wraps, resets, sleeps and losses: joules are known with bounds around them, or None with every bound."""
    machine = Machine(tmp_path_factory.mktemp("sys"))
    for kind, seconds, watts in events:
        with machine.meters.window() as window:
            if kind == "sleep":
                machine.clock.sleeps(seconds)
            elif kind == "reset":
                machine.powercap.set("intel-rapl:0", 0.0)
            elif kind == "lost":
                (machine.powercap.root / "class/powercap/intel-rapl:0/energy_uj").write_text("")
            if kind != "lost":
                machine.passes(seconds, watts=watts, cpu=min(seconds, 1.0))
            else:
                machine.clock.passes(seconds, cpu=min(seconds, 1.0))
        m = window.measurement
        assert m.method in {"attributed", "estimated"}
        assert 0 <= m.joules_low <= m.joules <= m.joules_high
        assert m.joules_high <= 700.0 * (seconds + 0.2)
        if kind == "lost":
            machine.powercap.set("intel-rapl:0", 100.0)


def test_idle_power_is_taken_only_while_nothing_of_ours_runs(machine):
    """A sample over a window of ours is no idling."""
    machine.meters.sample()
    with machine.meters.window():
        machine.passes(5.0, watts=80.0, cpu=5.0)
    machine.meters.sample()
    with machine.meters.window() as window:
        machine.passes(1.0, watts=30.0, cpu=1.0)
    assert NO_IDLE_YET in window.measurement.caveats


def test_mains_and_battery_have_their_own_idle_power(machine):
    """Firmware lowers clocks on battery; the other baseline would be wrong."""
    machine.idles(10.0)
    bat = "class/power_supply/BAT0/"
    tree(machine.powercap.root, {bat + "type": "Battery", bat + "status": "Discharging"})
    machine.meters.sample()
    assert machine.meters.power == "battery"
    with machine.meters.window() as window:
        machine.passes(1.0, watts=30.0, cpu=1.0)
    assert NO_IDLE_YET in window.measurement.caveats


def test_a_machine_without_counters_still_knows_its_power_source(tmp_path):
    """Nothing is sampled there, so it is asked."""
    _, meters = bare(tmp_path)
    assert meters.power == "unknown"
    bat = "class/power_supply/BAT0/"
    tree(tmp_path, {bat + "type": "Battery", bat + "status": "Discharging"})
    assert meters.power == "battery"


def test_a_session_is_the_sum_of_its_requests(machine):
    """Counters telescope: many windows in a row add up to one window around them."""
    machine.idles(10.0)
    parts = []
    with machine.meters.window() as whole:
        for _ in range(20):
            with machine.meters.window() as window:
                machine.passes(0.2, watts=40.0, cpu=0.2)
            parts.append(window.measurement.joules)
    assert sum(parts) == pytest.approx(whole.measurement.joules, rel=1e-6)


def test_time_outside_windows_is_residency(tmp_path):
    """What our threads burn between requests has a line of its own, counted once."""
    clock, meters = bare(tmp_path)
    clock.passes(10.0, cpu=0.1)
    with meters.window():
        clock.passes(1.0, cpu=0.9)
        with meters.window():
            clock.passes(1.0, cpu=0.9)
    clock.passes(5.0, cpu=0.2)
    rest = meters.outside()
    assert rest.cpu_seconds == pytest.approx(0.3)
    assert rest.duration_s == pytest.approx(15.0)
    assert rest.joules == pytest.approx(0.3 * meters.core.watts)
    assert meters.outside().cpu_seconds == pytest.approx(0.0)


def test_a_board_is_opened_only_while_a_model_lies_on_it(tmp_path):
    """An open handle keeps a laptop's board awake."""
    library = FakeNvml(board(pids=[os.getpid()]))
    machine = Machine(tmp_path, library=library)
    assert library.open == 0
    machine.meters.use_gpu(True)
    machine.meters.use_gpu(True)
    assert library.open == 1
    machine.meters.use_gpu(False)
    assert library.open == 0
    machine.meters.use_gpu(True)
    machine.meters.close()
    assert library.open == 0


def test_a_sleeping_board_is_named_and_left_alone(tmp_path):
    """The reason says that asking would wake it; the library is not even loaded."""
    tree(
        tmp_path,
        {PCI + "class": "0x030200", PCI + "vendor": "0x10de", PCI + "power/runtime_status": "suspended"},
    )
    machine = Machine(tmp_path)
    machine.library = None
    (sleeping,) = [each for each in machine.meters.unavailable if each.name == "nvml"]
    assert "wake" in sleeping.reason


def test_a_boards_energy_is_added_net_of_its_idle_power(tmp_path):
    """Board 100 W for a second over 40 W idle: 60 J, measured, beside the processor's part."""
    device = board(joules=0.0, pids=[os.getpid()])
    machine = Machine(tmp_path, library=FakeNvml(device))
    machine.meters.use_gpu(True)
    for _ in range(3):
        device.joules += 80.0
        machine.passes(2.0, watts=10.0)
        machine.meters.sample()
    with machine.meters.window() as window:
        device.joules += 100.0
        machine.passes(1.0, watts=10.0, cpu=0.1)
    parts = {part.meter: part for part in window.measurement.parts}
    assert parts["nvml gpu 0"].joules == pytest.approx(60.0)
    assert parts["nvml gpu 0"].method == "measured"
    assert window.measurement.method == "attributed"
    machine.passes(10.0)
    device.joules += 400.0
    assert machine.meters.outside().joules >= 400.0


def test_beside_others_a_boards_energy_is_shared_by_their_utilisation(tmp_path):
    """Ours 30 of 40 busy percent: three quarters of the net joules, attributed, all of it at most; alone again: all."""
    device = board(joules=0.0, pids=[os.getpid(), 1], busy={os.getpid(): 30, 1: 10})
    machine = Machine(tmp_path, library=FakeNvml(device))
    machine.meters.use_gpu(True)

    def second():
        with machine.meters.window() as window:
            device.joules += 100.0
            machine.passes(1.0, watts=10.0, cpu=0.1)
        return next(part for part in window.measurement.parts if part.domain == "gpu")

    shared = second()
    device.pids = [os.getpid()]
    second()
    alone = second()

    assert (shared.method, shared.joules, shared.gross_joules) == ("attributed", pytest.approx(75.0), 100.0)
    assert shared.joules_high >= 100.0
    assert (alone.method, alone.joules) == ("measured", pytest.approx(100.0))


def test_costs_are_in_joules_only_where_something_counts_them(machine, tmp_path):
    """The unit names its counters; a window in which one of them was silent teaches nothing."""
    _, meters = bare(tmp_path / "none")
    assert (meters.unit.name, meters.unit.joules_per_cost) == ("cpu-seconds", meters.core.watts)
    assert machine.meters.unit.name == "joules by rapl dram (package-0), rapl package-0"
    with machine.meters.window() as whole:
        machine.passes(1.0, watts=30.0, cpu=1.0)
    (machine.powercap.root / "class/powercap/intel-rapl:0/energy_uj").write_text("")
    with machine.meters.window() as torn:
        machine.clock.passes(1.0, cpu=1.0)
    assert machine.meters.unit.cost(whole.measurement) == whole.measurement.joules
    assert machine.meters.unit.cost(torn.measurement) is None


def test_a_board_that_cannot_be_read_makes_the_total_unknown(tmp_path):
    """It may be most of the total: no number is better than a part called the whole."""
    device = board(joules=0.0, pids=[os.getpid()])
    machine = Machine(tmp_path, library=FakeNvml(device))
    machine.meters.use_gpu(True)
    with machine.meters.window() as window:
        device.joules = None
        machine.passes(1.0, watts=30.0, cpu=1.0)
    m = window.measurement
    assert (m.joules, m.joules_low, m.joules_high, m.method) == (None, None, None, "unavailable")


def test_what_is_only_shown_is_not_read_on_the_way_of_a_keystroke(machine):
    """A battery may take milliseconds to answer: ordinary windows leave it and the platform's counter alone."""
    bat = "class/power_supply/BAT0/"
    files = {"type": "Battery", "status": "Discharging", "energy_now": "40000000"}
    tree(machine.powercap.root, {bat + name: text for name, text in files.items()})
    machine.powercap.zone("intel-rapl:1", "psys")
    with open_meters(machine.powercap.root, {}, machine.clock, sampling=False) as meters:
        with meters.window() as quick:
            machine.passes(1.0, watts=10.0, cpu=0.5)
        with meters.window(everything=True) as full:
            machine.passes(1.0, watts=10.0, cpu=0.5)
    shown = {"rapl package-0", "rapl dram (package-0)"}
    assert {part.meter for part in quick.measurement.parts} == shown
    assert {part.meter for part in full.measurement.parts} == shown | {"rapl psys", "battery BAT0"}
    assert full.measurement.joules == pytest.approx(quick.measurement.joules)


def test_the_sampler_runs_until_it_is_stopped():
    """One thread, no busy waiting, gone after stop."""
    sampled = threading.Event()

    class Sampled:
        def sample(self):
            sampled.set()

        def sample_every_s(self):
            return 0.001

    sampler = Sampler(Sampled())
    sampler.stop()  # before it began: nothing happens
    sampler = Sampler(Sampled())
    sampler.start()
    sampler.start()
    assert sampled.wait(5.0)
    sampler.stop()
    assert not sampler._thread.is_alive()


def test_counters_start_the_sampler_and_closing_ends_it(tmp_path):
    """Without counters there is no thread at all."""
    Powercap(tmp_path).zone("intel-rapl:0", "package-0")
    with open_meters(tmp_path, {}, FakeClock()) as meters:
        assert meters._sampler._thread.is_alive()
    assert not meters._sampler._thread.is_alive()
    with open_meters(tmp_path / "none", {}, FakeClock()) as meters:
        assert not meters._sampler._thread.is_alive()


def test_sysfs_comes_from_the_environment(tmp_path):
    """JOULINE_SYSFS moves the whole probe."""
    Powercap(tmp_path).zone("intel-rapl:0", "package-0")
    with open_meters(environ={"JOULINE_SYSFS": str(tmp_path)}, clock=FakeClock(), sampling=False) as meters:
        assert "rapl package-0" in [meter.name for meter in meters.all]


def test_the_real_clock_counts_this_process():
    """On this machine, whatever it is: work takes processor time and joules."""
    with open_meters() as meters:
        busy = meters.busy_seconds()
        with meters.window() as window:
            sum(number * number for number in range(300_000))
        assert window.measurement.cpu_seconds > 0
        assert window.measurement.joules is None or window.measurement.joules >= 0
        assert meters.busy_seconds() >= busy
