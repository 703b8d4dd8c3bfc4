"""From a request to a prompt and an answer."""

import contextlib
import dataclasses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.pipeline.places import place

from jouline.cancel import CancelToken
from jouline.catalogue.card import FimCard, StageCard
from jouline.completion import Generation
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.engine.prefix import common_prefix
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

FIM = FimCard(
    layout="suffix-prefix",
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle=None,
    end=("<|endoftext|>",),
    suffix_tokens=20,
)
CARD = StageCard(id="tiny", file="tiny.gguf", family="tiny", fim=FIM, healing=True)
MARKERS = {"<|fim_prefix|>": -1, "<|fim_suffix|>": -2}
LIMITS = Limits(max_tokens=16)


class Spelled:
    """An engine whose tokens are code points, each so many times, and which remembers what it was asked."""

    one_vocabulary = False

    def __init__(self, dense: int = 1) -> None:
        self.dense = dense
        self.asked = []
        self.tokenised = []

    def tokenise(self, _tier, text):
        self.tokenised.append(text)
        return [ord(char) for char in text for _ in range(self.dense)]

    def special(self, _tier, marker):
        return MARKERS[marker]

    def begin(self, _tier):
        return None

    def standing(self, _tier, tokens):
        return len(tokens)

    def generate(self, _tier, prompt, limits, _cancel):
        self.asked.append((prompt, limits))
        return Generation(
            text="",
            tokens=(),
            logprob=0.0,
            logprobs=(),
            margins=(),
            stop="end",
            prompt_tokens=0,
            prompt_evaluated=0,
            prompt_work=0.0,
            generated_tokens=0,
            prompt_ms=0.0,
            generate_ms=0.0,
        )


def completer(engine, context: int = 256, card: StageCard = CARD, step: int = 60) -> Completer:
    """Return a completer for two models that are asked alike."""
    cards = {"small": card, "large": card}
    return Completer(engine, cards, PipelineOptions(window_step_chars=step), context)


def read(tokens, dense: int = 1) -> tuple[str, str]:
    """Return suffix and prefix as a prompt of `Spelled` tokens gives them."""
    assert tokens[0] == -2
    border = tokens.index(-1)
    suffix, prefix = tokens[1:border], tokens[border + 1 :]
    return "".join(map(chr, suffix[::dense])), "".join(map(chr, prefix[::dense]))


TEXT = st.text(st.sampled_from("ab_( \t\n\r\0漢😀.1"), max_size=400)


@given(
    text=TEXT,
    at=st.floats(0, 1),
    context=st.integers(16, 300),
    room=st.integers(1, 400),
    dense=st.integers(1, 4),
)
@example(text="x" * 3000, at=1.0, context=64, room=1000, dense=4)
@example(text="", at=0.0, context=16, room=16, dense=1)
def test_prompt_and_answer_fit_the_context(*, text, at, context, room, dense):
    """Whatever the document, the place, the density of its tokens and the length wished for."""
    request = dataclasses.replace(place("$0"), text=text, offset=round(at * len(text)))
    engine = Spelled(dense)
    completer(engine, context).generate(request, "small", CancelToken(), Limits(max_tokens=room))
    ((prompt, limits),) = engine.asked
    suffix, prefix = read(prompt.tokens, dense)

    assert len(prompt.tokens) + limits.max_tokens <= context
    assert 1 <= limits.max_tokens <= room
    assert request.prefix.endswith(prefix + prompt.stub)
    assert request.suffix.startswith(suffix)
    assert len(suffix) * dense <= 20 + dense


@pytest.mark.parametrize("dense", [1, 2, 3, 4])
def test_a_full_window_leaves_room_for_the_answer(dense):
    """In a long file, with contexts of any size, prompt and answer together never overflow."""
    request = dataclasses.replace(place("$0"), text="a\n" * 1000, offset=2000)
    for context in range(40, 240):
        prompt = completer(Spelled(dense), context).prompt(request, "small", 16)
        assert len(prompt.tokens) + 16 <= context


@given(text=TEXT, dense=st.integers(1, 4))
@example(text="漢字\n" * 1000, dense=4)
@example(text="漢字" * 1500, dense=3)
def test_dense_text_does_not_empty_the_prompt(text, dense):
    """Where tokens are many to a character the window shrinks, but is never thrown away."""
    request = dataclasses.replace(place("$0"), text=text + "x", offset=len(text) + 1)
    prompt = completer(Spelled(dense)).prompt(request, "small", 16)
    _, prefix = read(prompt.tokens, dense)
    budget = (256 - 20 - 3 - 16) // dense

    assert len(prefix + prompt.stub) >= min(len(request.prefix), budget // 6)


def test_typing_costs_few_tokens_but_when_the_window_moves():
    """Over a long file typed from its beginning, all but a few prompts go on from the one before."""
    code = "".join(f"def function_{number}(argument):\n    return argument + {number}\n\n" for number in range(40))
    written = completer(Spelled())
    before, starts_over, evaluated = (), 0, []
    for offset in range(len(code) + 1):
        request = dataclasses.replace(place("$0"), text=code[:offset] + "\nbehind\n", offset=offset)
        tokens = written.prompt(request, "small", 16).tokens
        new = len(tokens) - common_prefix(before, tokens)
        starts_over += new > 20
        evaluated.append(new)
        before = tokens

    assert sorted(evaluated)[len(evaluated) // 2] <= 1
    assert starts_over <= len(code) / 60 + 1


def test_what_stands_around_the_prompt_is_where_the_layout_says():
    """Suffix first, then prefix; the rest of the cursor's line belongs to neither."""
    request = place("import os\n\nos.pa$0th\nend\n")
    prompt = completer(Spelled()).prompt(request, "large", 16)
    assert read(prompt.tokens) == ("end\n", "import os\n\nos")
    assert prompt.stub == ".pa"


def test_a_model_that_is_not_healed_gets_the_whole_prefix():
    """Healing is the card's choice."""
    card = dataclasses.replace(CARD, healing=False)
    prompt = completer(Spelled(), card=card).prompt(place("os.pa$0\n"), "small", 16)
    assert (read(prompt.tokens)[1], prompt.stub) == ("os.pa", "")


@pytest.mark.parametrize("one_vocabulary", [True, False])
@pytest.mark.parametrize("healings", [(True, True), (True, False), (False, True)])
def test_each_tier_is_asked_as_its_card_says(one_vocabulary, healings):
    """What one tier was asked is asked of the other again only where vocabulary, layout and healing are the same."""
    small, large = (dataclasses.replace(CARD, healing=healing) for healing in healings)
    engine = Spelled()
    engine.one_vocabulary = one_vocabulary
    written = Completer(engine, {"small": small, "large": large}, PipelineOptions(), 256)
    request = place("os.pa$0\nend\n")
    stubs = [written.prompt(request, tier, 16).stub for tier in ("small", "large", "small")]
    assert stubs == [".pa" if healing else "" for healing in (*healings, healings[0])]


def test_a_prompt_is_rendered_once_a_request_and_never_taken_for_anothers():
    """The same request costs no second tokenising; another one, or another length, gets its own prompt."""
    engine = Spelled()
    written, first, second = completer(engine), place("a = 1\nb = $0\nend\n"), place("c = $0\nend\n")
    once = written.prompt(first, "small", 16)
    count = len(engine.tokenised)
    assert written.prompt(first, "small", 16) is once
    assert len(engine.tokenised) == count
    assert read(written.prompt(second, "small", 16).tokens)[1] == "c ="
    assert read(written.prompt(first, "small", 16).tokens)[1] == "a = 1\nb ="
    assert engine.tokenised.count("end\n") == 1
    long = place("a = 1\n" * 200 + "$0")
    lengths = [len(written.prompt(long, "small", room).tokens) for room in (16, 120, 16)]
    assert lengths[0] == lengths[2] > lengths[1]


@pytest.fixture(scope="module")
def tiny(tiny_files):
    """Open a tiny early-exit pair behind a completer."""
    options = EngineOptions(context_tokens=256, batch_tokens=64, ubatch_tokens=32, cache_bits=32)
    files = PairFiles(
        kind="exit",
        small=tiny_files.front,
        large=tiny_files.back,
        small_options=options,
        large_options=options,
        small_ends=FIM.end,
    )
    with contextlib.closing(Pair(files)) as pair:
        yield completer(pair)


ANYTHING = st.text(st.characters(), max_size=300)


@settings(max_examples=40)
@given(before=ANYTHING, rest=st.text(max_size=5), behind=ANYTHING, tier=st.sampled_from(["small", "large"]))
@example(before="", rest="", behind="", tier="small")
@example(before="x" * 4000, rest="", behind="y" * 4000, tier="large")
@example(before="漢字" * 1000, rest="", behind="😀\n" * 400, tier="large")
@example(before="a\r\n\r\n    b = ", rest="", behind="\r\nc\r\n", tier="small")
@example(before="\0\0 \0", rest="\0", behind="\0\n\0", tier="small")
@example(before="s = '\ud83d", rest="'", behind="\ude00\n", tier="large")
@example(before="        ", rest="", behind="", tier="small")
@example(before="=" * 300, rest="", behind="", tier="small")
@example(before="<|fim_prefix|><|endoftext|>", rest="", behind="<|fim_suffix|>\n", tier="small")
def test_any_document_is_answered(tiny, *, before, rest, behind, tier):
    """No document, however odd, breaks the engine; a line is a line and the text can be shown."""
    text = before + rest + "\n" + behind
    request = dataclasses.replace(place("$0"), text=text, offset=len(before))
    made = tiny.generate(request, tier, CancelToken(), LIMITS)

    assert "\n" not in made.text
    assert made.text.encode().decode() == made.text
    assert made.logprob <= 0
    assert 1 <= made.generated_tokens <= LIMITS.max_tokens
    assert made.prompt_tokens + made.generated_tokens <= 256


STROKES = [
    ("x = com$0\n", "x = comp$0\n", 1),  # the stub grows, the prompt is the same
    ("x = com$0\n", "x = compute($0\n", 6),
    ("x = f($0\n", "x = f(y)\n$0\n", 8),  # Enter at the end of a line
    ("def f():\n$0\n", "def f():\n    $0\n", 1),
    ("def f():\n    x$0\n", "def f():\n    $0\n", 3),  # a step back
]


@pytest.mark.parametrize("tier", ["small", "large"])
@pytest.mark.parametrize(("before", "after", "most"), STROKES)
def test_a_keystroke_evaluates_a_few_tokens(tiny, tier, before, after, most):
    """What stood before stays evaluated, whichever key is pressed."""
    above = "import os\n" * 12
    tiny.generate(place(above + before), tier, CancelToken(), LIMITS)
    made = tiny.generate(place(above + after), tier, CancelToken(), LIMITS)
    assert made.prompt_evaluated <= most < made.prompt_tokens


def test_the_large_goes_on_from_the_smalls_work(tiny):
    """Escalation costs the back's share of the prompt only."""
    request = place("import sys\n" * 12 + "x = $0\n")
    tiny.generate(place("y = $0\n"), "large", CancelToken(), LIMITS)
    small = tiny.generate(request, "small", CancelToken(), LIMITS)
    large = tiny.generate(request, "large", CancelToken(), LIMITS)
    assert small.prompt_work > 20
    assert large.prompt_work == pytest.approx(large.prompt_evaluated * 0.5)


MIDDLE = dataclasses.replace(FIM, layout="prefix-suffix-middle", middle="<|fim_middle|>")
MARKERS["<|fim_middle|>"] = -3
SPLIT = "\ue000"  # stands for the markers; drawn texts do not hold it


def anchored(engine, layout: str, context: int = 256) -> Completer:
    """Return a completer whose prompts go on from one another."""
    card = CARD if layout == "suffix-prefix" else dataclasses.replace(CARD, fim=MIDDLE)
    options = PipelineOptions(window_step_chars=60, anchored=True)
    return Completer(engine, {"small": card, "large": card}, options, context)


def parts(tokens) -> tuple[str, str]:
    """Return the text before the cursor and the suffix that a prompt of either layout shows."""
    text = "".join(map(chr, (token if token >= 0 else ord(SPLIT) for token in tokens))).split(SPLIT)
    if tokens[0] == -2:
        return text[2], text[1]
    return text[1] + text[3], text[2]


KEYS = st.lists(st.sampled_from(["a", "b", "(", "\n", "\n    ", "<", "{|}", "()"]), max_size=60)


@given(keys=KEYS, above=TEXT, below=TEXT, layout=st.sampled_from(["suffix-prefix", "prefix-suffix-middle"]))
def test_an_anchored_prompt_shows_what_is_there(keys, above, below, layout):
    """However one types, what stands before the cursor is shown as it is, and behind it nothing that is not there."""
    written = anchored(Spelled(), layout)
    before, behind = above, "\n" + below
    for key in keys:
        if key == "<":
            before = before[:-1]
        elif key == "{|}":
            before, behind = before + "{\n", "\n}" + behind
        else:
            before += key
        request = dataclasses.replace(place("$0"), text=before + behind, offset=len(before))
        prompt = written.prompt(request, "small", 16)
        prefix, suffix = parts(prompt.tokens)
        assert before.endswith(prefix + prompt.stub)
        assert suffix in request.suffix
        assert len(prompt.tokens) + 16 <= 256


@pytest.mark.parametrize("layout", ["suffix-prefix", "prefix-suffix-middle"])
def test_typing_between_brackets_only_appends(layout):
    """Enter, the bracket that the editor puts below, a line broken in two: all of it goes on from the last prompt."""
    written, below = anchored(Spelled(), layout, 1024), "\nbehind = 1\n"
    before, evaluated = (), []
    for text in (
        "x = f($0)",
        "x = f(\n    $0\n)",
        "x = f(\n    a=b, $0c\n)",
        "x = f(\n    a=b,\n    $0c\n)",
        "x = f(\n)\n$0",
    ):
        tokens = written.prompt(place("import os\n" * 5 + text + below), "small", 16).tokens
        evaluated.append(len(tokens) - common_prefix(before, tokens))
        before = tokens
    assert evaluated[0] > 50
    assert max(evaluated[1:4]) <= 10


def test_what_is_prepared_is_what_comes_next():
    """The prompt to evaluate while nobody types is gone on from by the next key, window step or drifted suffix."""

    class Idle(Spelled):
        def pending(self, _tier, _tokens):
            return 100.0

    written = anchored(Idle(), "suffix-prefix")
    written.prompt(place("x = f($0)\nbehind\n"), "small", 16)
    drifted = place("x = f(\n$0\n)\nbehind\n")
    assert read(written.prompt(drifted, "small", 16).tokens)[0] == "behind\n"
    prepared = written.ahead(drifted, "small", 16)
    assert read(prepared.tokens)[0] == ")\nbehind\n"
    after = written.prompt(place("x = f(\na$0\n)\nbehind\n"), "small", 16)
    assert after.tokens[: len(prepared.tokens)] == prepared.tokens
