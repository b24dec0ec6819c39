"""One stream into one file: attempts, resuming, several connections, limits, and the sha256 on the way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wfx.errors import FetchError, IntegrityError, MachineError
from wfx.fetching import Body, ByteStream, Span
from wfx.net import TemporaryFailure

BLOCK = 2**20
# Up to this a stream is kept in memory; a break costs no more than sending it again.
SMALL = 256 * 1024
# Several connections are for servers that limit each one: when there is this much time left at this rate or less.
SPLIT_AFTER = 0.25
SPLIT_SECONDS = 1.5
SPLIT_RATE = 150e6
SMALLEST_PIECE = 2**20
LARGEST_PIECE = 16 * 2**20
# The state of a partial file is kept each so often; at a kill that much is fetched again.
STATE_SECONDS = 2.0
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
class Received:
    """A complete file on the store's file system, not yet in the store."""

    path: Path
    sha256: str
    size: int
    body: Body
    """What the place said; its stream is closed."""


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


class _Changed(Exception):
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


def receive(task: Task, known: Callable[[Body], bool]) -> Received | Body:
    """Bring a stream, through as many attempts as allowed.

    `known` is asked once about what the place says; where it answers True the bytes are here already, and the Body is
    returned, closed. Raises FetchError, IntegrityError for a size other than stated, MachineError.
    """
    patience = Patience(task)
    state = _State.load(task.partial)
    while True:
        try:
            body = _open(task, state)
        except (TemporaryFailure, OSError) as error:
            patience.failed(error)
            continue
        try:
            if body.start == 0 and known(body):
                body.stream.close()
                return body
            _check_size(task, body)
            if body.start == 0 and body.total is not None and body.total <= SMALL and not state.done:
                return _small(task, body)
            return _large(task, body, state)
        except _Changed:
            task.note("the place has other bytes now; from the beginning")
            state.clear()
            patience.failed(ConnectionError("it changed during the transfer"))
        except OSError as error:
            patience.failed(error)
        finally:
            body.stream.close()


def _open(task: Task, state: _State) -> Body:
    if task.stop.is_set():
        raise Stopped
    start = state.prefix()
    if start and (state.validator or task.trusted_bytes):
        return task.open(Span(start, None, state.validator))
    state.clear()
    return task.open(None)


def _check_size(task: Task, body: Body) -> None:
    if body.total is None:
        return
    if task.size is not None and body.total != task.size:
        raise IntegrityError(
            f"it has {body.total} bytes where {task.size} are stated", where=task.label,
            remedy="check the reference, or the size that was stated",
        )  # fmt: skip
    _check_limit(task, body.total)


def _check_limit(task: Task, size: int) -> None:
    if task.settings.max_bytes and size > task.settings.max_bytes:
        raise FetchError(
            f"it has more than {task.settings.max_bytes} bytes", where=task.label, remedy="raise fetch.max_bytes"
        )


def _small(task: Task, body: Body) -> Received:
    assert body.total is not None
    data = bytearray(body.total)
    view, size = memoryview(data), 0
    speed = _Speed(task)
    while size < body.total:
        count = body.stream.readinto(view[size:])
        if count == 0:
            raise ConnectionError(f"the body ended too early, {body.total - size} bytes are missing")
        size += count
        speed.count(count)
        task.advance(count)
    body.stream.close()
    path = task.temporary()
    try:
        with open(path, "xb", buffering=0) as file:
            file.write(data)
    except OSError as error:
        raise MachineError.of(error) from error
    return Received(path, hashlib.sha256(data).hexdigest(), size, body)


class _Speed:
    """Gives up a connection that drips."""

    def __init__(self, task: Task) -> None:
        self._task, self._since, self._bytes = task, time.monotonic(), 0

    def count(self, size: int) -> None:
        self._bytes += size
        now = time.monotonic()
        if now - self._since >= self._task.settings.low_speed_time:
            if self._bytes / (now - self._since) < LOW_SPEED:
                raise ConnectionError(f"less than 1 kB/s for {self._task.settings.low_speed_time:g} s")
            self._since, self._bytes = now, 0
        if self._task.stop.is_set():
            raise Stopped


@dataclass(slots=True)
class _State:
    """What of a partial file is here: sorted ranges `[start, stop)` that do not touch."""

    path: Path
    total: int | None = None
    validator: str | None = None
    done: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def load(cls, partial: Path) -> _State:
        """Read it from beside the partial file; what cannot be read counts as nothing."""
        state = cls(partial)
        try:
            data = json.loads(partial.with_name(partial.name + ".json").read_bytes())
            size = partial.stat().st_size
            state.total, state.validator = data["total"], data["validator"]
            state.done = [(int(start), int(stop)) for start, stop in data["done"] if 0 <= start < stop <= size]
        except (OSError, ValueError, KeyError, TypeError):
            state.done = []
        return state

    def save(self, descriptor: int) -> None:
        """Write it, after the bytes that it speaks of are on the disk."""
        os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)
        target = self.path.with_name(self.path.name + ".json")
        temporary = target.with_name(target.name + f".{os.getpid()}")
        value = {"total": self.total, "validator": self.validator, "done": self.done}
        temporary.write_text(json.dumps(value))
        temporary.replace(target)

    def clear(self) -> None:
        """Forget everything, and remove the files."""
        self.done, self.total, self.validator = [], None, None
        for path in (self.path, self.path.with_name(self.path.name + ".json")):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def prefix(self) -> int:
        """Return how much of the beginning is here."""
        return self.done[0][1] if self.done and self.done[0][0] == 0 else 0

    def add(self, start: int, stop: int) -> None:
        """Enter a range."""
        if start == stop:
            return
        merged: list[tuple[int, int]] = []
        for other in sorted([*self.done, (start, stop)]):
            if merged and other[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], other[1]))
            else:
                merged.append(other)
        self.done = merged

    def missing(self) -> list[tuple[int, int]]:
        """Return what is not here, where the total is known."""
        assert self.total is not None
        gaps, position = [], 0
        for start, stop in self.done:
            if position < start:
                gaps.append((position, start))
            position = stop
        if position < self.total:
            gaps.append((position, self.total))
        return gaps


def _large(task: Task, body: Body, state: _State) -> Received:
    """Bring a stream through the partial file; what has come is kept whatever happens."""
    if body.start and (state.total != body.total or body.start != state.prefix()):
        raise _Changed
    if body.start == 0 and state.done:
        state.clear()
    state.total, state.validator = body.total, body.validator
    if body.total is not None:
        task.check_space(body.total - body.start)
    try:
        descriptor = os.open(state.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        download = _Download(task, body, state, descriptor)
        try:
            size, sha256 = download.run()
        except BaseException:
            with contextlib.suppress(OSError):
                state.save(descriptor)
            raise
        with _disk():
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    path = task.temporary()
    with _disk():
        state.path.replace(path)
    state.clear()
    return Received(path, sha256, size, body)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError.of(error) from error


class _Download:
    """A partial file being filled, by one connection or by several; the calling thread hashes from the front."""

    def __init__(self, task: Task, body: Body, state: _State, descriptor: int) -> None:
        self.task, self.body, self.state, self.descriptor = task, body, state, descriptor
        self.lock = threading.Condition()
        self.hash = hashlib.sha256()
        self.hashed = 0
        self.saved = time.monotonic()
        self.error: BaseException | None = None
        self.pieces: list[tuple[int, int]] = []
        self.workers = 0
        self.may_resume = bool(body.validator) or task.trusted_bytes
        self.may_split = (
            body.total is not None and body.accepts_ranges and task.settings.connections > 1 and self.may_resume
        )
        self.buffer = memoryview(bytearray(BLOCK))
        self.first_stream: ByteStream | None = None

    def run(self) -> tuple[int, str]:
        """Fill the file; return size and sha256."""
        total = self.state.total
        if self.body.start:
            self.task.advance(self.body.start)
            self._hash_to(self.body.start)
        position = self._alone()
        if total is None:
            return position, self.hash.hexdigest()
        if self.state.missing():
            self._together(position)
        self._hash_to(total)
        return total, self.hash.hexdigest()

    # -- one connection

    def _alone(self) -> int:
        """Read the open stream until its end, or until several connections are worth while; return the position."""
        position = self.body.start
        patience = Patience(self.task)
        speed = _Speed(self.task)
        began, first = time.monotonic(), position
        stream, progressed = self.body.stream, False
        while True:
            gap_end = self._gap_end(position)
            if gap_end is not None and position >= gap_end:
                stream.close()
                return position
            try:
                view = self.buffer if gap_end is None else self.buffer[: gap_end - position]
                count = stream.readinto(view)
                if count == 0 and gap_end is not None:
                    raise ConnectionError(f"the body ended too early, {gap_end - position} bytes are missing")
            except OSError as error:
                stream.close()
                if not self.may_resume or not position:
                    raise
                patience.failed(error, progressed=progressed)
                stream, progressed, speed = self._reopen(position, patience), False, _Speed(self.task)
                began, first = time.monotonic(), position
                continue
            if count == 0:
                return position
            self._write(view[:count], position)
            position += count
            progressed = progressed or count >= BLOCK or position - first >= BLOCK
            speed.count(count)
            if self.may_split and gap_end is not None:
                elapsed = time.monotonic() - began
                rate = (position - first) / elapsed if elapsed else 1e12
                if elapsed > SPLIT_AFTER and rate < SPLIT_RATE and (gap_end - position) / rate > SPLIT_SECONDS:
                    # The open stream goes on with the first piece.
                    self.first_stream = stream
                    return position

    def _gap_end(self, position: int) -> int | None:
        if self.state.total is None:
            return None
        return next((start for start, _ in self.state.done if start > position), self.state.total)

    def _reopen(self, position: int, patience: Patience) -> ByteStream:
        while True:
            try:
                body = self.task.open(Span(position, None, self.state.validator))
            except (TemporaryFailure, OSError) as error:
                patience.failed(error)
                continue
            if body.start != position or body.total != self.state.total:
                body.stream.close()
                raise _Changed
            return body.stream

    def _write(self, data: memoryview, position: int) -> None:
        with _disk():
            view = data
            at = position
            while view:
                written = os.pwrite(self.descriptor, view, at)
                view, at = view[written:], at + written
        if self.hashed == position and not self.workers:
            self.hash.update(data)
            self.hashed += len(data)
        with self.lock:
            self.state.add(position, position + len(data))
            self.lock.notify_all()
        self.task.advance(len(data))
        if self.state.total is None:
            _check_limit(self.task, position + len(data))
        self._keep()

    def _keep(self) -> None:
        now = time.monotonic()
        with self.lock:
            if now - self.saved < STATE_SECONDS:
                return
            self.saved = now
            with _disk():
                self.state.save(self.descriptor)

    def _hash_to(self, stop: int) -> None:
        while self.hashed < stop:
            view = self.buffer[: min(BLOCK, stop - self.hashed)]
            with _disk():
                count = os.preadv(self.descriptor, [view], self.hashed)
            if count == 0:
                raise MachineError("a partial file is shorter than it was", where=str(self.state.path))
            self.hash.update(view[:count])
            self.hashed += count
            if self.task.stop.is_set():
                raise Stopped

    # -- several connections

    def _together(self, position: int) -> None:
        missing = self.state.missing()
        left = sum(stop - start for start, stop in missing)
        count = self.task.settings.connections
        size = max(SMALLEST_PIECE, min(LARGEST_PIECE, left // (count * 4)))
        for start, stop in missing:
            self.pieces += [(at, min(at + size, stop)) for at in range(start, stop, size)]
        self.pieces.reverse()  # taken from the end of the list, so the front of the file comes first
        count = min(count, len(self.pieces))
        self.workers = count
        threads = [threading.Thread(target=self._work, args=(n == 0,), name=f"piece {n}") for n in range(count)]
        for thread in threads:
            thread.start()
        try:
            self._follow()
        except BaseException as error:
            with self.lock:
                self.error = self.error or error
            raise
        finally:
            if self.error is not None:
                # Nobody is to wait for a server that says nothing before the error is told.
                self._end(threads)
            for thread in threads:
                thread.join()

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        while any(thread.is_alive() for thread in threads):
            self.task.end()
            # One that connects just now is ended by the next round.
            threads[0].join(0.05)
            for thread in threads[1:]:
                thread.join(0.001)

    def _follow(self) -> None:
        """Hash what is complete at the front, until all is."""
        while True:
            with self.lock:
                while self.error is None and self.state.prefix() - self.hashed < BLOCK and self.workers:
                    self.lock.wait(0.2)
                if self.error is not None:
                    raise self.error
                ready, running = self.state.prefix(), self.workers
            if ready == self.hashed and not running:
                if self.state.missing():
                    raise ConnectionError("pieces are missing")
                return
            self._hash_to(ready)

    def _work(self, has_stream: bool) -> None:
        stream = self.first_stream if has_stream else None
        buffer = memoryview(bytearray(BLOCK))
        try:
            while True:
                with self.lock:
                    if not self.pieces or self.error is not None:
                        return
                    piece = self.pieces.pop()
                rest = self._piece(piece, stream, buffer)
                stream = None
                if rest is not None:
                    with self.lock:
                        self.pieces.append(rest)
                    return  # the server bears fewer connections; another worker takes it
        except BaseException as error:  # noqa: BLE001 (it is raised in the calling thread)
            with self.lock:
                self.error = self.error or error
        finally:
            with self.lock:
                self.workers -= 1
                self.lock.notify_all()

    def _piece(self, piece: tuple[int, int], stream: ByteStream | None, buffer: memoryview) -> tuple[int, int] | None:
        """Bring one piece; return what is left of it where this connection is one too many."""
        position, stop = piece
        patience = Patience(self.task)
        progressed = False
        while position < stop:
            try:
                if stream is None:
                    body = self.task.open(Span(position, stop, self.state.validator))
                    stream = body.stream
                    if body.start != position or body.total != self.state.total:
                        raise _Changed
                speed = _Speed(self.task)
                while position < stop:
                    view = buffer[: min(BLOCK, stop - position)]
                    count = stream.readinto(view)
                    if count == 0:
                        raise ConnectionError("a piece ended too early")
                    self._write(view[:count], position)
                    position += count
                    progressed = True
                    speed.count(count)
                    if self.error is not None:
                        return None
            except (TemporaryFailure, OSError) as error:
                with self.lock:
                    others = self.workers > 1
                if others and isinstance(error, TemporaryFailure):
                    return (position, stop)
                patience.failed(error, progressed=progressed)
                progressed = False
            finally:
                if stream is not None:
                    stream.close()
                stream = None
        return None
