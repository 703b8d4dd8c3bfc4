"""A file's family is told by architecture, markers and name together; anything else is refused."""

from pathlib import Path

import pytest
from tests.catalogue.gguf_files import QWEN_MARKERS, write_gguf

from jouline.catalogue.card import load_catalogue
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.families import recognise
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.own import forget, own_card, remember
from jouline.errors import CatalogueError

CATALOGUE = load_catalogue()
FAMILIES = CATALOGUE.families
NO_MARKERS = ("a", "b", "<|endoftext|>")


class TestRecognise:
    @pytest.mark.parametrize("name", ["Qwen2.5 Coder 1.5B", "qwen2.5-coder-7b-instruct", "Qwen2.5_Coder"])
    def test_known(self, tmp_path: Path, name: str) -> None:
        """Spaces, punctuation and capitals in the file's name make no difference."""
        header = read_header(write_gguf(tmp_path / "m.gguf", name=name))

        assert recognise(header, FAMILIES).id == "qwen-coder"

    def test_no_markers(self, tmp_path: Path) -> None:
        """A model without fill-in-the-middle tokens is refused, whatever it is called."""
        header = read_header(write_gguf(tmp_path / "m.gguf", tokens=NO_MARKERS))

        with pytest.raises(CatalogueError, match="no fill-in-the-middle tokens"):
            recognise(header, FAMILIES)

    @pytest.mark.parametrize(("name", "architecture"), [("Qwen2.5 7B Instruct", "qwen2"), ("Qwen2.5 Coder", "phi3")])
    def test_unknown(self, tmp_path: Path, name: str, architecture: str) -> None:
        """Markers alone are no proof: a general model, or another architecture, is not guessed to be a known one."""
        header = read_header(write_gguf(tmp_path / "m.gguf", name=name, architecture=architecture))

        with pytest.raises(CatalogueError, match=r"of no family.*--family"):
            recognise(header, FAMILIES)

    def test_named_by_the_user(self, tmp_path: Path) -> None:
        """A user who knows may name the family, as long as the markers are there."""
        header = read_header(write_gguf(tmp_path / "m.gguf", name="My tune"))

        assert recognise(header, FAMILIES, FAMILIES["qwen-coder"]).id == "qwen-coder"
        with pytest.raises(CatalogueError, match="has no token <fim_prefix>"):
            recognise(header, FAMILIES, FAMILIES["starcoder2"])


class TestOwn:
    def test_card(self, tmp_path: Path) -> None:
        """A card of one's own says what the file says, and survives being written and read."""
        header = read_header(write_gguf(tmp_path / "My Tune (v2).gguf"))
        card = own_card(header, FAMILIES["qwen-coder"])
        remember(tmp_path / "own.toml", card)

        assert card.id == "my-tune-v2"
        assert load_catalogue([*_bundled(), tmp_path / "own.toml"]).stage(card.id) == card

    def test_markers_of_the_metadata(self, tmp_path: Path) -> None:
        """Markers that the file's own metadata names are used in the place of the family's."""
        tokens = ("a", "<pre>", "<suf>", "<mid>", *QWEN_MARKERS)
        header = read_header(write_gguf(tmp_path / "m.gguf", tokens=tokens, fim_ids=(1, 2, 3)))
        card = own_card(header, recognise(header, FAMILIES))
        remember(tmp_path / "own.toml", card)

        assert card.fim.markers == ("<pre>", "<suf>", "<mid>")
        assert load_catalogue([*_bundled(), tmp_path / "own.toml"]).stage(card.id).fim == card.fim

    def test_strange_path(self, tmp_path: Path) -> None:
        """Quotes, backslashes and other letters in a path are kept."""
        header = read_header(write_gguf(tmp_path / 'mo"d\\el ü.gguf'))
        remember(tmp_path / "own.toml", own_card(header, FAMILIES["qwen-coder"]))

        (stage_id,) = set(load_catalogue([*_bundled(), tmp_path / "own.toml"]).stages) - set(CATALOGUE.stages)
        assert load_catalogue([*_bundled(), tmp_path / "own.toml"]).stage(stage_id).file == str(header.path)

    def test_forget(self, tmp_path: Path) -> None:
        """A forgotten card goes alone; the model file stays."""
        first, second = (read_header(write_gguf(tmp_path / name)) for name in ("one.gguf", "two.gguf"))
        for header in (first, second):
            remember(tmp_path / "own.toml", own_card(header, FAMILIES["qwen-coder"]))
        forget(tmp_path / "own.toml", "one")

        assert set(load_catalogue([*_bundled(), tmp_path / "own.toml"]).stages) - set(CATALOGUE.stages) == {"two"}
        assert first.path.is_file()


class TestChoice:
    def test_default(self) -> None:
        """No setting means the pair that comes with the program."""
        assert choose_pair(CATALOGUE).id == "embedded"

    def test_listed(self) -> None:
        """Two models that the catalogue lists as a pair are that pair."""
        assert choose_pair(CATALOGUE, "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b").id == "qwen-light"

    def test_free(self) -> None:
        """Any two complete models make a pair; the small half of the embedded network is complete."""
        pair = choose_pair(CATALOGUE, "", "mellum-4b")

        assert (pair.id, pair.kind, pair.tokenizer, pair.router) == (
            "embedded-small+mellum-4b",
            "separate",
            None,
            None,
        )

    @pytest.mark.parametrize(("small", "large"), [("mellum-4b", ""), ("embedded-large", "mellum-4b")])
    def test_half_a_network(self, small: str, large: str) -> None:
        """The back of a network cannot run without its front."""
        with pytest.raises(CatalogueError, match="works only behind embedded-small"):
            choose_pair(CATALOGUE, small, large)


def _bundled() -> list[Path]:
    from jouline.catalogue.card import bundled_folder

    return [bundled_folder() / "catalogue.toml"]
