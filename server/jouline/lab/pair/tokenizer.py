"""The pair's tokenizer: byte-level BPE over 4,096 ids, with the pre-tokeniser that llama.cpp calls `qwen2`.

llama.cpp gives the same ids for every text (a test holds them equal); the pre-tokenisers `gpt-2` and `starcoder` lose
spaces when it turns ids back into text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 4096
SPECIAL = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|fim_pad|>",
           "<|repo_name|>", "<|cursor|>")  # fmt: skip
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """Ids of the control tokens that a prompt is built of."""

    end: int
    prefix: int
    suffix: int


def markers(tokenizer: Tokenizer) -> Markers:
    """Return the ids of the control tokens."""
    ids: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return Markers(end=ids["<|endoftext|>"], prefix=ids["<|fim_prefix|>"], suffix=ids["<|fim_suffix|>"])


def train(texts: Iterable[str]) -> Tokenizer:
    """Fit a new tokenizer to texts, the control tokens first; equal texts in equal order give an equal one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return tokenizer


def balanced(texts: Iterable[tuple[str, str]], *, chars: int = 1_000_000) -> Iterator[str]:
    """Of (package, text) pairs, the texts of each package until it has given so many characters."""
    given: Counter[str] = Counter()
    for package, text in texts:
        if given[package] < chars:
            given[package] += len(text)
            yield text


def load(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`."""
    return Tokenizer.from_file(str(path))


def encode_all(tokenizer: Tokenizer, texts: list[str], *, batch: int = 2000) -> list[list[int]]:
    """Return the ids of every text; a control token spelled out in a text is read as one, so drop such texts first."""
    encoded: list[list[int]] = []
    for start in range(0, len(texts), batch):
        found = tokenizer.encode_batch_fast(texts[start : start + batch], add_special_tokens=False)
        encoded.extend(item.ids for item in found)
    return encoded
