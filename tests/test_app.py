"""The application with its real pair: what it answers, what it books, what it survives."""

import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jouline.app import App, _open_parts, build
from jouline.cancel import Cancelled, CancelToken
from jouline.catalogue.card import load_catalogue
from jouline.catalogue.choice import choose_pair
from jouline.completion import CompletionRequest, Feedback
from jouline.config import Config, Folders
from jouline.energy.clock import Clock
from jouline.energy.costbook import CostBook
from jouline.energy.ledger import Ledger, read_rows
from jouline.energy.meter import open_meters
from jouline.energy.nvml import Nvidia
from jouline.engine.generate import Limits
from jouline.errors import ConfigError
from jouline.pipeline.books import Books
from jouline.pipeline.progress import Progress
from jouline.router.router import FixedRouter
from tests.energy.fakes import FakeNvml, board
from tests.families.test_families import open_family

pytestmark = pytest.mark.model

SOURCE = '''\
class Box:
    """A box with three sides."""

    def __init__(self, width, height, depth):
        self.width = width
        self.height = $0
        self.depth = depth

    def volume(self):
        return self.width * self.height * self.depth
'''


def folders(root: Path) -> Folders:
    """Return folders under a temporary root."""
    return Folders(config=root / "config", data=root / "data", cache=root / "cache", log=root / "log")


def at_mark(source: str, **wishes: object) -> CompletionRequest:
    """Return a request at the cursor mark."""
    text = source.replace("$0", "")
    return CompletionRequest(
        uri="file:///box.py",
        language="python",
        text=text,
        offset=source.index("$0"),
        **wishes,  # type: ignore[arg-type]
    )


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """Open an application with the embedded pair and a ledger of its own."""
    with build(Config(), folders(tmp_path)) as opened:
        yield opened


def test_both_models_answer_and_say_so(app: App) -> None:
    """A fixed route is obeyed, and the answer names the model, its cost and its counterfactual."""
    for route in ("small", "large"):
        completion = app.complete(at_mark(SOURCE, route=route, trigger="invoked"), CancelToken())

        assert (route,) == completion.models_run
        assert completion.text
        assert (completion.energy.joules or 0) > 0
        assert completion.energy.method in {"estimated", "attributed", "measured"}
        assert completion.energy.baseline_model == app.card.large.id
        assert (completion.energy.baseline_joules or 0) > 0
        assert completion.tokens.generated > 0


def test_an_unknown_route_is_refused_by_name(app: App) -> None:
    """A route that this pair does not have gives one sentence that lists those it has."""
    with pytest.raises(ConfigError, match="auto, small, large, embedded-small, embedded-large"):
        app.complete(at_mark(SOURCE, route="huge"), CancelToken())


def test_what_is_typed_along_costs_no_inference(app: App) -> None:
    """The rest of a suggestion that is being typed comes from the cache, runs no model and saves nothing."""
    first = app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken())

    again = app.complete(at_mark(SOURCE.replace("$0", first.text[:3] + "$0"), trigger="invoked"), CancelToken())

    assert ("cache", first.text[3:], ()) == (again.action, again.text, again.models_run)
    assert again.energy.saved_joules == 0


def test_a_keystroke_evaluates_next_to_nothing(app: App) -> None:
    """With the timeline warm, one more character costs at most a few prompt tokens on either model."""
    for route in ("small", "large"):
        app.complete(at_mark(SOURCE, route=route, cache=False), CancelToken())
        for typed in ("s", "se", "sel", "self", "self."):
            request = at_mark(SOURCE.replace("$0", typed + "$0"), route=route, cache=False)
            assert app.complete(request, CancelToken()).tokens.prompt_evaluated <= 3


def test_a_cancelled_request_raises(app: App, tmp_path: Path) -> None:
    """Work that nobody waits for ends as Cancelled, and the next request is served."""
    cancel = CancelToken()
    long = "value = [1, 2, 3]\n" * 400 + "$0"
    blocked = threading.Event()
    app._thread.submit(blocked.wait)
    future = app.submit(at_mark(long, route="large"), cancel)
    cancel.cancel()
    blocked.set()

    with pytest.raises(Cancelled):
        future.result()

    assert app.complete(at_mark(SOURCE, route="large", trigger="invoked"), CancelToken()).text


def test_cancelling_in_the_middle_of_a_prefill_frees_the_engine(app: App, tmp_path: Path) -> None:
    """A running evaluation ends when its token is cancelled; its cost is booked and the answer after it is right."""
    texts = [f"value_{n} = [1, 2, {n}]\n" * 200 for n in range(20)]
    ended = []
    for text in texts:
        cancel = CancelToken()
        future = app.submit(at_mark(text + "$0", route="large", trigger="invoked"), cancel)
        threading.Timer(0.01, cancel.cancel).start()
        try:
            future.result()
            ended.append("answered")
        except Cancelled:
            ended.append("cancelled")
    app.close()
    rows = [row for row in read_rows(tmp_path / "data" / "ledger.sqlite") if row["kind"] == "cancelled"]

    assert "cancelled" in ended
    assert 0 < len(rows) <= ended.count("cancelled")
    assert all((row["cpu_seconds"] or 0) >= 0 and row["method"] != "unavailable" for row in rows)


def test_a_stopped_request_does_not_make_the_baseline_pay_twice(app: App) -> None:
    """The answer after a stopped request is compared with a large model that had got as far: no saving from nothing."""
    request = at_mark("value = [1, 2, 3]\n" * 200 + "$0", route="large", trigger="invoked", cache=False)
    pipeline = app._parts.pipeline
    completer = pipeline._completer
    standing = completer.generate(request, "large", CancelToken(), Limits(max_tokens=1))
    pipeline._stopped(
        request, Progress(started=0.0, runs=[], decision=FixedRouter("large").route(request, energy_saving=0))
    )

    answer = app.complete(request, CancelToken())

    assert standing.prompt_evaluated > 200
    assert answer.energy.baseline_joules is not None
    per_token = 0.2 * answer.energy.baseline_joules
    assert answer.tokens.prompt_evaluated <= 2
    assert abs(answer.energy.saved_joules or 0.0) < 5 * max(answer.energy.joules or 0.0, per_token)


def test_the_choice_knows_what_the_large_model_has_to_catch_up(app: App) -> None:
    """After answers of the small model alone the large one is further behind; its own answer brings it level."""

    def behind() -> float:
        request = at_mark(SOURCE, trigger="invoked")
        costs = app._thread.submit(app._parts.pipeline._prices, request).result()
        assert costs is not None
        return costs.large - costs.large_level

    app.complete(at_mark(SOURCE, route="small", trigger="invoked", cache=False), CancelToken())
    late = behind()
    app.complete(at_mark(SOURCE, route="large", trigger="invoked", cache=False), CancelToken())

    assert late > 0
    assert behind() < late


def test_what_became_of_suggestions_is_learned_and_kept(tmp_path: Path) -> None:
    """A suggestion that was accepted and stands teaches the router of this language; the next session knows it."""
    written = SOURCE.replace("$0", "height")
    with build(Config(), folders(tmp_path)) as app:
        completion = app.complete(at_mark(SOURCE, trigger="invoked", cache=False), CancelToken())
        assert completion.text
        app.feedback(Feedback(completion_id=completion.id, outcome="accepted", chars=len(completion.text)))
        below = written.index("self.depth")
        app.complete(at_mark(written[:below] + "$0" + written[below:], trigger="invoked"), CancelToken())
    learned = next((tmp_path / "data" / "routers").glob("*.learned.json"))

    (language,) = json.loads(learned.read_text())["languages"].items()
    assert language[0] == "python"
    assert "height" not in learned.read_text()


def test_a_quality_floor_wins_over_energy_saving(tmp_path: Path) -> None:
    """With all of the large model's quality asked for, the large model answers whatever the saving says."""
    config = Config(energy_saving=100, quality_floor=100.0)
    with build(config, folders(tmp_path)) as app:
        kept = app.complete(at_mark(SOURCE, energy_saving=100, trigger="invoked"), CancelToken())
        app.reconfigure(Config(energy_saving=100))
        free = app.complete(at_mark(SOURCE, energy_saving=100, trigger="invoked", cache=False), CancelToken())

    assert kept.models_run == ("large",)
    assert free.models_run == ("small",)


def test_without_a_ledger_the_books_are_kept_in_memory(tmp_path: Path) -> None:
    """A replay's work is counted for the session and never reaches the user's ledger."""
    with build(Config(), folders(tmp_path), keep_ledger=False) as app:
        app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken())
        assert app.session_energy(settle=True).requests == 1

    assert not (tmp_path / "data" / "ledger.sqlite").exists()


def test_hopeless_places_are_skipped_with_a_reason(app: App) -> None:
    """An automatic request inside a word runs no model and says why; the same wish, explicit, is answered."""
    inside = SOURCE.replace("$0", "hei$0ght")

    skipped = app.complete(at_mark(inside), CancelToken())

    assert (skipped.action, skipped.text, skipped.models_run) == ("skip", "", ())
    assert skipped.reason.endswith(".")
    assert skipped.energy.saved_joules is None
    assert app.complete(at_mark(inside, trigger="invoked", gate=False), CancelToken()).models_run


def test_acceptance_reaches_the_session_and_the_ledger(app: App, tmp_path: Path) -> None:
    """What a person takes is counted once, however often it is told."""
    completion = app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken())
    for _ in range(2):
        app.feedback(Feedback(completion_id=completion.id, outcome="accepted", chars=len(completion.text)))

    session = app.session_energy()
    app.close()
    (row,) = (row for row in read_rows(tmp_path / "data" / "ledger.sqlite") if row["kind"] == "request")

    assert (1, len(completion.text)) == (session.accepted, session.accepted_chars)
    assert ("accepted", len(completion.text)) == (row["outcome"], row["accepted_chars"])


def test_no_source_text_reaches_the_ledger(app: App, tmp_path: Path) -> None:
    """The bytes of the ledger's files hold neither the document nor the completion nor its address."""
    marked = SOURCE.replace("height", "xylophonic")
    app.complete(at_mark(marked, trigger="invoked"), CancelToken())
    app.close()

    written = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())

    assert b"xylophonic" not in written
    assert b"box.py" not in written


def test_a_ledger_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Without a ledger requests are answered all the same, and the problem is named."""
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")

    with build(Config(), folders(tmp_path)) as app:
        assert app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken()).text
        assert any("ledger" in problem for problem in app.problems)
        assert app.session_energy().requests == 1


def test_what_the_models_cost_is_known_in_the_next_session(tmp_path: Path) -> None:
    """The cost models go on after a restart; a damaged file is one sentence, and all goes on without it."""
    book = tmp_path / "data" / "costs.json"
    with build(Config(), folders(tmp_path)) as app:
        app.complete(at_mark(SOURCE, route="large", trigger="invoked"), CancelToken())
    first = json.loads(book.read_text())["models"]
    with build(Config(), folders(tmp_path)) as app:
        app.complete(at_mark(SOURCE, route="large", trigger="invoked"), CancelToken())
        assert app.problems == ()
    second = json.loads(book.read_text())["models"]
    book.write_text("no JSON at all")
    with build(Config(), folders(tmp_path)) as app:
        assert [problem for problem in app.problems if "costs.json" in problem]
        assert app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken()).text

    assert [each["model"].split()[0] for each in first] == ["embedded-small", "embedded-small"]
    assert sum(each["state"]["count"] for each in first) == 1
    assert sum(each["state"]["count"] for each in second) == 2


def test_boards_are_read_only_while_a_model_lies_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate model on a GPU opens the driver's library for as long as it is in use, and no longer."""
    library = FakeNvml(board(joules=5.0, pids=[os.getpid()]))
    meters = open_meters(tmp_path / "sys", {}, nvidia=Nvidia(Clock(), load=lambda: library))
    monkeypatch.setattr("jouline.opening.supports_gpu", lambda: True)
    monkeypatch.setattr("jouline.opening._free_bytes", lambda: 8_000_000_000)
    stage = open_family(tmp_path, load_catalogue().family("qwen-coder"), "<|endoftext|>")
    stage.pair.close()
    monkeypatch.setattr(
        "jouline.app.choose_pair", lambda known, small, large: stage.card if small else choose_pair(known, small, large)
    )
    ledger = Ledger(None)
    books = Books(ledger, session="test")
    opening = partial(_open_parts, folders(tmp_path), meters, books, CostBook(None))

    with App(Config(model_small="tiny"), open_parts=opening, books=books, meters=meters, ledger=ledger) as app:
        opened = [library.open]
        app.reconfigure(Config())
        opened.append(library.open)
        app.reconfigure(Config(model_small="tiny"))
        opened.append(library.open)

    assert [*opened, library.open] == [1, 0, 1, 0]


def test_an_unknown_model_setting_gives_the_default_pair_and_one_sentence(app: App) -> None:
    """Settings that name no model are told once; the pair that comes with the program answers."""
    app.reconfigure(Config(model_small="no-such-model"))

    assert app.card.id == "embedded"
    assert ["no-such-model" in problem for problem in app.problems] == [True]
    assert app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken()).text


def test_the_last_answer_at_a_place_can_be_explained(app: App) -> None:
    """`explain` returns what was answered there, and None where nothing was asked."""
    request = at_mark(SOURCE, trigger="invoked")
    completion = app.complete(request, CancelToken())

    assert completion == app.explain(request.uri, request.offset)
    assert app.explain(request.uri, request.offset + 1) is None


def test_several_candidates_differ_and_a_file_of_secrets_has_none(app: App) -> None:
    """The real pair's texts, the first the one that it would give alone; what is withheld has its reason."""
    alone = app.complete(at_mark(SOURCE, trigger="invoked", cache=False), CancelToken())
    several = app.complete(at_mark(SOURCE, trigger="invoked", candidates=3), CancelToken())
    texts = [several.text, *(other.text for other in several.others)]
    assert texts[0] == alone.text
    assert 1 < len(texts) <= 3
    assert len(set(texts)) == len(texts)

    app.reconfigure(Config(exclude=("box.py",)))
    withheld = app.complete(at_mark(SOURCE, trigger="invoked"), CancelToken())
    assert (withheld.action, withheld.text) == ("skip", "")
    app.reconfigure(Config())
    app.visited("file:///home/.env", "python", "TOKEN = 1\n")
    app.visited("file:///b.py", "python", "x = 1\n")
    assert list(app._parts.pipeline._completer._surroundings._visited) == ["file:///b.py"]
