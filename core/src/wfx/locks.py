"""Locks between processes: flock(2), which the kernel frees when the last holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wfx.errors import MachineError
from wfx.planning import now

# How long the supervisor of a dead wfx may need to end an engine: its grace, and the killing.
TAKE_OVER = 20.0
# `Lock.is_held` has the lock for an instant too; that must not look like another run.
GLANCE = 0.3


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from a later one with the same id by its start and the machine's."""

    pid: int = 0
    boot: str = ""
    """Boot id of the machine; empty where the system has none."""
    ticks: str = ""
    """When the process began, in the kernel's count."""
    since: str = ""
    """When it took the lock, ISO 8601."""

    @classmethod
    def this(cls) -> Owner:
        """Describe this process."""
        return cls(os.getpid(), boot_id(), _ticks(os.getpid()), now())

    def here(self) -> bool:
        """Say whether the process is alive on this very machine, so that it can be sent a signal."""
        return self.boot == boot_id() and self.may_be_alive()

    def may_be_alive(self) -> bool:
        """Say whether the process can be alive: surely not when this machine has no such process.

        Of a process of another machine, which shares the file system, nothing is known: then it may.
        """
        if not self.pid:
            return False
        if self.boot != boot_id():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # somebody else's process: alive
        return self.ticks == _ticks(self.pid)


class LockHeld(Exception):
    """Another process has the lock."""

    def __init__(self, owner: Owner) -> None:
        text = f"process {owner.pid} since {owner.since}" if owner.pid else "another process"
        super().__init__(text)
        self.owner = owner


class Lock:
    """A lock that this process holds. Its descriptor may be inherited; the last one to close it frees the lock."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def take(cls, path: Path, owner: Callable[[], Owner] = Owner) -> Lock:
        """Take the lock file at `path`, in a folder that exists. Raises LockHeld, or MachineError without locks.

        Where `owner` says that the holder is dead, its supervisor still has the lock and is given time to clean up.
        """
        began = time.monotonic()
        while True:
            fd = _open(path)
            if fd is None:
                raise MachineError("the folder has just been removed", where=str(path.parent))
            if _try(fd, fcntl.LOCK_EX, path):
                # Whoever removed the run held this very file: a lock on a file without a name is worth nothing.
                if _same(fd, path):
                    return cls(fd)
                os.close(fd)
                continue
            os.close(fd)
            waited = time.monotonic() - began
            holder = owner()
            if waited > (GLANCE if not holder.pid or holder.may_be_alive() else TAKE_OVER):
                raise LockHeld(holder)
            time.sleep(0.02)

    @staticmethod
    def is_held(path: Path) -> bool:
        """Say whether somebody holds the lock, without keeping it."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise MachineError.of(error) from error
        try:
            return not _try(fd, fcntl.LOCK_SH, path)
        finally:
            os.close(fd)

    def release(self) -> None:
        """Close the descriptor. LOCK_UN would take the lock from an heir as well."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError.of(error) from error


def _try(fd: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise MachineError(
            "the file system does not support locks", where=str(path.parent), why=error.strerror,
            remedy="choose a run directory on another file system with -o",
        ) from error  # fmt: skip
    return True


def _same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


@cache
def boot_id() -> str:
    """Return what tells this start of the machine from any other; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _ticks(pid: int) -> str:
    """Return the start time of a process (proc(5), /proc/PID/stat field 22); empty where it cannot be told."""
    if sys.platform != "linux":
        return ""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
