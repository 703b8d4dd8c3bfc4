"""The tokenizer and llama.cpp read every text alike."""

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.catalogue.card import bundled_folder, load_catalogue
from jouline.engine.llama import Weights
from jouline.lab.pair import equality, tokenizer
from jouline.lab.pair.corpus import Document

pytestmark = pytest.mark.model

ALPHABET = st.sampled_from(
    [*"aZ9 _\n\t\r'=.(é¼中🙂\u0661~", "\r\n", "    ", "\u0301", "\u00a0", "\u2028", "'s", "'LL", "=="]
)


@pytest.fixture(scope="module")
def coding() -> tokenizer.Tokenizer:
    """Return the shipped tokenizer."""
    return tokenizer.load(bundled_folder() / "tokenizer.json")


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Return the shipped front, as llama.cpp reads it."""
    return Weights(bundled_folder() / load_catalogue().pair("embedded").small.file)


def library(every: int) -> list[str]:
    """Return every so many-th module of the running Python's library."""
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[::every]
    return [path.read_text("utf-8") for path in paths]


SCRIPT = """\
export async function read({ path, ...rest }: Options): Promise<string> {
\treturn `${path}: ${await load(path ?? "./", rest as never)}`; // naïve
}
"""


def test_llama_cpp_gives_the_same_ids_for_source_files(coding: tokenizer.Tokenizer, weights: Weights) -> None:
    """Training and serving see the same tokens; `scripts/train_models tokens` asks it of the whole corpus."""
    texts = [*library(every=5), SCRIPT]
    documents = [Document(package="p", path=str(i), text=text) for i, text in enumerate(texts)]
    found = equality.check(coding, weights, documents)
    assert found.different == ()
    assert found.files + found.left_out == len(texts)
    assert found.files > 20


def test_a_file_that_is_read_differently_is_named(weights: Weights) -> None:
    """Another tokenizer's ids do not pass; a file that spells a control token is left out, not compared."""
    other = tokenizer.train(["nothing but these words"])
    texts = {"a.py": "def name():\n    return 1\n", "b.py": "x = '<|endoftext|>'\n"}
    found = equality.check(other, weights, [Document(package="p", path=k, text=v) for k, v in texts.items()])
    assert (found.different, found.files, found.left_out) == (("p: a.py",), 1, 1)


@given(pieces=st.lists(ALPHABET, max_size=40))
def test_llama_cpp_gives_the_same_ids_for_odd_text(
    coding: tokenizer.Tokenizer, weights: Weights, pieces: list[str]
) -> None:
    """Combining marks, foreign spaces, line ends of every kind, digits of other scripts."""
    text = "".join(pieces)
    assert coding.encode(text, add_special_tokens=False).ids == weights.tokenise(text)


def test_a_tokenizer_fitted_anew_keeps_text_and_markers(coding: tokenizer.Tokenizer) -> None:
    """Decoding gives the text back, the control tokens come first in the order that the shipped one has."""
    texts = library(every=12)
    fitted = tokenizer.train(texts)
    assert texts[0] == fitted.decode(fitted.encode(texts[0], add_special_tokens=False).ids)
    assert tokenizer.markers(coding) == tokenizer.markers(fitted)
    assert len(fitted.get_vocab()) <= tokenizer.VOCABULARY


def test_a_large_package_does_not_drown_the_others() -> None:
    """Each package gives texts until its share is full."""
    texts = [("a", "x" * 6), ("a", "y" * 6), ("b", "z" * 6), ("a", "w")]
    assert list(tokenizer.balanced(texts, chars=10)) == ["x" * 6, "y" * 6, "z" * 6]
