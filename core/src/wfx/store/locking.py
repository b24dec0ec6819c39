"""Locks of the store against other processes; the kernel frees those of a dead one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from wfx.errors import MachineError

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
# Locks of a range of bytes that belong to the open file, not to the process as POSIX's do (fcntl(2), Linux 3.15).
RANGES = hasattr(fcntl, "F_OFD_SETLKW")


@contextlib.contextmanager
def whole(folder: Path, name: str, *, exclusive: bool = True, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of one name; yields whether it was had."""
    descriptor = os.open(folder / _digest(name)[:32], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            with _explained(folder):
                fcntl.flock(descriptor, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def many(folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Hold the locks of many names, each a byte of one file: to make a file for each would cost as much as a fetch."""
    wanted = sorted({_digest(name) for name in names})
    if not wanted:
        yield
        return
    if not RANGES:
        with contextlib.ExitStack() as locks:
            for digest in wanted:
                locks.enter_context(whole(folder, digest))
            yield
        return
    descriptor = os.open(folder / "names", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with _explained(folder):
            for digest in wanted:
                # All processes take them in one order, so that none waits for one that waits for it.
                request = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, int(digest[:15], 16), 1, 0)
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, request)
        yield
    finally:
        os.close(descriptor)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise MachineError(
            "the file system of the store has no locks", where=str(folder.parent), why=error.strerror,
            remedy="move the store to a local disk with WFX_HOME or XDG_CACHE_HOME",
        ) from error  # fmt: skip
