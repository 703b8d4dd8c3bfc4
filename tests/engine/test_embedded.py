"""The embedded pair itself: opens, answers, is deterministic, and warm what it is cold."""

import contextlib
import dataclasses

import pytest
from tests.engine.tiny import SAMPLE
from tokenizers import Tokenizer

from jouline.cancel import CancelToken
from jouline.catalogue.card import bundled_folder, load_catalogue
from jouline.completion import CompletionRequest, Generation
from jouline.engine.generate import Limits
from jouline.engine.options import EngineOptions
from jouline.engine.pair import Pair, PairFiles
from jouline.pipeline.completer import Completer
from jouline.pipeline.options import PipelineOptions

pytestmark = pytest.mark.model

CODE = '''\
import json
import os


class Settings:
    """Values by name, kept in a file."""

    def __init__(self, path):
        self.path = path
        self.values = {}

    def load(self):
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.values = json.load(file)
        return self.values

    def save(self):
        with open(self.path, "w") as file:
            json.dump(self.values, file)

    def get(self, name, default=None):
        return self.values.get(name, default)
'''
TIERS = ("small", "large")
TYPED = range(CODE.index("def load"), len(CODE), 25)
SAME_AT_LEAST = 0.9  # quantised weights round by the shape of a batch, so a near tie may fall the other way


def files() -> PairFiles:
    """Describe the pair in the repository."""
    card, folder = load_catalogue().pair("embedded"), bundled_folder()
    options = EngineOptions(context_tokens=card.small.context_tokens or 1024)
    return PairFiles(
        kind=card.kind,
        small=folder / card.small.file,
        large=folder / card.large.file,
        small_options=options,
        large_options=options,
        small_ends=card.small.fim.end,
        large_ends=card.large.fim.end,
    )


def completer(pair: Pair) -> Completer:
    """Return the pair behind its prompts."""
    card = load_catalogue().pair("embedded")
    return Completer(pair, {"small": card.small, "large": card.large}, PipelineOptions(), 1024)


@pytest.fixture(scope="module")
def pair():
    """Open the pair once."""
    with contextlib.closing(Pair(files())) as opened:
        yield opened


def write(answers: Completer, tier: str, text: str) -> Generation:
    """Return what a tier writes at the end of `text`, without its timings and counts of work."""
    request = CompletionRequest(uri="a.py", language="python", text=text + "\n", offset=len(text))
    made = answers.generate(request, tier, CancelToken(), Limits())
    return dataclasses.replace(made, prompt_ms=0.0, generate_ms=0.0, prompt_evaluated=0, prompt_work=0.0)


PLACES = ["import os\n\nprint(os.pa", "for i in ran", CODE + "\n    def clear(self):\n        self.val"]

COMMON = {
    "import os\n\nprint(os.pa": "th",
    "for i in ran": "ge(",
    "class A:\n    def __init__(self, x):\n        self.x = x\n\n    def get(self):\n        ret": "urn",
}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("text", PLACES, ids=["attribute", "name", "method"])
def test_answers_are_a_line_and_deterministic(pair, tier, text):
    """Two pairs opened apart write the same tokens with the same probabilities, all on one line."""
    made = write(completer(pair), tier, text)
    with contextlib.closing(Pair(files())) as other:
        again = write(completer(other), tier, text)

    assert made.text
    assert "\n" not in made.text
    assert -100 < made.logprob <= 0
    assert (made.text, made.tokens, made.stop) == (again.text, again.tokens, again.stop)
    assert made.logprobs == pytest.approx(again.logprobs, abs=0.2)


def test_the_large_model_knows_pythons_commonest_names(pair):
    """Healed in the middle of a word, it writes the word's end."""
    written = {text: write(completer(pair), "large", text).text for text in COMMON}
    assert [text for text, rest in COMMON.items() if not written[text].startswith(rest)] == []


def test_typed_through_a_file_warm_equals_cold(pair):
    """Where the timeline was kept the answers are those of a timeline begun anew, at 90 % of the places at least."""
    answers = completer(pair)
    warm = {(end, tier): write(answers, tier, CODE[:end]) for end in TYPED for tier in TIERS}
    same = []
    for (end, tier), kept in warm.items():
        _forget(pair)
        same.append(write(answers, tier, CODE[:end]).tokens == kept.tokens)
    assert len(same) >= 20
    assert sum(same) >= SAME_AT_LEAST * len(same)


def _forget(pair: Pair) -> None:
    """Have both models hold another place, and nothing put aside."""
    write(completer(pair), "large", "# something else\n")
    for session in pair._sessions.values():
        session.shelf.clear()


def test_the_classifiers_tokeniser_is_the_models(pair):
    """`tokenizer.json` cuts code as the GGUF does, so features of tokens mean the same everywhere."""
    tokeniser = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    for text in (CODE, SAMPLE, "a\r\n\tb = 'é😀'  \n\n\n"):
        assert pair.tokenise("small", text) == tokeniser.encode(text, add_special_tokens=False).ids
