"""Keeps runs and verdicts on disk: memory doesn't grow with the number of tests."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import test_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_skyrs._model.test_run import TestRun


class Store:
    """A database in a session's workplace.

    Args:
        path: of the file to make.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2000;"
            "CREATE TABLE runs (arm TEXT, id TEXT, occurrence TEXT, run BLOB, "
            "PRIMARY KEY (arm, id, occurrence)) WITHOUT ROWID;"
            "CREATE TABLE items (arm TEXT, id TEXT, collected INTEGER, ran INTEGER, "
            "PRIMARY KEY (arm, id)) WITHOUT ROWID;"
            "CREATE TABLE verdicts (number INTEGER PRIMARY KEY, row TEXT);"
        )
        self._db.execute("BEGIN")

    def add_run(self, arm: str, run: TestRun) -> None:
        """Keeps a run; a second one with the same key in the same arm replaces the first."""
        content = zlib.compress(json.dumps(run.to_json()).encode("ascii"), 1)
        key = arm, _key(run.nodeid), run.occurrence
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", (*key, content))

    def run(self, arm: str, nodeid: str, occurrence: str = "") -> TestRun | None:
        """A run, if there is one."""
        row = self._db.execute(
            "SELECT run FROM runs WHERE arm = ? AND id = ? AND occurrence = ?",
            (arm, _key(nodeid), occurrence),
        ).fetchone()
        return test_run.from_json(json.loads(zlib.decompress(row[0]))) if row else None

    def drop_run(self, arm: str, nodeid: str, occurrence: str = "") -> None:
        """Forgets a run that isn't needed any more."""
        self._db.execute(
            "DELETE FROM runs WHERE arm = ? AND id = ? AND occurrence = ?",
            (arm, _key(nodeid), occurrence),
        )

    def rest(self, arm: str) -> Iterator[tuple[str, str]]:
        """Tests of an arm that have runs still, by id and occurrence."""
        query = "SELECT id, occurrence FROM runs WHERE arm = ? ORDER BY id, occurrence"
        for key, occurrence in self._db.execute(query, (arm,)).fetchall():
            yield json.loads(key), occurrence

    def count_runs(self, arm: str) -> int:
        """How many runs an arm has."""
        query = "SELECT count(*) FROM runs WHERE arm = ?"
        return int(self._db.execute(query, (arm,)).fetchone()[0])

    def add_item(self, arm: str, nodeid: str) -> None:
        """A test was collected, maybe once more."""
        self._db.execute(
            "INSERT INTO items VALUES (?, ?, 1, 0) "
            "ON CONFLICT (arm, id) DO UPDATE SET collected = collected + 1",
            (arm, _key(nodeid)),
        )

    def note_run(self, arm: str, nodeid: str) -> None:
        """A test that was collected has begun, and is over or died."""
        self._db.execute(
            "UPDATE items SET ran = ran + 1 WHERE arm = ? AND id = ?", (arm, _key(nodeid))
        )

    def count_not_run(self, arm: str) -> int:
        """How many tests were collected and never ran."""
        query = "SELECT total(max(0, collected - ran)) FROM items WHERE arm = ?"
        return int(self._db.execute(query, (arm,)).fetchone()[0])

    def has_item(self, arm: str, nodeid: str) -> bool:
        """Whether a test was collected."""
        query = "SELECT 1 FROM items WHERE arm = ? AND id = ?"
        return self._db.execute(query, (arm, _key(nodeid))).fetchone() is not None

    def only_in(self, arm: str, other: str) -> list[str]:
        """Tests that one arm collected and the other didn't."""
        rows = self._db.execute(
            "SELECT id FROM items WHERE arm = ? AND id NOT IN (SELECT id FROM items WHERE arm = ?)",
            (arm, other),
        )
        return [json.loads(key) for (key,) in rows]

    def add_verdict(self, row: dict[str, Any]) -> None:
        """Keeps a line of the report."""
        self._db.execute("INSERT INTO verdicts (row) VALUES (?)", (json.dumps(row),))

    def verdicts(self) -> Iterator[dict[str, Any]]:
        """All lines of the report, as they came."""
        for (row,) in self._db.execute("SELECT row FROM verdicts ORDER BY number"):
            yield json.loads(row)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


def _key(nodeid: str) -> str:
    # SQLite takes no lone surrogates.
    return json.dumps(nodeid)
