"""The ledger: sums equal rows, nothing is lost, nothing is text, and trouble is one sentence."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.completion import Timings
from jouline.energy.entry import Entry, Totals
from jouline.energy.ledger import FILE_NAME, RETRY_S, Ledger, open_database, read_rows
from jouline.energy.migrations import STEPS
from jouline.energy.savings import SavedBy

SOURCE_LINE = "def launch_codes(self): return 0xDEADBEEF"

ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(["request", "request", "request", "load", "residency", "cancelled", "prefetch"]),
    at=st.floats(1.6e9, 1.8e9),
    session=st.sampled_from(["a", "b"]),
    action=st.sampled_from(["generate", "cache", "skip", "none"]),
    model=st.sampled_from([None, "small", "large"]),
    method=st.sampled_from(["measured", "attributed", "estimated", "unavailable"]),
    cancelled=st.booleans(),
    joules=st.one_of(st.none(), st.floats(0.0, 100.0)),
    saved_joules=st.one_of(st.none(), st.floats(-50.0, 100.0)),
    saved_stddev=st.one_of(st.none(), st.floats(0.0, 10.0)),
    saved_by=st.one_of(st.none(), st.builds(SavedBy, route=st.floats(-5, 5), stop=st.floats(-5, 5))),
    timings=st.one_of(st.none(), st.just(Timings(total_ms=12.0))),
    accepted_chars=st.integers(0, 80),
)


@pytest.fixture
def path(tmp_path):
    """Give a place for a ledger in a folder that does not exist yet."""
    return tmp_path / "data" / "ledger.sqlite"


def request(**facts):
    """Return a request's entry with a cost."""
    return Entry(**{"joules": 1.0, "method": "measured", "model": "small"} | facts)


def known(values):
    """Return the sum of what is known, or None."""
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def same(expected, actual):
    """Return whether two sums are equal up to rounding, None being only None."""
    return actual is None if expected is None else actual == pytest.approx(expected, abs=1e-6)


@given(st.lists(ENTRIES, max_size=25))
def test_totals_equal_the_sum_of_the_rows(entries):
    """Whatever is recorded, the sums are those of the rows, and what nobody knows stays unknown."""
    with Ledger(None) as ledger:
        for entry in entries:
            ledger.record(entry)
        totals = ledger.totals()
        by_session = ledger.by("session")
        by_model = ledger.by_model()
    asked = [entry for entry in entries if entry.kind == "request"]
    spent = [entry for entry in entries if entry.kind in {"request", "cancelled", "prefetch"}]
    assert totals.requests == len(asked)
    assert totals.joules_unknown == sum(entry.joules is None for entry in spent)
    assert totals.accepted_chars == sum(entry.accepted_chars for entry in entries)
    assert same(known(entry.joules for entry in spent), totals.joules)
    assert same(known(e.joules for e in entries if e.kind == "residency"), totals.residency_joules)
    assert same(known(e.saved_joules for e in entries if e.kind in {"request", "cancelled"}), totals.saved_joules)
    assert same(known(e.saved_by.route for e in entries if e.saved_by), totals.saved_route)
    for parts in (by_session, by_model):
        assert sum(each.requests for each in parts.values()) == totals.requests
        assert same(totals.joules, known(each.joules for each in parts.values()))


def test_rows_survive_closing_and_are_summed_by_day(path):
    """A second opening goes on where the first stopped."""
    with Ledger(path) as ledger:
        ledger.record(request(at=1.7e9))
        ledger.record(request(at=1.7e9 + 86_400))
    with Ledger(path) as ledger:
        ledger.record(request(at=1.7e9 + 86_400))
        days = ledger.by_day()
        assert [each.requests for each in days.values()] == [1, 2]
        assert list(days) == sorted(days)
        assert ledger.totals(since=1.7e9 + 1).requests == 2
        assert ledger.problem is None


def test_text_that_is_no_code_is_not_kept(path):
    """Source text cannot reach the file, by any string and with the log beside it."""
    with Ledger(path) as ledger:
        ledger.record(request(reason=SOURCE_LINE, language=SOURCE_LINE, model_id=SOURCE_LINE, session=SOURCE_LINE))
        ledger.feedback("nobody", "accepted", 3)
        ledger.totals()
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())
        (row,) = read_rows(path)
    assert b"launch" not in files
    assert b"DEADBEEF" not in files
    assert {row["reason"], row["language"], row["model_id"], row["session"]} == {"other"}


def test_codes_are_kept(path):
    """A reason code, a language and a catalogue id stand as they are."""
    with Ledger(path) as ledger:
        ledger.record(request(reason="gate.comment", language="python", model_id="jouline-py/1:q8_0"))
        ledger.flush()
        (row,) = read_rows(path)
    assert (row["reason"], row["language"], row["model_id"]) == ("gate.comment", "python", "jouline-py/1:q8_0")


FEEDBACK = [
    ([("shown", 0)], "shown", 0),
    ([("accepted", 12), ("shown", 0)], "accepted", 12),
    ([("partial", 4), ("partial", 9)], "partial", 9),
    ([("partial", 4), ("rejected", 0)], "partial", 4),
    ([("rejected", 0), ("accepted", 5)], "accepted", 5),
]


@pytest.mark.parametrize(("words", "outcome", "chars"), FEEDBACK)
def test_a_later_word_never_weakens_an_earlier_one(path, words, outcome, chars):
    """Editors send their notifications in any order; what was accepted stays accepted."""
    with Ledger(path) as ledger:
        ledger.record(request(id="one"))
        for word, length in words:
            ledger.feedback("one", word, length)
        totals = ledger.totals()
        (row,) = read_rows(path)
    assert (row["outcome"], totals.accepted_chars) == (outcome, chars)
    assert totals.accepted == (outcome in {"accepted", "partial"})


def test_recording_twice_counts_once(path):
    """An id is one request."""
    with Ledger(path) as ledger:
        ledger.record(request(id="one"))
        ledger.record(request(id="one"))
        assert ledger.totals().requests == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    """Totals go on in memory, and the person hears of it once."""
    (tmp_path / "file").write_text("not a folder")
    heard = []
    with Ledger(tmp_path / "file" / "ledger.sqlite", on_problem=heard.append) as ledger:
        for _ in range(3):
            ledger.record(request())
            assert ledger.totals().joules is not None
        assert ledger.totals().requests == 3
        assert len(heard) == 1
        assert heard[0] == ledger.problem
        assert heard[0].count(".") <= 2
        assert "totals go on in memory" in heard[0]


class FullDisk:
    """Opens ledgers whose file may not grow until there is room again."""

    def __init__(self):
        self.full = False

    def __call__(self, path: Path) -> sqlite3.Connection:
        db = open_database(path)
        db.execute(f"PRAGMA max_page_count = {1 if self.full else 1_000_000}")
        return db


def test_a_full_disk_loses_nothing(path):
    """What could not be written is written once there is room, in order, feedback included."""
    disk, time_s = FullDisk(), [0.0]
    ledger = Ledger(path, connect=disk, clock=lambda: time_s[0])
    ledger.record(request(id="before"))
    ledger.flush()
    disk.full = True
    ledger._disk.execute("PRAGMA max_page_count = 1")
    for number in range(200):
        ledger.record(request(id=f"during{number}"))
    ledger.feedback("during7", "accepted", 5)
    assert ledger.totals().requests == 201
    assert "full" in ledger.problem
    disk.full = False
    time_s[0] += RETRY_S
    ledger.record(request(id="after"))
    assert ledger.totals().requests == 202
    assert ledger.problem is None
    assert ledger._unwritten == []
    ledger.close()
    with Ledger(path) as again:
        assert (again.totals().requests, again.totals().accepted) == (202, 1)


def test_a_damaged_file_is_put_aside(path):
    """What is no database stays beside the new ledger, and recording goes on."""
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 100)
    with Ledger(path) as ledger:
        ledger.record(request())
        assert ledger.totals().requests == 1
        assert ledger.writable
        told = ledger.problem
    (kept,) = [file for file in path.parent.iterdir() if "damaged" in file.name]
    assert kept.read_bytes().startswith(b"this is not")
    assert told == f"The ledger {path} was damaged; it is kept as {kept.name}, and counting begins anew."
    with Ledger(path) as again:
        assert again.totals().requests == 1
        assert again.problem is None


def test_a_ledger_of_a_newer_program_is_left_alone(path):
    """It is not touched; the sentence says to update."""
    open_database(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with Ledger(path) as ledger:
        ledger.record(request())
        assert ledger.totals().requests == 1
        assert "newer Jouline" in ledger.problem
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT COUNT(*) FROM entry").fetchone() == (0,)


def test_many_openers_migrate_once(path):
    """Processes that start together find one table, made once."""
    failures = []

    def open_one():
        try:
            open_database(path).close()
        except sqlite3.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS),)


def test_two_editors_that_begin_at_once_both_write(tmp_path):
    """Making a new ledger is a moment in which they collide; neither is left with its memory alone."""
    said = []
    for number in range(60):
        path = tmp_path / str(number) / FILE_NAME
        with Ledger(path, on_problem=said.append) as one, Ledger(path, on_problem=said.append) as two:
            one.record(request(session="one"))
            two.record(request(session="two"))
    assert said == []


def test_two_editors_share_a_ledger(path):
    """Each sees the other's rows; sessions keep them apart."""
    with Ledger(path) as one, Ledger(path) as two:
        for _ in range(50):
            one.record(request(session="one"))
            two.record(request(session="two"))
        assert one.totals(session="one").requests == 50
        two.flush()
        one.flush()
        assert one.totals().requests == two.totals().requests == 100


def test_a_clock_set_back_moves_no_session_total(path):
    """Sessions are told by name, not by time."""
    with Ledger(path) as ledger:
        for at in (1.7e9, 1.7e9 - 86_400 * 400, 1.7e9 + 10):
            ledger.record(request(at=at, session="one"))
        assert ledger.totals(session="one").requests == 3
        assert ledger.totals(since=1.7e9).requests == 2


def test_a_value_sqlite_cannot_store_costs_only_its_own_row(path):
    """One poisoned row must not keep the rest from being written."""
    with Ledger(path) as ledger:
        ledger.record(request(joules=object()))
        ledger.record(request(generated=2**80))
        ledger.record(request(id="one"))
        ledger.feedback("\ud800", "accepted", 1)
        ledger.feedback("one", "accepted", 2**80)
        assert ledger.totals().requests == 1
        assert ledger.problem is None


def test_forgetting_deletes_for_good(path):
    """Rows before a moment are gone, and so are their bytes."""
    with Ledger(path) as ledger:
        for number in range(20):
            ledger.record(request(at=1.7e9 + number, model_id="forget-me-model"))
        assert ledger.forget(1.7e9 + 15) == 15
        assert ledger.totals().requests == 5
        assert ledger.forget() == 5
        ledger.flush()
    assert b"forget-me-model" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_after_closing_nothing_raises(path):
    """A late notification is no crash."""
    ledger = Ledger(path)
    ledger.close()
    ledger.record(request())
    ledger.feedback("x", "accepted", 1)
    ledger.close()


def test_the_headline_is_net_of_what_always_large_would_not_have_paid():
    """Residency, loads and prefetching in full, or the stated part of them; what was cancelled stands apart."""
    with Ledger(None) as ledger:
        for _ in range(10):
            ledger.record(request(joules=1.0, baseline_joules=4.0, saved_joules=3.0, saved_stddev=0.1))
        ledger.record(Entry(kind="residency", joules=5.0, method="estimated"))
        ledger.record(Entry(kind="load", joules=2.0, saved_joules=-0.5, method="estimated"))
        ledger.record(Entry(kind="prefetch", joules=1.5, method="estimated"))
        ledger.record(request(joules=3.0, cancelled=True))
        totals = ledger.totals()
    assert totals.joules == pytest.approx(14.5)
    assert totals.saved_joules == pytest.approx(30.0)
    assert totals.net_saving.joules == pytest.approx(30.0 - 5.0 - 0.5 - 1.5)
    assert totals.headline("large").saved_percent == pytest.approx(57.5)
    assert totals.cancelled_joules == pytest.approx(3.0)


def test_an_empty_ledger_knows_counts_and_no_joules():
    """Zero requests are zero; joules nobody measured are None."""
    with Ledger(None) as ledger:
        totals = ledger.totals()
    assert totals == Totals()
    assert (totals.requests, totals.joules, totals.method) == (0, None, "unavailable")
    assert totals.headline("large").state == "too few requests"


def test_looking_does_not_need_to_write(path):
    """Rows of a ledger that cannot be written any more are still summed."""
    with Ledger(path) as ledger:
        ledger.record(request())

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    with Ledger(path, connect=refuse) as ledger:
        ledger.record(request())
        assert ledger.totals().requests == 2
        assert "Permission denied" in ledger.problem


ROWS_A_BATCH = 5
WRITER = """
import sys
from pathlib import Path
from jouline.energy.entry import Entry
from jouline.energy.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
number = 0
while True:
    ledger.record(Entry(joules=1.0, method="measured", session=sys.argv[2]))
    if number % 5 == 4:
        ledger.flush()
        print(number + 1, flush=True)
    number += 1
"""


def start_writer(path, session):
    """Start a process that writes rows until it is killed."""
    command = [sys.executable, "-c", WRITER, str(path), session]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_after(writer, acknowledgements):
    """Kill a writer once so many batches are acknowledged; returns how many rows were."""
    for _ in range(acknowledgements):
        writer.stdout.readline()
    last = acknowledgements * ROWS_A_BATCH
    writer.kill()
    rest = writer.communicate()[0].split()
    return int(rest[-1]) if rest else last


def check_ledger(path, least):
    """Hold the ledger against its rows: the file is sound, every acknowledged row is there, the sums are the rows'."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows, joules = db.execute("SELECT COUNT(*), SUM(joules) FROM entry").fetchone()
    with Ledger(path) as ledger:
        totals = ledger.totals()
    assert totals.requests == rows >= least
    assert totals.joules == pytest.approx(joules)


def test_a_killed_process_loses_nothing_that_was_acknowledged(path):
    """SIGKILL in the middle of writing: the file is sound, and every flushed row is there."""
    least = 0
    for number in range(2):
        running = [start_writer(path, f"s{number}-{index}") for index in range(2)]
        least += sum(kill_after(writer, 1 + (number + 3 * index) % 7) for index, writer in enumerate(running))
        check_ledger(path, least)


NURSERY = """
import os, random, select, signal, sys
from pathlib import Path
from jouline.energy.entry import Entry
from jouline.energy.ledger import Ledger

def write(path, session, acknowledged):
    ledger, number = Ledger(path), 0
    while True:
        for _ in range(5):
            ledger.record(Entry(joules=1.0, method="measured", session=session))
        ledger.flush()
        number += 5
        os.write(acknowledged, b"%d\\n" % number)

def begin(path, session):
    told, acknowledged = os.pipe()
    process = os.fork()
    if process:
        os.close(acknowledged)
        return process, told
    os.close(told)
    write(path, session, acknowledged)

def end(process, told, wait_s):
    heard = os.read(told, 65536)
    select.select([], [], [], wait_s)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    while more := os.read(told, 65536):
        heard += more
    os.close(told)
    return int(heard.split(b"\\n")[-2])

path, draw = Path(sys.argv[1]), random.Random(7)
for line in sys.stdin:
    writers = [begin(path, f"s{line.strip()}-{index}") for index in range(4)]
    print(sum(end(*writer, draw.uniform(0.0, 0.02)) for writer in writers), flush=True)
"""


@pytest.mark.e2e
@pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked")
def test_two_hundred_kills(path):
    """Two hundred writers killed at random moments, four at once on one ledger: totals equal the sum of the rows.

    They are forked by a process that has no threads and has imported all they need, so that each begins at once.
    """
    least = 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        for number in range(50):
            nursery.stdin.write(f"{number}\n")
            nursery.stdin.flush()
            least += int(nursery.stdout.readline())
            check_ledger(path, least)
        nursery.stdin.close()
    assert nursery.returncode == 0
    assert least >= 200 * ROWS_A_BATCH
