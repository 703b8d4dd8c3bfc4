"""What a model file says of itself, and one sentence for every file that is not one."""

import contextlib
import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.catalogue.gguf_files import write_gguf

from jouline.catalogue.card import bundled_folder, load_catalogue
from jouline.catalogue.gguf_header import read_header
from jouline.errors import CatalogueError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a whole, small file."""
    return write_gguf(tmp_path / "model.gguf", fim_ids=(2, 3, 4))


def sentence(path: Path) -> str:
    """Return the error's text, which must be one sentence that names the file."""
    with pytest.raises(CatalogueError) as caught:
        read_header(path)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert str(path) in text
    return text


class TestHeader:
    def test_facts(self, file: Path) -> None:
        """Architecture, names, context, layers, vocabulary, format and markers are read."""
        header = read_header(file)

        assert (header.architecture, header.names) == ("qwen2", ("Qwen2.5 Coder 1.5B",))
        assert (header.context_tokens, header.block_count, header.vocabulary_size) == (2048, 3, 6)
        assert (header.quantisation, header.licence) == ("f32", None)
        assert header.fim_ids == {"prefix": 2, "suffix": 3, "middle": 4}
        assert (header.token_id("<|fim_prefix|>"), header.token_id("no such")) == (2, None)

    def test_kv_bytes(self, file: Path) -> None:
        """A token of context takes layers x key-value heads x (key + value) x 2 bytes."""
        assert read_header(file).kv_bytes_per_token == 3 * 2 * (16 + 16) * 2

    def test_bundled_agree_with_gguf(self) -> None:
        """Our reader and the gguf library read the same from the files that we ship."""
        for stage in (load_catalogue().pair().small, load_catalogue().pair().large):
            path = bundled_folder() / stage.file
            reference, header = gguf.GGUFReader(path), read_header(path)

            for key, value in header.metadata.items():
                assert reference.fields[key].contents() == value
            assert [t.decode() for t in header.tokens] == reference.fields["tokenizer.ggml.tokens"].contents()


class TestRefused:
    def test_missing(self, tmp_path: Path) -> None:
        """A file that is not there is said to be missing."""
        assert sentence(tmp_path / "none.gguf") == f"There is no file {tmp_path / 'none.gguf'}."

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is no model file."""
        assert "is a folder" in sentence(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"GG"])
    def test_empty(self, tmp_path: Path, content: bytes) -> None:
        """An empty file is no GGUF file."""
        path = tmp_path / "empty.gguf"
        path.write_bytes(content)

        assert "not a GGUF model file" in sentence(path)

    def test_foreign(self, tmp_path: Path) -> None:
        """A file of another format is told by its first bytes."""
        path = tmp_path / "model.safetensors"
        path.write_bytes(b"PK\x03\x04" + b"x" * 100)

        assert "not a GGUF model file" in sentence(path)

    @pytest.mark.parametrize("version", [1, 4, 0x03000000])
    def test_version(self, file: Path, version: int) -> None:
        """Versions other than 2 and 3, and the other byte order, are named and refused."""
        data = bytearray(file.read_bytes())
        data[4:8] = struct.pack("<I", version)
        file.write_bytes(data)

        assert "GGUF version" in sentence(file)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(st.data())
    def test_truncated(self, file: Path, data: st.DataObject) -> None:
        """A file cut off anywhere behind its magic is cut off, never read as whole."""
        whole = file.read_bytes()
        short = file.with_name("short.gguf")
        short.write_bytes(whole[: data.draw(st.integers(8, len(whole) - 1))])

        assert "cut off" in sentence(short)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(st.data())
    def test_damaged(self, file: Path, data: st.DataObject) -> None:
        """Whatever four bytes of the header are replaced by, there is a header or one sentence."""
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, 300))
        content[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
        damaged = file.with_name("damaged.gguf")
        damaged.write_bytes(content)

        with contextlib.suppress(CatalogueError):  # any other exception fails the test
            assert read_header(damaged).size_bytes == len(content)
