"""GGUF headers: what a model file says of itself, read in milliseconds without an engine.

Layout after https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian):

    magic "GGUF"  version:u32  tensor_count:u64  entry_count:u64
    entry_count  x (key:string  type:u32  value)         string = length:u64 bytes
    tensor_count x (name:string  n:u32  dims:u64[n]  type:u32  offset:u64)
    padding to general.alignment (32), then the tensors' data, to which the offsets refer
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jouline.errors import CatalogueError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DOWNLOAD = "download it again"
DEFAULT_ALIGNMENT = 32

# GGUF value types: struct codes by type number; 8 is a string, 9 an array.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9

# Weights in a block and bytes of a block, by ggml type number (ggml.h, ggml_type; ggml.c, type_traits).
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip

# Names of llama.cpp's file types (llama.h, llama_ftype).
FILE_TYPES = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k", 11: "q3_k_s",
    12: "q3_k_m", 13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m", 18: "q6_k",
    19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs", 23: "iq3_xxs", 24: "iq1_s", 25: "iq4_nl",
    26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m", 30: "iq4_xs", 31: "iq1_m", 32: "bf16",
    38: "mxfp4",
}  # fmt: skip

# Where files name their fill-in-the-middle tokens; the second of each is the key used before October 2024.
FIM_KEYS = {
    "prefix": ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"),
    "suffix": ("tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"),
    "middle": ("tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"),
}


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What a complete GGUF file says of itself.

    `metadata` holds scalars and strings by key; arrays are left out, but for the vocabulary, which is `tokens`.
    """

    path: Path
    size_bytes: int
    metadata: Mapping[str, Any]
    tokens: tuple[bytes, ...]

    @property
    def architecture(self) -> str:
        """The network's architecture in llama.cpp's words, such as `qwen2`."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def names(self) -> tuple[str, ...]:
        """What the file calls itself."""
        keys = ("general.name", "general.basename", "general.base_model.0.name")
        return tuple(str(self.metadata[key]) for key in keys if key in self.metadata)

    @property
    def context_tokens(self) -> int | None:
        """The context length the model was made for."""
        return self._number(f"{self.architecture}.context_length")

    @property
    def block_count(self) -> int | None:
        """How many layers the network has."""
        return self._number(f"{self.architecture}.block_count")

    @property
    def vocabulary_size(self) -> int:
        """How many tokens the vocabulary has."""
        return len(self.tokens)

    @property
    def licence(self) -> str | None:
        """The licence the file names."""
        value = self.metadata.get("general.license")
        return None if value is None else str(value)

    @property
    def quantisation(self) -> str | None:
        """llama.cpp's name of the file's main weight format, such as `q4_k_m`."""
        number = self._number("general.file_type")
        return None if number is None else FILE_TYPES.get(number)

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Bytes of keys and values that one token of context takes in f16; None where the layers differ."""
        of = self.architecture
        layers, heads = self.block_count, self._number(f"{of}.attention.head_count_kv")
        width, queries = self._number(f"{of}.embedding_length"), self._number(f"{of}.attention.head_count")
        if layers is None or heads is None or not width or not queries:
            return None
        key = self._number(f"{of}.attention.key_length") or width // queries
        value = self._number(f"{of}.attention.value_length") or width // queries
        return layers * heads * (key + value) * 2

    @property
    def fim_ids(self) -> Mapping[str, int]:
        """The ids of the tokens `prefix`, `suffix` and `middle`, as far as the metadata names them."""
        found = {role: self._first(keys) for role, keys in FIM_KEYS.items()}
        return {role: number for role, number in found.items() if number is not None}

    @cached_property
    def _ids(self) -> Mapping[bytes, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def token_id(self, text: str) -> int | None:
        """Return the id of the token written so, or None."""
        return self._ids.get(text.encode())

    def _first(self, keys: tuple[str, ...]) -> int | None:
        return next((number for key in keys if (number := self._number(key)) is not None), None)

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None


def read_header(path: Path, *, remedy: str | None = None) -> GgufHeader:
    """Read the header of a GGUF file and check that all its tensors' bytes are there.

    Raises `CatalogueError` for a file that is missing, unreadable, no GGUF, of an unknown version, cut off or damaged;
    `remedy` is what the sentence then says to do, in place of getting another file.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise CatalogueError(f"{path} is a folder; name the .gguf file in it.")
        if size < len(MAGIC):
            raise CatalogueError(f"{path} is not a GGUF model file: it is empty or nearly so; {remedy or DOWNLOAD}.")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path, remedy).header(size)
    except FileNotFoundError:
        raise CatalogueError(f"There is no file {path}{f'; {remedy}' if remedy else ''}.") from None
    except OSError as error:
        raise CatalogueError(f"The model file {path} cannot be read ({error.strerror}).") from error


class _Reader:
    """Walks through a header; every read is checked against the file's end."""

    def __init__(self, data: mmap.mmap, path: Path, remedy: str | None) -> None:
        self._data = data
        self._path = path
        self._remedy = remedy
        self._at = 0

    def header(self, size: int) -> GgufHeader:
        try:
            tensors, entries = self._counts()
            metadata, tokens = self._entries(entries)
            needed = self._end_of_tensors(tensors, int(metadata.get("general.alignment", DEFAULT_ALIGNMENT)))
        except (struct.error, IndexError):
            raise self._cut_off(f"its header ends beyond the file's {size:,} bytes") from None
        except (ValueError, KeyError, ArithmeticError, MemoryError) as error:
            raise CatalogueError(
                f"{self._path} is damaged (its header makes no sense); {self._remedy or DOWNLOAD}."
            ) from error
        if needed > size:
            raise self._cut_off(f"it has {size:,} of {needed:,} bytes")
        return GgufHeader(path=self._path, size_bytes=size, metadata=MappingProxyType(metadata), tokens=tokens)

    def _counts(self) -> tuple[int, int]:
        magic = self._take(len(MAGIC))
        if magic != MAGIC:
            raise CatalogueError(
                f"{self._path} is not a GGUF model file (it begins with {magic!r}); "
                f"{self._remedy or 'choose a .gguf file made for llama.cpp'}."
            )
        version = self._scalar("I")
        if version not in VERSIONS:
            raise CatalogueError(
                f"{self._path} is in a GGUF version that cannot be read here ({version}; 2 and 3 can); "
                f"{self._remedy or 'convert it anew with llama.cpp, or download a newer file'}."
            )
        return self._scalar("Q"), self._scalar("Q")

    def _entries(self, count: int) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        metadata: dict[str, Any] = {}
        tokens: tuple[bytes, ...] = ()
        for _ in range(count):
            key, kind = self._string().decode(), self._scalar("I")
            if kind == ARRAY:
                strings = self._array(keep=key == "tokenizer.ggml.tokens")
                tokens = tuple(strings) if strings else tokens
            else:
                metadata[key] = self._string().decode() if kind == STRING else self._scalar(SCALARS[kind])
        return metadata, tokens

    def _array(self, *, keep: bool) -> list[bytes]:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind == STRING:
            return self._strings(count, keep=keep)
        if kind == ARRAY:
            for _ in range(count):
                self._array(keep=False)
            return []
        self._skip(count * struct.calcsize(SCALARS[kind]))
        return []

    def _strings(self, count: int, *, keep: bool) -> list[bytes]:
        # Vocabularies and merges hold hundreds of thousands: this loop is the whole cost of reading a header.
        data, at, unpack = self._data, self._at, struct.Struct("<Q").unpack_from
        kept: list[bytes] = []
        for _ in range(count):
            start = at + 8
            at = start + unpack(data, at)[0]
            if keep:
                kept.append(data[start:at])
        self._at = at
        self._skip(0)
        return kept

    def _end_of_tensors(self, count: int, alignment: int) -> int:
        ends = [self._tensor_end() for _ in range(count)]
        start = -(-self._at // alignment) * alignment
        return start + max(ends, default=0)

    def _tensor_end(self) -> int:
        self._string()
        weights = 1
        for _ in range(self._scalar("I")):
            weights *= self._scalar("Q")
        kind, offset = self._scalar("I"), self._scalar("Q")
        block, size = BLOCKS.get(kind, (1, 0))  # a format newer than this table: only the offset can be checked
        return int(offset + weights // block * size)

    def _scalar(self, code: str) -> Any:
        form = struct.Struct("<" + code)
        (value,) = form.unpack_from(self._data, self._at)
        self._at += form.size
        return value

    def _string(self) -> bytes:
        return self._take(self._scalar("Q"))

    def _take(self, count: int) -> bytes:
        start = self._at
        self._skip(count)
        return self._data[start : self._at]

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise IndexError

    def _cut_off(self, how: str) -> CatalogueError:
        return CatalogueError(f"{self._path} is cut off ({how}); {self._remedy or DOWNLOAD}.")
