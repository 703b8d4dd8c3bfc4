"""What the models cost here: learnt apart for mains and battery, in the unit of this machine, kept between sessions."""

from types import SimpleNamespace

import pytest
from tests.energy.fakes import FakeClock, FakeNvml, Powercap, board, tree

from jouline.energy.costbook import CostBook
from jouline.energy.meter import open_meters
from jouline.energy.nvml import Nvidia
from jouline.energy.savings import Estimate, Prior, Work
from jouline.energy.window import Measurement
from jouline.pipeline.account import FITTED, Account, AlwaysLarge, Run, work_of
from jouline.pipeline.costs import Behind, Costs

WORK = Work(prompt_evaluated=10, generated=5)
WARMED = Prior(per_prompt_token=0.01, per_generated_token=0.05)
BATTERY = "class/power_supply/BAT0/"
MAINS = "class/power_supply/AC/"


class Laptop:
    """A machine without counters that can be plugged and unplugged."""

    def __init__(self, root):
        self.root = root
        self.clock = FakeClock()
        self.plug(True)
        self.meters = open_meters(root, {}, self.clock, sampling=False)

    def plug(self, plugged):
        files = {BATTERY + "type": "Battery", BATTERY + "status": "Full" if plugged else "Discharging"}
        tree(self.root, files | {MAINS + "type": "Mains", MAINS + "online": str(int(plugged))})

    def costs(self, book, **options):
        names = {"small": "little", "large": "big"}
        return Costs(self.meters, book, names, "a processor", now=self.clock.now, **options)

    def learn(self, costs, cpu_seconds, times=300):
        for _ in range(times):
            with self.meters.window() as window:
                self.clock.passes(1.0, cpu=cpu_seconds)
            costs.learn("large", WORK, window.measurement)


@pytest.fixture
def laptop(tmp_path):
    """Give a laptop on mains."""
    return Laptop(tmp_path / "sys")


def test_mains_and_battery_have_costs_of_their_own(laptop):
    """What is learnt on battery, at a lowered clock, is forgotten on mains and known again on battery."""
    costs = laptop.costs(CostBook(None))
    costs.begin("large", WARMED)
    watts = laptop.meters.core.watts
    laptop.learn(costs, 1.0)
    laptop.plug(False)
    laptop.clock.passes(10.0)
    first = costs.predict("large", WORK).value
    laptop.learn(costs, 2.0)
    battery = costs.predict("large", WORK).value
    laptop.plug(True)
    laptop.clock.passes(10.0)
    assert costs.predict("large", WORK).value == pytest.approx(1.0 * watts, rel=0.05)
    assert first == pytest.approx(1.0 * watts, rel=0.05)  # until the battery has costs, mains' are the first idea
    assert battery == pytest.approx(2.0 * watts, rel=0.05)


def test_marginal_costs_hold_what_each_model_has_to_catch_up(laptop):
    """A token to catch up costs what a prompt token costs; before both models are known nothing is told."""
    unknown, costs = laptop.costs(CostBook(None)), laptop.costs(CostBook(None))
    unknown.begin("small", WARMED)
    assert unknown.marginal(Behind(small=0.0, large=0.0, large_level=0.0)) is None
    costs.begin("small", WARMED)
    costs.begin("large", Prior(per_prompt_token=0.02, per_generated_token=0.1))
    level = costs.marginal(Behind(small=3.0, large=3.0, large_level=3.0))
    later = costs.marginal(Behind(small=3.0, large=103.0, large_level=3.0))

    assert later.large - level.large == pytest.approx(100 * 0.02)
    assert (later.small, later.large_level) == (level.small, level.large)
    assert later.surcharge(5) - level.surcharge(5) == pytest.approx(100 * 0.02)
    assert level.surcharge(7) - level.surcharge(6) == pytest.approx(0.1 - 0.05)


def test_the_next_session_goes_on_where_this_one_stopped(laptop, tmp_path):
    """A warm-up gives the first idea, once; after a restart what was learnt is known."""
    path = tmp_path / "costs.json"
    costs = laptop.costs(CostBook(path))
    costs.begin("large", WARMED)
    laptop.learn(costs, 1.0)
    learnt = costs.predict("large", WORK)
    costs.save()
    again = laptop.costs(CostBook(path))
    again.begin("large", Prior(per_prompt_token=99.0, per_generated_token=99.0))
    assert again.predict("large", WORK) == learnt


def test_a_killed_session_has_kept_what_it_learnt_so_far(laptop, tmp_path):
    """The book is written now and then, not only at the end."""
    path = tmp_path / "costs.json"
    costs = laptop.costs(CostBook(path))
    laptop.learn(costs, 1.0, times=120)
    assert laptop.costs(CostBook(path)).predict("large", WORK) is not None


def test_processor_time_is_what_is_kept_where_nothing_counts_joules(laptop, tmp_path):
    """A better figure for the watts of a core makes joules of the same seconds."""
    path = tmp_path / "costs.json"
    costs = laptop.costs(CostBook(path))
    laptop.learn(costs, 1.0)
    costs.save()
    before = costs.predict("large", WORK).value
    zone = Powercap(laptop.root).zone("intel-rapl:0", "package-0")
    (zone / "constraint_0_power_limit_uw").write_text("500000000")
    Powercap(laptop.root).refuse("intel-rapl:0")
    laptop.meters = open_meters(laptop.root, {}, laptop.clock, sampling=False)
    ratio = laptop.meters.core.watts / costs._meters.core.watts
    assert ratio != pytest.approx(1.0)
    assert laptop.costs(CostBook(path)).predict("large", WORK).value == pytest.approx(before * ratio)


class Board:
    """A machine with a graphics board whose counter steps every tenth of a second, and a model on it."""

    def __init__(self, root, joules_per_token):
        self.device = board(joules=0.0)
        self.clock = FakeClock()
        nvidia = Nvidia(self.clock, load=lambda: FakeNvml(self.device))
        self.meters = open_meters(root, {}, self.clock, nvidia, sampling=False)
        self.meters.use_gpu(True)
        self.joules_per_token = joules_per_token

    def generate(self, tokens, seconds):
        with self.meters.window() as window:
            self.device.joules += tokens * self.joules_per_token
            self.clock.passes(seconds, cpu=seconds / 100)
        generation = SimpleNamespace(
            prompt_work=float(tokens), generated_tokens=0, stop="line", tokens=(1, 2), prompt_tokens=tokens,
            drafted=0, exited=0, saved_by_drafts=0.0, saved_by_exit=0.0,
        )  # fmt: skip
        return Run(tier="large", generation=generation, measurement=window.measurement)


def test_what_is_shorter_than_a_counters_step_is_estimated_by_the_fitted_cost(tmp_path):
    """Unknown by itself, it costs what longer requests say, with their spread, and is called an estimate."""
    machine = Board(tmp_path, joules_per_token=2.0)
    costs = Costs(machine.meters, CostBook(None), {"small": "little", "large": "big"}, "a board", now=lambda: 0.0)
    account = Account(machine.meters, costs, AlwaysLarge(8.0), "big")
    short = machine.generate(10, 0.03)
    unknown = account.bill((1, 2, 3), (short,), short.measurement, 0.0)
    for tokens in (20, 40, 60, 80, 100, 120):
        account.learn(machine.generate(tokens, 1.0))
    energy = account.bill((1, 2, 3), (short,), short.measurement, 0.0)
    assert isinstance(short.measurement, Measurement)
    assert (unknown.joules, unknown.method) == (None, "unavailable")
    assert energy.joules == pytest.approx(20.0, rel=0.05)
    assert (energy.method, energy.source) == ("estimated", FITTED)
    assert energy.joules_low <= energy.joules <= energy.joules_high
    assert energy.saved_joules_stddev is not None


class TwoJoulesAToken:
    """Costs that are known to the last digit."""

    def predict(self, tier, work):
        return Estimate(value=self.expected(tier, work), stddev=0.0)

    def expected(self, tier, work):
        return 1.0 + 0.5 * work.prompt_evaluated + 2.0 * work.generated


def written(tokens, *, prompt_work=0.0, drafted=0, exited=0, saved_by_drafts=0.0, saved_by_exit=0.0):
    """Return a line of so many tokens."""
    return SimpleNamespace(
        prompt_work=prompt_work, generated_tokens=tokens, stop="line", tokens=(1,) * tokens, drafted=drafted,
        exited=exited, saved_by_drafts=saved_by_drafts, saved_by_exit=saved_by_exit,
    )  # fmt: skip


def joules(spent):
    """Return a measurement."""
    return SimpleNamespace(
        joules=spent, method="measured", source="", joules_low=spent, joules_high=spent, cpu_seconds=1.0
    )


def test_what_drafts_and_exits_save_is_told_apart():
    """They are priced by the tokens of plain decoding that they saved, and all parts sum to the saving."""
    generation = written(6, prompt_work=1.0, drafted=4, exited=2, saved_by_drafts=1.5, saved_by_exit=0.5)
    work = work_of(generation)
    measured = joules(TwoJoulesAToken().predict("large", work).value)
    run = Run(tier="large", generation=generation, measurement=measured)
    account = Account(None, TwoJoulesAToken(), AlwaysLarge(8.0), "big")
    energy = account.bill((1,), (run,), measured, 0.0)

    assert work.generated == 4.0
    assert energy.saved_by == pytest.approx({"route": 0.0, "stop": 0.0, "drafts": 3.0, "exit": 1.0})
    assert sum(energy.saved_by.values()) == pytest.approx(energy.saved_joules)


def test_what_stands_beside_the_models_is_paid_by_the_baseline_too():
    """Making the prompt and fitting the text saves or loses nothing, the router's work is ours alone."""

    def billed(total, router_share):
        account = Account(None, TwoJoulesAToken(), AlwaysLarge(8.0), "big")
        run = Run(tier="small", generation=written(4), measurement=joules(6.0))
        return account.bill((1,), (run,), joules(total), router_share)

    alone, with_more, with_router = billed(6.0, 0.0), billed(10.0, 0.0), billed(10.0, 0.3)
    assert with_more.saved_joules == pytest.approx(alone.saved_joules)
    assert with_more.baseline_joules == pytest.approx(alone.baseline_joules + 4.0)
    assert with_router.saved_joules == pytest.approx(alone.saved_joules - 3.0)
    assert sum(with_router.saved_by.values()) == pytest.approx(with_router.saved_joules)
