"""The order of a prompt's parts, by layout."""

import tomllib
from pathlib import Path

import pytest

from jouline.catalogue.card import FimCard, load_catalogue
from jouline.errors import EngineError
from jouline.pipeline.fim import arrange

IDS = {"<P>": 1, "<S>": 2, "<M>": 3}
LAYOUTS = [
    ("suffix-prefix", None, (2, 20, 21, 1, 10, 11)),
    ("suffix-prefix-middle", "<M>", (2, 20, 21, 1, 10, 11, 3)),
    ("prefix-suffix-middle", "<M>", (1, 10, 11, 2, 20, 21, 3)),
]


def card(layout: str, middle: str | None, prefix: str = "<P>") -> FimCard:
    """Describe a family."""
    return FimCard(layout=layout, prefix=prefix, suffix="<S>", middle=middle, end=(), suffix_tokens=64)


@pytest.mark.parametrize(("layout", "middle", "expected"), LAYOUTS)
def test_each_layout_has_its_order(layout, middle, expected):
    """Markers stand before their parts, the middle marker last."""
    assert arrange(card(layout, middle), IDS.get, prefix=[10, 11], suffix=[20, 21]) == expected


@pytest.mark.parametrize(("layout", "middle", "_expected"), LAYOUTS)
def test_empty_parts_keep_their_markers(layout, middle, _expected):
    """A prompt is never empty, whatever the document."""
    assert set(arrange(card(layout, middle), IDS.get, prefix=[], suffix=[])) == {1, 2} | ({3} if middle else set())


@pytest.mark.parametrize("layout", ["suffix-prefix", "suffix-prefix-middle"])
def test_typing_only_appends_where_the_suffix_stands_first(layout):
    """A longer prefix leaves the prompt's beginning as it was."""
    before = arrange(card(layout, None), IDS.get, prefix=[10], suffix=[20])
    after = arrange(card(layout, None), IDS.get, prefix=[10, 11], suffix=[20])
    assert after[: len(before)] == before


def test_a_missing_marker_is_one_sentence():
    """A model without the card's marker is refused with its name."""
    with pytest.raises(EngineError, match=r"no token <X>, .*\.$"):
        arrange(card("suffix-prefix", None, prefix="<X>"), IDS.get, prefix=[], suffix=[])


GOLDEN = tomllib.loads((Path(__file__).parents[1] / "golden" / "fim.toml").read_text(encoding="utf-8"))
FAMILIES = load_catalogue().families


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_golden_prompts(family):
    """Each family of the catalogue is asked as its own documents say."""
    fim = FAMILIES[family].fim
    markers = dict(enumerate(fim.markers))
    ids = {marker: number for number, marker in markers.items()}
    prompt = arrange(fim, ids.get, prefix=[ord("P")], suffix=[ord("S")])

    assert "".join(markers.get(token, chr(token)) for token in prompt) == GOLDEN[family]
