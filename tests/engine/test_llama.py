"""llama.cpp's tokeniser, files and abort flag as this project sees them."""

import ctypes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.engine.tiny import MARKERS, SAMPLE, tokenizer

from jouline.engine.llama import AbortFlag, Weights
from jouline.errors import EngineError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(text=TEXT)
@example(text=SAMPLE)
@example(text="a , b . c ? it 's\n    x = [1 , 2]")
@example(text="\r\n\t \0 é 漢字 😀")
def test_tokens_spell_the_text(weights, text):
    """The bytes of a text's tokens, one after the other, are the text."""
    pieces = weights.pieces()
    assert b"".join(pieces[token] for token in weights.tokenise(text)) == text.encode()


@given(text=st.text("abfprt(): =\n\té", max_size=40))
@example(text=SAMPLE)
def test_tokens_are_those_of_the_training_tokeniser(weights, text):
    """llama.cpp cuts code as the tokeniser does that the models are trained with."""
    assert weights.tokenise(text) == tokenizer().encode(text).ids


@pytest.mark.parametrize("marker", MARKERS)
def test_source_text_never_becomes_a_control_token(weights, marker):
    """A marker written in a file is plain text; by its own name it is one id, which spells nothing."""
    token = weights.special(marker)

    assert token is not None
    assert weights.pieces()[token] == b""
    assert token not in weights.tokenise(f"x = '{marker}'")


def test_a_marker_that_the_file_lacks_is_none(weights):
    """Another family's markers are unknown here."""
    assert weights.special("<PRE>") is None
    assert weights.special("") is None


def test_half_a_surrogate_pair_is_read_as_a_question_mark(weights):
    """An editor's text that no UTF-8 can hold is tokenised all the same."""
    assert weights.tokenise("a\ud83db") == weights.tokenise("a?b")


def test_the_end_of_text_ends(weights):
    """The ids that end a text are those that the file names."""
    assert weights.special("<|endoftext|>") in weights.ends()


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"GGUF" + b"\xff" * 64, b"no model" * 100])
def test_a_file_that_is_no_model_is_one_sentence(tmp_path, content):
    """Missing, empty, cut short, or something else: one sentence that names the file."""
    path = tmp_path / "model é.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"model é\.gguf .*\.$"):
        Weights(path)


def test_a_truncated_model_is_one_sentence(tmp_path, tiny_files):
    """A download that broke off is refused, not crashed on."""
    path = tmp_path / "half.gguf"
    path.write_bytes(tiny_files.whole.read_bytes()[:-1000])
    with pytest.raises(EngineError, match="fetch it again"):
        Weights(path)


def test_nothing_reaches_stdout_or_stderr(tmp_path, tiny_files, capfd):
    """llama.cpp keeps quiet: stdout carries the language server's messages."""
    Weights(tiny_files.whole).close()
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\xff" * 64)
    with pytest.raises(EngineError):
        Weights(tmp_path / "bad.gguf")
    assert capfd.readouterr() == ("", "")


def test_closing_twice_is_harmless(tiny_files):
    """What is closed stays closed."""
    weights = Weights(tiny_files.front)
    weights.close()
    weights.close()


def test_the_flags_callback_answers_as_the_flag_stands():
    """What llama.cpp asks is true while the flag is up, and false when it is down again."""
    flag = AbortFlag()
    data = ctypes.cast(flag._flag, ctypes.c_void_p)
    seen = [flag._callback(data)]
    flag.raise_flag()
    seen += [flag._callback(data), flag.raised]
    flag.lower()
    seen += [flag._callback(data), flag.raised]
    assert seen == [False, True, True, False, False]
