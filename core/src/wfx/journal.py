"""The journal of a run: one JSON line a thing that happened, appended and synced, readable after any death."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wfx.errors import MachineError
from wfx.planning import now
from wfx.values import JsonValue

SCHEMA = 1
SYNC_EVERY = 0.2
# Many a second may come of these; losing the last to a power cut only means that a step's start is not known.
FREQUENT = frozenset({"step"})

log = logging.getLogger(__name__)


class Journal:
    """Appends to a journal, whose writer holds the run's lock. The first line says the schema and the run."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self._unsynced = False
        self._synced = 0.0
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            size = os.fstat(self._fd).st_size
            # A line that a crash cut short must not swallow the next one.
            self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        except OSError as error:
            raise MachineError.of(error) from error
        if size == 0:
            self.append({"event": "journal", "schema": SCHEMA, "run": run})

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event, with the time where it has none; synced at once unless it is a frequent one.

        Raises MachineError where it cannot be written.
        """
        line = {**event} if "time" in event else {**event, "time": now()}
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape") + b"\n"
        if self._torn:
            data = b"\n" + data
        self._torn = True
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            error.filename = str(self.path)
            raise MachineError.of(error) from error
        self._torn = False
        self._unsynced = True
        if event.get("event") not in FREQUENT or time.monotonic() - self._synced >= SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Bring to the disk what has been appended."""
        if self._unsynced:
            os.fsync(self._fd)
            self._unsynced = False
            self._synced = time.monotonic()

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the events from the beginning."""
        return read_journal(self.path)

    def close(self) -> None:
        """Sync and close."""
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
            self._fd = -1


def last_handle(path: Path) -> JsonValue:
    """Return the last handle that a run elsewhere has journalled; None where there is none."""
    known: JsonValue = None
    for event in read_journal(path):
        if event.get("event") == "handle":
            known = event.get("handle")
    return known


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Return a journal's events; none where there is no journal. A line that a crash cut short is left out."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    event = json.loads(line.decode("utf-8", "surrogateescape"))
                except ValueError:
                    event = None
                if isinstance(event, dict):
                    yield event
                else:
                    log.warning("%s:%d: a line that was cut short is left out", path, number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise MachineError.of(error) from error
