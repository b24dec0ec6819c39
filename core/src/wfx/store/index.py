"""The store's index: one SQLite file, which says what was learnt of references and files. It can always be rebuilt.

What a blob is stands in its name; the index only remembers what would cost a transfer or a read to learn again: which
digest a reference had, what a user's file hashed to, what an engine said of a workflow.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from wfx.errors import MachineError
from wfx.values import JsonValue

VERSION = 1
TABLES = """
create table if not exists blobs (sha256 text primary key, size integer not null, added real not null, verified real)
  without rowid;
create table if not exists refs (reference text primary key, known text not null) without rowid;
create table if not exists stats (path text primary key, signature text not null, sha256 text not null,
  size integer not null) without rowid;
create table if not exists facts (kind text not null, key text not null, value text not null, primary key (kind, key))
  without rowid;
"""


class Index:
    """The tables, safe for several threads and processes. A broken file is set aside and a new one made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rebuilt = False
        """Whether the file was lost or broken, so that the blobs have to be listed anew."""
        self._lock = threading.RLock()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        existed = self.path.exists()
        try:
            connection = self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise MachineError("the store's index is locked", where=str(self.path), remedy="try again") from error
            if isinstance(error, sqlite3.OperationalError) and not self._is_broken(error):
                raise self._trouble(error) from error
            self._set_aside()
            connection = self._connect()
            existed = False
        self.rebuilt = not existed
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=normal")
            (version,) = connection.execute("pragma user_version").fetchone()
            if version not in (0, VERSION):
                raise MachineError(
                    f"the store's index is of version {version}", where=str(self.path),
                    why=f"this wfx knows version {VERSION}", remedy="use a newer wfx, or another WFX_HOME",
                )  # fmt: skip
            if version == 0:
                connection.executescript(TABLES)
                connection.execute(f"pragma user_version={VERSION}")
            connection.execute("select count(*) from (select 1 from blobs limit 1)").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _is_broken(error: sqlite3.Error) -> bool:
        return any(word in str(error) for word in ("malformed", "not a database", "no such table", "disk I/O"))

    def _set_aside(self) -> None:
        stamp = f"{time.time_ns():x}"
        for suffix in ("", "-wal", "-shm"):
            part = Path(f"{self.path}{suffix}")
            with contextlib.suppress(FileNotFoundError):
                os.replace(part, f"{part}.broken-{stamp}")

    def _trouble(self, error: sqlite3.Error) -> MachineError:
        return MachineError(
            "the store's index cannot be used", where=str(self.path), why=str(error),
            remedy="check the disk and the permissions, or move the store with WFX_HOME",
        )  # fmt: skip

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction; all of it is kept or nothing."""
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    yield self._connection
                    self._connection.execute("commit")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def one(self, query: str, parameters: Sequence[object] = ()) -> tuple[object, ...] | None:
        """Return the first row."""
        with self._lock:
            try:
                row: tuple[object, ...] | None = self._connection.execute(query, parameters).fetchone()
            except sqlite3.Error as error:
                raise self._trouble(error) from error
            return row

    def all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Return all rows."""
        with self._lock:
            try:
                return self._connection.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def fact(self, kind: str, key: str) -> JsonValue:
        """Return a remembered value; None where there is none."""
        row = self.one("select value from facts where kind = ? and key = ?", (kind, key))
        return json.loads(str(row[0])) if row else None

    def set_fact(self, kind: str, key: str, value: JsonValue) -> None:
        """Remember a value that could be computed again."""
        with self.write() as connection:
            connection.execute("insert or replace into facts values (?, ?, ?)", (kind, key, json.dumps(value)))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
