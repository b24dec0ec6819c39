"""The one extractor of archives: tar (plain, or packed by gzip, bzip2, xz or zstd), zip, and single packed files.

Whoever made an archive is not trusted. Every entry is judged by its name before a byte of it is written, no link is ever
followed or made before all files are there, and limits hold for entries, bytes and the ratio of the packing. What breaks
a rule is refused as a whole, by the rule's name::

    for entry in extract(path, into, select=lambda name: name.endswith(".fastq.gz")):
        print(entry.path, entry.size)

Owners, times, devices, setuid bits and attributes of an archive's maker are not taken over.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from wfx.archives.rules import Entry, Limits, Meter
from wfx.archives.streams import Kind, kind_of, open_stream
from wfx.errors import InputError, MachineError, WfxError

__all__ = ["Entry", "Kind", "Limits", "extract", "kind_of", "list_entries", "unpack_file"]

BLOCK = 256 * 1024
DEFAULTS = Limits()


def extract(
    path: Path, into: Path, *, where: str = "", limits: Limits = DEFAULTS, select: Callable[[str], bool] | None = None
) -> list[Entry]:
    """Write the entries of an archive into the folder `into`, which is made and must be empty; return them, sorted.

    `select` says by its path which files and links to write; every entry is judged all the same. `where` names the
    archive in messages. Nothing stays in `into` where it fails. Raises PolicyError for what breaks a rule, InputError
    for what is no archive, or no whole one, and MachineError.
    """
    where = where or str(path)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise MachineError("the folder to unpack into is not empty", where=str(into))
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        return _walk(path, into, where, limits, select)
    except BaseException:
        for entry in into.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
        raise


def list_entries(path: Path, *, where: str = "", limits: Limits = DEFAULTS) -> list[Entry]:
    """Return what `extract` would write, and write nothing. Raises what that raises."""
    return _walk(path, None, where or str(path), limits, None)


def _walk(
    path: Path, into: Path | None, where: str, limits: Limits, select: Callable[[str], bool] | None
) -> list[Entry]:
    try:
        kind = kind_of(path)
        if kind.container == "zip":
            from wfx.archives.zips import walk_zip

            return walk_zip(path, into, where, limits, select)
        if kind.container == "tar":
            from wfx.archives.tars import walk_tar

            return walk_tar(path, kind, into, where, limits, select)
    except OSError as error:
        raise _of_os(error, where) from error
    raise InputError("it is no archive", where=where, why="it is neither tar nor zip")


def unpack_file(path: Path, target: Path, *, where: str = "", limits: Limits = DEFAULTS) -> int:
    """Unpack a single file that is packed by gzip, bzip2, xz or zstd into the new file `target`; return its size.

    Raises PolicyError for what grows beyond the limits, InputError for what is not packed or not whole, MachineError.
    """
    where = where or str(path)
    try:
        kind = kind_of(path)
        if not kind.packing:
            raise InputError("it is not packed", where=where, why="it is none of gzip, bzip2, xz and zstd")
        meter = Meter(limits, path.stat().st_size, where)
        with open_stream(path, kind, where) as stream, open(target, "xb") as file:
            while data := stream.read(BLOCK):
                meter.count(len(data))
                file.write(data)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise _of_os(error, where) from error
    except WfxError:
        target.unlink(missing_ok=True)
        raise
    return meter.written


def _of_os(error: OSError, where: str) -> WfxError:
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        return InputError("a name in it cannot be written here", where=where, why=os.strerror(error.errno))
    return MachineError.of(error)
