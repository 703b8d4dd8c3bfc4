"""`jouline models`: each verb does what it says, prints one JSON document, and fails in one sentence."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.catalogue.gguf_files import write_gguf
from tests.catalogue.hub_server import serve

from jouline.catalogue.card import bundled_folder
from jouline.catalogue.choice import choose_pair
from jouline.catalogue.recommend import Machine, Speed
from jouline.catalogue.store import ModelStore
from jouline.cli import machine
from jouline.cli.main import main
from jouline.config import Folders, load

GRANITE = "granite-4.0-350m"
GRANITE_FILE = "ibm-granite/granite-4.0-350m-base-GGUF/granite-4.0-350m-base-Q8_0.gguf"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said and how it ended."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of a failure."""
        assert self.status == 1
        assert self.error.startswith("jouline: ")
        assert self.error.count("\n") == 1
        assert "Traceback" not in self.error
        return self.error.strip()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Return the folders of a fresh home, without models of other programs."""
    monkeypatch.setenv("JOULINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    return Folders.find()


@pytest.fixture
def models(home: Folders, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return how `jouline models` is called."""

    def call(*arguments: object) -> Said:
        status = main(["models", *map(str, arguments)])
        return Said(status, *capfd.readouterr())

    return call


def in_use(home: Folders) -> tuple[str, str]:
    """Return the pair that the settings mean now."""
    config, problems = load(home.user_file)
    assert problems == []
    pair = choose_pair(ModelStore.under(home.data).catalogue(), config.model_small, config.model_large)
    return pair.small.id, pair.large.id


class TestList:
    def test_json(self, models: Callable[..., Said]) -> None:
        """The document names what is in use, every model with what is known of it, the pairs and what was found."""
        said = models("list", "--json")
        by_id = {row["id"]: row for row in said.json["models"]}

        assert said.json["in_use"] == {
            "pair": "embedded",
            "small": "embedded-small",
            "large": "embedded-large",
            "problem": None,
        }
        assert by_id["embedded-small"]["presence"] == "bundled"
        assert by_id["embedded-small"]["languages"] == ["python", "typescript", "javascript"]
        assert (
            by_id[GRANITE] | {"hub": GRANITE_FILE, "presence": "absent", "path": None, "size_bytes": None}
            == by_id[GRANITE]
        )
        assert {"id": "embedded", "small": "embedded-small", "large": "embedded-large", "present": True} in said.json[
            "pairs"
        ]
        assert said.json["found"] == []

    def test_plain(self, models: Callable[..., Said]) -> None:
        """Every model has a line, and the embedded pair's languages are said."""
        lines = models("list").out.splitlines()

        assert any("embedded-small" in line and "python, typescript, javascript only" in line for line in lines)
        assert any("codestral-22b" in line and "no use in production" in line for line in lines)

    def test_found(self, models: Callable[..., Said], tmp_path: Path) -> None:
        """Usable models of other programs are offered with the command that takes them in."""
        path = write_gguf(tmp_path / ".lmstudio/models/p/r/coder.gguf")

        assert f"jouline models use {path} --tier small|large" in models("list").out
        assert [row["family"] for row in models("list", "--json").json["found"]] == ["qwen-coder"]

    def test_setting_of_a_model_that_is_gone(self, models: Callable[..., Said], home: Folders) -> None:
        """Settings that mean no pair are said to, and the list is still shown."""
        home.user_file.parent.mkdir(parents=True)
        home.user_file.write_text('model.large = "gone"\n', encoding="utf-8")

        assert "no model called 'gone'" in models("list", "--json").json["in_use"]["problem"]


class TestUse:
    def test_own_file(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """A file of a known family serves a tier from then on, without being copied."""
        said = models("use", write_gguf(tmp_path / "My Coder.gguf"), "--tier", "large", "--json")

        assert said.json == {
            "pair": "embedded-small+my-coder",
            "small": "embedded-small",
            "large": "my-coder",
            "has_router": False,
        }
        assert in_use(home) == ("embedded-small", "my-coder")
        assert list(home.data.rglob("*.gguf")) == []

    def test_settings_stay(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """Other settings and comments of the file are kept."""
        home.user_file.parent.mkdir(parents=True)
        home.user_file.write_text("# mine\nenergySaving = 70\n", encoding="utf-8")
        models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large")

        assert home.user_file.read_text(encoding="utf-8").startswith("# mine\nenergySaving = 70\n")
        assert load(home.user_file)[0].energy_saving == 70

    def test_back_to_the_embedded_pair(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """The pair that comes with the program can always be chosen again."""
        models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large")
        said = models("use", "embedded")

        assert in_use(home) == ("embedded-small", "embedded-large")
        assert "No router" not in said.out

    def test_family_named_by_the_user(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """A file of unknown family is refused unless the user says how it is asked."""
        path = write_gguf(tmp_path / "tune.gguf", name="My tune")

        assert "--family" in models("use", path, "--tier", "large").sentence
        assert in_use(home) == ("embedded-small", "embedded-large")
        assert models("use", path, "--tier", "large", "--family", "qwen-coder").status == 0
        assert in_use(home) == ("embedded-small", "tune")

    def test_bad_files(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """Missing, cut-off and foreign files, and models without the tokens, are one sentence each; nothing changes."""
        cut = write_gguf(tmp_path / "cut.gguf")
        cut.write_bytes(cut.read_bytes()[:-100])
        foreign = tmp_path / "foreign.gguf"
        foreign.write_bytes(b"%PDF-1.7 and more")
        chat = write_gguf(tmp_path / "chat.gguf", tokens=("a", "b"))

        for path, said in (
            (tmp_path / "none.gguf", "There is no file "),
            (cut, "is cut off"),
            (foreign, "is not a GGUF model file"),
            (chat, "no fill-in-the-middle tokens"),
            (tmp_path, "is a folder"),
        ):
            assert said in models("use", path, "--tier", "small").sentence
        assert not home.user_file.exists()
        assert not home.data.exists()

    def test_unknown_name(self, models: Callable[..., Said]) -> None:
        """An unknown name is answered with the nearest."""
        assert "did you mean granite-4.0-350m" in models("use", "granit-4.0-350m", "--tier", "small").sentence

    def test_absent(self, models: Callable[..., Said], home: Folders) -> None:
        """A model that was not pulled cannot be used yet."""
        assert f"run `jouline models pull {GRANITE}`" in models("use", GRANITE, "--tier", "large").sentence
        assert not home.user_file.exists()

    def test_no_tier(self, models: Callable[..., Said]) -> None:
        """A single model needs a tier."""
        assert "--tier small or --tier large" in models("use", GRANITE).sentence

    def test_no_tier_and_nothing_of_that_name(self, models: Callable[..., Said], tmp_path: Path) -> None:
        """What is neither a file nor a model is told as such; which tier it would serve is no question."""
        path = tmp_path / "nofile.gguf"

        assert models("use", path).sentence == f"jouline: There is no file {path}."
        assert "There is no model called 'nonsense'" in models("use", "nonsense").sentence
        assert "is a folder" in models("use", tmp_path).sentence

    def test_no_router(self, models: Callable[..., Said], tmp_path: Path) -> None:
        """A pair without a router is told what decides meanwhile; no command that does not exist is named."""
        said = models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large")

        assert "the small model's own confidence decides until one is." in said.out
        assert "`" not in said.out

    def test_half_a_network(self, models: Callable[..., Said]) -> None:
        """The back of the embedded network cannot be the small model."""
        assert "works only behind" in models("use", "embedded-large", "--tier", "small").sentence

    def test_no_permission(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """A settings folder that cannot be written is named."""
        home.config.parent.mkdir(parents=True)
        home.config.write_text("a file stands here", encoding="utf-8")

        assert "cannot be" in models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large").sentence

    def test_strange_settings(self, models: Callable[..., Said], home: Folders, tmp_path: Path) -> None:
        """A settings file in a form that is not understood is left alone, and the lines to write are told."""
        home.user_file.parent.mkdir(parents=True)
        home.user_file.write_text('model = { small = "" }\n', encoding="utf-8")
        said = models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large")

        assert 'model.large = "coder"' in said.sentence
        assert home.user_file.read_text(encoding="utf-8") == 'model = { small = "" }\n'


class TestVerifyAndRemove:
    def test_verify(self, models: Callable[..., Said]) -> None:
        """All that is here is read whole; the checksums are those of the catalogue."""
        rows = models("verify", "--json").json["models"]

        assert [(row["id"], row["compared"], row["problem"]) for row in rows] == [
            ("embedded-small", True, None),
            ("embedded-large", True, None),
        ]

    def test_damaged(self, models: Callable[..., Said], home: Folders) -> None:
        """A damaged model is named, with the others still checked, and the command fails."""
        path = write_gguf(home.data / "models/granite-4.0-350m-base-Q8_0.gguf", architecture="granite")
        path.write_bytes(path.read_bytes()[:-1])
        said = models("verify", "--json")
        by_id = {row["id"]: row for row in said.json["models"]}

        assert f"1 of 3 models are not as they should be: {GRANITE}" in said.sentence
        assert "cut off" in by_id[GRANITE]["problem"]
        assert by_id["embedded-large"]["problem"] is None

    def test_in_use(self, models: Callable[..., Said], tmp_path: Path) -> None:
        """A model in use is not removed."""
        models("use", write_gguf(tmp_path / "coder.gguf"), "--tier", "large")

        assert "is in use" in models("remove", "coder").sentence

    def test_own_is_forgotten(self, models: Callable[..., Said], tmp_path: Path) -> None:
        """A file of the user's own is taken off the list and stays on disk."""
        path = write_gguf(tmp_path / "coder.gguf")
        models("use", path, "--tier", "large")
        models("use", "embedded")

        assert models("remove", "coder", "--json").json == {
            "models": [{"id": "coder", "freed_bytes": 0, "file_kept": str(path)}]
        }
        assert path.is_file()
        assert "no model called 'coder'" in models("remove", "coder").sentence

    def test_bundled(self, models: Callable[..., Said]) -> None:
        """What came with the program stays."""
        assert "came with Jouline" in models("remove", "embedded").sentence


class TestRecommend:
    def test_json(self, models: Callable[..., Said]) -> None:
        """Pair, reason, measured speeds, every candidate, and the languages of the embedded pair."""
        advice = models("recommend", "--json").json

        assert advice["pair"] in {row["pair"] for row in advice["candidates"]}
        assert advice["reason"].endswith(".")
        assert advice["machine"]["speeds"]["embedded-small"]["method"] == "measured"
        assert advice["machine"]["speeds"]["embedded-large"]["tokens_per_s"] > 0
        assert advice["languages_note"].startswith("The embedded pair has learned Python")

    def test_plain(self, models: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
        """The same in sentences: what the machine is, what was measured, what to do."""
        quick = Speed(prompt_tokens_per_s=1000, tokens_per_s=100, method="measured")
        seen = Machine(
            memory_bytes=16_000_000_000,
            memory_free_bytes=12_000_000_000,
            gpu_free_bytes=None,
            cores=8,
            on_battery=False,
            bytes_per_s=1e11,
            operations_per_s=1e12,
            speeds={"embedded-small": quick, "embedded-large": quick},
        )
        monkeypatch.setattr(machine, "look_at_machine", lambda _pairs, _folders: seen)
        said = models("recommend").out

        assert "16.0 GB of memory, 8 cores, no usable GPU, on mains" in said
        assert "Measured: embedded-small writes 100 tokens/s, reads 1000 tokens/s." in said
        assert "Recommended: qwen-light" in said
        assert "The embedded pair has learned Python, TypeScript and JavaScript and nothing else" in said
        assert "jouline models pull qwen-light && jouline models use qwen-light" in said


class TestPull:
    def jouline(self, home: Folders, endpoint: str, *arguments: str) -> Said:
        """Run the command as a user does, with the hub's address in the environment."""
        environ = os.environ | {"HF_ENDPOINT": endpoint, "NO_PROXY": "*", "JOULINE_HOME": str(home.data.parent)}
        done = subprocess.run(
            [sys.executable, "-m", "jouline", "models", *arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def test_pull_use_remove(self, home: Folders, tmp_path: Path, models: Callable[..., Said]) -> None:
        """A model is pulled from HF_ENDPOINT, verified, used, and removed again."""
        content = write_gguf(
            tmp_path / "served.gguf", architecture="granite", name="Granite 4.0 350m Base"
        ).read_bytes()
        with serve({GRANITE_FILE: content}) as server:
            pulled = self.jouline(home, server.url, "pull", GRANITE, "--json")
        (row,) = pulled.json["models"]

        assert (pulled.status, row["id"], row["size_bytes"]) == (0, GRANITE, len(content))
        assert Path(row["path"]).read_bytes() == content
        assert models("verify", GRANITE, "--json").json["models"][0]["sha256"] == row["sha256"]
        assert models("use", GRANITE, "--tier", "large").status == 0
        assert in_use(home) == ("embedded-small", GRANITE)
        models("use", "embedded")
        assert models("remove", GRANITE, "--json").json["models"][0]["freed_bytes"] == len(content)
        assert "not on this machine" in models("remove", GRANITE).sentence

    def test_unreachable(self, home: Folders) -> None:
        """Without a network there is one sentence, on stderr alone."""
        said = self.jouline(home, "http://127.0.0.1:9", "pull", GRANITE, "--json")

        assert said.out == ""
        assert said.status == 1
        assert "http://127.0.0.1:9 cannot be reached" in said.error
        assert "Traceback" not in said.error

    def test_bundled(self, models: Callable[..., Said]) -> None:
        """The embedded pair is here without a pull."""
        rows = models("pull", "embedded", "--json").json["models"]

        assert [Path(row["path"]).parent for row in rows] == [bundled_folder()] * 2


def test_wrong_usage(models: Callable[..., Said]) -> None:
    """Wrong usage ends with 2."""
    with pytest.raises(SystemExit) as ended:
        models("use")
    assert ended.value.code == 2
