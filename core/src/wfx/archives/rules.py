"""What an archive may hold: names, links and sizes, judged before anything is written."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from dataclasses import dataclass
from typing import Literal

from wfx.errors import PolicyError

MAX_NAME = 255
MAX_PATH = 4096
MAX_HOPS = 40
MANY = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may grow to."""

    entries: int = 100_000
    """Files, links and folders."""
    bytes: int = 0
    """Of all files; 0 is no limit but the ratio's."""
    ratio: int = 250
    """Bytes unpacked for a byte packed; 0 is no limit. Text is packed 10 : 1."""
    unpacked_always: int = 64 * 2**20
    """Bytes up to which the ratio is not looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an archive."""

    path: str
    """Relative, with `/`; bytes that are not UTF-8 as surrogates."""
    kind: Literal["file", "folder", "link"] = "file"
    size: int = 0
    executable: bool = False
    link: str = ""
    """Target of a link, which stays within the archive."""


class Meter:
    """Counts what comes out of an archive, and stops what is made to fill a disk."""

    def __init__(self, limits: Limits, packed: int, where: str) -> None:
        self._limits, self._packed, self._where = limits, packed, where
        self.written = 0

    def count(self, size: int) -> None:
        """Take note of bytes that were written, or of a size that is stated. Raises PolicyError."""
        self.written += size
        self.look(self.written)

    def look(self, total: int) -> None:
        """Hold a total against the limits. Raises PolicyError."""
        limits = self._limits
        if limits.bytes and total > limits.bytes:
            raise PolicyError(
                f"the archive is larger than {limits.bytes} bytes when it is unpacked", where=self._where,
                remedy="raise the setting archive.max_bytes, if it is right",
            )  # fmt: skip
        if limits.ratio and total > max(limits.unpacked_always, limits.ratio * self._packed):
            raise PolicyError(
                "the archive grows as if it were made to fill the disk", where=self._where,
                why=f"more than {limits.ratio} bytes come of each of its {self._packed}",
                remedy="raise the setting archive.max_ratio, if it is right",
            )  # fmt: skip


class Contents:
    """The entries of one archive as they come; each is judged against those before it."""

    def __init__(self, limits: Limits, where: str) -> None:
        self._limits, self._where = limits, where
        self._kinds: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def refuse(self, rule: str, name: str) -> PolicyError:
        """Return the error for an entry that breaks a rule."""
        shown = name if len(name) <= MANY else name[:MANY] + "…"
        return PolicyError(f"the archive is refused: {rule}", where=self._where, why=f"entry {shown!r}")

    def folder(self, name: str) -> str:
        """Take a folder; return its path, empty for the archive's own top."""
        path = self._path(name)
        if path:
            self._parents(path, name)
            self._folder(path, name)
        return path

    def file(self, name: str) -> str:
        """Take a file; return its path."""
        path = self._new(name)
        self._kinds[path] = "file"
        return path

    def link(self, name: str, target: str) -> str:
        """Take a symbolic link; return its path. Where it leads is judged by `links`, when all is known."""
        path = self._new(name)
        if not target or "\0" in target or len(os.fsencode(target)) > MAX_PATH:
            raise self.refuse("a link without a sensible target", name)
        if target.startswith("/"):
            raise self.refuse("a link to an absolute path", name)
        self._kinds[path] = "link"
        self._links[path] = target
        return path

    def earlier_file(self, name: str, target: str) -> str:
        """Return the path of the file that a hard link is another name of."""
        path = self._path(target)
        if self._kinds.get(path) != "file":
            raise self.refuse("a hard link to what is no file of it", name)
        return path

    def links(self) -> dict[str, str]:
        """Return the links with their targets, after each has been followed to its end. Raises PolicyError."""
        for path in self._links:
            self._follow(path)
        return self._links

    def _new(self, name: str) -> str:
        path = self._path(name)
        if not path:
            raise self.refuse("an entry without a name", name)
        self._parents(path, name)
        before = self._kinds.get(path)
        if before is not None:
            rule = "a file and a folder of the same name" if before == "folder" else "a name stands twice"
            raise self.refuse(rule, name)
        folded = unicodedata.normalize("NFC", path).casefold()
        if self._folded.setdefault(folded, path) != path:
            raise self.refuse("two names differ in upper and lower case alone", name)
        self._count(name)
        return path

    def _count(self, name: str) -> None:
        if len(self._kinds) >= self._limits.entries:
            raise PolicyError(
                f"the archive is refused: more than {self._limits.entries} entries", where=self._where,
                remedy="raise the setting archive.max_entries, if it is right",
            )  # fmt: skip

    def _parents(self, path: str, name: str) -> None:
        at = path.find("/")
        while at != -1:
            self._folder(path[:at], name)
            at = path.find("/", at + 1)

    def _folder(self, path: str, name: str) -> None:
        kind = self._kinds.get(path)
        if kind is None:
            self._count(name)
            self._kinds[path] = "folder"
        elif kind == "link":
            raise self.refuse("an entry below a link", name)
        elif kind == "file":
            raise self.refuse("a file and a folder of the same name", name)

    def _path(self, name: str) -> str:
        if "\0" in name:
            raise self.refuse("a NUL byte in a name", name)
        if name.startswith("/"):
            raise self.refuse("an absolute name", name)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self.refuse("a name that leads out of it", name)
        path = "/".join(parts)
        if len(os.fsencode(path)) > MAX_PATH or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
            raise self.refuse("a name that is too long", name)
        return path

    def _follow(self, link: str) -> None:
        """Follow a link as the kernel would, within what the archive holds; what is not there may be missing."""
        place: list[str] = link.split("/")[:-1]
        left = self._links[link].split("/")[::-1]
        hops = 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not place:
                    raise self.refuse("a link that leads out of it", link)
                place.pop()
                continue
            path = posixpath.join(*place, part)
            target = self._links.get(path)
            if target is None:
                place.append(part)
                continue
            hops += 1
            if hops > MAX_HOPS:
                raise self.refuse("links that lead in a circle", link)
            left += target.split("/")[::-1]
