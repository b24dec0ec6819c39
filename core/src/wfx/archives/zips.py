"""Zip archives: the directory at their end is judged as a whole before any entry is unpacked."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from wfx.archives.rules import MAX_PATH, Contents, Entry, Limits, Meter
from wfx.archives.writing import NewFiles
from wfx.errors import InputError

BLOCK = 256 * 1024
# A local header without its names (APPNOTE.TXT 4.3.7).
LOCAL = 30
UNIX = 3
ENCRYPTED = 0x1
BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OverflowError, ValueError, MemoryError, struct.error,
    NotImplementedError, RuntimeError,
)  # fmt: skip


def walk_zip(
    path: Path, into: Path | None, where: str, limits: Limits, select: Callable[[str], bool] | None
) -> list[Entry]:
    """Judge every entry; write those that are selected below `into`, or none where it is None. See `wfx.archives`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _walk(archive, path.stat().st_size, into, where, limits, select)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(where, error) from error
    except BROKEN as error:
        raise _broken(where, error) from error


def _broken(where: str, error: BaseException) -> InputError:
    return InputError("it is no whole zip archive", where=where, why=str(error) or type(error).__name__)


def _walk(
    archive: zipfile.ZipFile, packed: int, into: Path | None, where: str, limits: Limits,
    select: Callable[[str], bool] | None,
) -> list[Entry]:  # fmt: skip
    contents, meter = Contents(limits, where), Meter(limits, packed, where)
    found, chosen = judge(archive, contents, meter)
    files = NewFiles(into) if into is not None else None
    done: dict[str, Entry] = {}
    for info, entry in zip(chosen, found, strict=True):
        if select is not None and (entry.kind == "folder" or not select(entry.path)):
            continue
        done[entry.path] = entry
        if files is None:
            continue
        if entry.kind == "folder":
            files.folder(entry.path)
        elif entry.kind == "file":
            with archive.open(info) as source, files.open(entry.path, entry.executable) as file:
                while data := source.read(BLOCK):
                    meter.count(len(data))
                    file.write(data)
    links = contents.links()
    if files is not None:
        files.link({path: target for path, target in links.items() if path in done})
    return sorted(done.values(), key=lambda entry: os.fsencode(entry.path))


def judge(archive: zipfile.ZipFile, contents: Contents, meter: Meter) -> tuple[list[Entry], list[zipfile.ZipInfo]]:
    """Judge every entry of an open zip by what its directory says; return the entries, and what each stands for.

    Raises PolicyError for what breaks a rule, and the standard library's errors for what is broken.
    """
    infos, entries = archive.infolist(), []
    if (shared := sharing(infos)) is not None:
        raise contents.refuse("entries that share bytes", shared.filename)
    meter.look(sum(info.file_size for info in infos))
    for info in infos:
        # The reader cuts a name at its first NUL.
        name = info.orig_filename
        mode = info.external_attr >> 16 if info.create_system == UNIX else 0
        if "\\" in name:
            raise contents.refuse("a backslash in a name", name)
        if info.flag_bits & ENCRYPTED:
            raise InputError("it is encrypted", where=archive.filename, why=f"entry {name[:80]!r}")
        entries.append(_entry(archive, info, name, mode, contents))
    return [e for e in entries if e.path], [i for i, e in zip(infos, entries, strict=True) if e.path]


def sharing(infos: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """Return an entry whose packed bytes are another's as well: a bomb that needs no nesting (Fifield 2019)."""
    last = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset < last:
            return info
        last = info.header_offset + LOCAL + info.compress_size
    return None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, mode: int, contents: Contents) -> Entry:
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        if info.file_size > MAX_PATH:
            raise contents.refuse("a link without a sensible target", name)
        target = os.fsdecode(archive.read(info))
        return Entry(contents.link(name, target), "link", link=target)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise contents.refuse("a device, a pipe or another special file", name)
    if name.endswith("/") or kind == stat.S_IFDIR:
        return Entry(contents.folder(name), "folder")
    if mode & 0o6000:
        raise contents.refuse("a program with another's rights (setuid)", name)
    return Entry(contents.file(name), "file", info.file_size, bool(mode & 0o100))
