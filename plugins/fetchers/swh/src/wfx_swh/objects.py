"""Identifiers computed from what they are of: git's sha1 over a header and the bytes (ISO/IEC 18670 §6)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wfx.errors import FetchError

HEADERS: Final = {"cnt": b"blob", "dir": b"tree", "rev": b"commit", "rel": b"tag", "snp": b"snapshot"}
TARGETS: Final = {b"blob": "cnt", b"tree": "dir", b"commit": "rev", b"tag": "rel", b"snapshot": "snp"}
BRANCHES: Final = {
    b"content": "cnt", b"directory": "dir", b"revision": "rev", b"release": "rel", b"snapshot": "snp",
    b"alias": "alias", b"dangling": "",
}  # fmt: skip
FOLDER: Final = 0o040000
FILE: Final = 0o100644
PROGRAM: Final = 0o100755
LINK: Final = 0o120000
MODULE: Final = 0o160000
BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory."""

    perms: int
    name: bytes
    target: str
    """Hash of the object, in hex."""
    absent: bool = False
    """Whether the archive says that it does not have the bytes."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory."""
        return stat.S_IFMT(self.perms) == FOLDER

    @property
    def is_module(self) -> bool:
        """Whether it is a revision: a submodule."""
        return stat.S_IFMT(self.perms) == MODULE

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, whose content is its target."""
        return stat.S_IFMT(self.perms) == LINK


class _Sha1:
    """Hashes a content of a size that is known before."""

    def __init__(self, size: int) -> None:
        # A name for what was archived, not a guard: whoever can make collisions of sha1 has to be in the archive.
        self._hash = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def content_hash(size: int) -> _Sha1:
    """Return what computes the hash of a content of so many bytes."""
    return _Sha1(size)


def object_hash(data: bytes) -> str:
    """Return the hash of an object in its raw form, header included."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def directory_hash(entries: Iterable[Entry]) -> str:
    """Return the hash of a directory; as git sorts them, a folder's name counts as if it ended with a slash."""
    rows = sorted(entries, key=lambda each: each.name + (b"/" if each.is_folder else b""))
    body = b"".join(b"%o %s\0%s" % (each.perms, each.name, bytes.fromhex(each.target)) for each in rows)
    return object_hash(b"tree %d\0" % len(body) + body)


def hash_of_file(path: Path) -> str:
    """Return the hash of a file's content."""
    size = path.stat().st_size
    found, buffer = content_hash(size), memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            found.update(buffer[:count])
    return found.hexdigest()


def entry_of_path(path: Path, hashes: dict[Path, str]) -> Entry:
    """Return the entry that a path of this machine is; the hash of every folder below is noted in `hashes`."""
    info, name = path.lstat(), os.fsencode(path.name)
    if stat.S_ISLNK(info.st_mode):
        target = os.fsencode(path.readlink())
        return Entry(LINK, name, object_hash(b"blob %d\0" % len(target) + target))
    if stat.S_ISDIR(info.st_mode):
        hashes[path] = directory_hash(entry_of_path(child, hashes) for child in path.iterdir())
        return Entry(FOLDER, name, hashes[path])
    return Entry(PROGRAM if info.st_mode & stat.S_IXUSR else FILE, name, hash_of_file(path))


def body_of(raw: bytes, kind: str, where: str) -> bytes:
    """Return an object's raw form without its header. Raises FetchError where that is of another kind."""
    header, null, body = raw.partition(b"\0")
    if not null or header != b"%s %d" % (HEADERS[kind], len(body)):
        raise _odd("an object of another kind", where)
    return body


def entries_of(body: bytes, where: str) -> list[Entry]:
    """Read the raw form of a directory."""
    found, at = [], 0
    while at < len(body):
        null = body.find(b"\0", at)
        perms, blank, name = body[at:null].partition(b" ")
        target = body[null + 1 : null + 21]
        if null < 0 or not blank or len(target) != 20 or not perms.isdigit():
            raise _odd("a directory that is cut off", where)
        try:
            found.append(Entry(int(perms, 8), name, target.hex()))
        except ValueError as error:
            raise _odd("a directory with modes that are none", where) from error
        at = null + 21
    return found


def target_of(kind: str, body: bytes, where: str) -> tuple[str, str]:
    """Return type and hash of what a revision or a release is of."""
    lines = body.split(b"\n", 2)
    words = [line.partition(b" ") for line in lines[:2]]
    if kind == "rev" and words[0][0] == b"tree":
        return "dir", _hex(words[0][2], where)
    if kind == "rel" and len(words) == 2 and words[0][0] == b"object" and words[1][0] == b"type":
        found = TARGETS.get(words[1][2])
        if found:
            return found, _hex(words[0][2], where)
    raise _odd("nothing that it is of", where)


def branches_of(body: bytes, where: str) -> dict[bytes, tuple[str, bytes]]:
    """Read the raw form of a snapshot: name → type and target, which of an alias is another name."""
    found, at = {}, 0
    while at < len(body):
        null = body.find(b"\0", at)
        colon = body.find(b":", null)
        kind, blank, name = body[at:null].partition(b" ")
        size = body[null + 1 : colon]
        if null < 0 or colon < 0 or not blank or not size.isdigit() or kind not in BRANCHES:
            raise _odd("a snapshot that is cut off", where)
        at = colon + 1 + int(size)
        found[name] = (BRANCHES[kind], body[colon + 1 : at])
    return found


def _hex(value: bytes, where: str) -> str:
    text = value.decode("ascii", "replace")
    if len(text) != 40 or set(text) - set("0123456789abcdef"):
        raise _odd("a hash that is none", where)
    return text


def _odd(why: str, where: str) -> FetchError:
    return FetchError("the archive's answer is not understood", where=where, why=f"it has {why}")
