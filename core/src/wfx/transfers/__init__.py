"""One stream into one file: attempts, resuming, several connections, limits, and the sha256 on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import IntegrityError, MachineError
from wfx.fetching import Body, Span
from wfx.net import TemporaryFailure
from wfx.transfers.attempts import (
    Changed,
    OpenStreams,
    Patience,
    Speed,
    Stopped,
    Task,
    TransferSettings,
    check_limit,
)
from wfx.transfers.connections import Download
from wfx.transfers.partial import PartialFile, disk_errors

__all__ = ["SMALL", "OpenStreams", "Patience", "Received", "Stopped", "Task", "TransferSettings", "receive"]

# Up to this a stream is kept in memory; a break costs no more than sending it again.
SMALL = 256 * 1024


@dataclass(slots=True)
class Received:
    """A complete file on the store's file system, not yet in the store."""

    path: Path
    sha256: str
    size: int
    body: Body
    """What the place said; its stream is closed."""


def receive(task: Task, known: Callable[[Body], bool]) -> Received | Body:
    """Bring a stream, through as many attempts as allowed.

    `known` is asked once about what the place says; where it answers True the bytes are here already, and the Body is
    returned, closed. Raises FetchError, IntegrityError for a size other than stated, MachineError.
    """
    patience = Patience(task)
    state = PartialFile.load(task.partial)
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
        except Changed:
            task.note("the place has other bytes now; from the beginning")
            state.clear()
            patience.failed(ConnectionError("it changed during the transfer"))
        except OSError as error:
            patience.failed(error)
        finally:
            body.stream.close()


def _open(task: Task, state: PartialFile) -> Body:
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
    check_limit(task, body.total)


def _small(task: Task, body: Body) -> Received:
    assert body.total is not None
    data = bytearray(body.total)
    view, size = memoryview(data), 0
    speed = Speed(task)
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


def _large(task: Task, body: Body, state: PartialFile) -> Received:
    """Bring a stream through the partial file; what has come is kept whatever happens."""
    if body.start and (state.total != body.total or body.start != state.prefix()):
        raise Changed
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
        download = Download(task, body, state, descriptor)
        try:
            size, sha256 = download.run()
        except BaseException:
            with contextlib.suppress(OSError):
                state.save(descriptor)
            raise
        with disk_errors():
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    path = task.temporary()
    with disk_errors():
        state.path.replace(path)
    state.clear()
    return Received(path, sha256, size, body)
