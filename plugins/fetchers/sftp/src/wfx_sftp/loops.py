"""The one thread in which all that is asynchronous runs, and a way to wait for it that ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """Return the loop; its thread is started with the first use, and ends with the process."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            # What is left of a transfer that was broken off complains of its connection when nobody listens any more.
            _loop.set_exception_handler(lambda _, context: log.debug("%s", context.get("message")))
            threading.Thread(target=_loop.run_forever, name="ssh", daemon=True).start()
        return _loop


class Waits:
    """What one user waits for; `end`, from another thread, frees him. Made for one thing after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._future: Future[Any] | None = None
        self.ended = False

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin with something."""
        with self._lock:
            if self.ended:
                work.close()
                raise ConnectionError("the transfer was ended")
            future = asyncio.run_coroutine_threadsafe(work, loop())
            self._future = future
        return future

    def result(self, future: Future[T]) -> T:
        """Return what it comes to. Raises ConnectionError where it was ended."""
        try:
            return future.result()
        except CancelledError as error:
            raise ConnectionError("the transfer was ended") from error

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Begin, and wait."""
        return self.result(self.start(work))

    def end(self) -> None:
        """Free whoever waits; nothing can be begun any more."""
        with self._lock:
            self.ended = True
            future = self._future
        if future is not None:
            future.cancel()


def leave(work: Coroutine[Any, Any, Any]) -> None:
    """Have something done that nobody waits for."""
    asyncio.run_coroutine_threadsafe(_quietly(work), loop())


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    # A goodbye to somebody who may be gone.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(work, 5)
