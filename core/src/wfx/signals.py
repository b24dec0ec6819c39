"""Signals: the first one stops a command in order, a second Ctrl-C at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wfx.errors import Interrupted

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """What has come so far; one a process, as signals are."""

    caught: int | None = None
    shields: int = 0


_state = _State()


@contextmanager
def handled() -> Iterator[None]:
    """Make SIGINT, SIGTERM and SIGHUP raise Interrupted in the main thread, once; does nothing in another thread.

    What runs then stops in order: the engine is ended, the run is recorded as interrupted. A second SIGINT ends the
    process at once; the kernel closes its pipes, by which the supervisor knows and cleans up. A signal that was ignored
    when the command started (nohup, a background job) stays ignored. At the end they are what they were.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.caught = None
    before = {number: signal.getsignal(number) for number in HANDLED}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _handle(number: int, _frame: FrameType | None) -> None:
    if _state.caught is not None:
        if number == signal.SIGINT:
            os._exit(128 + number)
        return
    _state.caught = number
    if not _state.shields:
        raise Interrupted(number)


@contextmanager
def shielded() -> Iterator[None]:
    """Hold a first signal back until the end of the block: for what must not be left half done."""
    _state.shields += 1
    before = _state.caught
    try:
        yield
    finally:
        _state.shields -= 1
    if _state.caught is not None and before is None and not _state.shields:
        raise Interrupted(_state.caught)


def caught() -> int | None:
    """Return the signal that has come, if any has."""
    return _state.caught
