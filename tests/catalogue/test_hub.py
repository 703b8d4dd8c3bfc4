"""A pull survives every fault, and nothing but the right bytes ever stands at the model's path."""

import errno
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http
from tests.catalogue.gguf_files import write_gguf
from tests.catalogue.hub_server import COMMIT, HubServer, serve

from jouline.cancel import Cancelled, CancelToken
from jouline.catalogue import hub
from jouline.catalogue.card import HubFile, StageCard, bundled_folder, load_catalogue
from jouline.catalogue.store import ModelStore, partial_files
from jouline.errors import CatalogueError

NAME = "org/coder/model.gguf"


class Watch:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.waited = threading.Event()

    def waiting(self) -> None:
        self.waited.set()

    def bytes_done(self, done: int, total: int) -> None:
        self.seen.append(done)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a whole model file of 4 MB."""
    return write_gguf(tmp_path_factory.mktemp("hub") / "model.gguf", rows=32_000).read_bytes()


@pytest.fixture
def server(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Serve the file; huggingface_hub is pointed there as HF_ENDPOINT would."""
    with serve({NAME: content}) as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(hub, "SPARE_BYTES", 0)
        yield running
        _http.close_session()


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return a store whose data folder does not exist yet."""
    return ModelStore(data_dir=tmp_path / "data", bundled_dir=bundled_folder())


@pytest.fixture
def stage() -> StageCard:
    """Return the card of the file served."""
    card = load_catalogue().stage("qwen2.5-coder-1.5b")
    return replace(card, file="model.gguf", hub=HubFile(repo="org/coder", file="model.gguf"))


def pull(stage: StageCard, store: ModelStore, progress: Watch | None = None, cancel: CancelToken | None = None) -> Path:
    """Pull without waiting between tries."""
    return hub.pull(stage, store, progress or Watch(), cancel or CancelToken(), wait_s=0)


class TestWhole:
    def test_pull(self, server: HubServer, store: ModelStore, stage: StageCard, content: bytes) -> None:
        """The file arrives, is verified by the hub's checksum, and nothing is left beside it."""
        watch = Watch()
        path = pull(stage, store, watch)

        assert path.read_bytes() == content
        assert watch.seen[-1] == len(content)
        assert store.verify(stage) == store.known_sha256(stage)
        assert sorted(file.name for file in store.data_dir.iterdir() if not file.name.endswith(".lock")) == [
            "model.gguf",
            "model.gguf.sha256",
        ]

    def test_exact_version(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """The bytes are asked for at the commit that the checksum was given for."""
        pull(stage, store)

        assert any(method == "GET" and f"/resolve/{COMMIT}/" in path for method, path, _ in server.asked)

    def test_here_already(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """A second pull asks nothing of the hub."""
        pull(stage, store)
        asked = len(server.asked)
        pull(stage, store)

        assert len(server.asked) == asked

    def test_token(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """HF_TOKEN opens a gated model."""
        monkeypatch.setenv("HF_TOKEN", secret := "hf_" + "x" * 30)
        server.faults.token = secret

        assert pull(stage, store).is_file()
        assert server.tokens_of_the_store == {None}

    def test_checksum_of_the_api(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """A mirror that strips the checksum from its headers is asked through the API."""
        server.faults.strips_headers = True

        assert store.known_sha256(stage) is None
        pull(stage, store)
        assert store.verify(stage) == store.known_sha256(stage)


class TestFaults:
    def test_cut_connection(self, server: HubServer, store: ModelStore, stage: StageCard, content: bytes) -> None:
        """A connection that breaks again and again is taken up where it broke, never from the start."""
        server.faults.cuts = 3

        assert pull(stage, store).read_bytes() == content
        starts = [int((wanted or "bytes=0-").removeprefix("bytes=").rstrip("-")) for wanted in server.gets]
        assert len(starts) == 4
        assert starts == sorted(set(starts))

    def test_gone_for_good(self, server: HubServer, store: ModelStore, stage: StageCard, content: bytes) -> None:
        """What has come stays for the next pull, which goes on from there."""
        server.faults.cuts = 1
        cancel = CancelToken()
        watch = Watch()
        watch.bytes_done = lambda done, total: cancel.cancel() if done > total / 3 else None  # type: ignore[method-assign]
        with pytest.raises(Cancelled):
            pull(stage, store, watch, cancel)
        kept = partial_files(store.path(stage))[0].stat().st_size

        assert pull(stage, store).read_bytes() == content
        assert 0 < kept < len(content)
        assert f"bytes={kept}-" in server.gets

    def test_no_ranges(self, server: HubServer, store: ModelStore, stage: StageCard, content: bytes) -> None:
        """A mirror that ignores ranges sends all of it anew, and the result is still right."""
        server.faults.cuts, server.faults.ignores_ranges = 1, True

        assert pull(stage, store).read_bytes() == content

    def test_wrong_bytes(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """Wrong bytes are thrown away, never put in place, and the next pull succeeds."""
        server.faults.wrong_bytes = True
        with pytest.raises(CatalogueError, match=r"SHA-256 differs.*thrown away"):
            pull(stage, store)
        assert not store.path(stage).exists()
        assert partial_files(store.path(stage)) == []
        server.faults.wrong_bytes = False

        assert pull(stage, store).is_file()

    def test_no_checksum(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """What nobody vouches for is not pulled."""
        server.faults.strips_headers = server.faults.hides_checksum = True
        with pytest.raises(CatalogueError, match="no checksum"):
            pull(stage, store)
        assert server.gets == []

    def test_too_many_bytes(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """A server that sends more than it announced is not believed."""
        server.faults.sends_too_much = True
        with pytest.raises(CatalogueError, match="more bytes than it announced"):
            pull(stage, store)
        assert not store.path(stage).exists()

    def test_no_model(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """A file that is no GGUF is refused even with the right checksum."""
        server.files[NAME] = b"<html>" * 100
        with pytest.raises(CatalogueError, match="not a GGUF model file"):
            pull(stage, store)
        assert not store.path(stage).exists()

    def test_too_little_room(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Room is looked at before the first byte is asked for."""
        usage = shutil.disk_usage(store.data_dir.parent)._replace(free=1_000_000)
        monkeypatch.setattr(hub.shutil, "disk_usage", lambda _path: usage)
        with pytest.raises(CatalogueError, match=r"0\.00 GB free and this model needs|make room"):
            pull(stage, store)
        assert server.gets == []

    def test_full_disk(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch, content: bytes
    ) -> None:
        """A disk that fills up meanwhile is named, what has come is kept, and the next pull goes on."""
        write = hub._Download._write

        def fills_up(self: Any, file: Any, chunk: bytes) -> None:
            if self.done > len(content) // 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(self, file, chunk)

        with monkeypatch.context() as patch:
            patch.setattr(hub._Download, "_write", fills_up)
            with pytest.raises(CatalogueError, match="is full; make room"):
                pull(stage, store)

        assert pull(stage, store).read_bytes() == content
        assert server.gets[-1] is not None

    def test_two_at_once(self, server: HubServer, store: ModelStore, stage: StageCard, content: bytes) -> None:
        """Of two pulls of one model the second waits, then finds it here: every byte travels once."""
        server.faults.slowly = threading.Event()
        second = Watch()
        paths: list[Path] = []
        first = threading.Thread(target=lambda: paths.append(pull(stage, store)))
        first.start()
        while not server.gets:
            assert first.is_alive()
        waiter = threading.Thread(target=lambda: paths.append(pull(stage, store, second)))
        waiter.start()
        assert second.waited.wait(10)
        server.faults.slowly.set()
        first.join()
        waiter.join()

        assert [path.read_bytes() == content for path in paths] == [True, True]
        assert len(server.gets) == 1


class TestExplained:
    @pytest.mark.parametrize(
        ("refusal", "said"),
        [
            ((403, "GatedRepo"), r"accept its licence at .*/org/coder and set HF_TOKEN"),
            ((401, "RepoNotFound"), "no such repository"),
            ((404, "EntryNotFound"), r"no file model\.gguf"),
            ((404, "RevisionNotFound"), "no revision main"),
            ((407, ""), "proxy wants a name and password"),
            ((429, ""), "fewer requests"),
            ((503, ""), "status 503"),
        ],
    )
    def test_refusals(
        self, server: HubServer, store: ModelStore, stage: StageCard, refusal: tuple[int, str], said: str
    ) -> None:
        """Each refusal of the hub is one sentence that says what to do."""
        server.faults.status, server.faults.error_code = refusal
        with pytest.raises(CatalogueError, match=said) as caught:
            pull(stage, store)
        assert "\n" not in str(caught.value)

    def test_unreachable(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No network, or a wrong address, is one sentence that names proxy and mirror."""
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
        )
        with pytest.raises(CatalogueError, match=r"cannot be reached.*HTTPS_PROXY.*HF_ENDPOINT") as caught:
            pull(stage, store)
        assert "\n" not in str(caught.value)

    def test_proxy(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The proxy of the environment is used, and named where it cannot be reached."""
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        _http.close_session()
        with pytest.raises(CatalogueError, match=r"cannot be reached.*HTTPS_PROXY"):
            pull(stage, store)
        assert server.asked == []

    def test_offline(
        self, server: HubServer, store: ModelStore, stage: StageCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """HF_HUB_OFFLINE holds."""
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(CatalogueError, match="HF_HUB_OFFLINE"):
            pull(stage, store)

    def test_no_permission(self, server: HubServer, store: ModelStore, stage: StageCard) -> None:
        """A data folder that cannot be made is named."""
        store.data_dir.write_text("a file stands here", encoding="utf-8")
        with pytest.raises(CatalogueError, match="cannot be written"):
            pull(stage, store)

    def test_not_of_a_hub(self, store: ModelStore) -> None:
        """The embedded pair is not pulled."""
        with pytest.raises(CatalogueError, match="cannot be pulled"):
            pull(load_catalogue().stage("embedded-small"), store)
