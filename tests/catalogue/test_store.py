"""Where model files are, whether they are whole, and what is never removed."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.catalogue.gguf_files import write_gguf

from jouline.catalogue.card import HubFile, StageCard, bundled_folder, load_catalogue
from jouline.catalogue.store import ModelStore, checksum_file, sha256_of
from jouline.errors import CatalogueError

EMBEDDED = load_catalogue().pair().small


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return a store whose data folder does not exist yet."""
    return ModelStore(data_dir=tmp_path / "data", bundled_dir=bundled_folder())


@pytest.fixture
def stage() -> StageCard:
    """Return a model of a hub."""
    hub = HubFile(repo="org/model", file="model.gguf")
    return replace(load_catalogue().stage("qwen2.5-coder-1.5b"), file="model.gguf", hub=hub)


class TestPresence:
    def test_bundled(self, store: ModelStore) -> None:
        """What came with the program is found there, and is whole."""
        assert (store.presence(EMBEDDED), store.complete(EMBEDDED)) == ("bundled", True)

    def test_absent(self, store: ModelStore, stage: StageCard) -> None:
        """A model that is not here is told how to get it."""
        assert (store.presence(stage), store.complete(stage)) == ("absent", False)
        with pytest.raises(CatalogueError, match=r"jouline models pull qwen2\.5-coder-1\.5b"):
            store.check(stage)

    def test_pulled(self, store: ModelStore, stage: StageCard) -> None:
        """A pulled file lies in the data folder."""
        write_gguf(store.data_dir / stage.file)

        assert (store.presence(stage), store.complete(stage)) == ("local", True)

    def test_own(self, store: ModelStore, stage: StageCard, tmp_path: Path) -> None:
        """A card with an absolute path is the user's own file."""
        own = replace(stage, file=str(write_gguf(tmp_path / "mine.gguf")), hub=None)

        assert (store.presence(own), store.path(own)) == ("own", tmp_path / "mine.gguf")
        store.path(own).unlink()
        with pytest.raises(CatalogueError, match=r"There is no file .*mine\.gguf; restore it or choose another"):
            store.check(own)

    def test_cut_off(self, store: ModelStore, stage: StageCard) -> None:
        """A file that lost its end is not whole, and the sentence says so."""
        path = write_gguf(store.data_dir / stage.file)
        path.write_bytes(path.read_bytes()[:-1])

        assert not store.complete(stage)
        with pytest.raises(CatalogueError, match="cut off"):
            store.check(stage)

    @pytest.mark.parametrize("harm", ["missing", "empty", "cut off", "another format", "another size", "damaged"])
    def test_bundled_harmed(self, tmp_path: Path, harm: str) -> None:
        """What came with the program is restored or installed again: no hub has it and no command fetches it."""
        store = ModelStore(data_dir=tmp_path / "data", bundled_dir=tmp_path / "models")
        path = write_gguf(store.bundled_dir / EMBEDDED.file)
        whole = path.read_bytes()
        contents = {
            "empty": b"",
            "cut off": whole[:-1],
            "another format": b"%PDF" + whole,
            "another size": whole + b"0" * 99,
            "damaged": whole[:24] + b"\xff" * 40 + whole[64:],
        }
        path.write_bytes(contents.get(harm, b""))
        if harm == "missing":
            path.unlink()

        with pytest.raises(CatalogueError) as refused:
            store.check(EMBEDDED)
        said = str(refused.value)
        assert str(store.bundled_dir) in said
        assert said.endswith("; restore it or install Jouline again.")
        assert "jouline models" not in said
        assert "download" not in said

    def test_another_size(self, store: ModelStore, stage: StageCard) -> None:
        """A file of another size than its card's is not the model."""
        write_gguf(store.data_dir / stage.file)

        with pytest.raises(CatalogueError, match="where the catalogue says 1;"):
            store.check(replace(stage, size_bytes=1))


class TestVerify:
    def test_right(self, store: ModelStore) -> None:
        """The checksum found is returned, and progress ends at the file's size."""
        seen: list[int] = []

        assert store.verify(EMBEDDED, seen.append) == EMBEDDED.sha256
        assert seen[-1] == EMBEDDED.size_bytes

    def test_flipped_bit(self, store: ModelStore, stage: StageCard) -> None:
        """One wrong bit in the weights is found by the checksum that the hub gave."""
        path = write_gguf(store.data_dir / stage.file)
        checksum_file(path).write_text(f"{sha256_of(path)}  {path.name}\n", encoding="ascii")
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

        with pytest.raises(CatalogueError, match="SHA-256 differs"):
            store.verify(stage)

    def test_nobody_said(self, store: ModelStore, stage: StageCard) -> None:
        """Where no checksum is known, none is made up."""
        write_gguf(store.data_dir / stage.file)

        assert store.known_sha256(stage) is None
        store.verify(stage)


class TestRemove:
    def test_pulled(self, store: ModelStore, stage: StageCard) -> None:
        """A pulled file goes, with its checksum and what unfinished pulls left, and its size is returned."""
        path = write_gguf(store.data_dir / stage.file)
        size = path.stat().st_size
        checksum_file(path).write_text("x", encoding="ascii")
        path.with_name(f".{path.name}.0123.part").write_bytes(b"x")

        assert store.remove(stage) == size
        assert list(store.data_dir.iterdir()) == []

    def test_bundled_stays(self, store: ModelStore) -> None:
        """What came with the program is not removed."""
        with pytest.raises(CatalogueError, match="came with Jouline"):
            store.remove(EMBEDDED)
        assert store.complete(EMBEDDED)

    def test_own_stays(self, store: ModelStore, stage: StageCard, tmp_path: Path) -> None:
        """A file of the user's own is not removed."""
        own = replace(stage, file=str(write_gguf(tmp_path / "mine.gguf")), hub=None)

        with pytest.raises(CatalogueError, match="file of your own"):
            store.remove(own)
        assert (tmp_path / "mine.gguf").is_file()

    def test_absent(self, store: ModelStore, stage: StageCard) -> None:
        """Nothing to remove is said plainly."""
        with pytest.raises(CatalogueError, match="nothing to remove"):
            store.remove(stage)
