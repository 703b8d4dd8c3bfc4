"""Which router a pair gets, with what it learned: the user's own calibration, the shipped one, or the cascade."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from jouline.catalogue.card import PairCard, load_catalogue
from jouline.config import Folders
from jouline.engine.exit import FILE_NAME as EXITS_FILE
from jouline.engine.exit import ExitAgent, load_agent
from jouline.errors import EngineError, RouterError
from jouline.router.calibration import load
from jouline.router.cascade import ConfidenceRouter
from jouline.router.gate_learned import Gate, OpenGate, open_gate
from jouline.router.learned import CALIBRATION_FILE, LearnedRouter, check_made_for, open_router
from jouline.router.memory import Memory, recall
from jouline.router.personal import FILE_NAME as PERSONAL_FILE
from jouline.router.personal import Personal, load_personal
from jouline.router.router import Router

_NATURAL_TOKENS = 7.8  # where a calibration has no figure of its own (LOG.md: what is not written)
OFFER = "`jouline calibrate PATH…` fits one to it and to your code, in minutes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """A pair's router with what it learned, its exit agent, without which no token exits early, and its gate.

    `problems` are sentences on what had to be done without.
    """

    router: Router
    memory: Memory
    exits: ExitAgent | None = None
    gate: Gate = field(default_factory=OpenGate)
    person: Personal = field(default_factory=Personal)
    problems: tuple[str, ...] = ()


def own_folder(folders: Folders, card: PairCard) -> Path:
    """Return where the user's own calibration of a pair lies; it need not exist."""
    return folders.data / "routers" / card.id


def memory_file(folders: Folders, card: PairCard) -> Path:
    """Return where what a pair's router learned is kept; it need not exist."""
    return folders.data / "routers" / f"{card.id}.learned.json"


def weights(card: PairCard) -> dict[str, str | None]:
    """Return the checksums of a pair's files by tier."""
    return {"small": card.small.sha256, "large": card.large.sha256}


def tokenizer(card: PairCard) -> Path:
    """Return the tokeniser by which places are described: the pair's own, else that of the pair that is shipped.

    Raises `RouterError` where there is none.
    """
    found = card.tokenizer or load_catalogue().pair().tokenizer
    if found is None:
        raise RouterError("There is no tokeniser to describe places with; install Jouline again.")
    return found


def router_folder(folders: Folders, card: PairCard) -> tuple[Path | None, tuple[str, ...]]:
    """Return the folder of the router in use, None for the cascade, and why others that are there are not used."""
    problems = []
    for folder in (own_folder(folders, card), card.router):
        if folder is None or not (folder / CALIBRATION_FILE).exists():
            continue
        try:
            check_made_for(load(folder / CALIBRATION_FILE), card.id, weights(card))
        except RouterError as error:
            problems.append(str(error))
        else:
            return folder, tuple(problems)
    return None, tuple(problems)


def steer(folders: Folders, card: PairCard, *, keep: bool, learned_gate: bool = True) -> Steering:
    """Open the router, the exit agent and the gate of a pair with what was learned.

    Without `keep` it starts fresh and nothing is written; without `learned_gate` the gate holds nothing back.
    """
    steering = _with_gate(folders, card, _open_router(folders, card, keep=keep), keep=keep, learned=learned_gate)
    try:
        return replace(steering, exits=open_exits(card))
    except EngineError as error:
        return replace(steering, problems=(*steering.problems, f"{error} Until then no token exits early."))


def _with_gate(folders: Folders, card: PairCard, steering: Steering, *, keep: bool, learned: bool) -> Steering:
    if card.router is None or not learned:
        return steering
    person = load_personal(folders.data / PERSONAL_FILE if keep else None)
    try:
        gate = open_gate(card.router, weights=weights(card), personal=person)
    except RouterError as error:
        told = f"{error} Until then only fixed rules hold requests back."
        return replace(steering, problems=(*steering.problems, told))
    return replace(steering, gate=gate, person=person)


def open_exits(card: PairCard) -> ExitAgent | None:
    """Return the exit agent that lies beside a pair's router, None where there is none; raises EngineError."""
    return load_agent(card.router / EXITS_FILE, weights(card)) if card.kind == "exit" and card.router else None


def _open_router(folders: Folders, card: PairCard, *, keep: bool) -> Steering:
    folder, problems = router_folder(folders, card)
    if folder is None:
        told = problems or (f"No router was made for the pair {card.id}.",)
        return _cascade(
            card, (f"{told[-1].split(';')[0].rstrip('.')}; the small model's own confidence decides. {OFFER}",)
        )
    memory = recall(memory_file(folders, card) if keep else None, made_for=fingerprint(folder))
    try:
        router = open_router(
            folder,
            tokenizer=tokenizer(card),
            pair=card.id,
            weights=weights(card),
            experience=memory.experience,
        )
    except RouterError as error:
        return _cascade(card, (*problems, f"{error} Until then the small model's own confidence decides."))
    return Steering(router=router, memory=memory, problems=(*problems, *_told(memory)))


def fingerprint(folder: Path) -> str:
    """Return what tells one calibration from another: what was learned on top of it is of no use to the next."""
    return hashlib.sha256((folder / CALIBRATION_FILE).read_bytes()).hexdigest()[:16]


def large_quality(router: Router) -> float:
    """Return how often the large model is right and shown, by the router's calibration; 0 where it has none."""
    quality = router.calibration.points[0].quality if isinstance(router, LearnedRouter) else None
    return quality or 0.0


def most_saving(router: Router, quality_floor: float | None) -> float:
    """Return the highest energy saving that the quality floor allows; without a calibration only 0 is sure."""
    if quality_floor is None:
        return 100.0
    return router.calibration.most_saving(quality_floor) if isinstance(router, LearnedRouter) else 0.0


def natural_tokens(router: Router) -> float:
    """Return the mean length of what the large model writes to its natural end."""
    if isinstance(router, LearnedRouter):
        return float(router.calibration.made_from.get("large_natural_tokens", _NATURAL_TOKENS))
    return _NATURAL_TOKENS


def _cascade(card: PairCard, problems: tuple[str, ...]) -> Steering:
    return Steering(router=ConfidenceRouter(), memory=Memory(path=None, made_for=card.id), problems=problems)


def _told(memory: Memory) -> tuple[str, ...]:
    return (memory.problem,) if memory.problem else ()
