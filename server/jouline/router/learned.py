"""The trained router of one pair: by the gain that the large model promises for what it costs more, here and now."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jouline.completion import CompletionRequest, Generation, Tier
from jouline.errors import RouterError
from jouline.router.calibration import ALWAYS, NEVER, Calibration, OperatingPoint, load
from jouline.router.classifier import Chances, OutcomeClassifier
from jouline.router.costs import Pace, Prices
from jouline.router.draft import draft_features
from jouline.router.experience import Experience
from jouline.router.features import FeatureExtractor, Vector
from jouline.router.router import Decision, Judge, Place, Review

CALIBRATION_FILE, PLACES_FILE, DRAFTS_FILE = "calibration.json", "difficulty.onnx", "draft.onnx"
_TELLING = 0.1  # a factor nearer to 1 than this is not worth a word
_USUAL_TOKENS = 3.0  # where a calibration has no model of the length


@dataclass(frozen=True, slots=True)
class _Word:
    """The word that a cursor is in, with all that stands before it on the line."""

    uri: str
    energy_saving: float
    start: int
    before: str

    @classmethod
    def of(cls, request: CompletionRequest, energy_saving: float) -> "_Word":
        line = request.line_prefix
        length = next((n for n, char in enumerate(reversed(line)) if not (char.isalnum() or char == "_")), len(line))
        return cls(request.uri, energy_saving, request.offset - length, line[: len(line) - length])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The gain that is asked for at a place, and why it is not the calibrated one."""

    gain: float
    dearer: float
    energy_saving: float


class LearnedRouter(Judge):
    """Chooses by the place, then by the draft's evidence, at calibrated operating points.

    The gain asked for follows the marginal costs where they are told (`Pace`); the gain expected follows what use has
    taught (`Experience`).
    """

    def __init__(
        self,
        *,
        calibration: Calibration,
        places: OutcomeClassifier,
        drafts: OutcomeClassifier,
        extractor: FeatureExtractor,
        experience: Experience | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(display=calibration.display)
        self.calibration = calibration
        self.experience = experience or Experience()
        self.pace = Pace()
        self._places = places
        self._drafts = drafts
        self._extractor = extractor
        self._vector = Vector(calibration.place_features)
        self._random = random.Random(seed)
        self._last: tuple[_Word, Decision] | None = None

    def route(self, request: CompletionRequest, *, energy_saving: float, prices: Prices | None = None) -> Decision:
        """Ask the large model at once where the place alone promises enough gain for its extra cost.

        Where the energy saving leaves no choice, the place is not even looked at; inside one word it is looked at
        once. Looking costs about as much as a third of the small model's next token.
        """
        point = self.calibration.at(energy_saving)
        if point.direct <= ALWAYS:
            return self._settled("large", f"Energy saving {energy_saving:.0f} always asks the large model.")
        if min(point.direct, point.escalate) >= NEVER:
            return self._settled("small", f"Energy saving {energy_saving:.0f} never asks the large model.")
        word = _Word.of(request, energy_saving)
        if self._last and self._last[0] == word:
            known = self._last[1]
            return known if known.place is None else replace(known, place=replace(known.place, request=request))
        decision = self._look(request, energy_saving, point, prices)
        self._last = word, decision
        return decision

    def _look(
        self, request: CompletionRequest, energy_saving: float, point: OperatingPoint, prices: Prices | None
    ) -> Decision:
        place = Place(request=request, features=self._extractor.extract(request))
        chances = self._places.chances(place.features)
        gain = self.experience.gain(request.language, chances, self._random)
        extra, level = self._extra(place, prices)
        dearer = self.pace.factor(extra) if extra is not None else 1.0
        asked = _Asked(gain=_times(point.direct, dearer), dearer=dearer, energy_saving=energy_saving)
        tier: Tier = "large" if gain >= asked.gain else "small"
        if extra is not None:
            self.pace.chose(large=tier == "large", extra=extra, level=level, energy_saving=energy_saving)
        return Decision(
            tier=tier,
            reason=_reason(tier, chances.p_small_ok, gain, asked),
            stop_logprob=self.display.of(tier).floor,
            p_small_ok=chances.p_small_ok,
            p_large_ok=chances.p_large_ok,
            p_gain=chances.p_gain,
            place=place,
            dearer=dearer,
        )

    def _extra(self, place: Place, prices: Prices | None) -> tuple[float | None, float]:
        """Return what the large model costs more here, and what always-large would; None where costs are unknown."""
        costs = prices() if prices else None
        if costs is None:
            return None, 0.0
        length = self.calibration.length
        tokens = length.of(self._vector(place.features).tolist()) if length else _USUAL_TOKENS
        return costs.surcharge(tokens), costs.surcharge_level(tokens)

    def _settled(self, tier: Tier, reason: str) -> Decision:
        return Decision(tier=tier, reason=reason, stop_logprob=self.display.of(tier).floor)

    def review(self, decision: Decision, draft: Generation, *, energy_saving: float) -> Review:
        """Ask the large model where the small draft promises enough gain; else show or do not show the text.

        A draft that is too unlikely to be shown is not looked at again: mostly both models are wrong then (LOG.md).
        """
        shown = self.shown_or_not(decision, draft)
        point = self.calibration.at(energy_saving)
        if decision.tier == "large" or decision.place is None or shown.verdict == "nothing" or point.escalate >= NEVER:
            return shown
        chances = self._draft_chances(decision.place, draft)
        gain = self.experience.gain(decision.place.request.language, chances, self._random)
        asked = _times(point.escalate, decision.dearer)
        if gain < asked:
            return replace(shown, p_small_ok=chances.p_small_ok, p_gain=chances.p_gain)
        return Review(
            verdict="escalate",
            confidence=shown.confidence,
            reason=f"Large model after the small one's draft: of 100 drafts like this the large one gets "
            f"{_more(gain)} right; {_wanted(_Asked(gain=asked, dearer=decision.dearer, energy_saving=energy_saving))}.",
            p_small_ok=chances.p_small_ok,
            p_gain=chances.p_gain,
        )

    def _draft_chances(self, place: Place, draft: Generation) -> Chances:
        evidence = draft_features(place.request, draft, self.display.small.floor)
        return self._drafts.chances(place.features | evidence)


def open_router(
    folder: Path,
    *,
    tokenizer: Path,
    pair: str,
    weights: Mapping[str, str | None] | None = None,
    experience: Experience | None = None,
) -> LearnedRouter:
    """Open the trained router in `folder`; raise `RouterError` when it is unusable or made for another pair.

    `weights` are the checksums of the pair's files by tier, where they are known.
    """
    calibration = load(folder / CALIBRATION_FILE)
    check_made_for(calibration, pair, weights)
    drafted = calibration.place_features + calibration.draft_features
    router = LearnedRouter(
        calibration=calibration,
        places=OutcomeClassifier(folder / PLACES_FILE, calibration.place_features, calibration.place_adjustment),
        drafts=OutcomeClassifier(folder / DRAFTS_FILE, drafted, calibration.draft_adjustment),
        extractor=FeatureExtractor(tokenizer),
        experience=experience,
    )
    router.route(_NOWHERE, energy_saving=50)  # a feature that this version does not compute is found out here
    return router


def check_made_for(calibration: Calibration, pair: str, weights: Mapping[str, str | None] | None) -> None:
    """Raise `RouterError` where a calibration was made for another pair, or for other weights of it."""
    if calibration.pair != pair:
        made = calibration.pair
        raise RouterError(f"The router was made for the pair {made}, not {pair}; `jouline calibrate PATH` fits one.")
    if weights is not None and calibration.weights != dict(weights):
        message = f"The router was made for other weights of the pair {pair}; `jouline calibrate PATH` fits one."
        raise RouterError(message)


_NOWHERE = CompletionRequest(uri="", language="python", text="", offset=0)


def _times(threshold: float, factor: float) -> float:
    """Scale a threshold on the gain; one that asks for no gain stays."""
    return threshold * factor if 0 < threshold < NEVER else threshold


def _reason(tier: Tier, p_small_ok: float, gain: float, asked: _Asked) -> str:
    chosen = "Large model at once" if tier == "large" else "Small model first"
    return (
        f"{chosen}: of 100 places like this the small one gets {p_small_ok * 100:.0f} right and the large one "
        f"{_more(gain)}; {_wanted(asked)}."
    )


def _more(gain: float) -> str:
    count = round(gain * 100)
    return f"{count} more" if count >= 0 else f"{-count} fewer"


def _wanted(asked: _Asked) -> str:
    setting = f"energy saving {asked.energy_saving:.0f}"
    if asked.gain >= NEVER:
        return f"{setting} does not ask the large one first"
    if asked.gain < -1:
        return f"{setting} always asks the large one"
    wanted = f"{setting} wants at least {asked.gain * 100:.0f} more"
    if abs(asked.dearer - 1.0) < _TELLING:
        return wanted
    return f"{wanted}, as it costs {asked.dearer:.1f} times its usual extra here"
