"""Opening a pair where it runs best: how many layers fit a graphics device, how many threads, how long it stays."""

import os
from dataclasses import replace
from pathlib import Path

from jouline.catalogue.card import PairCard, StageCard
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.store import ModelStore
from jouline.completion import Tier
from jouline.config import Folders
from jouline.energy.meter import Meters
from jouline.engine.llama import supports_gpu
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.errors import EngineError
from jouline.hardware import gpu_memory, probe
from jouline.measured import FILE_NAME as MEASURED_FILE
from jouline.measured import Measured

_MAX_CONTEXT_TOKENS = 4096
_RESERVED_BYTES = 400_000_000  # of a device's memory: for what is computed on the way, and for the desktop
_LEAST_SHARE = 0.25  # of the layers: fewer on a device cost more in copying than they gain
_KEPT_WATTS_PER_GB = 0.1  # an estimate: what refreshing memory draws; a board that is kept awake draws far more
_BOARD_WATTS = 10.0  # an estimate: a board held awake by a model against one that may sleep
_RELOAD_JOULES_PER_GB = 30.0  # an estimate: about a second of a processor's package
_SOONEST_UNLOAD_S, _LATEST_UNLOAD_S = 120.0, 3600.0


def open_pair(card: PairCard, folders: Folders) -> tuple[Pair, int]:
    """Open both models of a pair; returns them with the context size that they share.

    Where a graphics device takes less than its free memory promised, everything runs on the processor.
    """
    small, large = ModelStore.under(folders.data).check_pair(card)
    context_tokens = min(_context_tokens(card.small), _context_tokens(card.large))
    free = _free_bytes() if card.kind == "separate" and supports_gpu() else 0
    small_layers, taken = fitting_layers(small, context_tokens, free)
    large_layers, _ = fitting_layers(large, context_tokens, free - taken)
    measured = Measured(folders.data / MEASURED_FILE)
    try:
        files = _files(card, (small, large), context_tokens, (small_layers, large_layers))
        return _opened(files, measured), context_tokens
    except EngineError:
        if not small_layers and not large_layers:
            raise
        return _opened(_files(card, (small, large), context_tokens, (0, 0)), measured), context_tokens


def _opened(files: PairFiles, measured: Measured) -> Pair:
    """Open a pair with what was measured of its files before; what had to be measured now is noted.

    Halves of one network go without flash attention unasked: behind their few hundred tokens it takes nothing off a
    single token and makes the batches of keystrokes and drafts dearer (LOG.md), and they open in no time.
    """
    if files.kind == "exit":
        return Pair(files)
    small, large = (
        replace(options, flash_attention=measured.flash_attention(path, options))
        for path, options in ((files.small, files.small_options), (files.large, files.large_options))
    )
    pair = Pair(replace(files, small_options=small, large_options=large))
    opened: tuple[tuple[Tier, Path, EngineOptions], ...] = (
        ("small", files.small, small),
        ("large", files.large, large),
    )
    for tier, path, options in opened:
        if options.flash_attention is None:
            measured.note(path, options, flash_attention=pair.flash_attention[tier])
    return pair


def fitting_layers(path: Path, context_tokens: int, free_bytes: int) -> tuple[int, int]:
    """Return how many layers of a file fit a device with so much free memory, and how much they take of it.

    The layer of the output counts as one. None go there if it would be less than a quarter of them.
    """
    if free_bytes <= _RESERVED_BYTES:
        return 0, 0
    header = read_header(path)
    layers = (header.block_count or 0) + 1
    needed = path.stat().st_size + (header.kv_bytes_per_token or 0) * context_tokens
    fitting = min(layers, int((free_bytes - _RESERVED_BYTES) * layers / needed))
    return (fitting, needed * fitting // layers) if fitting >= _LEAST_SHARE * layers else (0, 0)


def placing(pair: Pair) -> str | None:
    """Return one sentence where a graphics device is there and does not hold all of a pair, else None."""
    if not supports_gpu() or pair.one_vocabulary:
        return None
    short = [f"the {tier} model {on} of {of}" for tier, (on, of) in pair.offloaded.items() if on < of]
    if not short:
        return None
    return (
        f"The GPU has too little free memory: of {' and of '.join(short)} layers run on it, the rest on the processor; "
        "close what uses it, or choose smaller models."
    )


def unload_after_s(card: PairCard, load_joules: float | None) -> float | None:
    """Return after how long without a request the large model's memory is worth more than loading it again.

    That is when holding it has cost what loading costs: `load_joules` is what opening the pair took, None if that could
    not be measured. None is returned for halves of one small network, which always stay.
    """
    small, large = card.small.size_bytes or 0, card.large.size_bytes
    if card.kind == "exit" or not large:
        return None
    reload = _RELOAD_JOULES_PER_GB * large / 1e9 if load_joules is None else load_joules * large / (small + large)
    watts = _BOARD_WATTS if supports_gpu() else _KEPT_WATTS_PER_GB * large / 1e9
    return min(_LATEST_UNLOAD_S, max(_SOONEST_UNLOAD_S, reload / watts))


def _free_bytes() -> int:
    return max((memory.free_bytes for gpu in probe().gpus if (memory := gpu_memory(gpu))), default=0)


def _files(card: PairCard, paths: tuple[Path, Path], context_tokens: int, layers: tuple[int, int]) -> PairFiles:
    """Give a separate large model all cores but one; halves of a tiny network run best on one."""
    cores = probe().cores or os.cpu_count() or 1
    return PairFiles(
        kind=card.kind,
        small=paths[0],
        large=paths[1],
        small_options=EngineOptions(context_tokens=context_tokens, gpu_layers=layers[0]),
        large_options=EngineOptions(
            context_tokens=context_tokens,
            gpu_layers=layers[1],
            threads=max(1, cores - 1) if card.kind == "separate" else 1,
        ),
        small_ends=card.small.fim.end,
        large_ends=card.large.fim.end,
    )


def _context_tokens(stage: StageCard) -> int:
    return min(stage.prompt_tokens or stage.context_tokens or _MAX_CONTEXT_TOKENS, _MAX_CONTEXT_TOKENS)


def device(pair: Pair, meters: Meters) -> str:
    """Name what the models run on: the boards that are read, else the processor and its threads."""
    boards = [meter.covers for meter in meters.all if meter.domain == "gpu"]
    if pair.on_gpu:
        return ", ".join(boards) or "GPU"
    machine = probe()
    return f"{machine.cpu_name}, {machine.threads} threads"


def extra_share(card: PairCard) -> float:
    """Return the share of residency that always-large would not have: the small model's bytes, none for an exit."""
    small, large = card.small.size_bytes, card.large.size_bytes
    if card.kind == "exit":
        return 0.0
    return small / (small + large) if small and large else 0.5
