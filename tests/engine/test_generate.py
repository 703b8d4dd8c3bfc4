"""The decode loop, on a session that makes its logits up from the timeline."""

import dataclasses
import math
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Prompt
from jouline.engine.generate import Limits, generate, pick
from jouline.engine.stops import block_end, closer_start, open_brackets, repeats, repeats_lines, suffix_start
from jouline.engine.vocabulary import Vocabulary

PIECES = [b"a", b"b", b"ab", b"ba", b"aba", b" ", b" a", b"\n", b"b\n", b"\r", b"(", b")", "é".encode()[:1]]
PIECES += ["é".encode()[1:], "é".encode(), b"\n  a", b"    ", b""]
END = len(PIECES) - 1
VOCABULARY = Vocabulary(PIECES, [END])


class MadeUpSession:
    """A session whose logits follow from its tokens: drawn anew for each timeline, or what the script says next."""

    def __init__(self, *, seed: int = 0, script: list[bytes] | None = None, evaluated: int = 0) -> None:
        self.seed, self.script, self.evaluated = seed, script, evaluated
        self.tokens: list[int] = []
        self.start = 0

    def sync(self, tokens):
        self.tokens, self.start = list(tokens), len(tokens)
        return float(len(tokens))

    def step(self, token):
        self.tokens.append(token)

    def logits(self):
        if self.script is None:
            drawn = np.random.default_rng(zlib.crc32(repr((self.seed, self.tokens)).encode()))
            return (drawn.standard_normal(len(PIECES)) * 3).astype(np.float32)
        logits = np.zeros(len(PIECES), np.float32)
        logits[PIECES.index(self.script[len(self.tokens) - self.start])] = 5.0
        return logits


def run(session, *, stub="", vocabulary=VOCABULARY, **limits):
    """Decode after a prompt of two tokens."""
    return generate(session, vocabulary, Prompt(tokens=(0, 1), stub=stub), Limits(**limits), CancelToken())


def reference(session: MadeUpSession, stub: bytes, count: int) -> list[int]:
    """Decode greedily, asking of every token of the vocabulary whether it still fits the stub."""
    spelled, chosen = b"", []
    session.sync((0, 1))
    while len(chosen) < count and (not chosen or chosen[-1] != END):
        logits = session.logits()
        fits = [
            token
            for token, piece in enumerate(VOCABULARY.pieces)
            if len(spelled) >= len(stub)
            or (piece and (stub.startswith(spelled + piece) or (spelled + piece).startswith(stub)))
        ]
        chosen.append(max(fits, key=lambda token: logits[token]))
        spelled += VOCABULARY.pieces[chosen[-1]]
        session.step(chosen[-1])
    return chosen


@given(seed=st.integers(0, 10_000), stub=st.text("abé ", max_size=6))
def test_masked_decoding_is_the_greedy_choice_among_all_tokens_that_fit(seed, stub):
    """Text, tokens and their order are those of a brute-force mask; stub and text start with what was typed."""
    chosen = reference(MadeUpSession(seed=seed), stub.encode(), 12)
    spelled = b"".join(VOCABULARY.pieces[token] for token in chosen)
    made = run(MadeUpSession(seed=seed), stub=stub, single_line=False, max_tokens=12)
    taken = b"".join(VOCABULARY.pieces[token] for token in chosen[: made.generated_tokens])

    assert spelled.startswith(stub.encode())
    assert made.text == taken[len(stub.encode()) :].decode(errors="ignore")
    assert made.stop in {"end", "length", "repetition"}
    assert made.tokens == tuple(chosen[: made.generated_tokens])
    assert len(made.logprobs) == len(made.margins) <= made.generated_tokens
    assert made.logprob == pytest.approx(sum(made.logprobs))


@given(seed=st.integers(0, 10_000), stub=st.text("ab ", max_size=3), threshold=st.floats(-12, 0))
def test_the_confidence_stop_loses_nothing(seed, stub, threshold):
    """A run that stops below the threshold is a prefix of the free one, and whole wherever that one would be shown."""
    free = run(MadeUpSession(seed=seed), stub=stub)
    thrifty = run(MadeUpSession(seed=seed), stub=stub, min_logprob=threshold)

    assert free.text.startswith(thrifty.text)
    assert free.logprobs[: len(thrifty.logprobs)] == thrifty.logprobs
    assert thrifty.generated_tokens <= free.generated_tokens
    if free.logprob >= threshold:
        assert _untimed(thrifty) == _untimed(free)
    just = run(MadeUpSession(seed=seed), stub=stub, min_logprob=free.logprob - 1e-3)
    assert _untimed(just) == _untimed(free)
    if thrifty.stop == "unlikely":
        assert thrifty.logprob < threshold
        assert free.logprob < threshold


@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 20))
def test_fewer_tokens_allowed_is_a_prefix(seed, tokens):
    """A run cut short by length wrote the beginning of what the longer one wrote."""
    short = run(MadeUpSession(seed=seed), max_tokens=tokens, single_line=False)
    long = run(MadeUpSession(seed=seed), max_tokens=tokens + 5, single_line=False)

    assert short.generated_tokens <= tokens
    assert long.text.startswith(short.text)
    assert short.stop != "length" or short.generated_tokens == tokens


SCRIPTS = [
    pytest.param([b"a", b"b", b"\n"], {}, "ab", "line", id="line end"),
    pytest.param([b"a", b"b\n"], {}, "ab", "line", id="line end inside a token"),
    pytest.param([b"a", b"\n  a"], {}, "a", "line", id="token goes on behind the line end"),
    pytest.param([b"\n"], {}, "", "line", id="at once"),
    pytest.param([b"a", b"\r", b"\n"], {}, "a", "line", id="CRLF"),
    pytest.param([b"a", b""], {}, "a", "end", id="end token"),
    pytest.param(["é".encode()[:1], "é".encode()[1:], b"\n"], {}, "é", "line", id="UTF-8 over two tokens"),
    pytest.param([b"a", "é".encode()[:1]], {"max_tokens": 2}, "a", "length", id="half a character is dropped"),
    pytest.param([b"a"] * 5, {}, "aaaaa", "repetition", id="loop"),
    pytest.param([b"a", b"\n", b"b", b""], {"single_line": False}, "a\nb", "end", id="several lines"),
    pytest.param(
        [b"a", b"\n  a", b"\n", b"b"], {"single_line": False, "block_indent": 0}, "a\n  a", "block", id="block"
    ),
    pytest.param(
        [b"a", b"\n", b" ", b"b", b"\n"],
        {"single_line": False, "next_line": "b", "max_tokens": 5},
        "a\n b\n",
        "length",
        id="too short to tell",
    ),
    pytest.param(
        [b"a", b"\n", b"b", b"b", b"b", b"a", b"\n"],
        {"single_line": False, "next_line": "  bbba"},
        "a",
        "suffix",
        id="the next line",
    ),
    pytest.param(
        [b"a", b"(", b")", b")"], {"single_line": False, "open_brackets": 0}, "a()", "bracket", id="closing bracket"
    ),
    pytest.param([b"a", b")", b")"], {"single_line": False, "open_brackets": 1}, "a)", "bracket", id="one was open"),
    pytest.param([b"a", b"\n"], {"single_line": False, "budget_ms": -1.0}, "a", "time", id="at once at a line end"),
    pytest.param(
        [b"a", b"\r", b"\n  a", b"\r", b"\n", b"\r", b"\n  a", b"\r", b"\n", b"b"],
        {"single_line": False, "block_indent": 0},
        "a\r\n  a\r\n\r\n  a",
        "block",
        id="a blank CRLF line ends no block",
    ),
]


@pytest.mark.parametrize(("script", "limits", "text", "stop"), SCRIPTS)
def test_how_a_text_ends(script, limits, text, stop):
    """Each way to end gives its own reason and the text up to there."""
    made = run(MadeUpSession(script=script), **limits)
    assert (made.text, made.stop, made.generated_tokens) == (text, stop, len(script))


def test_a_token_may_span_the_cursor_and_the_line_end():
    """The stub's last token may go on to the end of the line."""
    made = run(MadeUpSession(script=[b"b\n"]), stub="b")
    assert (made.text, made.stop) == ("", "line")
    assert len(made.logprobs) == 1


def test_only_tokens_behind_the_stub_count_for_repetition():
    """Spelling `aaaaaa` again is no loop of the model's."""
    script = [b"a"] * 6 + [b"b", b"\n"]
    made = run(MadeUpSession(script=script), stub="aaaaaa")
    assert (made.text, made.stop) == ("b", "line")


def test_a_stub_that_is_never_spelled_is_no_answer():
    """Where the length ends first, or no token fits, the model is not sure of anything."""
    cut = run(MadeUpSession(script=[b"a"] * 9), stub="aaaaaaaaa", max_tokens=4)
    unfit = run(MadeUpSession(), stub="漢")

    assert (cut.text, cut.stop, cut.logprobs) == ("", "unlikely", ())
    assert (unfit.text, unfit.stop, unfit.generated_tokens) == ("", "unlikely", 0)


def test_work_and_counts_are_the_sessions():
    """Prompt tokens, evaluated tokens and work are reported as the session has them."""
    made = run(MadeUpSession(script=[b"\n"], evaluated=1))
    assert (made.prompt_tokens, made.prompt_evaluated, made.prompt_work) == (2, 1, 2.0)


def test_a_cancelled_token_ends_the_loop_before_the_next_choice():
    """Cancelling between two tokens raises Cancelled, at the latest before the token after."""
    token = CancelToken()
    session = MadeUpSession(script=[b"a", b"b"] * 9)
    session.step = lambda step: (session.tokens.append(step), len(session.tokens) > 4 and token.cancel())

    with pytest.raises(Cancelled):
        generate(session, VOCABULARY, Prompt(tokens=(0, 1)), Limits(), token)
    assert len(session.tokens) == 5


LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30)


@given(logits=LOGITS)
@example(logits=[0.0])
@example(logits=[1.0, 1.0])
@example(logits=[-30.0, 30.0])
def test_pick_is_the_softmax(logits):
    """Index, log probability and lead over the second are those of the softmax in 64 bits."""
    shares = np.exp(np.array(logits) - max(logits))
    shares /= shares.sum()
    best, logprob, margin = pick(np.array(logits, np.float32))
    second = max(np.delete(shares, best), default=0.0)

    assert logits[best] == max(logits)
    assert logprob == pytest.approx(math.log(shares[best]), abs=1e-5)
    assert margin == pytest.approx(shares[best] - second, abs=1e-5)
    assert logprob <= 0


def test_pick_leaves_the_logits_alone():
    """The view that it reads belongs to llama.cpp."""
    logits = np.array([1, 3, 2], np.float32)
    pick(logits)
    assert logits.tolist() == [1, 3, 2]


REPEATS = [
    ([], False),
    ([7] * 4, False),
    ([7] * 5, True),
    ([9, 7, 7, 7, 7, 7], True),
    ([1, 2] * 3, False),
    ([1, 2] * 4, True),
    ([1, 2, 3] * 2, False),
    ([1, 2, 3] * 3, True),
    ([1, 2, 3] * 3 + [1], True),
    ([1, 2, 3] * 3 + [4], False),
    (list(range(8)) * 3, True),
    (list(range(9)) * 3, False),
]


@pytest.mark.parametrize(("tokens", "expected"), REPEATS)
def test_repeats(tokens, expected):
    """One token five times, two four times, up to eight three times running at the end are a loop."""
    assert repeats(tokens) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a()\na()\na()\n", True),
        (b"a()\n\na()\n\na()\n", True),
        (b"b()\na()\na()\na()\nc", True),
        (b"a()\na()\na()", False),
        (b"a()\nb()\na()\n", False),
        (b"a()\nb()\n" * 3, True),
        (b"x\n" + b"a()\n\nb()\nc()\n" * 3, True),
        (b"a()\nb()\na()\nb()\na()\nc()\n", False),
        (b"\n\n\n\n", False),
        (b"", False),
    ],
)
def test_lines_over_and_over(text, expected):
    """One line, or two or three in turn, three times at the end are a loop; blank and unfinished lines do not count."""
    assert repeats_lines(text) is expected


@given(head=st.lists(st.integers(0, 5)), group=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_every_short_group_over_and_over_is_found(head, group):
    """What came before does not hide a loop."""
    assert repeats(head + group * 5)


BLOCKS = [
    ("return 1", 0, None),
    ("return 1\n", 0, None),
    ("return 1\nx", 0, "x"),
    ("return 1\n    y", 0, None),
    ("return 1\n    y", 4, "    y"),
    ("return 1\n    y\n\n\nz = 1", 0, "z = 1"),
    ("a\n\t\tb\n\tc", 1, "\tc"),
    ("a\n  \n  b", 0, None),
    ("a\r\n\r\n  b\r\nc", 0, "c"),
    ("", 0, None),
    ("\nx", 0, "x"),
]


@pytest.mark.parametrize(("text", "indent", "rest"), BLOCKS)
def test_block_end(text, indent, rest):
    """A block ends where the first later line with something on it is indented no deeper."""
    found = block_end(text.encode(), indent)
    assert (None if found is None else text.encode()[found:].decode()) == rest


@pytest.mark.parametrize(
    ("text", "opened", "rest"),
    [
        ("a)", 0, ")"),
        ("a)", 1, None),
        ("f(a)[0])", 0, ")"),
        ("f(')') # :)\n)", 0, ")"),
        ("f('", 0, None),
        ('"a\\")"}', 0, "}"),
        ("{}", 0, None),
    ],
)
def test_a_bracket_that_nothing_opened(text, opened, rest):
    """It is found outside of strings and comments, those that were open before counted."""
    found = closer_start(text.encode(), opened)
    assert (None if found is None else text[found:]) == rest


@given(text=st.text("()[]{}ab'\"#\n ", max_size=30))
def test_brackets_that_are_open_can_be_closed(text):
    """Closing as many as are open is no bracket too many, one more is."""
    opened = open_brackets(text.encode())
    assert closer_start(b")" * opened, opened) is None
    assert closer_start(b")" * (opened + 1), opened) == opened


@given(pieces=st.lists(st.text("a()[]'\"#\n\\ ", max_size=3).map(str.encode), max_size=20), opened=st.integers(0, 2))
def test_only_a_closing_bracket_makes_one_too_many(pieces, opened):
    """So the decode loop counts brackets only behind a piece that holds one."""
    text, before = b"", False
    for piece in pieces:
        text += piece
        now = closer_start(text, opened) is not None
        assert before or not now or any(closer in piece for closer in b")]}")
        before = now


@pytest.mark.parametrize(
    ("text", "following", "start"),
    [
        ("x = 1\n    return x\n", "return x", 6),
        ("x = 1\n    return x", "return x", None),
        ("return x\n", "return x", None),
        ("x = 1\n)\n", ")", None),
        ("x = 1\nreturn y\n", "return x", None),
        ("x = 1\n\n", "", None),
    ],
)
def test_the_line_that_stands_next_in_the_file(text, following, start):
    """A whole line after the first that is what follows anyway is where the text ends."""
    assert suffix_start(text.encode(), following.encode()) == start


def _untimed(made):
    return dataclasses.replace(made, prompt_ms=0.0, generate_ms=0.0)
