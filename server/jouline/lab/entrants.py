"""The models that a collection names: tiers of the pair in use, catalogue ids, GGUF files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jouline.catalogue.card import Catalogue, PairCard, StageCard
from jouline.catalogue.families import recognise
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.own import own_card
from jouline.catalogue.store import ModelStore
from jouline.completion import Tier
from jouline.config import Folders
from jouline.errors import ConfigError
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A model under the name by which its outcomes are recorded, and how it is opened: a tier of a pair.

    A complete model is a pair of itself: its weights lie in memory once, as both map the same file.
    """

    name: str
    pair: PairCard
    tier: Tier

    @contextmanager
    def opened(self, folders: Folders) -> Iterator[Completer]:
        """Open the model, and no other but the half it stands on; close it again."""
        pair, context_tokens = open_pair(self.pair, folders)
        try:
            cards: dict[Tier, StageCard] = {"small": self.pair.small, "large": self.pair.large}
            yield Completer(pair, cards, PipelineOptions(), context_tokens)
        finally:
            pair.close()


def entrants(names: list[str], folders: Folders) -> list[Entrant]:
    """Return the models of these names; raise a JoulineError where one is unknown, missing or named twice."""
    store = ModelStore.under(folders.data)
    found = [entrant(name, store.catalogue()) for name in names]
    if len({each.name for each in found}) < len(found):
        raise ConfigError("A model is named twice: name each once.")
    for each in found:
        store.check_pair(each.pair)
    return found


def entrant(name: str, catalogue: Catalogue) -> Entrant:
    """Return the model of a name: `small` and `large` of the default pair, a GGUF file, or a catalogue id."""
    if name in {"small", "large"}:
        return Entrant(name=name, pair=catalogue.pair(), tier="small" if name == "small" else "large")
    if name.endswith(".gguf") or Path(name).is_file():
        header = read_header(Path(name).expanduser())
        return _complete(own_card(header, recognise(header, catalogue.families)))
    stage = catalogue.stage(name)
    for pair in catalogue.pairs.values():
        if pair.kind == "exit" and stage.id == pair.small.id:
            return Entrant(name=stage.id, pair=pair, tier="small")
        if pair.kind == "exit" and stage.id == pair.large.id:
            return Entrant(name=stage.id, pair=pair, tier="large")
    return _complete(stage)


def _complete(stage: StageCard) -> Entrant:
    return Entrant(name=stage.id, pair=PairCard(id=stage.id, kind="separate", small=stage, large=stage), tier="large")
