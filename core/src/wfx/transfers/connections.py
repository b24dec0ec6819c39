"""A partial file being filled, by one connection or by several where the server limits each."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Sequence

from wfx.errors import MachineError
from wfx.fetching import Body, ByteStream, Span
from wfx.net import TemporaryFailure
from wfx.transfers.attempts import Changed, Patience, Speed, Stopped, Task, check_limit
from wfx.transfers.partial import PartialFile, disk_errors

BLOCK = 2**20
# Several connections are for servers that limit each one: when there is this much time left at this rate or less.
SPLIT_AFTER = 0.25
SPLIT_SECONDS = 1.5
SPLIT_RATE = 150e6
SMALLEST_PIECE = 2**20
LARGEST_PIECE = 16 * 2**20
# The state of a partial file is kept each so often; at a kill that much is fetched again.
STATE_SECONDS = 2.0


class Download:
    """A partial file being filled, by one connection or by several; the calling thread hashes from the front."""

    def __init__(self, task: Task, body: Body, state: PartialFile, descriptor: int) -> None:
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
        speed = Speed(self.task)
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
                stream, progressed, speed = self._reopen(position, patience), False, Speed(self.task)
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
                raise Changed
            return body.stream

    def _write(self, data: memoryview, position: int) -> None:
        with disk_errors():
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
            check_limit(self.task, position + len(data))
        self._keep()

    def _keep(self) -> None:
        now = time.monotonic()
        with self.lock:
            if now - self.saved < STATE_SECONDS:
                return
            self.saved = now
            with disk_errors():
                self.state.save(self.descriptor)

    def _hash_to(self, stop: int) -> None:
        while self.hashed < stop:
            view = self.buffer[: min(BLOCK, stop - self.hashed)]
            with disk_errors():
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
                        raise Changed
                speed = Speed(self.task)
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
