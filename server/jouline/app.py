"""The composition root: opens the parts, wires them, closes them. Nothing is constructed anywhere else."""

import contextlib
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

from jouline.cancel import CancelToken
from jouline.catalogue.card import PairCard
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.store import ModelStore
from jouline.completion import Completion, CompletionRequest, Feedback, Tier
from jouline.config import Config, Folders
from jouline.energy.ledger import FILE_NAME, Ledger
from jouline.energy.meter import Meters, open_meters
from jouline.energy.savings import CostModel
from jouline.engine.llama import supports_gpu
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.errors import RouterError
from jouline.hardware import probe
from jouline.pipeline.account import Account, AlwaysLarge
from jouline.pipeline.books import Books, SessionEnergy
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.serve import Pipeline
from jouline.pipeline.warmup import warm_up
from jouline.router.router import ConfidenceRouter, LearnedRouter, Router, open_router

_REMEMBERED = 200  # answers that can still be explained
_MAX_CONTEXT_TOKENS = 4096
_RESIDENCY_EVERY_S = 60.0  # at most a ledger row for each
_NATURAL_TOKENS = 8.3  # tokens of a rest of line, mean over the places that the first pair was measured at


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What belongs to one pair and is replaced with it; `problems` are sentences on what had to be done without."""

    card: PairCard
    pair: Pair
    pipeline: Pipeline
    router: Router
    problems: tuple[str, ...]


class App:
    """An opened pair with all that serves it. `submit` may be called from any thread; the work is done in one."""

    def __init__(
        self, config: Config, *, open_parts: Callable[[Config], Parts], books: Books, meters: Meters, ledger: Ledger
    ) -> None:
        """Open the pair that `config` names; raises a JoulineError with one sentence where that cannot be done."""
        self._open_parts = open_parts
        self._parts = open_parts(config)
        self._models = _models(config)
        self._most_saving = _most_saving(self._parts.router, config)
        self._books = books
        self._meters = meters
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jouline-engine")
        self._lock = threading.Lock()
        self._residency_due_s = 0.0
        self._answers: OrderedDict[tuple[str, int], Completion] = OrderedDict()

    @property
    def card(self) -> PairCard:
        """The pair in use."""
        return self._parts.card

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each part that had to be done without."""
        ledger = self._ledger.problem
        return (*self._parts.problems, *((ledger,) if ledger else ()))

    def reconfigure(self, config: Config) -> None:
        """Take up other settings; another pair is opened behind what is being answered, then the old one freed.

        Raises a JoulineError, the old pair staying in use, where the new one cannot be opened.
        """
        if _models(config) != self._models:
            self._thread.submit(self._swap, config).result()
        self._most_saving = _most_saving(self._parts.router, config)

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> Future[Completion]:
        """Answer a request on the engine's thread. The future raises Cancelled or a JoulineError."""
        return self._thread.submit(self._serve, request, cancel, time.perf_counter())

    def complete(self, request: CompletionRequest, cancel: CancelToken) -> Completion:
        """Answer a request and wait for it."""
        return self.submit(request, cancel).result()

    def feedback(self, feedback: Feedback) -> None:
        """Note what the person did with a suggestion."""
        self._books.feedback(feedback)

    def session_energy(self, *, settle: bool = False) -> SessionEnergy:
        """Return the session's totals; residency is brought up to now with `settle`, else about once a minute."""
        now = time.monotonic()
        if settle or now >= self._residency_due_s:
            self._residency_due_s = now + _RESIDENCY_EVERY_S
            self._settle_residency()
        return self._books.session()

    def explain(self, uri: str, offset: int) -> Completion | None:
        """Return the last answer given at a place, None if there was none lately."""
        with self._lock:
            return self._answers.get((uri, offset))

    def close(self) -> None:
        """Finish what runs, write the ledger, free the models."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._settle_residency()
        self._ledger.close()
        self._meters.close()
        self._parts.pair.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self, request: CompletionRequest, cancel: CancelToken, submitted: float) -> Completion:
        queue_ms = (time.perf_counter() - submitted) * 1e3
        if request.energy_saving > self._most_saving:
            request = replace(request, energy_saving=int(self._most_saving))
        completion = self._parts.pipeline.serve(request, cancel, queue_ms=queue_ms)
        with self._lock:
            self._answers[request.uri, request.offset] = completion
            self._answers.move_to_end((request.uri, request.offset))
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return completion

    def _settle_residency(self) -> None:
        self._books.other("residency", self._meters.outside(), extra_share=_extra_share(self.card))

    def _swap(self, config: Config) -> None:
        old, self._parts = self._parts, self._open_parts(config)
        self._models = _models(config)
        old.pair.close()


def build(config: Config, folders: Folders | None = None, *, keep_ledger: bool = True) -> App:
    """Open the ledger, the meters and the pair that the settings name.

    Without `keep_ledger` the books are kept in memory alone: what is replayed is not the user's own work.
    Raises a JoulineError with one sentence where a model cannot be used. What can be done without (a router, a writable
    ledger) becomes a sentence in `App.problems`.
    """
    folders = folders or Folders.find()
    with contextlib.ExitStack() as undo:
        meters = undo.enter_context(open_meters())
        ledger = undo.enter_context(Ledger(folders.data / FILE_NAME if keep_ledger else None))
        books = Books(ledger, session=uuid.uuid4().hex)
        opening = partial(_open_parts, folders, meters, books)
        app = App(config, open_parts=opening, books=books, meters=meters, ledger=ledger)
        undo.pop_all()
        return app


def _open_parts(folders: Folders, meters: Meters, books: Books, config: Config) -> Parts:
    card = choose_pair(ModelStore.under(folders.data).catalogue(), config.model_small, config.model_large)
    with meters.window() as loading:
        pair, context_tokens = open_pair(card, folders)
    books.other("load", loading.measurement, extra_share=_extra_share(card))
    try:
        return _wire(card, pair, context_tokens, meters, books)
    except BaseException:
        pair.close()
        raise


def _wire(card: PairCard, pair: Pair, context_tokens: int, meters: Meters, books: Books) -> Parts:
    options = PipelineOptions()
    completer = Completer(pair, {"small": card.small, "large": card.large}, options, context_tokens)
    with meters.window() as warming:
        costs = _warm(completer, meters)
    books.other("warm-up", warming.measurement, extra_share=_extra_share(card))
    problems: list[str] = []
    router = _open_router(card, problems)
    pipeline = Pipeline(
        completer=completer,
        router=router,
        account=Account(meters, costs, AlwaysLarge(_natural_tokens(router)), card.large.id),
        books=books,
        model_ids={"small": card.small.id, "large": card.large.id},
        options=options,
    )
    return Parts(card=card, pair=pair, pipeline=pipeline, router=router, problems=tuple(problems))


def open_pair(card: PairCard, folders: Folders) -> tuple[Pair, int]:
    """Open both models of a pair; returns them with the context size that they share."""
    small, large = ModelStore.under(folders.data).check_pair(card)
    trained = min(card.small.context_tokens or _MAX_CONTEXT_TOKENS, card.large.context_tokens or _MAX_CONTEXT_TOKENS)
    context_tokens = min(trained, _MAX_CONTEXT_TOKENS)
    gpu_layers = 999 if card.kind == "separate" and supports_gpu() else 0
    options = EngineOptions(context_tokens=context_tokens, gpu_layers=gpu_layers)
    files = PairFiles(
        kind=card.kind,
        small=small,
        large=large,
        small_options=options,
        large_options=_large_options(card, options),
        small_ends=card.small.fim.end,
        large_ends=card.large.fim.end,
    )
    return Pair(files), context_tokens


def _large_options(card: PairCard, options: EngineOptions) -> EngineOptions:
    """Give a separate large model all cores but one; halves of a tiny network run best on one."""
    cores = probe().cores or os.cpu_count() or 1
    threads = max(1, cores - 1) if card.kind == "separate" else 1
    return EngineOptions(context_tokens=options.context_tokens, gpu_layers=options.gpu_layers, threads=threads)


def _warm(completer: Completer, meters: Meters) -> dict[Tier, CostModel]:
    tiers: tuple[Tier, Tier] = ("small", "large")
    return {tier: warm_up(completer, meters, tier, CancelToken()) for tier in tiers}


def _open_router(card: PairCard, problems: list[str]) -> Router:
    """Return the router made for this pair, else the cascade, saying so."""
    if card.router is None or card.tokenizer is None:
        return ConfidenceRouter()
    try:
        weights = {"small": card.small.sha256, "large": card.large.sha256}
        return open_router(card.router, tokenizer=card.tokenizer, pair=card.id, weights=weights)
    except RouterError as error:
        problems.append(f"{error} Until then the small model's own confidence decides.")
        return ConfidenceRouter()


def _most_saving(router: Router, config: Config) -> float:
    """Return the highest energy saving that the quality floor allows; without a calibration only 0 is sure."""
    if config.quality_floor is None:
        return 100.0
    return router.calibration.most_saving(config.quality_floor) if isinstance(router, LearnedRouter) else 0.0


def _extra_share(card: PairCard) -> float:
    """Return the share of residency that always-large would not have: the small model's bytes, none for an exit."""
    small, large = card.small.size_bytes, card.large.size_bytes
    if card.kind == "exit":
        return 0.0
    return small / (small + large) if small and large else 0.5


def _models(config: Config) -> tuple[str, str]:
    return config.model_small, config.model_large


def _natural_tokens(router: Router) -> float:
    if isinstance(router, LearnedRouter):
        return float(router.calibration.made_from.get("large_natural_tokens", _NATURAL_TOKENS))
    return _NATURAL_TOKENS
