"""Copies of files that cost as little as the file system allows, made whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
from pathlib import Path
from typing import Literal

How = Literal["reflink", "link", "copy"]

FICLONE = 0x40049409  # linux/fs.h
CHUNK = 64 * 2**20
# What says "not on this file system": the next cheaper way is tried.
NOT_HERE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EMLINK}


def place(source: Path, target: Path, *, link: bool = False, mode: int = 0o644) -> How:
    """Make `target` the same bytes as `source`: a clone, with `link` a hard link, or a copy. It appears whole."""
    temporary = target.with_name(f".{secrets.token_hex(6)}.wfx-part")
    try:
        how = _make(source, temporary, link, mode)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return how


def _make(source: Path, target: Path, link: bool, mode: int) -> How:
    with open(source, "rb", buffering=0) as read:
        executable = os.fstat(read.fileno()).st_mode & 0o111
        with open(target, "xb", buffering=0) as write:
            os.fchmod(write.fileno(), mode | (executable and mode & 0o444) >> 2)
            if _clone(read.fileno(), write.fileno()):
                return "reflink"
            if not link:
                _copy(read.fileno(), write.fileno())
                return "copy"
    target.unlink()
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise
        with open(source, "rb", buffering=0) as read, open(target, "xb", buffering=0) as write:
            os.fchmod(write.fileno(), mode)
            _copy(read.fileno(), write.fileno())
        return "copy"
    return "link"


def _clone(read: int, write: int) -> bool:
    if os.uname().sysname != "Linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(write, FICLONE, read)
    except OSError as error:
        if error.errno in NOT_HERE:
            return False
        raise
    return True


def _copy(read: int, write: int) -> None:
    if hasattr(os, "copy_file_range"):
        try:
            while os.copy_file_range(read, write, CHUNK):
                pass
            # Some special file systems answer 0 at once: what is missing is then read the ordinary way.
            if os.lseek(read, 0, os.SEEK_CUR) == os.fstat(read).st_size:
                return
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
    while data := os.read(read, 2**20):
        view = memoryview(data)
        while view:
            view = view[os.write(write, view) :]


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Bring everything written to the file system of `folder` to the disk: one call for a thousand files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if hasattr(libc, "syncfs"):
            if libc.syncfs(descriptor) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(folder))
        else:
            os.sync()
    finally:
        os.close(descriptor)
