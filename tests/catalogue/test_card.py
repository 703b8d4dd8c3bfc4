"""The catalogue that ships is true to its files, complete, and refuses entries that make no sense."""

from pathlib import Path

import pytest

from jouline.catalogue.card import StageCard, bundled_folder, load_catalogue
from jouline.catalogue.families import missing_markers
from jouline.catalogue.gguf_header import read_header
from jouline.catalogue.store import sha256_of
from jouline.config import load
from jouline.errors import CatalogueError

CATALOGUE = load_catalogue()
EMBEDDED = [CATALOGUE.pair().small, CATALOGUE.pair().large]
HUB = [stage for stage in CATALOGUE.stages.values() if stage.hub]


class TestBundled:
    @pytest.mark.parametrize("stage", EMBEDDED, ids=lambda stage: stage.id)
    def test_true_to_its_file(self, stage: StageCard) -> None:
        """Size, checksum, format, context and markers are those of the file that ships."""
        path = bundled_folder() / stage.file
        header = read_header(path)

        assert stage.size_bytes == path.stat().st_size
        assert stage.sha256 == sha256_of(path)
        assert (stage.quantisation, stage.context_tokens) == (header.quantisation, header.context_tokens)
        assert missing_markers(header, stage.fim) == []

    def test_embedded_is_one_network(self) -> None:
        """The default pair is front and back, with its tokeniser beside it; it knows Python and says so."""
        pair = CATALOGUE.pair()

        assert (pair.id, pair.kind, pair.large.follows) == ("embedded", "exit", pair.small.id)
        assert pair.tokenizer is not None
        assert pair.tokenizer.is_file()
        assert "python" in (pair.small.languages or ())

    def test_weights_stay_small(self) -> None:
        """All weights that ship are at most 30 MB."""
        assert sum(stage.size_bytes or 0 for stage in EMBEDDED) <= 30_000_000

    @pytest.mark.parametrize("stage", HUB, ids=lambda stage: stage.id)
    def test_hub_model_is_documented(self, stage: StageCard) -> None:
        """Each model of the hub names repository, file, format, licence, context and where its template is from."""
        assert stage.hub is not None
        assert stage.hub.repo.count("/") == 1
        assert stage.hub.file == stage.file
        assert stage.file.endswith(".gguf")
        assert (stage.quantisation or "") in stage.file.lower()
        assert stage.licence
        assert stage.context_tokens
        assert CATALOGUE.family(stage.family).sources

    @pytest.mark.parametrize("family", CATALOGUE.families.values(), ids=lambda family: family.id)
    def test_markers_are_told_apart(self, family: object) -> None:
        """No family has one marker for two roles, and only layouts with a middle name one."""
        fim = CATALOGUE.family(family.id).fim  # type: ignore[attr-defined]

        assert len(set(fim.markers)) == len(fim.markers)
        assert (fim.middle is not None) == fim.layout.endswith("middle")
        assert not set(fim.end) & set(fim.markers)

    def test_ids_fit_the_settings(self) -> None:
        """Every model can be named by the settings `model.small` and `model.large`."""
        for stage_id in CATALOGUE.stages:
            assert load(None, {"model.small": stage_id})[0].model_small == stage_id

    def test_every_family_has_a_model(self) -> None:
        """A family without a model would never be tried."""
        assert {stage.family for stage in CATALOGUE.stages.values()} == set(CATALOGUE.families)


class TestLookUp:
    @pytest.mark.parametrize(
        ("asked", "meant"), [("qwen2.5-coder-1.5B", "qwen2.5-coder-1.5b"), ("embeded-small", "embedded-small")]
    )
    def test_unknown_id(self, asked: str, meant: str) -> None:
        """An unknown id is answered with the nearest ones."""
        with pytest.raises(CatalogueError, match=f"did you mean .*{meant}"):
            CATALOGUE.stage(asked)

    def test_nothing_near(self) -> None:
        """Where nothing is near, the list is pointed to."""
        with pytest.raises(CatalogueError, match="jouline models list"):
            CATALOGUE.stage("§")


class TestFiles:
    def test_later_file_wins(self, tmp_path: Path) -> None:
        """A later catalogue file adds to and replaces entries of earlier ones."""
        own = tmp_path / "own.toml"
        own.write_text('[stage.mine]\nfamily = "qwen-coder"\nfile = "/m.gguf"\n', encoding="utf-8")

        both = load_catalogue([bundled_folder() / "catalogue.toml", own])

        assert both.stage("mine").fim == both.family("qwen-coder").fim
        assert both.pair().id == "embedded"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[stage.a", "cannot be read"),
            ('[stage.a]\nfamily = "none"\nfile = "a"', r"\[stage\.a\].*cannot be used"),
            ('[family.a]\nlayout = "suffix-prefix"', r"\[family\.a\].*cannot be used"),
            ('[pair.a]\nkind = "exit"\nsmall = "x"\nlarge = "y"', r"\[pair\.a\].*cannot be used"),
        ],
    )
    def test_unusable_entry(self, tmp_path: Path, text: str, said: str) -> None:
        """An entry that cannot be used is named with its file."""
        path = tmp_path / "catalogue.toml"
        path.write_text(text, encoding="utf-8")

        with pytest.raises(CatalogueError, match=said):
            load_catalogue([path])
