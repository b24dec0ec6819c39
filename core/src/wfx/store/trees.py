"""Folders as data: a manifest lists every entry with its digest, and the manifest's own digest is the folder's."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import DefinitionError, IntegrityError, PolicyError
from wfx.records import canonical, decode

SCHEMA = 1
MAX_ENTRIES = 1_000_000
MAX_NAME = 255
MAX_PATH = 4096
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, a link or an empty folder of a tree."""

    path: str
    """Relative, with `/`; bytes that are not UTF-8 as surrogates."""
    sha256: str = ""
    size: int = 0
    executable: bool = False
    link: str = ""
    """Target of a symbolic link, which stays within the tree."""
    folder: bool = False
    """Of an empty folder."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries, sorted by path."""

    entries: tuple[TreeEntry, ...]
    schema: int = SCHEMA

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def encode(self) -> bytes:
        """Return the bytes whose sha256 stands for the tree."""
        # Names that are not UTF-8 must survive JSON: surrogates are escaped, so the text is plain ASCII.
        return json.dumps(
            json.loads(canonical(self).decode("utf-8", "surrogateescape")), separators=(",", ":")
        ).encode()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read the bytes back. Raises IntegrityError for what is no manifest, PolicyError where it leads out of its tree."""
        try:
            manifest = decode(cls, json.loads(data))
        except (ValueError, RecursionError, DefinitionError) as error:
            raise IntegrityError("it is no folder's manifest", why=str(error)) from error
        for entry in manifest.entries:
            _refuse_outside(entry)
        return manifest


def _refuse_outside(entry: TreeEntry) -> None:
    """Refuse an entry whose path, blob or link would lie outside: the bytes may have come from anywhere."""
    path = entry.path
    if path.startswith("/") or "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise PolicyError(f"a folder's manifest names the path {path!r}")
    if entry.link:
        end = os.path.normpath(os.path.join(os.path.dirname(path), entry.link))
        if end == ".." or end.startswith(("/", "../")):
            raise PolicyError(f"the link {path!r} leads out of the tree", why=f"it points to {entry.link!r}")
    elif not entry.folder and not DIGEST.fullmatch(entry.sha256):
        raise IntegrityError(f"a folder's manifest gives no digest of {path!r}")


def scan(root: Path, hash_file: Callable[[Path], tuple[str, int]]) -> Manifest:
    """Read a folder into a manifest. Raises PolicyError for links that leave it, special files and overlong names."""
    entries = []
    for path, relative in _walk(root):
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            entries.append(TreeEntry(relative, link=_link(root, path, relative)))
        elif stat.S_ISDIR(info.st_mode):
            entries.append(TreeEntry(relative, folder=True))
        elif stat.S_ISREG(info.st_mode):
            sha256, size = hash_file(path)
            entries.append(TreeEntry(relative, sha256, size, bool(info.st_mode & 0o100)))
        else:
            raise PolicyError(f"{relative!r} is no file, folder or link", where=str(root))
        if len(entries) > MAX_ENTRIES:
            raise PolicyError(f"it has more than {MAX_ENTRIES} entries", where=str(root))
    return Manifest(tuple(sorted(entries, key=lambda e: os.fsencode(e.path))))


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    stack = [root]
    while stack:
        folder = stack.pop()
        for item in os.scandir(folder):
            path = Path(item.path)
            relative = path.relative_to(root).as_posix()
            raw = os.fsencode(relative)
            if len(raw) > MAX_PATH or len(os.fsencode(item.name)) > MAX_NAME:
                raise PolicyError(f"a name is too long: {relative[:80]!r}…", where=str(root))
            if item.is_dir(follow_symlinks=False):
                stack.append(path)
                if not any(os.scandir(path)):
                    yield path, relative
            else:
                yield path, relative


def _link(root: Path, path: Path, relative: str) -> str:
    """Return a link's target, after every link on the way has been seen to stay inside."""
    target = os.readlink(path)
    top, folder = os.path.realpath(root), os.path.abspath(root)
    if os.path.isabs(target):
        raise PolicyError(f"the link {relative!r} points to an absolute path", where=str(root))
    # realpath follows the whole chain; a loop or a dangling end stays where the text says.
    end = os.path.realpath(path)
    plain = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), target))
    for place, base in ((end, top), (plain, folder)):
        if place != base and not place.startswith(base.rstrip("/") + "/"):
            raise PolicyError(
                f"the link {relative!r} leads out of the tree", where=str(root), why=f"it points to {target!r}"
            )
    return target
