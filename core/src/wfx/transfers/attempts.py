"""What every transfer has: a task with its limits, patience between attempts, and ways to be ended from outside."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import FetchError
from wfx.fetching import Body, ByteStream, Span
from wfx.net import TemporaryFailure

LOW_SPEED = 1000.0
LONGEST_WAIT = 30.0
WAIT_BUDGET = 300.0


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """Limits of a transfer."""

    connections: int = 8
    retries: int = 5
    """Attempts after one that failed without bringing a block."""
    low_speed_time: float = 60.0
    """Seconds below 1 kB/s after which a connection is given up."""
    max_bytes: int = 0
    """Size that a file may not exceed; 0 is no limit."""


class Stopped(Exception):
    """Another transfer failed, or the user interrupted."""


class OpenStreams:
    """The streams that a transfer has open, so that another thread can end them all."""

    def __init__(self) -> None:
        self._streams: set[_Held] = set()

    def hold(self, body: Body) -> Body:
        """Take in an open body; its stream leaves when it is closed."""
        body.stream = held = _Held(body.stream, self._streams)
        self._streams.add(held)
        return body

    def end(self) -> None:
        """Close what is open; a read that waits in another thread fails."""
        for stream in list(self._streams):
            with contextlib.suppress(OSError):
                stream.close()


class _Held:
    """A stream that is known to be open."""

    def __init__(self, stream: ByteStream, streams: set[_Held]) -> None:
        self.readinto = stream.readinto
        self._stream, self._streams = stream, streams

    def close(self) -> None:
        """Close it."""
        self._streams.discard(self)
        self._stream.close()


@dataclass(slots=True)
class Task:
    """What a transfer needs to know."""

    label: str
    """The reference, for messages."""
    open: Callable[[Span | None], Body]
    temporary: Callable[[], Path]
    """Gives a new name on the store's file system."""
    partial: Path
    """Where an unfinished file is kept, to go on with."""
    settings: TransferSettings
    stop: threading.Event
    advance: Callable[[int], None]
    note: Callable[[str], None]
    trusted_bytes: bool = False
    """Whether somebody has stated a checksum, so that parts of an unmarked file may be put together."""
    size: int | None = None
    """As stated."""
    check_space: Callable[[int], None] = lambda _need: None
    end: Callable[[], None] = lambda: None
    """Ends all reads of this transfer that are under way."""


class Changed(Exception):
    """The place has other bytes now than when the transfer began."""


class Patience:
    """Counts failures, and waits between them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._failures = 0
        self._waited = 0.0

    def failed(self, error: Exception, *, progressed: bool = False) -> None:
        """Wait before the next attempt. Raises the error where there is none, Stopped where all is to end."""
        if self._task.stop.is_set():
            raise Stopped from error
        failure = as_failure(error, self._task.label)
        self._failures = 1 if progressed else self._failures + 1
        delay = failure.retry_after
        if delay is None:
            delay = min(LONGEST_WAIT, 0.5 * 2 ** (self._failures - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
        if self._failures > self._task.settings.retries or self._waited + delay > WAIT_BUDGET:
            attempts = f"after {self._failures} attempts" if self._failures > 1 else None
            why = ", ".join(filter(None, (failure.why, attempts)))
            raise FetchError(
                failure.what, where=failure.where, why=why or None,
                remedy=failure.remedy or "run again: it goes on where it stopped",
            ) from error  # fmt: skip
        self._waited += delay
        self._task.note(f"{failure.what}: {failure.why or 'no reason given'}; again in {delay:.1f} s")
        if self._task.stop.wait(delay):
            raise Stopped from error


def as_failure(error: Exception, label: str) -> TemporaryFailure:
    """Take a broken stream for what it is: a failure that may be over soon."""
    if isinstance(error, TemporaryFailure):
        return error
    return TemporaryFailure("the connection broke", where=label, why=str(error) or type(error).__name__)


class Speed:
    """Gives up a connection that drips."""

    def __init__(self, task: Task) -> None:
        self._task, self._since, self._bytes = task, time.monotonic(), 0

    def count(self, size: int) -> None:
        """Note that so many bytes have come. Raises ConnectionError where that is too slow, Stopped at the end of all."""
        self._bytes += size
        now = time.monotonic()
        if now - self._since >= self._task.settings.low_speed_time:
            if self._bytes / (now - self._since) < LOW_SPEED:
                raise ConnectionError(f"less than 1 kB/s for {self._task.settings.low_speed_time:g} s")
            self._since, self._bytes = now, 0
        if self._task.stop.is_set():
            raise Stopped


def check_limit(task: Task, size: int) -> None:
    """Raise FetchError for more bytes than the settings allow."""
    if task.settings.max_bytes and size > task.settings.max_bytes:
        raise FetchError(
            f"it has more than {task.settings.max_bytes} bytes", where=task.label, remedy="raise fetch.max_bytes"
        )
