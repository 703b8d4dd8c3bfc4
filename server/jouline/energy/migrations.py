"""The ledger's tables, as numbered steps. A step once released never changes; the next one is added below.

The number of steps taken is SQLite's `user_version`. Times are seconds since 1970, energies joules, NULL is unknown.
"""

import sqlite3
from collections.abc import Callable

from jouline.errors import LedgerError


def m001_entries(db: sqlite3.Connection) -> None:
    """One row for each request, load, stretch of residency or cancelled piece of work."""
    db.execute(
        """
        CREATE TABLE entry (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            at REAL NOT NULL,
            session TEXT NOT NULL,
            language TEXT NOT NULL,
            action TEXT NOT NULL,
            reason TEXT NOT NULL,
            model TEXT,
            model_id TEXT,
            baseline_model TEXT,
            method TEXT NOT NULL,
            cancelled INTEGER NOT NULL,
            prompt_tokens INTEGER, prompt_evaluated INTEGER, generated INTEGER,
            queue_ms REAL, route_ms REAL, prompt_ms REAL, generate_ms REAL, total_ms REAL,
            cpu_seconds REAL,
            joules REAL, joules_low REAL, joules_high REAL, router_joules REAL,
            baseline_joules REAL, saved_joules REAL, saved_stddev REAL, saved_shared_stddev REAL,
            saved_route REAL, saved_exit REAL, saved_stop REAL, saved_gate REAL, saved_drafts REAL,
            outcome TEXT,
            accepted_chars INTEGER NOT NULL DEFAULT 0
        )
        """
    )
    db.execute("CREATE INDEX entry_at ON entry (at)")
    db.execute("CREATE INDEX entry_session ON entry (session)")


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (m001_entries,)


def migrate(db: sqlite3.Connection) -> None:
    """Take the steps that are missing, all or none; raises LedgerError for a ledger newer than this program.

    Two processes may do so at once: the second waits and then finds nothing left to do.
    """
    if _version(db) > len(STEPS):
        raise LedgerError("The ledger was written by a newer Jouline; update Jouline to go on with it.")
    if _version(db) == len(STEPS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        done = _version(db)
        for step in STEPS[done:]:
            step(db)
        db.execute(f"PRAGMA user_version = {len(STEPS)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
