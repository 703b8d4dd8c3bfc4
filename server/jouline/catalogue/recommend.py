"""Which pair suits a machine: memory first, then how long a line would take, then the largest that is quick enough.

Where a model's speed was measured, that is used. Elsewhere it is estimated: decoding reads every weight once a token,
so its speed is the memory's bandwidth over the size of the weights (Pope et al., Efficiently Scaling Transformer
Inference, 2022, section 2); reading a prompt takes two operations a weight and token, so its speed is the processor's
rate over twice the parameters. `WRITING` and `READING` are what llama.cpp reaches of the two rates.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jouline.catalogue.card import Catalogue, PairCard, StageCard

WRITING = 0.6
READING = 1.4  # of a 32-bit matrix product, with 8-bit weights (164 M parameters on two cores of a Zen 5, measured)
MEMORY_SHARE = 0.5  # of all memory: the editor and the user's own programs need the rest
LINE_TOKENS = 12  # of a rest of a line, about (the embedded pair's places: 8.3)
TYPED_TOKENS = 4  # evaluated anew at a keystroke where the suffix stands first
LINE_BUDGET_MS = {"small": 400.0, "large": 1500.0}
BATTERY_SHARE = 0.5  # of that budget: on battery a model half as fast costs twice the charge

Method = Literal["measured", "estimated", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Tokens a second of one model on this machine, for prompt and for writing."""

    prompt_tokens_per_s: float
    tokens_per_s: float
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides. `gpu_free_bytes` is None where no GPU can be used by this build or its memory cannot be read."""

    memory_bytes: int
    memory_free_bytes: int
    gpu_free_bytes: int | None
    cores: int | None
    on_battery: bool | None
    bytes_per_s: float
    operations_per_s: float
    speeds: Mapping[str, Speed]  # measured ones, by model id


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair held against the machine; `objection` is None where there is none, times are None where unknown."""

    pair: PairCard
    memory_bytes: int | None
    small_line_ms: float | None
    large_line_ms: float | None
    method: Method
    on_gpu: bool
    objection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The pair that suits, why, and how each candidate fared, smallest first."""

    pair: PairCard
    reason: str
    candidates: tuple[Candidate, ...]


def recommend(catalogue: Catalogue, machine: Machine) -> Recommendation:
    """Return the largest listed pair that fits memory and is quick enough; the default pair always does."""
    pairs = sorted(catalogue.pairs.values(), key=lambda pair: pair.large.parameters or 0)
    candidates = tuple(judge(pair, machine) for pair in pairs)
    fitting = [candidate for candidate in candidates if candidate.objection is None]
    best = fitting[-1] if fitting else judge(catalogue.pair(), machine)
    return Recommendation(pair=best.pair, reason=_reason(best, candidates), candidates=candidates)


def judge(pair: PairCard, machine: Machine) -> Candidate:
    """Hold one pair against the machine."""
    sizes = (pair.small.memory_bytes, pair.large.memory_bytes)
    needed = None if None in sizes else sum(size or 0 for size in sizes)
    on_gpu = needed is not None and machine.gpu_free_bytes is not None and needed <= machine.gpu_free_bytes
    small = None if on_gpu else speed_of(pair.small, machine)
    large = None if on_gpu else speed_of(pair.large, machine)
    method: Method = "unknown" if small is None or large is None else max(small.method, large.method, key=_DOUBT.index)
    small_ms, large_ms = line_ms(pair.small, small), line_ms(pair.large, large)
    times = {"small": small_ms, "large": large_ms}
    return Candidate(
        pair=pair,
        memory_bytes=needed,
        small_line_ms=small_ms,
        large_line_ms=large_ms,
        method=method,
        on_gpu=on_gpu,
        objection=None if on_gpu else _objection(needed, times, machine),
    )


_DOUBT: Sequence[Method] = ("measured", "estimated", "unknown")


def speed_of(stage: StageCard, machine: Machine) -> Speed | None:
    """Return a model's speed on this machine's processor: measured, else estimated, None where nothing is known."""
    if stage.id in machine.speeds:
        return machine.speeds[stage.id]
    if stage.parameters is None or stage.memory_bytes is None:
        return None
    return Speed(
        prompt_tokens_per_s=READING * machine.operations_per_s / (2 * stage.parameters),
        tokens_per_s=WRITING * machine.bytes_per_s / stage.memory_bytes,
        method="estimated",
    )


def line_ms(stage: StageCard, speed: Speed | None) -> float | None:
    """Return the milliseconds from a keystroke to a line: what the layout makes the model read again, then writing."""
    if speed is None:
        return None
    again = stage.fim.suffix_tokens if stage.fim.layout == "prefix-suffix-middle" else 0
    return 1e3 * ((again + TYPED_TOKENS) / speed.prompt_tokens_per_s + LINE_TOKENS / speed.tokens_per_s)


def measure_bandwidth(cores: int, megabytes: int = 128) -> float:
    """Return the bytes a second that all cores together read from memory, best of three."""
    block = np.ones((cores, (megabytes << 20) // 8 // cores), np.float64)
    with ThreadPoolExecutor(cores) as pool:
        return block.nbytes / min(_timed(lambda: list(pool.map(np.sum, block))) for _ in range(3))


def measure_operations(size: int = 768) -> float:
    """Return the floating-point operations a second of a matrix product on all cores, best of ten."""
    left = np.ones((size, size), np.float32)
    return 2 * size**3 / min(_timed(lambda: left @ left) for _ in range(10))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _objection(needed: int | None, times: Mapping[str, float | None], machine: Machine) -> str | None:
    room = min(MEMORY_SHARE * machine.memory_bytes, machine.memory_free_bytes)
    if needed is None:
        return "its memory is not known"
    if needed > room:
        return f"it needs {needed / 1e9:.1f} GB and {room / 1e9:.1f} GB can be spared"
    share = BATTERY_SHARE if machine.on_battery else 1.0
    for tier, taken in times.items():
        if taken is not None and taken > share * LINE_BUDGET_MS[tier]:
            limit = share * LINE_BUDGET_MS[tier] / 1e3
            return f"its {tier} model would take {taken / 1e3:.1f} s a line, more than {limit:.1f} s"
    return None


def _reason(best: Candidate, candidates: Sequence[Candidate]) -> str:
    larger = [c for c in candidates[candidates.index(best) + 1 :] if c.objection] if best in candidates else []
    next_one = f" The next larger, {larger[0].pair.id}, does not suit: {larger[0].objection}." if larger else ""
    if best.on_gpu:
        return f"It fits the graphics memory; its speed there was not measured.{next_one}"
    if best.large_line_ms is None or best.small_line_ms is None:
        return f"It is the pair that comes with Jouline.{next_one}"
    how = "measured here" if best.method == "measured" else "an estimate"
    times = f"{best.small_line_ms:.0f} ms a line from the small model, {best.large_line_ms:.0f} ms from the large one"
    return f"It is the largest that fits memory and is quick enough: {times} ({how}).{next_one}"
