"""Two-stage decoding: a small model or a lookup drafts, one pass of the large model checks, every token is the large's.

The session below gives the decode loop nothing but logits, so healing, stops and cancelling know nothing of drafts:
where the loop takes the drafted token its logits are there already, where it does not the rest of the draft is cut off.
With an exit rule the small half's choice may stand unchecked; nothing else is ever lost.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from jouline.cancel import CancelToken
from jouline.completion import Generation, Prompt
from jouline.engine.ahead import Ahead, Guess
from jouline.engine.draft import (
    LOOKED_UP,
    MARGIN,
    MOST,
    Acceptance,
    DraftCosts,
    Kind,
    Lookup,
    PassCosts,
    Worth,
    best_run,
    lead_kind,
)
from jouline.engine.exit import ExitRule, Signals
from jouline.engine.generate import Limits, generate
from jouline.engine.llama import FloatArray
from jouline.engine.prefix import common_prefix
from jouline.engine.session import Extensible, TokenSession
from jouline.engine.vocabulary import Vocabulary

_ASKED: Kind = (1, 3)  # the first token of a separate small model's draft
_REST = 32  # tokens after which drafts that do not pay are tried again
_TELLING, _MOSTLY_DECODED = 3, 4  # tokens: answers from, and prompts up to which an answer's time tells of decoding
_MOST_BEHIND = 64  # tokens that a separate small model may have to read before it drafts


@dataclass(slots=True)
class Tally:
    """What became of one answer's drafts and exits; savings are in tokens of plain decoding, as the costs predict."""

    drafted: int = 0
    accepted: int = 0
    exited: int = 0
    saved_by_drafts: float = 0.0
    saved_by_exit: float = 0.0


@dataclass(slots=True)
class _Answer:
    """An answer as far as it has come."""

    timeline: list[int]
    drafted: list[int] = field(default_factory=list)  # evaluated behind the timeline, not chosen yet
    guesses: list[tuple[int, Kind]] = field(default_factory=list)  # at the current position and at each drafted one
    exited: bool = False
    read: int = 0  # tokens of the timeline that the large half has seen
    behind: int = 0  # positions before the current one that the large half has not seen
    decoded: int = 0
    last: int = 0  # what the large half said to the last guess: 0 nothing yet, 1 the same, 2 another


class TwoStageSession:
    """A large model's timeline, evaluated ahead as far as drafts are likely to be right. See `Session`."""

    def __init__(
        self,
        large: Extensible,
        small: TokenSession | None,
        *,
        costs: DraftCosts,
        lookup: Lookup,
        capacity: int,
        front_share: float = 0.0,
        worth: Worth | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """`small` is the front of `large` of one network, else a model with the same vocabulary, or None.

        `capacity` is how many tokens fit, `front_share` the front's part of a whole pass' work, 0 for separate models.
        With `worth` answers are drafted only where that has proved quicker by `clock`, else always.
        """
        self._capacity = capacity
        self._worth = worth
        self._clock = clock
        self._drafting = True
        self._began = 0.0
        self._large = large
        self._small = small
        self._all_costs = costs
        self.costs = costs.at(0)  # of passes behind as many tokens as the present prompt has
        self._lookup = lookup
        self._front_share = front_share
        self._acceptance = Acceptance()
        self._read: list[int] = []
        self._rest = 0
        self._at = _Answer([])
        self._ahead: Ahead | None = None
        self._rule: ExitRule | None = None
        self.tally = Tally()
        self.evaluated = 0

    def costs_at(self, depth: int) -> PassCosts:
        """Return what passes behind so many tokens cost."""
        return self._all_costs.at(depth)

    @property
    def tokens(self) -> list[int]:
        """The timeline; not to be changed."""
        return self._at.timeline

    @property
    def held(self) -> list[int]:
        """See `Session.held`."""
        return self._large.held

    def pending(self, tokens: Sequence[int]) -> float:
        """See `Session.pending`."""
        return self._large.pending(tokens)

    def unload(self) -> None:
        """See `Session.unload`."""
        self._large.unload()

    def forget(self) -> None:
        """See `Session.forget`; what was learned of drafts goes too.

        Who begins anew compares runs, so from then on whether to draft no longer hangs on a clock.
        """
        self._large.forget()
        self._lookup.forget()
        self._acceptance = Acceptance()
        self._read, self._rest, self._at = [], 0, _Answer([])
        self._worth = None

    def expect(self, ahead: Ahead, rule: ExitRule | None = None) -> None:
        """Say what the next `sync` begins; without this nothing is drafted and no token exits."""
        self._drafting = self._worth is None or self._worth.choose()
        self._ahead = ahead if self._drafting or rule else None
        self._rule = rule
        self._began = self._clock()
        self.tally = Tally()

    def finished(self, tokens: int) -> None:
        """Note that the answer has so many tokens: whether drafts pay is learned from it."""
        if self._worth is None or tokens < _TELLING or self.evaluated > _MOSTLY_DECODED:
            return
        seconds = self._clock() - self._began
        self._worth.learn(seconds / (tokens * self._all_costs.at(len(self._at.timeline)).plain), drafted=self._drafting)

    def sync(self, tokens: Sequence[int], *, rows: int = 1) -> float:
        """See `Session.sync`; drafts made at once are counted neither as evaluated nor as work."""
        self._at = _Answer(list(tokens))
        if self._ahead is None:
            work = self._large.sync(tokens, rows=rows)
            self.evaluated = self._large.evaluated
            return work
        self._lookup.read(self._at.timeline, common_prefix(self._read, self._at.timeline))
        self._read = list(tokens)
        self.costs = self._all_costs.at(len(tokens))
        self.evaluated = 0
        self._at.behind = len(tokens) - common_prefix(self._large.held, self._at.timeline) - 1
        return self._advance(self._ahead)

    def step(self, token: int) -> None:
        """Go on by the token that was chosen."""
        self._at.timeline.append(token)
        if self._ahead is None:
            self._large.step(token)
            return
        self._learn(token)
        self._ahead.take(token)
        self._at.decoded += 1
        if self._at.drafted and self._at.drafted[0] == token:
            del self._at.drafted[0]
            self.tally.accepted += 1
            self.tally.saved_by_drafts += 1.0
            return
        self._at.drafted, self._at.guesses = [], []
        self._advance(self._ahead)

    def logits(self, back: int = 0) -> FloatArray:
        """See `Session.logits`."""
        if self._at.exited and self._small:
            return self._small.logits(back)
        return self._large.logits(back + len(self._at.drafted))

    def _advance(self, ahead: Ahead) -> float:
        """Evaluate the timeline and what is drafted behind it; returns the work, in tokens of a whole pass."""
        work, guess = 0.0, None
        if self._small and self.costs.halves:
            read = len(self._at.timeline) - 1 if self._at.decoded else 0
            work = self._bring(self._small, read) * self._front_share
            guess = ahead.guess(self._small.logits())
        self._at.exited = guess is not None and self._exits(ahead, guess)
        if self._at.exited:
            self._at.behind += 1
            return work
        drafted = self._draft(ahead, guess)
        at_once = self._bring(self._large, self._at.read, drafted)
        evaluated = max(0, self._large.evaluated - len(drafted))
        if not self._at.decoded:
            self.evaluated = evaluated
        self._at.drafted, self._at.read = drafted, len(self._at.timeline)
        self._catch_up(len(drafted))
        return work + evaluated * (1 - self._front_share) if guess else at_once - len(drafted)

    def _bring(self, session: Extensible, read: int, drafted: Sequence[int] = ()) -> float:
        """Bring a model up to the timeline, of which it has read so many tokens, and to what is drafted behind it.

        Returns the work, which is told of what was not read yet in this answer alone.
        """
        timeline = self._at.timeline
        if not read:
            return session.sync([*timeline, *drafted], rows=1 + len(drafted))
        session.back_to(read)
        session.extend([*timeline[read:], *drafted], rows=1 + len(drafted))
        return 0.0

    def _exits(self, ahead: Ahead, guess: Guess) -> bool:
        """Whether the small half's choice stands."""
        if self._rule is None or not self._rule.exits(self._signals(ahead, guess)):
            return False
        self.tally.exited += 1
        self.tally.saved_by_exit += self.costs.large[0] / self.costs.plain
        return True

    def _signals(self, ahead: Ahead, guess: Guess) -> Signals:
        return Signals(
            lead=guess.lead,
            logprob=ahead.logprob,
            decoded=self._at.decoded,
            behind=self._at.behind,
            lookup=self._agreement(self._at.timeline, guess.token),
            last=self._at.last,
            spelling=int(ahead.spelling),
            kind=ahead.kind(guess.token),
        )

    def _catch_up(self, drafted: int) -> None:
        """Charge exits for the positions that this pass of the large half made good."""
        if self._at.decoded and self._at.behind:
            costs, rows = self.costs.large, 1 + drafted
            extra = costs[min(rows + self._at.behind, len(costs)) - 1] - costs[rows - 1]
            self.tally.saved_by_exit -= extra / self.costs.plain
        self._at.behind = 0

    def _draft(self, ahead: Ahead, guess: Guess | None) -> list[int]:
        most = min(MOST, ahead.room - 1, self._capacity - len(self._at.timeline))
        if most < 1 or not self._drafting:
            return []
        costs = self.costs
        if costs.batches_pay and not ahead.spelling and (run := self._look_up(ahead, most)):
            tokens, seconds = run, costs.at_once(1 + len(run)) - costs.at_once(1)
        elif self._small is None:
            return []
        elif guess is not None:
            tokens = self._go_on(ahead, self._small, guess, most)
            seconds = costs.large[len(tokens)] - costs.large[0] + len(tokens) * costs.small[0]
        else:
            tokens, passes = self._ask(ahead, self._small, most)
            seconds = costs.large[len(tokens)] - costs.large[0] + passes * costs.small[0]
        self.tally.drafted += len(tokens)
        self.tally.saved_by_drafts -= seconds / costs.plain
        return tokens

    def _look_up(self, ahead: Ahead, most: int) -> list[int]:
        """Return what came after the same tokens before, as far as checking it at once pays."""
        run = self._lookup.run(self._at.timeline, best_run(self.costs, self._acceptance.of(LOOKED_UP), most))
        kept: list[int] = []
        fork = ahead.fork()
        for token in run:
            if not fork.goes_on(token):
                break
            kept.append(token)
            fork.take(token)
        following = self._lookup.after(self._at.timeline)
        known = run or ([] if following is None else [following])  # learn of it where it was not worth drafting, too
        self._at.guesses = [(token, LOOKED_UP) for token in known]
        return kept

    def _go_on(self, ahead: Ahead, small: TokenSession, guess: Guess | None, most: int) -> list[int]:
        """Have the small model go on from `guess` as long as one more token is likely to pay."""
        fork, tokens, tail, chance = ahead.fork(), list[int](), self._at.timeline[-Lookup.LENGTH :], 1.0
        self._at.guesses = []
        while guess is not None:
            kind = lead_kind(guess.lead, self._agreement(tail, guess.token))
            self._at.guesses.append((guess.token, kind))
            chance *= self._acceptance.of(kind)
            if len(tokens) >= most or not fork.goes_on(guess.token):
                break
            if chance * self.costs.plain <= MARGIN * self.costs.longer(len(tokens) + 2):
                break
            tokens.append(guess.token)
            tail.append(guess.token)
            fork.take(guess.token)
            small.step(guess.token)
            guess = fork.guess(small.logits())
        return tokens

    def _ask(self, ahead: Ahead, small: TokenSession, most: int) -> tuple[list[int], int]:
        """Return a separate small model's draft and its passes; one whose drafts do not pay rests a while."""
        pays = self._acceptance.of(_ASKED) * self.costs.plain > MARGIN * self.costs.longer(2)
        behind = len(self._at.timeline) - common_prefix(small.held, self._at.timeline)
        if behind > _MOST_BEHIND or not (pays or self._rest >= _REST):
            self._rest += 1
            return [], 0
        self._rest = 0
        small.sync(self._at.timeline)
        tokens = self._go_on(ahead, small, ahead.guess(small.logits()), most)
        return tokens, behind + len(tokens)

    def _agreement(self, timeline: Sequence[int], token: int) -> int:
        found = self._lookup.after(timeline)
        return 0 if found is None else 1 if found == token else -1

    def _learn(self, token: int) -> None:
        """Note whether the guess at this place was right, where the large model has told."""
        if self._at.exited or not self._at.guesses:
            return
        guessed, kind = self._at.guesses.pop(0)
        self._acceptance.learn(kind, right=guessed == token)
        if self._decoded_by_small_model(kind):
            self._acceptance.learn(_ASKED, right=guessed == token)
        self._at.last = 1 if guessed == token else 2

    def _decoded_by_small_model(self, kind: Kind) -> bool:
        return kind != LOOKED_UP and not self.costs.halves


def generate_in_two_stages(
    session: TwoStageSession,
    vocabulary: Vocabulary,
    prompt: Prompt,
    limits: Limits,
    cancel: CancelToken,
    *,
    rule: ExitRule | None = None,
) -> Generation:
    """Answer `prompt` as `generate` does, the large model's tokens drafted; with `rule` some end at its front half."""
    ahead = Ahead(vocabulary, prompt.stub, room=limits.max_tokens, single_line=limits.single_line)
    session.expect(ahead, rule)
    made = generate(session, vocabulary, prompt, limits, cancel, ahead=ahead)
    session.finished(made.generated_tokens)
    tally = session.tally
    return replace(
        made,
        drafted=tally.drafted,
        draft_accepted=tally.accepted,
        exited=tally.exited,
        saved_by_drafts=tally.saved_by_drafts,
        saved_by_exit=tally.saved_by_exit,
    )
