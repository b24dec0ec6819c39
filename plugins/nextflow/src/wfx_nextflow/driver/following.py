"""Follows a running Nextflow by its log and its trace: the one says at once what begins, the other what has ended."""

from __future__ import annotations

import re
from pathlib import Path

from .tasks import Recorder

BEGAN = re.compile(r"\[([0-9a-f]{2}/[0-9a-f]{6})\] (?:Re-s|S)ubmitted process > (.+)$")
PUBLISHED = re.compile(r"PublishDir - publishing file: (/.+?) -\[\w+\]-> (/.+)$")
NOTE = re.compile(r"\[([0-9a-f]{2}/[0-9a-f]{6})\] NOTE: (.+)$")
ERROR = re.compile(r"Error executing process > '(.+)'$")
TIME = re.compile(r"^\w{3}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3} \[")


class Tail:
    """The new lines of a file that grows, and may not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self._rest = b""

    def lines(self) -> list[str]:
        """Return the lines that have come to their end since the last time."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except OSError:
            return []
        self._position += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


class Follower:
    """Puts what log and trace say into events."""

    def __init__(self, log: Path, trace: Path, recorder: Recorder) -> None:
        self.log, self.trace = Tail(log), Tail(trace)
        self.recorder = recorder
        self._head: list[str] = []
        self._failing = ""
        self._cause = False

    def step(self) -> bool:
        """Take what is new; say whether there was anything."""
        # The trace first: what it says has ended is in the log already, when both are read in this order at the end.
        rows = self.trace.lines()
        lines = self.log.lines()
        for line in lines:
            if began := BEGAN.search(line):
                self.recorder.began(began[1], began[2].strip())
            elif published := PUBLISHED.search(line):
                self.recorder.published(published[1], published[2])
            elif note := NOTE.search(line):
                self.recorder.complains(note[1], note[2].partition(" -- ")[0])
            else:
                self._read_error(line)
        for row in rows:
            cells = row.split("\t")
            if not self._head:
                self._head = cells
            elif len(cells) == len(self._head):
                self.recorder.ended(dict(zip(self._head, cells, strict=True)))
        return bool(rows or lines)

    def _read_error(self, line: str) -> None:
        """Take the paragraph `Caused by:` of the message about a task that failed."""
        if error := ERROR.search(line):
            self._failing, self._cause = error[1], False
        elif self._failing and TIME.match(line):
            self._failing = ""
        elif self._failing and line.startswith("Caused by:"):
            self._cause = True
        elif self._failing and self._cause:
            if line.strip():
                self.recorder.complains(self._failing, line.strip())
            else:
                self._failing = ""
