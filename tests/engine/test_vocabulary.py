"""Which tokens can spell a text."""

from hypothesis import example, given
from hypothesis import strategies as st

from jouline.engine.vocabulary import Vocabulary

PIECE = st.text("ab\xff", max_size=4).map(lambda text: text.encode("latin-1"))
STUB = st.text("ab\xff", min_size=1, max_size=6).map(lambda text: text.encode("latin-1"))


@given(pieces=st.lists(PIECE, max_size=30), stub=STUB)
@example(pieces=[b"\xff", b"\xff\xff", b"a"], stub=b"\xff")
@example(pieces=[b"a\xff", b"b", b"a\xffb"], stub=b"a\xff")
@example(pieces=[], stub=b"a")
@example(pieces=[b"a", b"ab", b"aba"], stub=b"ab")
def test_spelling_is_the_brute_force_set(pieces, stub):
    """Exactly the tokens that begin to spell the text, or spell it and go on; each once."""
    brute = {t for t, piece in enumerate(pieces) if piece and (piece.startswith(stub) or stub.startswith(piece))}
    found = Vocabulary(pieces, []).spelling(stub).tolist()

    assert sorted(found) == sorted(brute)


def test_control_tokens_end_a_text_and_spell_nothing():
    """A token without bytes ends a text, named or not; a named end spells nothing whatever its bytes are."""
    vocabulary = Vocabulary([b"a", b"", b"<end>", b"<"], ends=[2])

    assert vocabulary.ends == {1, 2}
    assert vocabulary.pieces[2] == b""
    assert vocabulary.spelling(b"<end>").tolist() == [3]
