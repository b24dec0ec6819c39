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
# Seconds for which another process may keep the file from being opened.
PATIENCE = 60.0
TABLES = """
create table if not exists blobs (sha256 text primary key, size integer not null, added real not null, verified real)
  without rowid;
create table if not exists refs (reference text primary key, known text not null) without rowid;
create table if not exists stats (path text primary key, signature text not null, sha256 text not null,
  size integer not null) without rowid;
create table if not exists facts (kind text not null, key text not null, value text not null, primary key (kind, key))
  without rowid;
"""


def plain(text: str) -> str:
    """Return the text as SQLite can keep it: what stands for a byte that is not UTF-8 is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


class Index:
    """The tables, safe for several threads and processes. A broken file is set aside and a new one made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rebuilt = False
        """Whether the tables were lost or broken, so that the blobs have to be listed anew."""
        self._lock = threading.RLock()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        began, fresh = time.monotonic(), False
        with self._alone():
            while True:
                try:
                    return self._connect()
                except sqlite3.DatabaseError as error:
                    operational = isinstance(error, sqlite3.OperationalError)
                    if operational and "locked" in str(error):
                        if time.monotonic() - began > PATIENCE:
                            raise MachineError(
                                "the store's index is locked", where=str(self.path), remedy="try again"
                            ) from error
                        time.sleep(0.02)
                    elif fresh or (operational and not self._is_broken(error)):
                        raise self._trouble(error) from error
                    else:
                        self._set_aside()
                        fresh = True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from opening too: SQLite does not wait where two change the journal of a new file."""
        import fcntl

        try:
            descriptor = os.open(self.path.parent / "locks" / "index", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            # SQLite will say what is wrong with the folder.
            yield
            return
        try:
            # Without locks on this file system there is the patience of `_open`.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

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
                self.rebuilt = True
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
        row = self.one("select value from facts where kind = ? and key = ?", (kind, plain(key)))
        return json.loads(str(row[0])) if row else None

    def set_fact(self, kind: str, key: str, value: JsonValue) -> None:
        """Remember a value that could be computed again."""
        with self.write() as connection:
            connection.execute("insert or replace into facts values (?, ?, ?)", (kind, plain(key), json.dumps(value)))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
