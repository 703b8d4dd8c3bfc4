"""One request from end to end: decline, remember, route, generate, judge, price, tidy.

`Pipeline.serve` runs on the engine's thread. It returns a value for everything that can happen to a request and raises
Cancelled when nobody wants the answer any more, EngineError when a model is broken.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import (
    Action,
    Completion,
    CompletionRequest,
    Energy,
    Feedback,
    Generation,
    Tier,
)
from jouline.energy.window import Measurement
from jouline.engine.generate import Limits
from jouline.errors import ConfigError
from jouline.pipeline.account import Account, Run
from jouline.pipeline.books import Books
from jouline.pipeline.cache import CacheEntry, CompletionCache
from jouline.pipeline.completer import Completer
from jouline.pipeline.continuation import go_on, with_cost_of
from jouline.pipeline.exclusions import Exclusions
from jouline.pipeline.limits import limits, room
from jouline.pipeline.offer import Discard, Offer
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.postprocess import fit, others_of, tidy
from jouline.pipeline.progress import Answer, Progress
from jouline.pipeline.repetition import whole_lines
from jouline.pipeline.trigger import wait_ms
from jouline.router.costs import MarginalCosts
from jouline.router.gate import hold_back
from jouline.router.gate_learned import Estimate, Gate, OpenGate
from jouline.router.router import Decision, FixedRouter, Review, Router

_TIERS: tuple[Tier, Tier] = ("small", "large")
_LEAST_BY_HAND = 0.0005  # a text that is surely wrong, as in an empty file, helps nobody, asked for or not


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
        gate: Gate | None = None,
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
        self.gate = gate or OpenGate()
        self._estimated: tuple[CompletionRequest, Estimate] | None = None

    def wait_ms(self, request: CompletionRequest, *, factor: float = 1.0) -> float:
        """Return how long after the last key this request should wait for the next; any thread may ask.

        Nothing for explicit requests, for answers that are known already, and where nothing will be asked of a model.
        """
        if request.trigger == "invoked" or (request.cache and self._cache.get(request)):
            return 0.0
        if self.withheld(request) or hold_back(request):
            return 0.0
        estimate = self._estimate(request)
        return 0.0 if request.gate and estimate.reason else wait_ms(request, at_once=estimate.at_once, factor=factor)

    def forget(self) -> None:
        """Forget answers, attempts and the person's ways, and what the models have read."""
        self._cache = CompletionCache(self._options.cache_entries)
        self.gate.forget()
        self._estimated = None
        self._completer.forget()

    def feedback(self, feedback: Feedback) -> None:
        """Learn what the person did with an offer. On the engine's thread."""
        if feedback.outcome != "shown":
            self.gate.judged(feedback.completion_id, taken=feedback.outcome != "rejected")
        if feedback.outcome == "partial":
            self._cache.chosen(feedback.completion_id, feedback.candidate)

    def serve(self, request: CompletionRequest, cancel: CancelToken, *, queue_ms: float = 0.0) -> Completion:
        """Answer one request, or say in one sentence why there is no text."""
        cancel.check()
        work = Progress(started=time.perf_counter(), runs=[])
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
        if completion.text:
            self.gate.offered(completion.id, request.language, completion.p_accept)
        return completion

    def _answer(self, request: CompletionRequest, cancel: CancelToken, work: Progress) -> Answer:
        if reason := self.exclusions.of_place(request):
            return Answer(action="skip", reason=reason)
        if request.cache and request.candidates == 1 and (hit := self._cache.get(request)):
            return self._from_cache(request, hit)
        if reason := self._decline(request, work):
            return Answer(action="skip", reason=reason)
        self._route(request, work)
        self._generate(request, cancel, work)
        return self._offer(request, work)

    def _decline(self, request: CompletionRequest, work: Progress) -> str | None:
        """Return why nothing is asked of a model; rules first, then the learned estimate."""
        cpu = time.thread_time()
        reason = self._too_large(request) or hold_back(request)
        if reason is None and request.trigger == "automatic":
            work.estimate = self._estimate(request)
            reason = work.estimate.reason if request.gate else None
        work.router_cpu_s += time.thread_time() - cpu
        return reason

    def _too_large(self, request: CompletionRequest) -> str | None:
        if len(request.text) <= self._options.max_document_chars:
            return None
        return f"The file is larger than {self._options.max_document_chars / 1e6:.0f} million characters."

    def withheld(self, request: CompletionRequest) -> str | None:
        """Return why no model is shown the request's document, None where it may be; any thread may ask."""
        return self._too_large(request) or self.exclusions.of_place(request)

    def visited(self, request: CompletionRequest) -> None:
        """Note a request's document among those opened, unless it is withheld; any thread."""
        if self.withheld(request) is None:
            self._completer.visited(request)

    def _estimate(self, request: CompletionRequest) -> Estimate:
        """Return the gate's view, made once a request."""
        known = self._estimated
        if known is None or known[0] != request:
            known = self._estimated = request, self.gate.before(request)
        return known[1]

    def _route(self, request: CompletionRequest, work: Progress) -> None:
        started, cpu = time.perf_counter(), time.thread_time()
        router = self._router_for(request.route)
        automatic = request.gate and request.trigger == "automatic"
        work.saving = self.gate.routing(request.energy_saving) if automatic else request.energy_saving
        prices = partial(self._prices, request)
        decision = router.route(request, energy_saving=work.saving, prices=prices)
        if work.saving != request.energy_saving:
            decision = replace(decision, reason=_as_set(decision.reason, work.saving, request.energy_saving))
        work.decision = decision
        work.route_ms += (time.perf_counter() - started) * 1e3
        work.router_cpu_s += time.thread_time() - cpu

    def _prices(self, request: CompletionRequest) -> MarginalCosts | None:
        """Return what each model would cost now; the prompt that is rendered for it is the one that will be asked."""
        behind = self._completer.behind(request, room(request, self._options))
        return None if behind is None else self._account.marginal(behind)

    def _router_for(self, route: str) -> Router:
        if route == "auto":
            return self._router
        for tier in _TIERS:
            if route in (tier, self._model_ids[tier]):
                return FixedRouter(tier, display=self._router.display)
        names = ", ".join(("auto", *_TIERS, *self._model_ids.values()))
        raise ConfigError(f"There is no route {route!r} with this pair; choose one of {names}.")

    def _generate(self, request: CompletionRequest, cancel: CancelToken, work: Progress) -> None:
        """Run the chosen tier; the review of a small draft may send the request on to the large model, once."""
        router = self._router_for(request.route)
        while work.decision is not None:
            work.runs.append(self._run(request, work.decision, cancel))
            cpu = time.thread_time()
            work.review = router.review(work.decision, work.runs[-1].generation, energy_saving=work.saving)
            work.router_cpu_s += time.thread_time() - cpu
            if work.review.verdict != "escalate":
                break
            reason = _as_set(work.review.reason, work.saving, request.energy_saving)
            work.decision = replace(router.escalated(work.decision), reason=reason)
        if work.decision is not None and work.review is not None and _is_offered(request, work.review):
            self._look_around(request, work.decision, work, cancel)
            self._continue(request, work.decision, work, cancel)

    def _look_around(self, request: CompletionRequest, decision: Decision, work: Progress, cancel: CancelToken) -> None:
        """Have the other candidates written that the request wants."""
        if request.candidates < 2:
            return
        limits = self._limits(request, decision)
        found = self._completer.candidates(request, decision.tier, cancel, limits, request.candidates)
        work.others = tuple(each.text for each in found[1:])
        work.runs[-1] = replace(work.runs[-1], generation=with_cost_of(work.runs[-1].generation, found))

    def _continue(self, request: CompletionRequest, decision: Decision, work: Progress, cancel: CancelToken) -> None:
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
        floor = None if _always_offered(request) or not request.stop_early else decision.stop_logprob
        return limits(request, self._options, floor=floor)

    def _offer(self, request: CompletionRequest, work: Progress) -> Answer:
        run = work.runs[-1]
        silence = self._silence(request, work)
        broken_off = run.generation.stop in ("length", "repetition")
        text = whole_lines(run.generation.text) if broken_off else run.generation.text
        self.gate.wrote(request, run.generation, offered=silence is None)
        offer = Discard(reason=silence) if silence else tidy(request, text)
        known = offer.text if isinstance(offer, Offer) else ""
        if isinstance(offer, Offer):
            offer = fit(request, known, fresh=True)
        if isinstance(offer, Discard):
            answer = Answer(action="none", reason=offer.reason)
        else:
            why = work.decision.reason if work.decision else ""
            others = others_of(request, offer, work.others)
            answer = Answer(action="generate", reason=why, offer=offer, others=others)
        self._remember(request, work, known, answer)
        return answer

    def _silence(self, request: CompletionRequest, work: Progress) -> str | None:
        """Return why a text is not good enough to be offered, None where it is."""
        run, review = work.runs[-1], work.review
        if request.trigger == "automatic":
            work.estimate = self.gate.after(request, work.estimate, run.generation)
        if run.generation.stop == "repetition" and not request.show_all:
            return f"The {run.tier} model only repeated itself here."
        if review and not _is_offered(request, review):
            by_hand = request.trigger == "invoked"
            return f"The {run.tier} model does not know how to go on here." if by_hand else review.reason
        return work.estimate.reason if request.gate else None

    def _remember(self, request: CompletionRequest, work: Progress, text: str, answer: Answer) -> None:
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
            sure=review is None or review.verdict != "nothing",
            p_accept=work.estimate.p_accept,
            others=tuple(other.text for other in answer.others),
        )
        self._cache.put(request, entry, work.id)

    def _from_cache(self, request: CompletionRequest, hit: CacheEntry) -> Answer:
        offer = fit(request, hit.text) if hit.text else Discard(reason="Nothing good enough was found here before.")
        if isinstance(offer, Discard):
            return Answer(action="cache", reason=offer.reason, hit=hit)
        why = f"The {hit.tier} model's earlier suggestion still fits."
        return Answer(action="cache", reason=why, hit=hit, offer=offer)

    def _close(
        self, request: CompletionRequest, work: Progress, answer: Answer, measurement: Measurement, queue_ms: float
    ) -> Completion:
        """Return the answer with all that led to it and what it cost."""
        offer, hit, decision, review = answer.offer, answer.hit, work.decision, work.review
        offered = work.runs[-1].tier if work.runs and offer else None
        return Completion(
            id=work.id,
            text=offer.text if offer else "",
            replace=offer.replace if offer else 0,
            action=answer.action,
            reason=answer.reason,
            model=offered,
            model_id=self._model_ids[offered] if offered else None,
            models_run=tuple(run.tier for run in work.runs),
            p_small_ok=decision.p_small_ok if decision else None,
            p_gain=decision.p_gain if decision else None,
            p_accept=hit.p_accept if hit else work.estimate.p_accept,
            features=decision.place.features if decision and decision.place else None,
            confidence=review.confidence if review else hit.confidence if hit else None,
            seen=work.estimate.seen,
            others=answer.others,
            timings=work.timings(queue_ms),
            tokens=work.tokens(),
            energy=self._bill(request, work, answer.action, measurement),
            cpu_seconds=measurement.cpu_seconds,
        )

    def _stopped(self, request: CompletionRequest, work: Progress) -> None:
        """Bring the baseline as far as the cancelled run came."""
        if work.decision is None:
            return
        tokens = room(request, self._options)
        share = self._completer.standing(request, work.decision.tier, tokens)
        prompt = self._completer.prompt(request, "large", tokens).tokens
        self._account.stopped(prompt, round(share * len(prompt)))

    def _bill(self, request: CompletionRequest, work: Progress, action: Action, measurement: Measurement) -> Energy:
        if action == "skip":
            return self._account.skipped(measurement)
        if action == "cache":
            return self._account.cached(measurement)
        prompt = self._completer.prompt(request, "large", room(request, self._options))
        share = work.router_cpu_s / measurement.cpu_seconds if measurement.cpu_seconds else 0.0
        return self._account.bill(prompt.tokens, tuple(work.runs), measurement, share)


def _always_offered(request: CompletionRequest) -> bool:
    return request.show_all or request.trigger == "invoked"


def _is_offered(request: CompletionRequest, review: Review) -> bool:
    """Whether a text is likely enough: to be shown unasked, or at all to who asks by hand."""
    if request.show_all or review.verdict != "nothing":
        return True
    return request.trigger == "invoked" and review.confidence >= _LEAST_BY_HAND


def _as_set(reason: str, routed: float, chosen: int) -> str:
    """Return a router's reason with the setting that the person chose in the place of the one it was given."""
    return reason.replace(f"nergy saving {routed:.0f} ", f"nergy saving {chosen} ")
