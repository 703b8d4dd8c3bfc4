"""This machine as a recommendation sees it: facts, rates measured in a second, models timed with the real engine."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jouline.cancel import CancelToken
from jouline.completion import Prompt, Tier
from jouline.errors import JoulineError

if TYPE_CHECKING:
    from jouline.catalogue.card import PairCard
    from jouline.catalogue.recommend import Machine, Speed
    from jouline.config import Folders
    from jouline.engine.pair import Pair
    from jouline.hardware import Hardware

SAMPLE = "def area(width, height):\n    return width * height\n\n\n" * 40
PROMPT_TOKENS, WRITTEN_TOKENS = 256, 16


def look_at_machine(pairs: "Sequence[PairCard]", folders: "Folders") -> "Machine":
    """Probe the machine and time the pairs, which must be here; takes some seconds."""
    from jouline.catalogue.recommend import Machine, measure_bandwidth, measure_operations
    from jouline.hardware import probe

    hardware = probe()
    cores = hardware.cores or os.cpu_count() or 1
    speeds = {name: speed for pair in pairs for name, speed in time_pair(pair, folders).items()}
    return Machine(
        memory_bytes=hardware.memory_bytes,
        memory_free_bytes=hardware.memory_free_bytes,
        gpu_free_bytes=_gpu_free_bytes(hardware),
        cores=hardware.cores,
        on_battery={"battery": True, "ac": False}.get(hardware.power),
        bytes_per_s=measure_bandwidth(cores),
        operations_per_s=measure_operations(),
        speeds=speeds,
    )


def time_pair(card: "PairCard", folders: "Folders") -> "dict[str, Speed]":
    """Return both models' measured speeds by id; empty where the pair cannot be opened."""
    from jouline.opening import open_pair

    try:
        pair, _ = open_pair(card, folders)
    except JoulineError:
        return {}
    try:
        return {card.small.id: _time(pair, "small"), card.large.id: _time(pair, "large")}
    finally:
        pair.close()


def _time(pair: "Pair", tier: Tier) -> "Speed":
    from jouline.catalogue.recommend import Speed
    from jouline.engine.generate import Limits

    tokens = pair.tokenise(tier, SAMPLE)
    limits = Limits(max_tokens=WRITTEN_TOKENS, single_line=False)
    # The first prompt warms up; the second shares only its first token with it and so is read anew.
    pair.generate(tier, Prompt(tokens=tuple(tokens[:32]), stub=""), limits, CancelToken())
    prompt = Prompt(tokens=(tokens[0], *tokens[2 : PROMPT_TOKENS + 1]), stub="")
    done = pair.generate(tier, prompt, limits, CancelToken())
    return Speed(
        prompt_tokens_per_s=1e3 * done.prompt_evaluated / done.prompt_ms,
        tokens_per_s=1e3 * done.generated_tokens / done.generate_ms,
        method="measured",
    )


def _gpu_free_bytes(hardware: "Hardware") -> int | None:
    """Return the most memory free on one GPU that is awake, if this build of the engine can use one."""
    from jouline.engine.llama import supports_gpu
    from jouline.hardware import gpu_memory

    if not supports_gpu():
        return None
    found = [memory.free_bytes for gpu in hardware.gpus if (memory := gpu_memory(gpu)) is not None]
    return max(found, default=None)
