"""Hostile archives: each breaks one rule that an extractor has to hold, and is named after it.

::

    @pytest.mark.parametrize("archive", HOSTILE, ids=str)
    def test_it_is_refused(archive, tmp_path):
        path = archive.write(tmp_path)
        with pytest.raises(PolicyError, match=…):
            extract(path, tmp_path / "into")
        assert archive.escaped(tmp_path) == []

Nothing outside the folder that is given to `write` is ever named but by absolute paths below `/tmp/wfx-hostile`, which
`escaped` looks at too.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = Path("/tmp/wfx-hostile")
"""Where absolute names lead; no archive is ever extracted to there by a right extractor."""
MARK = b"wfx: written by a hostile archive\n"
BOMB = 256 * 2**20
MANY = 100_000


@dataclass(frozen=True, slots=True)
class HostileArchive:
    """One of them."""

    rule: str
    """What it breaks: `parent`, `absolute`, `link-chain`, …"""
    suffix: str
    build: Callable[[], bytes]

    def __str__(self) -> str:
        return f"{self.rule}{self.suffix}"

    def write(self, folder: Path) -> Path:
        """Write it below the folder, deep enough for what climbs out of its target to be seen; return its path."""
        place = folder / "archives" / "of" / "strangers"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{self.rule}{self.suffix}"
        path.write_bytes(self.build())
        return path

    @staticmethod
    def escaped(folder: Path, *targets: Path) -> list[Path]:
        """Return the files that were written outside of the targets, in the folder or at the absolute names."""
        found = []
        for place in (folder, OUTSIDE):
            for path in sorted(place.rglob("*")) if place.is_dir() else []:
                inside = any(path.is_relative_to(target) for target in targets)
                if not inside and path.is_file() and not path.is_symlink() and path.read_bytes()[: len(MARK)] == MARK:
                    found.append(path)
        return found


# -- tar


def _tar(*entries: tuple[str, bytes | None] | tarfile.TarInfo, compression: str = "gz") -> bytes:
    """Make an archive of files (name and bytes; None is a folder) and of entries as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            name, data = entry
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            else:
                info.size, info.mode = len(data), 0o644
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _entry(
    name: str, kind: bytes, link: str = "", mode: int = 0o644, device: tuple[int, int] = (0, 0)
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.devmajor, info.devminor = device
    return info


def _link(name: str, target: str) -> tarfile.TarInfo:
    return _entry(name, tarfile.SYMTYPE, target, 0o777)


def _path_max_chain() -> bytes:
    """Make links whose resolved path is longer than PATH_MAX, so that realpath stops looking (CVE-2025-4517)."""
    component, steps = "d" * 247, "abcdefghijklmnop"
    entries: list[tuple[str, bytes | None] | tarfile.TarInfo] = []
    path = ""
    for step in steps:
        entries += [(os.path.join(path, component), None), _link(os.path.join(path, step), component)]
        path = os.path.join(path, component)
    tail = os.path.join("/".join(steps), "l" * 254)
    entries += [
        _link(tail, "../" * len(steps)), _link("escape", f"{tail}/../../outside"),
        _entry("flag", tarfile.LNKTYPE, "escape/written"), ("flag", MARK),
    ]  # fmt: skip
    return _tar(*entries)


def _truncated_tar() -> bytes:
    data = _tar(("a", os.urandom(20_000)), compression="")
    return data[:10_000]


def _setuid() -> bytes:
    info = tarfile.TarInfo("tool")
    info.mode = 0o6755
    return _tar(info)


def _gzip_bomb(size: int = BOMB) -> bytes:
    """Compress an archive of one file of zeros, in pieces: it is never in memory as a whole."""
    info = tarfile.TarInfo("zeros")
    info.size = size
    buffer, block = io.BytesIO(), bytes(2**20)
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(info.tobuf())
        for _ in range(size // len(block)):
            file.write(block)
        file.write(bytes(1024))
    return buffer.getvalue()


def _many() -> bytes:
    header = tarfile.TarInfo("d/" + "0" * 8).tobuf(tarfile.USTAR_FORMAT)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
        for number in range(MANY):
            name = b"d/%08d" % number
            head = bytearray(name + header[len(name) : 512])
            head[148:156] = b" " * 8
            head[148:156] = b"%06o\0 " % sum(head)
            file.write(head)
        file.write(bytes(1024))
    return buffer.getvalue()


def _sparse() -> bytes:
    """Make an archive that claims a file of a terabyte by GNU's sparse header and brings no byte of it."""
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse",
                        "GNU.sparse.realsize": str(2**40)}  # fmt: skip
    info.size = 512
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    return buffer.getvalue()


# -- zip


def _zip(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo()
            if isinstance(name, str):
                info.filename, info.external_attr = name, 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def _zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def _zip_twice() -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _zip(("a", b"first"), ("a", MARK))


def _overlapping(count: int = 2000) -> bytes:
    """Let many entries be the same compressed bytes: a bomb without nesting (Fifield 2019)."""
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain = bytes(2**20)
    body = data.compress(plain) + data.flush()
    crc = zlib.crc32(plain)
    fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, crc, len(body), len(plain))
    local = b"PK\x03\x04" + fields + struct.pack("<HH", 1, 0) + b"0" + body
    names = [f"{number:x}".encode() for number in range(count)]
    central = b"".join(
        b"PK\x01\x02\x14\x00" + fields + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name for name in names
    )
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(central), len(local), 0)
    return local + central + end


def _lying_size() -> bytes:
    """State ten bytes for a file that has a megabyte, in both headers."""
    data = bytearray(_zip(("a", MARK + bytes(2**20))))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark)
        data[place + at : place + at + 4] = struct.pack("<I", 10)
    return bytes(data)


def _zip64_lie() -> bytes:
    """State 2⁶² entries and a directory beyond the end in the zip64 record."""
    plain = _zip(("a", b"a"))
    place = plain.index(b"PK\x05\x06")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**62, 2**62, 2**40, 2**50)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return plain[:place] + record + locator + end


def _nested(depth: int = 12) -> bytes:
    data = _zip(("a", MARK))
    for level in range(depth):
        data = _zip((f"level{level}.zip", data))
    return data


HOSTILE: tuple[HostileArchive, ...] = (
    HostileArchive("parent", ".tar.gz", lambda: _tar(("../../outside.txt", MARK))),
    HostileArchive("parent-in-the-middle", ".tar.gz", lambda: _tar(("a/../../../outside.txt", MARK))),
    HostileArchive("absolute", ".tar.gz", lambda: _tar((f"{OUTSIDE}/written", MARK))),
    HostileArchive("link-out", ".tar.gz", lambda: _tar(_link("link", "../.."), ("link/outside.txt", MARK))),
    HostileArchive("link-absolute", ".tar.gz", lambda: _tar(_link("link", str(OUTSIDE)), ("link/written", MARK))),
    HostileArchive(
        "link-chain", ".tar.gz",
        lambda: _tar(("a/b", None), _link("a/b/up", ".."), _link("x", "a/b/up/../.."), ("x/outside.txt", MARK)),
    ),
    HostileArchive("link-path-max", ".tar.gz", _path_max_chain),
    HostileArchive("link-loop", ".tar.gz", lambda: _tar(_link("a", "b"), _link("b", "a"), ("a/x", MARK))),
    HostileArchive("file-over-link", ".tar.gz", lambda: _tar(_link("a", "../../outside.txt"), ("a", MARK))),
    HostileArchive("hard-link-out", ".tar.gz", lambda: _tar(_entry("a", tarfile.LNKTYPE, "/etc/hostname"))),
    HostileArchive(
        "hard-link-over-link", ".tar.gz",
        lambda: _tar(_link("s", "../../outside.txt"), _entry("h", tarfile.LNKTYPE, "s"), ("h", MARK)),
    ),
    HostileArchive("device", ".tar.gz", lambda: _tar(_entry("null", tarfile.CHRTYPE, device=(1, 3)))),
    HostileArchive("pipe", ".tar.gz", lambda: _tar(_entry("pipe", tarfile.FIFOTYPE))),
    HostileArchive("setuid", ".tar.gz", _setuid),
    HostileArchive("name-too-long", ".tar.gz", lambda: _tar(("x" * 300, b"x"))),
    HostileArchive("path-too-long", ".tar.gz", lambda: _tar(("/".join(["d" * 200] * 25), b"x"))),
    HostileArchive("name-with-nul", ".zip", lambda: _zip(("a\0b", b"x"))),
    HostileArchive("twice", ".tar.gz", lambda: _tar(("a", b"first"), ("a", b"second"))),
    HostileArchive("case-clash", ".tar.gz", lambda: _tar(("Reads.fq", b"one"), ("reads.FQ", b"two"))),
    HostileArchive("file-and-folder", ".tar.gz", lambda: _tar(("a", b"file"), ("a/b", b"in it"))),
    HostileArchive("ratio", ".tar.gz", _gzip_bomb),
    HostileArchive("count", ".tar.gz", _many),
    HostileArchive("sparse", ".tar.gz", _sparse),
    HostileArchive("truncated", ".tar", _truncated_tar),
    HostileArchive("parent", ".zip", lambda: _zip(("../../outside.txt", MARK))),
    HostileArchive("absolute", ".zip", lambda: _zip((f"{OUTSIDE}/written", MARK))),
    HostileArchive("backslashes", ".zip", lambda: _zip(("..\\..\\outside.txt", MARK))),
    HostileArchive("link-out", ".zip", lambda: _zip(_zip_link("link", "../.."), ("link/outside.txt", MARK))),
    HostileArchive("twice", ".zip", _zip_twice),
    HostileArchive("overlap", ".zip", _overlapping),
    HostileArchive("size-lie", ".zip", _lying_size),
    HostileArchive("zip64-lie", ".zip", _zip64_lie),
    HostileArchive("nested", ".zip", _nested),
)  # fmt: skip
