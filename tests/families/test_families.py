"""Every family goes through the product: header, family, load, prompt, decode, stop."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.families.networks import RECIPES, write_model

from jouline.cancel import CancelToken
from jouline.catalogue.card import FamilyCard, PairCard, load_catalogue
from jouline.catalogue.families import recognise
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.own import own_card
from jouline.completion import CompletionRequest
from jouline.config import Folders
from jouline.engine import attention
from jouline.engine.generate import Limits
from jouline.engine.pair import Pair
from jouline.opening import open_pair
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

CATALOGUE = load_catalogue()
STUB = b" path"
LINKS = {STUB[start:]: b"(" for start in range(len(STUB))} | {b"(": b")", b")": b""}
BEFORE, AFTER = "def read(path):\n    return path", "\n\n\ndef write(path):\n    return None\n"


@dataclass(frozen=True, slots=True)
class Opened:
    """A family's tiny model, opened by the product."""

    card: PairCard
    pair: Pair
    completer: Completer


def request() -> CompletionRequest:
    """Return a request at the end of `BEFORE`."""
    return CompletionRequest(uri="file:///a.py", language="python", text=BEFORE + AFTER, offset=len(BEFORE))


def specials_of(family: FamilyCard) -> list[str]:
    """Return a family's special tokens, the one that ends a text last."""
    return [*family.fim.markers, *reversed(family.fim.end)]


def open_family(folder: Path, family: FamilyCard, end: str) -> Opened:
    """Write a model that completes `path` by `()` and `end`, and open it as a user's own file."""
    file = write_model(
        folder / "tiny.gguf",
        name=f"{family.names[0]}-tiny",
        recipe=RECIPES[family.id],
        specials=specials_of(family),
        links=LINKS,
        end=end,
    )
    header = read_header(file)
    stage = own_card(header, recognise(header, CATALOGUE.families))
    card = PairCard(id="tiny", kind="separate", small=stage, large=stage)
    pair, context_tokens = open_pair(card, Folders.find({"JOULINE_HOME": str(folder)}))
    return Opened(card, pair, Completer(pair, {"small": stage, "large": stage}, PipelineOptions(), context_tokens))


@pytest.fixture(autouse=True)
def no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one round of measuring do at opening: what is measured of a model of a few kilobytes says nothing."""
    monkeypatch.setattr(attention, "_BUDGET_S", 0.0)


@pytest.fixture(params=sorted(CATALOGUE.families))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Open each family's tiny model in turn."""
    family = CATALOGUE.family(request.param)
    ready = open_family(tmp_path, family, family.fim.end[0])
    yield ready
    ready.pair.close()


def test_no_family_without_a_recipe() -> None:
    """A family that is added to the catalogue must be added here."""
    assert set(RECIPES) == set(CATALOGUE.families)
    for name, recipe in RECIPES.items():
        assert recipe.architecture in CATALOGUE.family(name).architectures


def test_recognised(opened: Opened, request: pytest.FixtureRequest) -> None:
    """A file of the family is told by what it says of itself, and keeps the family's layout."""
    family = CATALOGUE.family(request.node.callspec.params["opened"])

    assert (opened.card.small.family, opened.card.small.fim) == (family.id, family.fim)


def test_prompt(opened: Opened) -> None:
    """The prompt is the documented order of markers and plain text; the stub under the cursor is healed."""
    fim, pair = opened.card.small.fim, opened.pair
    prompt = opened.completer.prompt(request(), "small", 8)
    prefix = pair.tokenise("small", BEFORE.removesuffix(" path"))
    suffix = pair.tokenise("small", request().suffix)[: fim.suffix_tokens]
    first = [pair.special("small", fim.prefix), *prefix]
    second = [pair.special("small", fim.suffix), *suffix]
    middle = [] if fim.middle is None else [pair.special("small", fim.middle)]
    ordered = [*first, *second] if fim.layout == "prefix-suffix-middle" else [*second, *first]

    assert None not in ordered
    assert list(prompt.tokens)[-len(ordered) - len(middle) :] == [*ordered, *middle]
    assert prompt.stub == " path"


@pytest.mark.parametrize("tier", ["small", "large"])
def test_completes_and_stops(opened: Opened, tier: str) -> None:
    """The model's text comes out whole, and the family's end token ends it."""
    done = opened.completer.generate(request(), tier, CancelToken(), Limits(max_tokens=12))  # type: ignore[arg-type]

    assert (done.text, done.stop) == ("()", "end")


@pytest.mark.parametrize(
    ("family_id", "end"),
    [(family.id, end) for family in CATALOGUE.families.values() for end in family.fim.end[1:]],
)
def test_every_end_ends(tmp_path: Path, family_id: str, end: str) -> None:
    """Each token that the card calls an end is one to the engine too."""
    ready = open_family(tmp_path, CATALOGUE.family(family_id), end)
    done = ready.completer.generate(request(), "large", CancelToken(), Limits(max_tokens=12))
    ready.pair.close()

    assert (done.text, done.stop) == ("()", "end")


def test_markers_in_source_stay_text(opened: Opened) -> None:
    """A marker that stands in the user's source is plain text, never a control token."""
    for marker in opened.card.small.fim.markers:
        assert opened.pair.special("small", marker) not in opened.pair.tokenise("small", f"x = '{marker}'")
