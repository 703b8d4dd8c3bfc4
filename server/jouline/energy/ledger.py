"""The ledger: what every request cost and saved, on disk, without a word of source.

SQLite in WAL mode with one writer thread, so that recording costs the caller a queue's `put`. A killed process loses
at most what was still queued. A ledger that cannot be written becomes one sentence in `problem`, and the totals go
on in memory until it can; a damaged one is put aside, and `problem` says where. Several processes may share one file.
"""

import contextlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from jouline.energy.entry import Entry, Outcome, Totals
from jouline.energy.migrations import migrate
from jouline.energy.sums import Span, latencies, sums, sums_by_time
from jouline.errors import LedgerError

log = logging.getLogger(__name__)

FILE_NAME = "ledger.sqlite"
WAIT_FOR_OTHERS_S = 5.0
COLLISION_S = 0.01
RETRY_S = 30.0
KEPT_FOR_RETRY = 20_000

_COLUMNS = tuple(Entry().row())
_INSERT = f"INSERT OR IGNORE INTO entry ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"  # noqa: S608
# A later word on a suggestion never weakens an earlier one: accepted > partial > rejected > shown.
_RANK = "CASE {} WHEN 'accepted' THEN 4 WHEN 'partial' THEN 3 WHEN 'rejected' THEN 2 WHEN 'shown' THEN 1 ELSE 0 END"
_FEEDBACK = f"""
    UPDATE entry SET accepted_chars = MAX(accepted_chars, :chars),
        outcome = CASE WHEN {_RANK.format(":outcome")} >= {_RANK.format("outcome")} THEN :outcome ELSE outcome END
    WHERE id = :id
"""  # noqa: S608
T = TypeVar("T")
Change = Callable[[sqlite3.Connection], int]
_Waiting = tuple[Change, Future[int] | None]


class Ledger:
    """The open ledger. `path` None keeps everything in memory. Safe to use from any thread."""

    def __init__(
        self,
        path: Path | None,
        *,
        connect: Callable[[Path], sqlite3.Connection] | None = None,
        on_problem: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._connect = connect or partial(open_database, on_damaged=self._note)
        self._on_problem = on_problem
        self._clock = clock
        self._changes: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._unwritten: list[Change] = []
        self._lock = threading.Lock()
        self._memory = _in_memory()
        self._disk: sqlite3.Connection | None = None
        self._retry_at = float("-inf")
        self._problem: str | None = None
        self._put_aside: str | None = None
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="ledger-writer", daemon=True)
        self._writer.start()

    @property
    def problem(self) -> str | None:
        """One sentence while the ledger cannot be written, or on the damaged one put aside; None where all is well."""
        return self._problem or self._put_aside

    @property
    def writable(self) -> bool:
        """Whether the last attempt to write went well, as far as one was made."""
        return self._problem is None

    def record(self, entry: Entry) -> None:
        """Write a row soon; returns at once and never raises."""
        row = entry.row()
        self._put(lambda db: db.execute(_INSERT, row).rowcount)

    def feedback(self, entry_id: str, outcome: Outcome, chars: int = 0) -> None:
        """Note what became of a suggestion; an unknown id is ignored, and accepted is never taken back."""
        values = {"id": entry_id, "outcome": outcome, "chars": max(0, chars)}
        self._put(lambda db: db.execute(_FEEDBACK, values).rowcount)

    def totals(self, since: float | None = None, session: str | None = None) -> Totals:
        """Return the sums over all rows, those just recorded included."""
        return self.by("all", since, session).get("", Totals())

    def by_day(self, since: float | None = None, session: str | None = None) -> dict[str, Totals]:
        """Return the sums by local day, `YYYY-MM-DD`, oldest first."""
        return self.by("day", since, session)

    def by_model(self, since: float | None = None, session: str | None = None) -> dict[str, Totals]:
        """Return what answers cost by catalogue id, else by tier; what no model answered is under its action."""
        return self.by("model", since, session)

    def by(self, group: str, since: float | None = None, session: str | None = None) -> dict[str, Totals]:
        """Return the sums by `day, session, kind, method` or `all`, or of answers by `model, language, route`."""
        self.flush()
        kept, found = self._both(lambda db: sums(db, group, since, session))
        return dict(sorted(_added(found or {}, kept).items()))

    def by_time(self, span: Span, since: float | None = None) -> dict[str, dict[str, Totals]]:
        """Return the sums of answers by local hour (`YYYY-MM-DD HH`) or day, and in each by route; oldest first."""
        kept, found = self._both(lambda db: sums_by_time(db, span, since))
        found = found or {}
        times = sorted(kept.keys() | found.keys())
        return {time: dict(sorted(_added(found.get(time, {}), kept.get(time, {})).items())) for time in times}

    def latencies_ms(self, since: float | None = None, session: str | None = None) -> list[float]:
        """Return how long the latest answers took that a model gave, at most 10,000 of them."""
        kept, found = self._both(lambda db: latencies(db, since, session))
        return [*(found or ()), *kept]

    def forget(self, before: float | None = None) -> int:
        """Delete the rows older than `before` (seconds since 1970), or all; returns how many, once it is done."""
        limit = float("inf") if before is None else before
        change: Change = lambda db: db.execute("DELETE FROM entry WHERE at < ?", (limit,)).rowcount  # noqa: E731
        return self._submit(change).result()

    def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        self._submit(lambda _: 0).result()

    def close(self) -> None:
        """Write what is left and close; later calls change only what is in memory."""
        if self._closed:
            return
        self._closed = True
        self._changes.put(None)
        self._writer.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, change: Change) -> Future[int]:
        done: Future[int] = Future()
        self._put(change, done)
        return done

    def _put(self, change: Change, done: Future[int] | None = None) -> None:
        """Have a change written; `done` hears of it where somebody waits."""
        if self._closed:
            self._in_memory_only(change, done)
        else:
            self._changes.put((change, done))

    def _write(self) -> None:
        """Write batches until closed: all that is waiting is one transaction."""
        running = True
        while running:
            batch = [self._changes.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._changes.get_nowait())
            running = None not in batch
            self._write_batch([each for each in batch if each is not None], last=not running)
        if self._disk is not None:
            self._disk.close()

    def _write_batch(self, batch: list[_Waiting], *, last: bool) -> None:
        if self.path is not None and (last or self._problem is None or self._clock() >= self._retry_at):
            try:
                counts = self._commit([change for change, _ in batch])
            except (sqlite3.Error, OSError, LedgerError) as error:
                self._fail(error)
            else:
                self._recover()
                for (_, done), count in zip(batch, counts, strict=True):
                    if done is not None:
                        done.set_result(count)
                return
        for change, done in batch:
            self._in_memory_only(change, done)

    def _commit(self, changes: list[Change]) -> list[int]:
        """Write what could not be written before, then these, all or none."""
        if self._disk is None:
            assert self.path is not None  # noqa: S101  the caller's condition, for the type checker
            self._disk = self._connect(self.path)
        db = self._disk
        db.execute("BEGIN IMMEDIATE")
        try:
            for change in self._unwritten:
                _apply(change, db)
            counts = [_apply(change, db) for change in changes]
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return counts

    def _fail(self, error: Exception) -> None:
        self._retry_at = self._clock() + RETRY_S
        if self._disk is not None:
            self._disk.close()
            self._disk = None
        problem = _sentence(self.path, error)
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)

    def _note(self, kept: Path) -> None:
        self._put_aside = f"The ledger {self.path} was damaged; it is kept as {kept.name}, and counting begins anew."
        self._on_problem(self._put_aside)

    def _recover(self) -> None:
        if self._problem is None:
            return
        with self._lock:
            self._problem = None
            self._unwritten.clear()
            self._memory = _in_memory()

    def _in_memory_only(self, change: Change, done: Future[int] | None) -> None:
        with self._lock:
            count = _apply(change, self._memory)
            if self.path is not None and len(self._unwritten) < KEPT_FOR_RETRY:
                self._unwritten.append(change)
        if done is not None:
            done.set_result(count)

    def _both(self, read: Callable[[sqlite3.Connection], T]) -> tuple[T, T | None]:
        """Return what is in memory and what is on disk, if anything, all that was recorded so far included."""
        self.flush()
        with self._lock:
            kept = read(self._memory)
        return kept, self._on_disk(read)

    def _on_disk(self, read: Callable[[sqlite3.Connection], T]) -> T | None:
        if self.path is None or not os.path.exists(self.path):  # noqa: PTH110  Path.exists raises where one may not look
            return None
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_open_reader(self.path)) as db:
            return read(db)
        return None


def _added(one: dict[str, Totals], other: dict[str, Totals]) -> dict[str, Totals]:
    return {key: one.get(key, Totals()) + other.get(key, Totals()) for key in one.keys() | other.keys()}


def _apply(change: Change, db: sqlite3.Connection) -> int:
    try:
        return change(db)
    except (sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, ValueError) as error:
        # A value that SQLite cannot hold must not keep every other row from being written.
        log.warning("ledger: a row was dropped: %s", type(error).__name__)
        return 0


def open_database(path: Path, *, on_damaged: Callable[[Path], None] = lambda _: None) -> sqlite3.Connection:
    """Open the ledger for writing, made and brought up to date where needed.

    A damaged one is put aside, and `on_damaged` hears where. Raises LedgerError, sqlite3.Error or OSError where that
    cannot be done.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open_writer(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        on_damaged(_put_aside(path))
        return _open_writer(path)


def _open_writer(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=WAIT_FOR_OTHERS_S, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(db)
        # NORMAL: a killed process loses nothing that was committed, a power cut perhaps the last moments.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to WAL. Two who do so at once on a new file collide at once: SQLite's own waiting does not cover it."""
    until = time.monotonic() + WAIT_FOR_OTHERS_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(COLLISION_S)
        else:
            return


def _open_reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT_FOR_OTHERS_S)


def _in_memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(db)
    return db


def _put_aside(path: Path) -> Path:
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        with contextlib.suppress(FileNotFoundError):
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _sentence(path: Path | None, error: Exception) -> str:
    if isinstance(error, LedgerError):
        return str(error)
    what = str(error).rstrip(".")
    if isinstance(error, OSError):
        what = error.strerror or what
    return f"The ledger {path} cannot be written ({what}); totals go on in memory, so free or allow that place."


def read_rows(path: Path) -> Iterator[dict[str, object]]:
    """Yield the rows of a ledger file, oldest first, as columns and values; nothing where there is no file."""
    if not path.exists():
        return
    with contextlib.closing(_open_reader(path)) as db:
        db.row_factory = sqlite3.Row
        for row in db.execute("SELECT * FROM entry ORDER BY rowid"):
            yield dict(row)
