"""Write zips (PKWARE APPNOTE 6.3.3, with zip64): streamed, and the same bytes for the same files."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

STORED, DEFLATED = 0, 8
MARK = 0xFFFFFFFF
"""In place of a number that stands in the zip64 part."""
LIMIT = MARK
MOST_ENTRIES = 0xFFFF
UTF8 = 0x800
UNIX = 3 << 8
PLAIN, ZIP64 = 20, 45
# 1980-01-01 00:00, the first moment that a zip can hold.
TIME, DATE = 0, (1 << 5) | 1
LOCAL = struct.Struct("<IHHHHHIIIHH")
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
END = struct.Struct("<IHHHHIIH")
END64 = struct.Struct("<IQHHIIQQQQ")
LOCATOR = struct.Struct("<IIQI")
PIECE = 1 << 18
LARGE = 1 << 20
"""Bytes from which on a file is written past the buffer."""
MOST_BUFFERED = 8 << 20

See = Callable[[memoryview], object]
"""Is shown the bytes of a file, one piece after the other."""


@dataclass(slots=True)
class Entry:
    """One file or folder of a zip."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    attributes: int
    zip64: bool


class ZipWriter:
    """Writes entries one after the other to a new file, which must be a real one."""

    def __init__(self, file: BinaryIO) -> None:
        self._fd = file.fileno()
        self._position = 0
        self._entries: list[Entry] = []
        self._buffer = bytearray()

    # -- entries

    def folder(self, path: str) -> None:
        """Enter an empty folder, whose path ends with `/`."""
        self._begin(path, STORED, 0, 0o040755 << 16 | 0x10)

    def data(self, path: str, data: bytes, *, mode: int = 0o100644, compress: bool = True) -> None:
        """Enter a file whose bytes are in memory."""
        packed = _deflated(data) if compress else data
        entry = self._begin(path, DEFLATED if compress else STORED, len(data), mode << 16)
        entry.crc, entry.packed = zlib.crc32(data), len(packed)
        self._write(packed)
        self._end(entry)

    def file(
        self,
        path: str,
        source: BinaryIO,
        size: int,
        *,
        mode: int = 0o100644,
        compress: bool = False,
        see: See | None = None,
    ) -> int:
        """Enter a file that is read from `source`; return how many bytes that were. `see` is shown them."""
        entry = self._begin(path, DEFLATED if compress else STORED, size, mode << 16)
        before = self._here()
        if not compress and size >= LARGE:
            self._flush()
            crc = Crc(see)
            entry.size = copy(source.fileno(), self._fd, self._position, crc)
            self._position += entry.size
            entry.crc = crc.value
        else:
            entry.crc, entry.size = self._stream(source, compress, see)
        entry.packed = self._here() - before
        self._end(entry)
        return entry.size

    def _stream(self, source: BinaryIO, compress: bool, see: See | None) -> tuple[int, int]:
        crc = size = 0
        packer = zlib.compressobj(wbits=-15) if compress else None
        while chunk := source.read(1 << 20):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            if see is not None:
                see(memoryview(chunk))
            self._write(packer.compress(chunk) if packer else chunk)
        if packer:
            self._write(packer.flush())
        return crc, size

    def close(self) -> None:
        """Write the directory at the end."""
        start = self._here()
        for entry in self._entries:
            self._write(_central(entry))
        size = self._here() - start
        count = len(self._entries)
        if count >= MOST_ENTRIES or start >= LIMIT or size >= LIMIT:
            self._write(END64.pack(0x06064B50, 44, UNIX | ZIP64, ZIP64, 0, 0, count, count, size, start))
            self._write(LOCATOR.pack(0x07064B50, 0, start + size, 1))
        count = min(count, MOST_ENTRIES)
        self._write(
            END.pack(
                0x06054B50, 0, 0, count, count, size if size < LIMIT else MARK, start if start < LIMIT else MARK, 0
            )
        )
        self._flush()

    # -- inside

    def _begin(self, path: str, method: int, size: int, attributes: int) -> Entry:
        name = path.encode("utf-8")
        flags = 0 if path.isascii() else UTF8
        # Deflate makes what it cannot compress a little longer.
        entry = Entry(name, flags, method, 0, 0, size, self._here(), attributes, size + size // 1000 + 1024 > LIMIT)
        self._entries.append(entry)
        self._write(_local(entry))
        return entry

    def _end(self, entry: Entry) -> None:
        """Write the head of an entry again, now that checksum and lengths are known."""
        head, offset = _local(entry), entry.offset - self._position
        if offset >= 0:
            self._buffer[offset : offset + len(head)] = head
        else:
            self._flush()
            _pwrite(self._fd, head, entry.offset)

    def _here(self) -> int:
        return self._position + len(self._buffer)

    def _write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= MOST_BUFFERED:
            self._flush()

    def _flush(self) -> None:
        _pwrite(self._fd, self._buffer, self._position)
        self._position += len(self._buffer)
        self._buffer = bytearray()


def _local(entry: Entry) -> bytes:
    packed, size, extra = entry.packed, entry.size, b""
    if entry.zip64:
        extra = struct.pack("<HHQQ", 1, 16, size, packed)
        packed = size = MARK
    needed = ZIP64 if entry.zip64 else PLAIN
    head = LOCAL.pack(
        0x04034B50, needed, entry.flags, entry.method, TIME, DATE, entry.crc, packed, size, len(entry.name), len(extra)
    )
    return head + entry.name + extra


def _central(entry: Entry) -> bytes:
    packed, size, offset, more = entry.packed, entry.size, entry.offset, []
    if size >= LIMIT or packed >= LIMIT:
        more += [size, packed]
        packed = size = MARK
    if offset >= LIMIT:
        more.append(offset)
        offset = MARK
    extra = struct.pack(f"<HH{len(more)}Q", 1, 8 * len(more), *more) if more else b""
    needed = ZIP64 if entry.zip64 or more else PLAIN
    head = CENTRAL.pack(
        0x02014B50, UNIX | needed, needed, entry.flags, entry.method, TIME, DATE, entry.crc, packed, size, len(entry.name),
        len(extra), 0, 0, 0, entry.attributes, offset,
    )  # fmt: skip
    return head + entry.name + extra


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _pwrite(fd: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


# -- copying


class Crc:
    """The checksum of a zip's entry, over pieces that another may see too."""

    def __init__(self, see: See | None = None) -> None:
        self.value = 0
        self._see = see

    def __call__(self, piece: memoryview) -> None:
        """Add a piece."""
        self.value = zlib.crc32(piece, self.value)
        if self._see is not None:
            self._see(piece)


def copy(read: int, write: int, offset: int, see: See) -> int:
    """Copy a file into another from `offset` on; return the number of bytes. `see` is shown what is written.

    A piece that fits into the processor's cache is read, looked at and written there: three passes cost little more than
    a copy.
    """
    buffer, at = memoryview(bytearray(PIECE)), 0
    while count := os.preadv(read, [buffer], at):
        see(buffer[:count])
        _pwrite(write, buffer[:count], offset + at)
        at += count
    return at
