"""Tar archives, read once from front to back by the standard library's parser, and written by our own hand."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from wfx.archives.rules import Contents, Entry, Limits, Meter
from wfx.archives.streams import Kind, Stream, open_stream
from wfx.archives.writing import NewFiles
from wfx.errors import InputError

BLOCK = 256 * 1024
# A longer header than this (a name, attributes) is made to fill memory.
MAX_HEADER = 2**20
# The parser looks back by one byte.
KEPT = tarfile.BLOCKSIZE


def walk_tar(
    path: Path, kind: Kind, into: Path | None, where: str, limits: Limits, select: Callable[[str], bool] | None
) -> list[Entry]:
    """Judge every entry; write those that are selected below `into`, or none where it is None. See `wfx.archives`."""
    return _Tar(path, kind, into, where, limits, select).walk()


class _Tar:
    def __init__(
        self, path: Path, kind: Kind, into: Path | None, where: str, limits: Limits,
        select: Callable[[str], bool] | None,
    ) -> None:  # fmt: skip
        self.path, self.kind, self.into, self.where, self.select = path, kind, into, where, select
        self.limits = limits
        self.files = NewFiles(into) if into is not None else None
        self.contents = Contents(limits, where)
        self.meter = Meter(limits, path.stat().st_size, where)
        self.found: dict[str, Entry] = {}
        self.owed: dict[str, list[str]] = {}
        """File that was passed by → hard links to it that are wanted."""

    def walk(self) -> list[Entry]:
        try:
            for archive, member in self._members():
                self._take(archive, member)
            if self.into is not None and self.owed:
                self._pay()
        except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
            raise self._broken(str(error)) from error
        links = self.contents.links()
        for name, target in links.items():
            if self._wanted(name):
                self.found[name] = Entry(name, "link", link=target)
        if self.files is not None:
            self.files.link({name: links[name] for name in links if name in self.found})
        return sorted(self.found.values(), key=lambda entry: os.fsencode(entry.path))

    def _members(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        with open_stream(self.path, self.kind, self.where) as stream:
            forward = _Forward(stream, self.contents, self.meter)
            archive = tarfile.open(fileobj=cast("IO[bytes]", forward), mode="r:")  # noqa: SIM115 (the file is ours)
            while (member := archive.next()) is not None:
                yield archive, member
                # The parser remembers each; a hundred thousand need not be in memory.
                archive.members = []  # type: ignore[attr-defined]
            if forward.last != bytes(tarfile.BLOCKSIZE):
                raise self._broken("it ends in the middle, or its headers are damaged")
            # What follows is nothing, but the packing's own checksum stands at the end of it.
            while forward.read(BLOCK):
                pass

    def _broken(self, why: str) -> InputError:
        return InputError("it is no whole tar archive", where=self.where, why=why)

    def _wanted(self, path: str) -> bool:
        return self.select is None or self.select(path)

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        contents, name = self.contents, member.name
        if member.isdir():
            path = contents.folder(name)
            if path and self.select is None:
                self.found[path] = Entry(path, "folder")
                if self.files is not None:
                    self.files.folder(path)
        elif member.issym():
            contents.link(name, member.linkname)
        elif member.islnk():
            source = contents.earlier_file(name, member.linkname)
            self._hard_link(contents.file(name), source)
        elif not member.isreg():
            raise contents.refuse("a device, a pipe or another special file", name)
        elif member.issparse():
            raise contents.refuse("a file with holes", name)
        elif member.mode & 0o6000:
            raise contents.refuse("a program with another's rights (setuid)", name)
        else:
            self.meter.look(self.meter.written + member.size)
            path = contents.file(name)
            if self._wanted(path):
                self._write(archive, member, path)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        executable = bool(member.mode & 0o100)
        self.found[path] = Entry(path, "file", member.size, executable)
        if self.files is None:
            return
        source = archive.extractfile(member)
        assert source is not None
        with self.files.open(path, executable) as file:
            left = member.size
            while left:
                data = source.read(min(BLOCK, left))
                if not data:
                    raise self._broken("it ends in the middle of a file")
                file.write(data)
                left -= len(data)

    def _hard_link(self, path: str, source: str) -> None:
        if not self._wanted(path):
            return
        entry = self.found.get(source)
        if entry is None:
            self.owed.setdefault(source, []).append(path)
            self.found[path] = Entry(path)
            return
        self.found[path] = Entry(path, "file", entry.size, entry.executable)
        if self.into is not None:
            self.meter.count(entry.size)
            self._copy(source, path, entry.executable)

    def _copy(self, source: str, path: str, executable: bool) -> None:
        # A copy: two names of one file would let a change of one be a change of the other.
        assert self.files is not None
        with open(self.files.root / source, "rb") as read, self.files.open(path, executable) as write:
            shutil.copyfileobj(read, write, BLOCK)

    def _pay(self) -> None:
        """Read once more for files that were passed by and have another name that is wanted."""
        owed, self.owed = self.owed, {}
        judged, self.contents = self.contents, Contents(Limits(entries=2**62), self.where)
        self.meter = Meter(self.limits, self.path.stat().st_size, self.where)
        for archive, member in self._members():
            path = self.contents.folder(member.name) if member.isdir() else ""
            if member.isreg() and (path := self.contents.file(member.name)) in owed:
                first, *others = owed.pop(path)
                self._write(archive, member, first)
                for other in others:
                    self.found[other] = Entry(other, "file", member.size, self.found[first].executable)
                    self._copy(first, other, self.found[first].executable)
        self.contents = judged


class _Forward(io.RawIOBase):
    """What the parser takes for a file: reads on, skips forward, and keeps the last bytes for a look back."""

    def __init__(self, stream: Stream, contents: Contents, meter: Meter) -> None:
        self._stream, self._contents, self._meter = stream, contents, meter
        self.last = self._kept = b""
        self._at = 0
        self._end = 0
        """Of what was read from the stream; `_at` may lie before it."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset < self._end - len(self._kept):
            raise tarfile.ReadError("its headers lead back")
        self._at = min(offset, self._end)
        while self._end < offset and self._more(min(BLOCK, offset - self._end)):
            pass
        self._at = min(offset, self._end)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > MAX_HEADER:
            raise self._contents.refuse(f"a header of more than {MAX_HEADER} bytes", "")
        while self._end - self._at < size and self._more(size - (self._end - self._at)):
            pass
        start = len(self._kept) - (self._end - self._at)
        data = self._kept[start : start + size]
        self._at += len(data)
        self.last = data
        self._kept = self._kept[-max(KEPT, self._end - self._at) :]
        return data

    def _more(self, size: int) -> bool:
        data = self._stream.read(size)
        self._meter.count(len(data))
        self._end += len(data)
        # While skipping, only the last bytes are kept.
        keep = max(KEPT, self._end - self._at)
        self._kept = (self._kept + data)[-keep:]
        return bool(data)
