"""The largest pair that fits memory and is quick enough is recommended, and every other one's objection is named."""

from dataclasses import replace

import pytest

from jouline.catalogue.card import load_catalogue
from jouline.catalogue.recommend import (
    Machine,
    Speed,
    line_ms,
    measure_bandwidth,
    measure_operations,
    recommend,
    speed_of,
)

CATALOGUE = load_catalogue()
EMBEDDED = {
    "embedded-small": Speed(prompt_tokens_per_s=4000, tokens_per_s=2000, method="measured"),
    "embedded-large": Speed(prompt_tokens_per_s=2000, tokens_per_s=500, method="measured"),
}
LAPTOP = Machine(
    memory_bytes=16_000_000_000,
    memory_free_bytes=9_000_000_000,
    gpu_free_bytes=None,
    cores=8,
    on_battery=False,
    bytes_per_s=60e9,
    operations_per_s=800e9,
    speeds=EMBEDDED,
)


def objections(machine: Machine) -> dict[str, str | None]:
    """Return each pair's objection."""
    return {candidate.pair.id: candidate.objection for candidate in recommend(CATALOGUE, machine).candidates}


class TestRecommend:
    def test_laptop(self) -> None:
        """Eight quick cores carry a small pair; larger ones would be too slow or too large, and that is said."""
        advice = recommend(CATALOGUE, LAPTOP)

        assert advice.pair.id == "qwen-light"
        assert "an estimate" in advice.reason
        assert "does not suit" in advice.reason
        assert "GB can be spared" in (objections(LAPTOP)["qwen-workstation"] or "")

    def test_slow_machine(self) -> None:
        """A machine too slow for any other pair keeps the one that comes with the program."""
        advice = recommend(CATALOGUE, replace(LAPTOP, operations_per_s=50e9))

        assert advice.pair.id == "embedded"
        assert "measured here" in advice.reason

    def test_little_memory(self) -> None:
        """What does not fit is not recommended, however quick it would be."""
        small = replace(LAPTOP, memory_free_bytes=1_000_000_000, operations_per_s=1e15, bytes_per_s=1e15)

        assert recommend(CATALOGUE, small).pair.id == "embedded"

    def test_half_the_memory(self) -> None:
        """Half of the memory is left to the user's other programs, even where all of it is free now."""
        eager = replace(LAPTOP, memory_bytes=4_000_000_000, memory_free_bytes=4_000_000_000)

        assert "GB can be spared" in (objections(eager)["qwen-light"] or "")

    def test_battery(self) -> None:
        """On battery a model must be twice as quick."""
        mains = replace(LAPTOP, operations_per_s=400e9)

        assert recommend(CATALOGUE, mains).pair.id == "qwen-light"
        assert recommend(CATALOGUE, replace(mains, on_battery=True)).pair.id == "embedded"

    def test_gpu(self) -> None:
        """What fits a usable GPU's memory suits, and no speed is made up for it."""
        advice = recommend(CATALOGUE, replace(LAPTOP, gpu_free_bytes=24_000_000_000))
        (chosen,) = (candidate for candidate in advice.candidates if candidate.pair == advice.pair)

        assert advice.pair.id == "qwen-gpu"
        assert (chosen.on_gpu, chosen.method, chosen.large_line_ms) == (True, "unknown", None)

    def test_measured_wins(self) -> None:
        """A measured speed replaces the estimate."""
        quick = Speed(prompt_tokens_per_s=1e5, tokens_per_s=1e3, method="measured")
        speeds = {**EMBEDDED, "qwen2.5-coder-0.5b": quick, "qwen2.5-coder-1.5b": quick}
        advice = recommend(CATALOGUE, replace(LAPTOP, operations_per_s=1e9, speeds=speeds))

        assert advice.pair.id == "qwen-light"
        assert "measured here" in advice.reason

    def test_nothing_known(self) -> None:
        """Without a single measured speed the embedded pair is recommended without a number."""
        advice = recommend(CATALOGUE, replace(LAPTOP, operations_per_s=1e9, speeds={}))

        assert advice.pair.id == "embedded"
        assert "ms" not in advice.reason.split("The next larger")[0]


class TestSpeeds:
    def test_suffix_behind(self) -> None:
        """Where the suffix stands behind the prefix, a keystroke costs reading it again."""
        behind, front = CATALOGUE.stage("qwen2.5-coder-0.5b"), CATALOGUE.stage("mellum-4b")
        speed = Speed(prompt_tokens_per_s=100, tokens_per_s=10, method="measured")

        assert line_ms(behind, speed) == pytest.approx(1e3 * (68 / 100 + 12 / 10))
        assert line_ms(front, speed) == pytest.approx(1e3 * (4 / 100 + 12 / 10))

    def test_unknown_stays_unknown(self) -> None:
        """A model whose memory is not known has no estimated speed."""
        assert speed_of(CATALOGUE.stage("mellum2-12b-a2.5b"), LAPTOP) is None
        assert line_ms(CATALOGUE.stage("mellum2-12b-a2.5b"), None) is None

    def test_rates(self) -> None:
        """Both rates of a machine can be measured, on one core as on several."""
        assert measure_bandwidth(1, megabytes=8) > 0
        assert measure_bandwidth(3, megabytes=8) > 0
        assert measure_operations(64) > 0
