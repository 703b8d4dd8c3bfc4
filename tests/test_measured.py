"""What was measured of a model file on this machine: asked once, and again where anything about it is another."""

import dataclasses
import json

import pytest

from jouline.catalogue.card import load_catalogue
from jouline.config import Folders
from jouline.engine import pair as engine
from jouline.engine.options import EngineOptions
from jouline.measured import FILE_NAME, KEPT, Measured
from jouline.opening import open_pair

OPTIONS = EngineOptions(context_tokens=256)


@pytest.fixture
def file(tmp_path):
    """Return a file of some bytes, which stands for a model."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" * 8)
    return path


def test_what_was_noted_is_known_to_the_next_process(tmp_path, file):
    """The last word counts, whichever it is."""
    for flash in (True, False):
        Measured(tmp_path / "new" / FILE_NAME).note(file, OPTIONS, flash_attention=flash)
        assert Measured(tmp_path / "new" / FILE_NAME).flash_attention(file, OPTIONS) is flash


def test_under_other_circumstances_nothing_is_known(tmp_path, file):
    """Another file, thread count, context or place of the layers is measured anew."""
    measured = Measured(tmp_path / FILE_NAME)
    measured.note(file, OPTIONS, flash_attention=True)
    for change in ({"threads": 2}, {"context_tokens": 512}, {"gpu_layers": 3}):
        assert measured.flash_attention(file, dataclasses.replace(OPTIONS, **change)) is None
    file.write_bytes(b"GGUF")
    assert measured.flash_attention(file, OPTIONS) is None


@pytest.mark.parametrize(
    "content", ["", "no", "[]", "{}", '{"format": 2, "flash_attention": {}}', "[" * 10_000, "null"]
)
def test_a_damaged_file_holds_nothing_and_is_replaced(tmp_path, file, content):
    """Nothing is lost but what takes a moment to measure again."""
    path = tmp_path / FILE_NAME
    path.write_text(content)
    measured = Measured(path)
    assert measured.flash_attention(file, OPTIONS) is None
    measured.note(file, OPTIONS, flash_attention=True)
    assert measured.flash_attention(file, OPTIONS) is True


def test_where_nothing_can_be_written_nothing_is_raised(tmp_path, file):
    """It is measured again the next time."""
    measured = Measured(file / FILE_NAME)
    measured.note(file, OPTIONS, flash_attention=True)
    assert measured.flash_attention(file, OPTIONS) is None


def test_the_latest_are_kept(tmp_path, file):
    """The file stays small however many models come and go."""
    measured = Measured(tmp_path / FILE_NAME)
    for tokens in range(KEPT + 3):
        measured.note(file, dataclasses.replace(OPTIONS, context_tokens=tokens), flash_attention=True)
    document = json.loads((tmp_path / FILE_NAME).read_text())
    assert len(document["flash_attention"]) == KEPT
    assert measured.flash_attention(file, dataclasses.replace(OPTIONS, context_tokens=2)) is None
    assert measured.flash_attention(file, dataclasses.replace(OPTIONS, context_tokens=3)) is True


def test_a_pair_is_measured_when_it_is_opened_first(tmp_path, tiny_files, monkeypatch):
    """Once for each file; what was found is used then and later. The pair that comes with the product is not asked."""
    asked = []
    monkeypatch.setattr(engine, "quicker_with_flash", lambda weights, *_given, **_named: asked.append(weights) or True)
    catalogue, folders = load_catalogue(), Folders.find({"JOULINE_HOME": str(tmp_path)})
    listed = catalogue.pair("qwen")
    stage = dataclasses.replace(listed.small, file=str(tiny_files.whole), size_bytes=None, sha256=None, hub=None)
    card = dataclasses.replace(listed, small=stage, large=stage)
    for _ in range(2):
        opened, _tokens = open_pair(card, folders)
        assert opened.flash_attention == {"small": True, "large": True}
        opened.close()
    assert 1 <= len(asked) <= 2  # both tiers alike, or with threads of their own
    asked.clear()
    opened, _tokens = open_pair(catalogue.pair("embedded"), folders)
    assert opened.flash_attention == {"small": False, "large": False}
    opened.close()
    assert not asked
