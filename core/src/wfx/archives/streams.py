"""Packed streams: what a file is by its first bytes, and its bytes unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from wfx.errors import InputError

Packing = Literal["", "gzip", "bzip2", "xz", "zstd"]
MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
)  # fmt: skip
BROKEN = {
    ("zlib", "error"),
    ("_lzma", "LZMAError"),
    ("lzma", "LZMAError"),
    ("compression.zstd", "ZstdError"),
    ("_zstd", "ZstdError"),
}
"""What the unpackers raise for damage, by module and name."""
TAR_BLOCK = 512
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
# A few bytes of zstd can stand for a block of 128 KiB: so little is fed that what comes of it fits into memory.
FEED = 2048
SUFFIXES = {"gzip": (".gz", ".gzip", ".bgz"), "bzip2": (".bz2",), "xz": (".xz",), "zstd": (".zst", ".zstd")}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is."""

    container: Literal["", "tar", "zip"] = ""
    packing: Packing = ""

    def bare_name(self, name: str) -> str:
        """Return the name that a single file has when it is unpacked: `a.txt` of `a.txt.gz`."""
        for suffix in SUFFIXES.get(self.packing, ()):
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                return name[: -len(suffix)]
        return name + ".unpacked"


def kind_of(path: Path) -> Kind:
    """Say by its bytes what a file is; its name has no part in it. A broken stream is what it claims to be."""
    with open(path, "rb") as file:
        head = file.read(TAR_BLOCK)
    if head.startswith(ZIPS):
        return Kind("zip")
    packing: Packing = next((packing for magic, packing in MAGIC if head.startswith(magic)), "")
    if packing:
        try:
            with open_stream(path, Kind(packing=packing), str(path)) as stream:
                head = stream.read(TAR_BLOCK)
        except InputError:
            head = b""
    return Kind("tar" if _is_tar(head) else "", packing)


def _is_tar(head: bytes) -> bool:
    """Say whether a block is a header of tar: by its checksum, which the oldest form has too."""
    if len(head) < TAR_BLOCK or not head.strip(b"\0"):
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 0x20 + sum(head[156:])


class Stream:
    """The bytes of a file, unpacked as they are read."""

    def __init__(self, raw: Any, where: str, name: str) -> None:
        self._raw, self._where, self._name = raw, where, name

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, fewer at the end alone. Raises InputError where the stream is broken."""
        parts = []
        try:
            while size > 0 and (data := self._raw.read(size)):
                parts.append(data)
                size -= len(data)
        except (EOFError, ValueError) as error:
            raise self._broken(error) from error
        except OSError as error:
            # gzip and bz2 say so by an OSError without a number.
            if error.errno is not None:
                raise
            raise self._broken(error) from error
        except Exception as error:
            if (type(error).__module__, type(error).__name__) not in BROKEN:
                raise
            raise self._broken(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _broken(self, error: Exception) -> InputError:
        return InputError(f"it is no whole {self._name or 'file'}", where=self._where, why=str(error) or "it is cut")

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._raw.close()


def open_stream(path: Path, kind: Kind, where: str) -> Stream:
    """Open a file by how it is packed. Raises InputError where this Python cannot unpack it."""
    return Stream(_open(path, kind.packing, where), where, kind.packing)


def _open(path: Path, packing: Packing, where: str) -> Any:
    # Each is imported where it is used: whether a file is an archive is asked of every workflow.
    if packing == "gzip":
        import gzip

        return gzip.open(path)
    if packing == "bzip2":
        import bz2

        return bz2.open(path)
    if packing == "xz":
        import lzma

        return lzma.open(path)
    if packing == "zstd":
        return _open_zstd(path, where)
    return open(path, "rb")


def _open_zstd(path: Path, where: str) -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]

        return zstd.open(path)
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError as error:
        raise InputError(
            "it is packed with zstd, which this Python cannot unpack", where=where,
            remedy="pip install 'wfx-core[zstd]'",
        ) from error  # fmt: skip
    return _Frames(zstandard, open(path, "rb"))


class _Frames:
    """Reads frames of zstd one after the other; the library's own reader takes a cut file for a whole one."""

    def __init__(self, library: Any, file: Any) -> None:
        self._library, self._file = library, file
        self._frame: Any = None
        self._ready = memoryview(b"")
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end alone. Raises EOFError where a frame is cut."""
        while not self._ready:
            data = self._rest or self._file.read(FEED)
            self._rest = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("it ends in the middle")
                return b""
            if self._frame is None:
                self._frame = self._library.ZstdDecompressor().decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._library.ZstdError as error:
                raise EOFError(str(error)) from error
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        data, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
