"""Token healing: the last pre-token of the prefix is taken back and spelled again."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.engine.tiny import tokenizer

from jouline.engine.healing import Spelling, split_stub
from jouline.engine.vocabulary import Vocabulary

SPLITS = [
    ("", ""),
    ("x = compute$0", " compute"),
    ("self.na$0", ".na"),
    ("x = $0", " "),
    ("x =$0", " ="),
    ("x = 12$0", "2"),
    ("if a:\n    $0", "    "),
    ("if a:\n$0", ""),
    ("if a:\n    return$0", " return"),
    ("foo(bar$0", "(bar"),
    ("foo($0", "("),
    ("foo())$0", "())"),
    ("don't$0", "'t"),
    ("x_1$0", "1"),
    ("snake_ca$0", "_ca"),
    ("# 漢字$0", " 漢字"),
    ("s = '😀$0", " '😀"),
    ("a\t\t$0", "\t\t"),
    ("a\r\nb$0", "b"),
    ("a\0$0", "\0"),
]


@pytest.mark.parametrize(("fixture", "stub"), SPLITS)
def test_the_stub_is_the_last_pre_token(fixture, stub):
    """What is taken back is what the tokeniser would have taken as its last piece."""
    prefix = fixture.removesuffix("$0")
    assert split_stub(prefix) == (prefix.removesuffix(stub), stub)


@given(prefix=st.text(max_size=300))
@example(prefix="a" * 1000)
@example(prefix=" " * 1000)
@example(prefix="\n\n\r")
@example(prefix="\ud83d")
def test_nothing_is_lost_or_made_up(prefix):
    """Rest and stub together are the prefix; the stub lies on its last line and is empty only at a line's start."""
    kept, stub = split_stub(prefix)

    assert kept + stub == prefix
    assert "\n" not in stub
    assert bool(stub) == bool(prefix and not prefix.endswith("\n"))


@given(line=st.text("ab_ \t1'st(:.)=é", min_size=1, max_size=40))
@example(line="x = don't  foo_bar 12\t ")
def test_it_agrees_with_the_tokenisers_own_pieces(line):
    """The stub is the last piece of the pre-tokeniser that the shipped models were trained with."""
    pieces = tokenizer().pre_tokenizer[0].pre_tokenize_str(line)
    assert split_stub(line)[1] == pieces[-1][0]


PIECES = st.lists(st.text("abé", min_size=1, max_size=3).map(str.encode), max_size=12)


@given(pieces=PIECES, stub=st.text("abé", min_size=1, max_size=5), data=st.data())
@example(pieces=["é".encode()[:1], "é".encode()[1:] + b"a"], stub="é", data=None)
def test_a_masked_spelling_never_repeats_the_stub(pieces, stub, data):
    """Whatever allowed tokens are taken, stub and what lies behind it together spell exactly the taken bytes."""
    vocabulary = Vocabulary([*pieces, b"a", b"b", *(bytes([byte]) for byte in "é".encode())], [])
    spelling = Spelling(vocabulary, stub)
    taken, beyond = b"", b""
    while spelling.left:
        allowed = spelling.allowed().tolist()
        token = data.draw(st.sampled_from(allowed)) if data else allowed[0]
        taken += vocabulary.pieces[token]
        beyond += spelling.take(token)

    assert taken == stub.encode() + beyond


def test_a_spelled_stub_lets_everything_through():
    """Once nothing is left to spell, a token's bytes count in full."""
    spelling = Spelling(Vocabulary([b"ab", b"c"], []), "a")

    assert (spelling.take(0), spelling.left) == (b"b", b"")
    assert spelling.take(1) == b"c"


def test_half_a_surrogate_pair_is_spelled_as_the_tokeniser_reads_it():
    """A lone surrogate, which no UTF-8 can hold, does not break the request."""
    assert Spelling(Vocabulary([b"?"], []), "\ud83d").allowed().tolist() == [0]
