"""Whether the tokenizer that the pair was trained with and llama.cpp give the same ids, file by file."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer

from jouline.engine.llama import Weights
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.rows import CONTROL


@dataclass(frozen=True, slots=True, kw_only=True)
class Equality:
    """How many files were read by both, which of them they read differently, how many were left out.

    A file that spells a control token is left out, as it is of the training rows: the two differ there by design.
    """

    files: int
    different: tuple[str, ...]
    left_out: int


def check(tokenizer: Tokenizer, weights: Weights, documents: Iterable[Document]) -> Equality:
    """Read every document with both."""
    files, left_out = 0, 0
    different = []
    for document in documents:
        if CONTROL in document.text:
            left_out += 1
            continue
        files += 1
        if tokenizer.encode(document.text, add_special_tokens=False).ids != weights.tokenise(document.text):
            different.append(f"{document.package}: {document.path}")
    return Equality(files=files, different=tuple(different), left_out=left_out)
