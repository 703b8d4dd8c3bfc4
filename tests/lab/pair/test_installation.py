"""A finished run goes into the tree whole, with the catalogue true, or not at all."""

import json
import shutil
from pathlib import Path

import pytest

from jouline.catalogue.card import CATALOGUE_FILE, bundled_folder, load_catalogue
from jouline.catalogue.store import ModelStore, sha256_of
from jouline.errors import JoulineError
from jouline.lab.pair import home, installation
from jouline.lab.pair.names import files

pytestmark = pytest.mark.model


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a copy of the tree's models whose catalogue says other things than are true of the files."""
    folder = tmp_path / "models"
    shutil.copytree(bundled_folder(), folder)
    catalogue = folder / CATALOGUE_FILE
    old = catalogue.read_text("utf-8")
    for part, stage in installation.STAGES.items():
        wrong = {"sha256": "0" * 64, "size_bytes": 1, "memory_bytes": 1, "languages": [], "context_tokens": 1}
        assert part in load_catalogue([catalogue]).stage(stage).file
        old = installation.rewritten(old, stage, wrong)
    catalogue.write_text(old, "utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a finished run: the shipped pair's own files under a run's names."""
    folder = tmp_path / "train" / "run"
    folder.mkdir(parents=True)
    pair = load_catalogue().pair("embedded")
    for stage, target in zip((pair.small, pair.large), files(folder, "q8_0"), strict=True):
        shutil.copyfile(bundled_folder() / stage.file, target)
    (folder.parent / "tokenizer.json").write_text("{}", "utf-8")
    (folder / "CARD.md").write_text("# A card\n", "utf-8")
    (folder / "opening.json").write_text(json.dumps({"memory_bytes": {"small": 7, "large": 5}}), "utf-8")
    return folder


def test_the_catalogue_says_of_the_installed_files_what_is_true(run: Path, models: Path) -> None:
    """Checksums, sizes, memory and languages are those of the run; everything else stays as it was."""
    before = load_catalogue([models / CATALOGUE_FILE])
    assert "scripts/train_router" in installation.install(run, "q8_0", models)
    after = load_catalogue([models / CATALOGUE_FILE])
    for stage, memory in (("embedded-small", 7), ("embedded-large", 5)):
        card = after.stage(stage)
        path = models / card.file
        assert (card.sha256, card.size_bytes, card.memory_bytes) == (sha256_of(path), path.stat().st_size, memory)
        assert card.languages == ("python", "typescript", "javascript")
    others = {key: card for key, card in before.stages.items() if not key.startswith("embedded")}
    assert others == {key: card for key, card in after.stages.items() if key in others}
    assert (models / "CARD.md").read_text("utf-8") == "# A card\n"
    assert (models / "tokenizer.json").read_text("utf-8") == "{}"


@pytest.mark.parametrize("missing", ["CARD.md", "opening.json", "../tokenizer.json"])
def test_a_run_that_is_not_finished_changes_nothing(run: Path, models: Path, missing: str) -> None:
    """The sentence names the file that is missing and the command that makes it."""
    (run / missing).unlink()
    before = {path: path.read_bytes() for path in models.iterdir() if path.is_file()}
    with pytest.raises(JoulineError, match="run `scripts/train_models finish` first"):
        installation.install(run, "q8_0", models)
    assert before == {path: path.read_bytes() for path in models.iterdir() if path.is_file()}


def test_weights_over_the_limit_are_refused(run: Path, models: Path) -> None:
    """What else lies in the folder counts too; the files that are replaced do not."""
    with (models / "another.gguf").open("wb") as file:
        file.truncate(installation.MOST_BYTES - 1_000)
    with pytest.raises(JoulineError, match="more than 30,000,000"):
        installation.install(run, "q8_0", models)


def test_a_catalogue_without_the_entry_is_not_guessed_at() -> None:
    """A stage or a key that is not there is named."""
    with pytest.raises(JoulineError, match=r"no `sha256` under \[stage.other\]"):
        installation.rewritten('[stage.one]\nsha256 = "0"\n\n', "other", {"sha256": "1"})


def test_a_comment_behind_a_value_stays() -> None:
    """Only the value is replaced, and only in its own table."""
    text = "[stage.a]\nn = 1 # why\n\n[stage.b]\nn = 1\n\n"
    assert installation.rewritten(text, "a", {"n": 2}) == "[stage.a]\nn = 2 # why\n\n[stage.b]\nn = 1\n\n"


def test_a_home_of_its_own_puts_two_files_in_the_place_of_the_shipped_pair(tmp_path: Path) -> None:
    """The default pair then is those files, asked as the shipped ones are; the shipped catalogue is not touched."""
    shipped = load_catalogue().pair("embedded")
    front, back = (tmp_path / name for name in ("f.gguf", "b.gguf"))
    shutil.copyfile(bundled_folder() / shipped.small.file, front)
    shutil.copyfile(bundled_folder() / shipped.large.file, back)
    home.lay_out(tmp_path / "home", front, back)
    store = ModelStore.under(tmp_path / "home" / "data")
    pair = store.catalogue().pair()
    assert store.check_pair(pair) == (front, back)
    assert (pair.kind, pair.small.fim, pair.small.prompt_tokens) == (
        "exit",
        shipped.small.fim,
        shipped.small.prompt_tokens,
    )
