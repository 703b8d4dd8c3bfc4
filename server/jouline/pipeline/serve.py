"""One request from end to end: decline, remember, route, generate, judge, price, tidy.

`Pipeline.serve` runs on the engine's thread. It returns a value for everything that can happen to a request and raises
Cancelled when nobody wants the answer any more, EngineError when a model is broken.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import (
    Action,
    Candidate,
    Completion,
    CompletionRequest,
    Energy,
    Generation,
    Tier,
    Timings,
    TokenCounts,
)
from jouline.energy.entry import new_id
from jouline.energy.window import Measurement
from jouline.engine.generate import Limits
from jouline.engine.stops import open_brackets
from jouline.errors import ConfigError
from jouline.pipeline.account import Account, Run
from jouline.pipeline.books import Books
from jouline.pipeline.cache import CacheEntry, CompletionCache
from jouline.pipeline.completer import Completer
from jouline.pipeline.continuation import go_on, with_cost_of
from jouline.pipeline.exclusions import Exclusions
from jouline.pipeline.offer import Discard, Offer
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.postprocess import fit, tidy
from jouline.pipeline.repetition import whole_lines
from jouline.router.costs import MarginalCosts
from jouline.router.gate import hold_back
from jouline.router.router import Decision, FixedRouter, Review, Router

_BRACKETS_CHARS = 2_000  # around the cursor, for brackets that are open and for the line that stands next
_TIERS: tuple[Tier, Tier] = ("small", "large")
_LEAST_BY_HAND = 0.0005  # a text that is surely wrong, as in an empty file, helps nobody, asked for or not


@dataclass(slots=True, kw_only=True)
class _Work:
    """What has happened to one request so far."""

    started: float
    runs: list[Run]
    decision: Decision | None = None
    review: Review | None = None
    others: tuple[str, ...] = ()
    route_ms: float = 0.0
    router_cpu_s: float = 0.0


class Pipeline:
    """Answers requests with one pair of models."""

    def __init__(
        self,
        *,
        completer: Completer,
        router: Router,
        account: Account,
        books: Books,
        model_ids: Mapping[Tier, str],
        options: PipelineOptions,
        exclusions: Exclusions | None = None,
    ) -> None:
        """`exclusions` may be exchanged at any time."""
        self._completer = completer
        self._router = router
        self._account = account
        self._books = books
        self._model_ids = model_ids
        self._options = options
        self._cache = CompletionCache(options.cache_entries)
        self.exclusions = exclusions or Exclusions()

    def serve(self, request: CompletionRequest, cancel: CancelToken, *, queue_ms: float = 0.0) -> Completion:
        """Answer one request, or say in one sentence why there is no text."""
        cancel.check()
        work = _Work(started=time.perf_counter(), runs=[])
        window = self._account.meters.window()
        try:
            with window:
                answer = self._answer(request, cancel, work)
        except Cancelled:
            self._stopped(request, work)
            self._books.other("cancelled", window.measurement, language=request.language)
            raise
        completion = self._close(request, work, answer, window.measurement, queue_ms)
        self._books.answered(request, completion)
        return completion

    def _answer(self, request: CompletionRequest, cancel: CancelToken, work: _Work) -> Completion:
        if reason := self._decline(request):
            return self._completion("skip", reason)
        if request.cache and request.candidates == 1 and (hit := self._cache.get(request)):
            return self._from_cache(request, hit)
        self._route(request, work)
        self._generate(request, cancel, work)
        return self._offer(request, work)

    def _decline(self, request: CompletionRequest) -> str | None:
        return self.withheld(request) or (hold_back(request) if request.gate else None)

    def withheld(self, request: CompletionRequest) -> str | None:
        """Return why no model is shown the request's document, None where it may be; any thread may ask."""
        if len(request.text) > self._options.max_document_chars:
            return f"The file is larger than {self._options.max_document_chars / 1e6:.0f} million characters."
        return self.exclusions.of_place(request)

    def visited(self, request: CompletionRequest) -> None:
        """Note a request's document among those opened, unless it is withheld; any thread."""
        if self.withheld(request) is None:
            self._completer.visited(request)

    def _route(self, request: CompletionRequest, work: _Work) -> None:
        started, cpu = time.perf_counter(), time.thread_time()
        router = self._router_for(request.route)
        prices = partial(self._prices, request)
        work.decision = router.route(request, energy_saving=request.energy_saving, prices=prices)
        work.route_ms += (time.perf_counter() - started) * 1e3
        work.router_cpu_s += time.thread_time() - cpu

    def _prices(self, request: CompletionRequest) -> MarginalCosts | None:
        """Return what each model would cost now; the prompt that is rendered for it is the one that will be asked."""
        behind = self._completer.behind(request, self._room(request))
        return None if behind is None else self._account.marginal(behind)

    def _router_for(self, route: str) -> Router:
        if route == "auto":
            return self._router
        for tier in _TIERS:
            if route in (tier, self._model_ids[tier]):
                return FixedRouter(tier, display=self._router.display)
        names = ", ".join(("auto", *_TIERS, *self._model_ids.values()))
        raise ConfigError(f"There is no route {route!r} with this pair; choose one of {names}.")

    def _generate(self, request: CompletionRequest, cancel: CancelToken, work: _Work) -> None:
        """Run the chosen tier; the review of a small draft may send the request on to the large model, once."""
        router = self._router_for(request.route)
        while work.decision is not None:
            work.runs.append(self._run(request, work.decision, cancel))
            cpu = time.thread_time()
            work.review = router.review(work.decision, work.runs[-1].generation, energy_saving=request.energy_saving)
            work.router_cpu_s += time.thread_time() - cpu
            if work.review.verdict != "escalate":
                break
            work.decision = replace(router.escalated(work.decision), reason=work.review.reason)
        if work.decision is not None and work.review is not None and _is_offered(request, work.review):
            self._look_around(request, work.decision, work, cancel)
            self._continue(request, work.decision, work, cancel)

    def _look_around(self, request: CompletionRequest, decision: Decision, work: _Work, cancel: CancelToken) -> None:
        """Have the other candidates written that the request wants."""
        if request.candidates < 2:
            return
        limits = self._limits(request, decision)
        found = self._completer.candidates(request, decision.tier, cancel, limits, request.candidates)
        work.others = tuple(each.text for each in found[1:])
        work.runs[-1] = replace(work.runs[-1], generation=with_cost_of(work.runs[-1].generation, found))

    def _continue(self, request: CompletionRequest, decision: Decision, work: _Work, cancel: CancelToken) -> None:
        """Have the lines written that follow the first one in its block, as long as they are likely enough together."""
        run = work.runs[-1]
        if request.multiline != "auto" or work.review is None:
            return

        def write(ahead: CompletionRequest, limits: Limits) -> Generation:
            return self._completer.generate(ahead, decision.tier, cancel, limits)

        whole = go_on(
            run.generation,
            request,
            write,
            floor=None if request.show_all else decision.stop_logprob,
            line_tokens=self._options.max_line_tokens,
            room=self._options.max_block_tokens,
        )
        if whole is not run.generation:
            confidence = self._router.display.of(decision.tier).of(whole.logprob)
            work.review = replace(work.review, confidence=confidence)
            work.runs[-1] = replace(run, generation=whole)

    def _run(self, request: CompletionRequest, decision: Decision, cancel: CancelToken) -> Run:
        limits = self._limits(request, decision)
        with self._account.meters.window() as window:
            generation = self._completer.generate(request, decision.tier, cancel, limits)
        run = Run(tier=decision.tier, generation=generation, measurement=window.measurement)
        self._account.learn(run)
        return run

    def _limits(self, request: CompletionRequest, decision: Decision) -> Limits:
        floor = None if _always_offered(request) else decision.stop_logprob
        room = self._room(request)
        saving = request.energy_saving
        if request.multiline != "always":
            return Limits(max_tokens=room, min_logprob=floor, energy_saving=saving)
        line = request.line_prefix
        indent = len(line) - len(line.lstrip())
        before = request.text[max(0, request.offset - _BRACKETS_CHARS) : request.offset]
        return Limits(
            max_tokens=room,
            single_line=False,
            min_logprob=floor,
            block_indent=indent,
            next_line=next((each for each in request.suffix[:_BRACKETS_CHARS].split("\n") if each.strip()), ""),
            open_brackets=open_brackets(before.encode(errors="replace")),
            budget_ms=self._options.max_block_ms,
            energy_saving=saving,
        )

    def _room(self, request: CompletionRequest) -> int:
        block = request.multiline == "always"
        return self._options.max_block_tokens if block else self._options.max_line_tokens

    def _offer(self, request: CompletionRequest, work: _Work) -> Completion:
        run, review = work.runs[-1], work.review
        confidence = review.confidence if review else None
        if silence := _silence(request, run, review):
            self._remember(request, work, "")
            return self._completion("none", silence, work=work, confidence=confidence)
        broken_off = run.generation.stop in ("length", "repetition")
        text = whole_lines(run.generation.text) if broken_off else run.generation.text
        offer = tidy(request, text)
        self._remember(request, work, offer.text if isinstance(offer, Offer) else "")
        if isinstance(offer, Offer):
            offer = fit(request, offer.text, fresh=True)
        if isinstance(offer, Discard):
            return self._completion("none", offer.reason, work=work, confidence=confidence)
        return replace(
            self._completion("generate", _why(work), work=work, confidence=confidence, offer=offer),
            others=_others(request, offer, work.others),
        )

    def _remember(self, request: CompletionRequest, work: _Work, text: str) -> None:
        if not request.cache:
            return
        run, review = work.runs[-1], work.review
        entry = CacheEntry(
            text=text,
            tier=run.tier,
            model_id=self._model_ids[run.tier],
            confidence=review.confidence if review else 0.0,
            route=request.route,
            energy_saving=request.energy_saving,
        )
        self._cache.put(request, entry)

    def _from_cache(self, request: CompletionRequest, hit: CacheEntry) -> Completion:
        offer = fit(request, hit.text) if hit.text else Discard(reason="Nothing good enough was found here before.")
        if isinstance(offer, Discard):
            return self._completion("cache", offer.reason, confidence=hit.confidence)
        return self._completion(
            "cache", f"The {hit.tier} model's earlier suggestion still fits.", confidence=hit.confidence, offer=offer
        )

    def _completion(
        self,
        action: Action,
        reason: str,
        *,
        work: _Work | None = None,
        confidence: float | None = None,
        offer: Offer | None = None,
    ) -> Completion:
        offered = work.runs[-1].tier if work and offer else None
        decision = work.decision if work else None
        return Completion(
            id=new_id(),
            text=offer.text if offer else "",
            replace=offer.replace if offer else 0,
            action=action,
            reason=reason,
            model=offered,
            model_id=self._model_ids[offered] if offered else None,
            models_run=tuple(run.tier for run in work.runs) if work else (),
            p_small_ok=decision.p_small_ok if decision else None,
            p_gain=decision.p_gain if decision else None,
            features=decision.place.features if decision and decision.place else None,
            confidence=confidence,
        )

    def _close(
        self,
        request: CompletionRequest,
        work: _Work,
        answer: Completion,
        measurement: Measurement,
        queue_ms: float,
    ) -> Completion:
        runs = [run.generation for run in work.runs]
        timings = Timings(
            queue_ms=queue_ms,
            route_ms=work.route_ms,
            prompt_ms=sum(run.prompt_ms for run in runs),
            generate_ms=sum(run.generate_ms for run in runs),
            total_ms=(time.perf_counter() - work.started) * 1e3 + queue_ms,
        )
        tokens = TokenCounts(
            prompt=max((run.prompt_tokens for run in runs), default=0),
            prompt_evaluated=sum(run.prompt_evaluated for run in runs),
            generated=sum(run.generated_tokens for run in runs),
            drafted=sum(run.drafted for run in runs),
            draft_accepted=sum(run.draft_accepted for run in runs),
        )
        energy = self._bill(request, work, answer, measurement)
        return replace(answer, timings=timings, tokens=tokens, energy=energy, cpu_seconds=measurement.cpu_seconds)

    def _stopped(self, request: CompletionRequest, work: _Work) -> None:
        """Bring the baseline as far as the cancelled run came."""
        if work.decision is None:
            return
        room = self._room(request)
        share = self._completer.standing(request, work.decision.tier, room)
        prompt = self._completer.prompt(request, "large", room).tokens
        self._account.stopped(prompt, round(share * len(prompt)))

    def _bill(self, request: CompletionRequest, work: _Work, answer: Completion, measurement: Measurement) -> Energy:
        if answer.action == "skip":
            return self._account.skipped(measurement)
        if answer.action == "cache":
            return self._account.cached(measurement)
        prompt = self._completer.prompt(request, "large", self._room(request))
        share = work.router_cpu_s / measurement.cpu_seconds if measurement.cpu_seconds else 0.0
        return self._account.bill(prompt.tokens, tuple(work.runs), measurement, share)


def _always_offered(request: CompletionRequest) -> bool:
    return request.show_all or request.trigger == "invoked"


def _silence(request: CompletionRequest, run: Run, review: Review | None) -> str | None:
    """Return why a text is not good enough to be offered, None where it is."""
    if run.generation.stop == "repetition" and not request.show_all:
        return f"The {run.tier} model only repeated itself here."
    if review and not _is_offered(request, review):
        by_hand = request.trigger == "invoked"
        return f"The {run.tier} model does not know how to go on here." if by_hand else review.reason
    return None


def _is_offered(request: CompletionRequest, review: Review) -> bool:
    """Whether a text is likely enough: to be shown unasked, or at all to who asks by hand."""
    if request.show_all or review.verdict != "nothing":
        return True
    return request.trigger == "invoked" and review.confidence >= _LEAST_BY_HAND


def _others(request: CompletionRequest, first: Offer, texts: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Return the other candidates as they are offered, each text once."""
    found = {first.text: first}
    for text in texts:
        tidied = tidy(request, text)
        offer = fit(request, tidied.text, fresh=True) if isinstance(tidied, Offer) else tidied
        if isinstance(offer, Offer):
            found.setdefault(offer.text, offer)
    return tuple(Candidate(text=offer.text, replace=offer.replace) for offer in found.values() if offer is not first)


def _why(work: _Work) -> str:
    return work.decision.reason if work.decision else ""
