"""The composition root: opens the parts, wires them, closes them. Nothing is constructed anywhere else."""

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from jouline.cancel import CancelToken
from jouline.catalogue.card import Layout, PairCard
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.store import ModelStore
from jouline.completion import Completion, CompletionRequest, Feedback, Tier
from jouline.config import Config, Folders
from jouline.energy.costbook import FILE_NAME as COSTS_FILE
from jouline.energy.costbook import CostBook
from jouline.energy.ledger import FILE_NAME, Ledger
from jouline.energy.meter import Meters, open_meters
from jouline.engine.pair import Pair
from jouline.errors import CatalogueError
from jouline.opening import device, extra_share, open_pair, placing, unload_after_s
from jouline.pipeline.account import Account, AlwaysLarge
from jouline.pipeline.answers import Answered, Answers
from jouline.pipeline.books import Books, SessionEnergy
from jouline.pipeline.completer import Completer
from jouline.pipeline.costs import Costs, file_names
from jouline.pipeline.exclusions import Exclusions
from jouline.pipeline.learning import Learning
from jouline.pipeline.limits import room
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.pauses import Pauses
from jouline.pipeline.serve import Pipeline
from jouline.pipeline.surroundings import Surroundings
from jouline.pipeline.warmup import warm_up
from jouline.router.calibration import Calibration
from jouline.router.gate_learned import Gate
from jouline.router.learned import LearnedRouter
from jouline.router.personal import Personal
from jouline.router.router import Router
from jouline.steering import Steering, large_quality, most_saving, natural_tokens, steer

_RESIDENCY_EVERY_S = 60.0  # at most a ledger row for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What belongs to one pair and is replaced with it; `problems` are sentences on what had to be done without."""

    card: PairCard
    pair: Pair
    pipeline: Pipeline
    pauses: Pauses
    router: Router
    learning: Learning
    person: Personal
    costs: Costs
    context_tokens: int
    problems: tuple[str, ...]

    def prompts_in(self, layout: Layout, requests: Sequence[CompletionRequest]) -> list[tuple[int, ...]]:
        """See `App.prompts_in`."""
        options, large = PipelineOptions(), self.card.large
        card = replace(large, fim=replace(large.fim, layout=layout), healing=False)
        completer = Completer(self.pair, {"small": card, "large": card}, options, self.context_tokens)
        return [completer.prompt(request, "large", room(request, options)).tokens for request in requests]


class App:
    """An opened pair with all that serves it. `submit` may be called from any thread; the work is done in one."""

    def __init__(
        self, config: Config, *, open_parts: Callable[[Config], Parts], books: Books, meters: Meters, ledger: Ledger
    ) -> None:
        """Open the pair that `config` names; raises a JoulineError with one sentence where that cannot be done."""
        self._open_parts = open_parts
        self._parts = open_parts(config)
        self._models = _models(config)
        self._take_up(config)
        self._books = books
        self._meters = meters
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jouline-engine")
        self._residency_due_s = 0.0
        self._pause = CancelToken()  # set as soon as somebody asks
        self._answers = Answers()

    @property
    def card(self) -> PairCard:
        """The pair in use."""
        return self._parts.card

    @property
    def on_gpu(self) -> bool:
        """Whether the models lie on a GPU."""
        return self._parts.pair.on_gpu

    def memory_bytes(self, tier: Tier) -> int | None:
        """Return what that model takes in memory now; 0 while it is unloaded, None where that is not known."""
        return self._parts.pair.memory_bytes(tier)

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
            self._pause.cancel()
            self._thread.submit(self._swap, config).result()
        self._take_up(config)

    def submit(self, request: CompletionRequest, cancel: CancelToken) -> Future[Completion]:
        """Answer a request on the engine's thread. The future raises Cancelled or a JoulineError."""
        self._pause.cancel()
        self._parts.learning.make_way()
        return self._thread.submit(self._serve, request, cancel, time.perf_counter())

    def complete(self, request: CompletionRequest, cancel: CancelToken) -> Completion:
        """Answer a request and wait for it."""
        return self.submit(request, cancel).result()

    def visited(self, uri: str, language: str, text: str) -> None:
        """Note that a document was opened, so that pieces of it may be shown to the models elsewhere; any thread."""
        self._parts.pipeline.visited(CompletionRequest(uri=uri, language=language, text=text, offset=0))

    def wait_ms(self, request: CompletionRequest, *, factor: float = 1.0) -> float:
        """Return how long after the last key a request waits for the next one; any thread may ask, without waiting."""
        return self._parts.pipeline.wait_ms(self._within_floor(request), factor=factor)

    def forget(self) -> None:
        """Begin anew: no answer is known, nothing of the person, and the models have read nothing."""
        self._pause.cancel()
        self._thread.submit(self._parts.pipeline.forget).result()

    def prompts_in(self, layout: Layout, requests: Sequence[CompletionRequest]) -> list[tuple[int, ...]]:
        """Return the large model's prompts with their parts in that order, within the same budgets of tokens.

        They end at the cursor, have no other files and are evaluated nowhere: what reading them costs is counted.
        """
        self._pause.cancel()
        return self._thread.submit(self._parts.prompts_in, layout, requests).result()

    def feedback(self, feedback: Feedback) -> None:
        """Note what the person did with a suggestion."""
        self._books.feedback(feedback)
        self._afterwards(self._parts.learning.feedback, feedback)
        self._afterwards(self._parts.pipeline.feedback, feedback)

    def session_energy(self, *, settle: bool = False) -> SessionEnergy:
        """Return the session's totals; residency is brought up to now with `settle`, else about once a minute."""
        now = time.monotonic()
        if settle or now >= self._residency_due_s:
            self._residency_due_s = now + _RESIDENCY_EVERY_S
            self._settle_residency()
        return replace(self._books.session(), switches=self._meters.switches)

    @property
    def ledger(self) -> Ledger:
        """What was spent and saved so far, of all sessions."""
        return self._ledger

    @property
    def session(self) -> str:
        """This session's name in the ledger."""
        return self._books.session_name

    @property
    def meters(self) -> Meters:
        """The meters that are read."""
        return self._meters

    @property
    def calibration(self) -> Calibration | None:
        """What requests promise that the gate lets through; None where no router was made for the pair."""
        router = self._parts.router
        return router.calibration.through(self.gate.routing) if isinstance(router, LearnedRouter) else None

    @property
    def gate(self) -> Gate:
        """What decides whether a request is worth a model."""
        return self._parts.pipeline.gate

    @property
    def most_saving(self) -> float:
        """The highest energy saving that the quality floor allows, 0..100."""
        return self._most_saving

    def latest(self) -> tuple[Answered, ...]:
        """Return the latest answers, newest first."""
        return self._answers.latest()

    def explain(self, uri: str, offset: int) -> Completion | None:
        """Return the last answer given at a place, None if there was none lately."""
        return self._answers.at(uri, offset)

    def close(self) -> None:
        """Finish what runs, write the ledger, free the models."""
        self._pause.cancel()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._settle_residency()
        self._parts.costs.save()
        self._parts.learning.save()
        self._parts.person.save()
        self._ledger.close()
        self._meters.close()
        self._parts.pair.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def _serve(self, request: CompletionRequest, cancel: CancelToken, submitted: float) -> Completion:
        self._pause.cancel()
        queue_ms = (time.perf_counter() - submitted) * 1e3
        request = self._within_floor(request)
        completion = self._parts.pipeline.serve(request, cancel, queue_ms=queue_ms)
        self._answers.note(request, completion)
        if completion.models_run:
            self._pause = CancelToken()
        self._afterwards(self._behind, request, completion, self._pause)
        return completion

    def _behind(self, request: CompletionRequest, completion: Completion, pause: CancelToken) -> None:
        """Learn from an answer, then use the pause behind a model's until somebody asks again."""
        self._parts.learning.answered(request, completion)
        if completion.models_run and not pause.cancelled:
            self._parts.pauses.use(request, completion.models_run[-1], pause)

    def _within_floor(self, request: CompletionRequest) -> CompletionRequest:
        """Return the request with no more energy saving than the quality floor allows."""
        allowed = self._parts.learning.allowed(request.language, min(request.energy_saving, self._most_saving))
        return replace(request, energy_saving=int(allowed)) if request.energy_saving > allowed else request

    def _afterwards(self, work: Callable[..., None], *given: object) -> None:
        """Have something done on the engine's thread behind what waits there; at the end nothing more is done."""
        with contextlib.suppress(RuntimeError):  # the thread takes nothing more
            self._thread.submit(work, *given)

    def _take_up(self, config: Config) -> None:
        self._parts.pipeline.exclusions = Exclusions(config.exclude)
        self._most_saving = most_saving(self._parts.router, config.quality_floor)
        learning = self._parts.learning
        learning.floor = None if config.quality_floor is None else config.quality_floor / 100
        learning.shadows = config.shadow_evaluations

    def _settle_residency(self) -> None:
        self._books.other("residency", self._meters.outside(), extra_share=extra_share(self.card))

    def _swap(self, config: Config) -> None:
        old, self._parts = self._parts, self._open_parts(config)
        self._models = _models(config)
        old.costs.save()
        old.learning.save()
        old.person.save()
        old.pair.close()
        self._meters.use_gpu(self.on_gpu)


def build(
    config: Config,
    folders: Folders | None = None,
    *,
    keep_ledger: bool = True,
    meters: Meters | None = None,
    learned_gate: bool = True,
) -> App:
    """Open the ledger, the meters and the pair that the settings name.

    Without `keep_ledger` books and what is learnt stay in memory: what is replayed is not the user's own work. Without
    `learned_gate` only rules hold requests back. `meters` are those that `open_meters` opens where none are given, and
    are closed with the application. Raises a JoulineError with one sentence where a model cannot be used. What can be
    done without (a router, a writable ledger) becomes a sentence in `App.problems`.
    """
    folders = folders or Folders.find()
    with contextlib.ExitStack() as undo:
        meters = undo.enter_context(meters or open_meters())
        ledger = undo.enter_context(Ledger(folders.data / FILE_NAME if keep_ledger else None))
        books = Books(ledger, session=uuid.uuid4().hex)
        known = CostBook(folders.data / COSTS_FILE, read_only=not keep_ledger)
        opening = partial(_open_parts, folders, meters, books, known, learned_gate=learned_gate)
        app = App(config, open_parts=opening, books=books, meters=meters, ledger=ledger)
        undo.pop_all()
        return app


def _open_parts(
    folders: Folders, meters: Meters, books: Books, known: CostBook, config: Config, *, learned_gate: bool = True
) -> Parts:
    card, problems = _choose(folders, config)
    with meters.window() as loading:
        pair, context_tokens = open_pair(card, folders)
    books.other("load", loading.measurement, extra_share=extra_share(card))
    before = meters.on_gpu
    try:
        if pair.on_gpu:
            meters.use_gpu(True)
        steering = steer(folders, card, keep=known.keeps, learned_gate=learned_gate)
        opened = (pair, context_tokens, loading.measurement.joules)
        parts = _wire(card, opened, meters, books, known, steering=steering)
        return replace(parts, problems=(*problems, *parts.problems))
    except BaseException:
        pair.close()
        meters.use_gpu(before)
        raise


def _choose(folders: Folders, config: Config) -> tuple[PairCard, list[str]]:
    """Return the pair that the settings name; where they name none that is here, the default one and why."""
    store = ModelStore.under(folders.data)
    catalogue = store.catalogue()
    try:
        card = choose_pair(catalogue, config.model_small, config.model_large)
        store.check_pair(card)
    except CatalogueError as error:
        if _models(config) == ("", ""):
            raise
        return choose_pair(catalogue), [f"{error} Until then the pair that comes with Jouline is used."]
    return card, []


def _wire(
    card: PairCard,
    opened: tuple[Pair, int, float | None],
    meters: Meters,
    books: Books,
    known: CostBook,
    *,
    steering: Steering,
) -> Parts:
    pair, context_tokens, load_joules = opened
    options = PipelineOptions(anchored=True)
    completer = Completer(pair, {"small": card.small, "large": card.large}, options, context_tokens, Surroundings())
    with meters.window() as warming:
        costs = open_costs(card, pair, completer, meters, known)
    books.other("warm-up", warming.measurement, extra_share=extra_share(card))
    problems = [problem for problem in (known.problem, placing(pair), *steering.problems) if problem]
    router, pair.exits = steering.router, steering.exits
    account = Account(meters, costs, AlwaysLarge(natural_tokens(router)), card.large.id)
    learning = Learning(
        memory=steering.memory,
        display=router.display,
        large_quality=large_quality(router),
        completer=completer,
        meters=meters,
        books=books,
        options=options,
    )
    pauses = Pauses(
        completer=completer,
        meters=meters,
        account=account,
        books=books,
        room=options.max_line_tokens,
        unload_after_s=unload_after_s(card, load_joules),
    )
    pipeline = Pipeline(
        completer=completer,
        router=router,
        account=account,
        books=books,
        model_ids={"small": card.small.id, "large": card.large.id},
        options=options,
        gate=steering.gate,
    )
    return Parts(
        card=card,
        pair=pair,
        pipeline=pipeline,
        pauses=pauses,
        router=router,
        learning=learning,
        person=steering.person,
        costs=costs,
        context_tokens=context_tokens,
        problems=tuple(problems),
    )


def open_costs(card: PairCard, pair: Pair, completer: Completer, meters: Meters, book: CostBook) -> Costs:
    """Return the cost models of an opened pair: those that the book knows, else begun by a warm-up."""
    costs = Costs(meters, book, file_names(card), device(pair, meters))
    tiers: tuple[Tier, Tier] = ("small", "large")
    for tier in tiers:
        costs.begin(tier, warm_up(completer, meters, tier, CancelToken()))
    return costs


def _models(config: Config) -> tuple[str, str]:
    return config.model_small, config.model_large
