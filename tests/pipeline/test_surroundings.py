"""Pieces of other files: what is gathered, how it is ranked, and when it is chosen anew."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.places import place

from jouline.catalogue.card import FimCard, StageCard
from jouline.pipeline.chunks import CHUNK_LINES, far_chunks, recent_edits, visited_chunks
from jouline.pipeline.completer import Completer
from jouline.pipeline.definitions import Definitions
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.scene import Scene, Visited
from jouline.pipeline.similarity import jaccard, words
from jouline.pipeline.surroundings import GATHERERS, Surroundings

HERE = "file:///project/app.py"
SIZES = {"chars": 2_000, "seen_chars": 500, "step_chars": 100}


def visited(uri: str, text: str, first: str | None = None) -> dict[str, Visited]:
    """Return one document, as it was at first and as it is."""
    return {uri: Visited(uri=uri, language="python", first=text if first is None else first, text=text)}


def scene(fixture: str, documents: dict[str, Visited] | None = None, *, seen: int = 0, language="python") -> Scene:
    """Return a request with the documents visited."""
    return Scene(request=place(fixture, uri=HERE, language=language), visited=documents or {}, seen_chars=seen)


WORDS = st.text("abc _1", max_size=20).map(words)


@given(one=WORDS, other=WORDS)
def test_likeness_is_a_share_and_mutual(one, other):
    """From 0 for nothing in common to 1 for the same words."""
    assert 0 <= jaccard(one, other) == jaccard(other, one) <= 1
    assert (jaccard(one, other) == 1) == (one == other and bool(one))


@given(text=st.lists(st.sampled_from(["", "x = 1", "    y"]), max_size=60).map("\n".join))
def test_chunks_are_pieces_of_their_document(text):
    """Each stands where it says, has some lines, and all lines that are not blank are in one."""
    found = list(visited_chunks(scene("$0", visited("file:///b.py", text))))
    assert all(text[each.at : each.at + len(each.text)] == each.text for each in found)
    assert all(each.text.count("\n") <= CHUNK_LINES for each in found)
    assert sum(each.text.count("x") for each in found) == text.count("x")


def test_the_own_document_is_not_among_those_visited():
    """It is in the prompt already."""
    assert list(visited_chunks(scene("x = $0", visited(HERE, "x = 1\n")))) == []


def test_far_pieces_are_out_of_sight():
    """What is in the prompt's window is not shown twice."""
    text = "".join(f"line_{number} = {number}\n" for number in range(400))
    found = list(far_chunks(scene(text[:3_000] + "$0" + text[3_000:], seen=1_000)))
    assert found
    assert all(each.at + len(each.text) <= 2_000 or each.at >= 4_000 for each in found)


def test_an_edit_is_the_lines_that_changed():
    """From the first to the last; a document that is as it was has none."""
    before, after = "a\nb\nc\nd\n", "a\nB\nC\nd\n"
    (edit,) = recent_edits(scene("$0", visited("file:///b.py", after, before)))
    assert (edit.text, edit.at) == ("B\nC\n", 2)
    assert list(recent_edits(scene("$0", visited("file:///b.py", after)))) == []
    assert list(recent_edits(scene("$0", visited("file:///b.py", "a\nd\n", before)))) == []


@given(before=st.lists(st.sampled_from("abc"), max_size=6), after=st.lists(st.sampled_from("abc"), max_size=6))
def test_an_edit_stands_in_the_document(before, after):
    """Whatever was changed."""
    one, other = "".join(f"{each}\n" for each in before), "".join(f"{each}\n" for each in after)
    for edit in recent_edits(scene("$0", visited("file:///b.py", other, one))):
        assert other[edit.at : edit.at + len(edit.text)] == edit.text


MODULE = """import os


class Store:
    def __init__(self, path: str) -> None:
        self.path = path

    def read(self, key: str) -> bytes:
        return b""


def open_store(path: str) -> Store:
    return Store(path)


LIMIT = 10
"""


def heads(fixture: str, files: dict[str, str], language: str = "python") -> list[str]:
    """Return the definitions found behind a document's imports in these files."""
    gather = Definitions(lambda path: files.get(path.as_posix()))
    return [each.text for each in gather(scene(fixture, language=language))]


@pytest.mark.parametrize("imported", ["from store import", "from .store import", "from project.store import"])
def test_the_heads_of_imported_definitions(imported):
    """A function's line, a class's with its methods', a constant; absolute, relative and from the package's root."""
    files = {"/project/store.py": MODULE}
    body = "\n\nwith open_store(LIMIT) as s: Store.$0\n"
    assert heads(f"{imported} open_store, Store, LIMIT{body}", files) == [
        "def open_store(path: str) -> Store:\n",
        "class Store:\n    def __init__(self, path: str) -> None:\n    def read(self, key: str) -> bytes:\n",
        "LIMIT = 10\n",
    ]


def test_only_names_that_stand_near_the_cursor():
    """An import that is not used here tells nothing about the place."""
    assert (
        heads("from store import open_store, Store\n\nx = Store($0)\n", {"/project/store.py": MODULE})[0][:5] == "class"
    )


def test_scripts_import_from_files_beside_them():
    """With the endings that may be left out."""
    files = {"/project/lib/store.ts": "export function openStore(path: string): Store {\n}\n"}
    fixture = 'import { openStore } from "./lib/store";\n\nconst s = openStore($0\n'
    assert heads(fixture, files, "typescript") == ["export function openStore(path: string): Store {\n"]


def test_an_open_document_is_read_as_it_is_in_the_editor():
    """Not as it lies on the disk."""
    documents = visited("file:///project/store.py", "def open_store(now):\n    pass\n")
    gather = Definitions(lambda _path: MODULE)
    (found,) = gather(scene("from store import open_store\nopen_store($0)\n", documents))
    assert found.text == "def open_store(now):\n"


@given(text=st.text("from .import(),\n ab", max_size=60))
def test_imports_of_any_text_are_read(text):
    """Half-written ones too."""
    assert heads(f"{text}$0", {}) == []


def surroundings(names=("visited",), **options) -> Surroundings:
    """Return surroundings in which another file was opened."""
    found = Surroundings(names, **options)
    found.visit("file:///project/store.py", "python", MODULE)
    return found


TYPED = "store = open_store(path)\nreturn store.read(key"


def test_the_choice_holds_for_a_stretch():
    """While typing nothing in front of the prompt changes; a further stretch, or another document, chooses anew."""
    chooser = surroundings()
    first = chooser.around(place(f"{TYPED}$0", uri=HERE), **SIZES)
    assert first
    assert chooser.around(place(f"{TYPED})$0", uri=HERE), **SIZES) is first
    assert chooser.around(place(f"{TYPED}){'x' * 100}$0", uri=HERE), **SIZES) is not first


def test_alike_pieces_are_chosen_and_stand_last():
    """The nearer to the cursor, the more they help; those that share no word are left out."""
    chooser = Surroundings(("visited",))
    chooser.visit("file:///a.py", "python", "def other():\n    unrelated = 1\n")
    chooser.visit("file:///b.py", "python", "store = open_store(path)\n")
    chooser.visit("file:///c.py", "python", "def read(key):\n    pass\n")
    found = chooser.around(place(f"{TYPED}$0", uri=HERE), **SIZES)
    assert [each.name for each in found] == ["c.py", "b.py"]


def test_the_room_is_kept_and_nothing_is_shown_twice():
    """Pieces that are as good as the same count once."""
    chooser = Surroundings(("visited",))
    for name in "abc":
        chooser.visit(f"file:///{name}.py", "python", "store = open_store(path)\n")
    assert len(chooser.around(place(f"{TYPED}$0", uri=HERE), **SIZES)) == 1
    assert chooser.around(place(f"{TYPED}$0", uri=HERE), **SIZES | {"chars": 10}) == ()


def test_the_time_limit_is_hard():
    """However much there is to look through, gathering ends when its time is over."""
    ticks = iter(range(10_000))
    chooser = Surroundings(("visited",), limit_s=5, clock=lambda: float(next(ticks)))
    for number in range(10):
        chooser.visit(f"file:///{number}.py", "python", f"open_store_{number} = 1\n" * 200)
    chooser.around(place(f"{TYPED}$0", uri=HERE), **SIZES)
    assert next(ticks) <= 8


def test_no_gatherer_no_work():
    """Each can be left out."""
    assert surroundings(()).around(place(f"{TYPED}$0", uri=HERE), **SIZES) == ()
    for name in GATHERERS:
        surroundings((name,)).around(place(f"{TYPED}$0", uri=HERE), **SIZES)


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path):
    """A missing module, a folder, bytes that are no text."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    fixture = "from folder import a\nfrom bytes import b\nfrom missing import c\n\nx = a + b + c$0\n"
    request = place(fixture, uri=(tmp_path / "app.py").as_uri())
    assert list(Definitions()(Scene(request=request, visited={}))) == []


FIM = FimCard(
    layout="suffix-prefix", prefix="<P>", suffix="<S>", middle=None, end=(), suffix_tokens=20, excerpt_tokens=60
)
MARKED = FimCard(
    layout="prefix-suffix-middle",
    prefix="<P>",
    suffix="<S>",
    middle="<M>",
    end=(),
    suffix_tokens=20,
    excerpt_tokens=60,
    file="<F>",
)


class Spelled:
    """An engine whose tokens are code points; markers are negative."""

    one_vocabulary = True

    def tokenise(self, _tier, text):
        return [ord(char) for char in text]

    def special(self, _tier, marker):
        return -ord(marker[1])

    def begin(self, _tier):
        return None


def prompt(fim: FimCard, fixture: str, chooser: Surroundings, context: int = 300) -> str:
    """Return the prompt with its markers as they are written in the layout."""
    card = StageCard(id="tiny", file="tiny.gguf", family="tiny", fim=fim, healing=False)
    completer = Completer(Spelled(), {"small": card, "large": card}, PipelineOptions(), context, chooser)
    tokens = completer.prompt(place(fixture, uri=HERE), "small", 16).tokens
    assert len(tokens) + 16 <= context
    return "".join(f"<{chr(-token)}>" if token < 0 else chr(token) for token in tokens)


def with_one_line() -> Surroundings:
    """Return surroundings with another file of one line."""
    chooser = Surroundings(("visited",))
    chooser.visit("file:///b.py", "python", "store = open_store(path)\n")
    return chooser


def test_other_files_stand_in_front():
    """At the beginning of the prefix, or where a family marks files before all else, each behind its name."""
    shown = "store = open_store(path)\n"
    assert prompt(FIM, "open_store(path$0\nend\n", with_one_line()) == f"<S>end\n<P>{shown}open_store(path"
    marked = prompt(MARKED, "open_store(path$0\nend\n", with_one_line())
    assert marked == f"<F>b.py\n{shown}<F>app.py\n<P>open_store(path<S>end\n<M>"


def test_without_tokens_for_them_none_are_gathered():
    """The usual case costs nothing."""
    chooser = with_one_line()
    chooser.around = None
    assert prompt(replace(FIM, excerpt_tokens=0), "open_store(path$0", chooser) == "<S><P>open_store(path"


def test_what_does_not_fit_is_left_out():
    """More characters than tokens may be chosen; the prompt still fits."""
    chooser = Surroundings(("visited",))
    chooser.visit("file:///b.py", "python", "store = open_store(path)  # and much more of it, too much by far\n" * 2)
    assert prompt(FIM, "open_store(path$0", chooser) == "<S><P>open_store(path"


@given(typed=st.text("store(path)\n", max_size=30))
def test_typing_only_appends_behind_them(typed):
    """Within a stretch every key's prompt begins with the one before."""
    chooser = with_one_line()
    card = StageCard(id="tiny", file="tiny.gguf", family="tiny", fim=FIM, healing=False)
    completer = Completer(Spelled(), {"small": card, "large": card}, PipelineOptions(), 300, chooser)
    prompts = [
        completer.prompt(place(f"open_store(path{typed[:end]}$0", uri=HERE), "small", 16).tokens
        for end in range(len(typed) + 1)
    ]
    assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(prompts))
