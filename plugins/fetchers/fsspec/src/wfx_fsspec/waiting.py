"""Waiting for code that cannot be interrupted: it runs in a thread of its own, which is left behind when it is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Ended(OSError):
    """Nobody waits any longer."""


class Worker:
    """Does one thing after the other in a daemon thread; whoever waits for one is freed by `end`, or after `timeout`.

    A library that hangs in a read can be neither asked nor made to stop; its thread then ends by the library's own
    time limit, or with the process.
    """

    def __init__(self, timeout: float) -> None:
        """Take the seconds that one thing may last."""
        self._timeout = timeout
        self._jobs: SimpleQueue[tuple[Callable[[], Any], _Answer] | None] = SimpleQueue()
        self._current: _Answer | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], T]) -> T:
        """Return what the job returns, or raise what it raises. Raises Ended, and TimeoutError (an OSError)."""
        answer = _Answer()
        with self._lock:
            if self._ended:
                raise Ended("the transfer was ended")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="fsspec", daemon=True)
                self._thread.start()
            self._current = answer
            self._jobs.put((job, answer))
        if not answer.ready.wait(self._timeout):
            self.end()
            raise TimeoutError(f"nothing came for {self._timeout:g} s")
        if answer.error is not None:
            raise answer.error
        result: T = answer.value
        return result

    def end(self, last: Callable[[], Any] | None = None) -> None:
        """Free whoever waits; `last` is done in the thread when it is free again. May be called twice."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            if self._current is not None and not self._current.ready.is_set():
                self._current.error = Ended("the transfer was ended")
                self._current.ready.set()
            if self._thread is not None:
                if last is not None:
                    self._jobs.put((last, _Answer()))
                self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, answer = item
            try:
                value = job()
            except BaseException as error:  # noqa: BLE001 (handed on to whoever waits)
                if not answer.ready.is_set():
                    answer.error = error
            else:
                answer.value = value
            answer.ready.set()


class _Answer:
    """What became of a job."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
