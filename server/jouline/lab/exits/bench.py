"""An exit pair laid open for the lab: both halves, and blocks of code that are typed again on clean timelines."""

from collections.abc import Iterator
from contextlib import contextmanager

from jouline.cancel import CancelToken
from jouline.catalogue.card import PairCard, load_catalogue
from jouline.completion import CompletionRequest, Generation, Prompt
from jouline.config import Folders
from jouline.engine.exit import ExitRule
from jouline.engine.generate import Limits, generate
from jouline.engine.pair import Pair
from jouline.engine.session import ExitSession, TokenSession
from jouline.engine.two_stage import generate_in_two_stages
from jouline.errors import ConfigError
from jouline.lab.collect import language
from jouline.lab.retype import Block
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

MAX_TOKENS = 48


class Bench:
    """One opened exit pair."""

    def __init__(self, pair: Pair, card: PairCard, capacity: int) -> None:
        """Raise `ConfigError` where the pair is not two halves of one network."""
        halves = pair.halves()
        if halves is None:
            raise ConfigError(f"The pair {card.id} has no early exit: its models are separate.")
        self.front: TokenSession
        self.large: ExitSession
        self.front, self.large, self.two_stage, self.vocabulary = halves
        self.card = card
        self.capacity = capacity
        tiers = {"small": card.small, "large": card.large}
        self._completer = Completer(pair, tiers, PipelineOptions(), capacity)  # type: ignore[arg-type]

    def prompt(self, request: CompletionRequest) -> Prompt:
        """Return the prompt that the product would ask."""
        return self._completer.prompt(request, "large", MAX_TOKENS)

    def begin(self, block: Block) -> None:
        """Empty both timelines and have both halves read the file up to the block."""
        for session in (self.front, self.large):
            session.sync([0])
            session.shelf.clear()
        self.large.sync(self.prompt(place_request(block, block.start)).tokens)

    def plain(self, request: CompletionRequest, *, half: str = "large") -> Generation:
        """Answer with the whole network or with the front alone, one token at a time, to the line's end."""
        session = self.front if half == "small" else self.large
        limits = Limits(max_tokens=MAX_TOKENS)
        return generate(session, self.vocabulary, self.prompt(request), limits, CancelToken())

    def drafted(self, request: CompletionRequest, rule: ExitRule | None) -> Generation:
        """Answer as the product does, with an exit rule or without."""
        limits = Limits(max_tokens=MAX_TOKENS)
        prompt = self.prompt(request)
        return generate_in_two_stages(self.two_stage, self.vocabulary, prompt, limits, CancelToken(), rule=rule)


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Open the default pair of the catalogue."""
    card = load_catalogue().pair()
    pair, capacity = open_pair(card, Folders.find())
    try:
        yield Bench(pair, card, capacity)
    finally:
        pair.close()


def place_request(block: Block, offset: int) -> CompletionRequest:
    """Return the request at a place of a block: all from there to the block's end is still to be typed."""
    return CompletionRequest(
        uri=block.source.path.as_uri(),
        language=language(block.source),
        text=block.text[:offset] + block.text[block.end :],
        offset=offset,
        trigger="invoked",
        show_all=True,
    )
