"""From a folder's listings to the files below it: for fetchers of places that have folders, or names that look so.

`walk` asks for one folder after another, expands wildcards, and holds what a place tells against the rules: no name that
leads elsewhere, no end without end. `safe_path` holds a whole path against them, for places that list flat.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from wfx.errors import FetchError, PolicyError

__all__ = ["MAX_FILES", "Entry", "Found", "decode", "encode", "has_wildcard", "safe_path", "walk"]

MAX_FILES = 100_000
MAX_DEPTH = 64
WILD = re.compile(r"[*?]|\[[^\]]+\]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder, as a place lists it."""

    name: str
    folder: bool = False
    size: int | None = None
    """Bytes of a file."""
    checksums: tuple[tuple[str, str], ...] = ()
    """Of a file, as in `Expected`."""
    identity: str = ""
    """Of a folder to which a link may lead: the same for the same folder. One that is within itself is refused."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file below the folder that was asked for."""

    path: tuple[str, ...]
    """Parts from the root of the place."""
    name: str
    """Path from the last folder that the reference names without a wildcard."""
    entry: Entry


def decode(part: str) -> str:
    """Return a part of a URI's path as a name; bytes that are not UTF-8 survive."""
    return os.fsdecode(unquote_to_bytes(part))


def encode(name: str, safe: str = "") -> str:
    """Return a name as a part of a URI's path, in which nothing is a wildcard."""
    return quote(os.fsencode(name), safe=safe)


def has_wildcard(part: str) -> bool:
    """Say whether a part of a URI's path stands for several names: by `*`, `?` or `[…]` that is not percent-encoded."""
    return WILD.search(part) is not None


def safe_path(path: str, where: str) -> str:
    """Return a relative path that a place has told. Raises PolicyError where it leads elsewhere, or cannot be a file's."""
    for part in path.split("/"):
        _check(part, path, where)
    return path


def walk(
    ask: Callable[[tuple[str, ...]], Iterable[Entry]], parts: Sequence[str], *, where: str, limit: int = MAX_FILES
) -> list[Found]:
    """Return the files that a path means, sorted by name.

    `parts` are those of a URI's path, percent-encoded as they stand there, of which the last one is empty where the
    path ends with a slash: then all below is meant. `*`, `?` and `[…]` stand for characters of one name and `**` for
    any folders; like a shell's, they pass over names that begin with a dot. `ask` lists a folder, and raises what it
    must. Raises PolicyError for a name that leads elsewhere and for a folder within itself, FetchError for more than
    `limit` files or folders deeper than 64.
    """
    fixed = 0
    while fixed < len(parts) and parts[fixed] and not has_wildcard(parts[fixed]):
        fixed += 1
    walker = _Walker(ask, where, limit, fixed)
    start = tuple(decode(part) for part in parts[:fixed])
    walker.match(start, list(parts[fixed:]) or [""], ())
    return sorted(walker.found.values(), key=lambda found: os.fsencode(found.name))


class _Walker:
    """Goes down, and keeps what it has found."""

    def __init__(self, ask: Callable[[tuple[str, ...]], Iterable[Entry]], where: str, limit: int, fixed: int) -> None:
        self._ask, self._where, self._limit, self._fixed = ask, where, limit, fixed
        self._seen = 0
        self._listed: dict[tuple[str, ...], list[Entry]] = {}
        self.found: dict[tuple[str, ...], Found] = {}

    def match(self, folder: tuple[str, ...], rest: Sequence[str], above: tuple[str, ...]) -> None:
        """Find what the rest of the pattern means in a folder; `above` are the identities of those that led here."""
        head, tail = rest[0], rest[1:]
        everything = head == "" and not tail
        for entry in self._entries(folder):
            if everything:
                if entry.folder:
                    self.match((*folder, entry.name), [""], self._into(entry, folder, above))
                else:
                    self._take(folder, entry)
                continue
            if head == "**":
                if entry.folder and not entry.name.startswith("."):
                    self.match((*folder, entry.name), rest, self._into(entry, folder, above))
                elif not entry.folder and not tail:
                    self._take(folder, entry)
                continue
            if not _pattern(head).fullmatch(entry.name):
                continue
            if entry.folder and tail:
                self.match((*folder, entry.name), tail, self._into(entry, folder, above))
            elif not entry.folder and not tail:
                self._take(folder, entry)
        if head == "**" and tail:
            self.match(folder, tail, above)

    def _entries(self, folder: tuple[str, ...]) -> list[Entry]:
        if len(folder) - self._fixed > MAX_DEPTH:
            raise FetchError(f"folders lie deeper than {MAX_DEPTH} within each other there", where=self._where)
        if folder not in self._listed:
            entries = []
            for entry in self._ask(folder):
                self._seen += 1
                if self._seen > self._limit:
                    raise FetchError(
                        f"there are more than {self._limit} files there", where=self._where,
                        remedy="name a folder further down, or raise max_files in the fetcher's section of the settings",
                    )  # fmt: skip
                _check(entry.name, entry.name, self._where)
                entries.append(entry)
            self._listed[folder] = entries
        return self._listed[folder]

    def _into(self, entry: Entry, folder: tuple[str, ...], above: tuple[str, ...]) -> tuple[str, ...]:
        if entry.identity and entry.identity in above:
            path = "/".join((*folder, entry.name))
            raise PolicyError("a link there leads back to a folder that it is in", where=self._where, why=path)
        return (*above, entry.identity) if entry.identity else above

    def _take(self, folder: tuple[str, ...], entry: Entry) -> None:
        path = (*folder, entry.name)
        self.found[path] = Found(path, "/".join(path[self._fixed :]), entry)


def _check(name: str, shown: str, where: str) -> None:
    problem = ""
    if name in ("", ".", ".."):
        problem = "leads elsewhere"
    elif "/" in name:
        problem = "has a slash in it"
    elif any(ord(c) < 0x20 or ord(c) == 0x7F for c in name):
        problem = "has a control character in it"
    elif len(os.fsencode(name)) > 255:
        problem = "is longer than 255 bytes"
    if problem:
        text = shown if len(shown) <= 80 else shown[:77] + "..."
        raise PolicyError(f"a name there {problem}", where=where, why=repr(text))


def _pattern(part: str) -> re.Pattern[str]:
    """Return what a part of a path matches; what is percent-encoded stands for itself."""
    text, position = "", 0
    for match in WILD.finditer(part):
        text += re.escape(decode(part[position : match.start()]))
        wild = match[0]
        if wild == "*":
            text += ".*"
        elif wild == "?":
            text += "."
        else:
            inside = decode(wild[1:-1])
            negated = inside.startswith("!")
            inside = re.sub(r"([\\\[\]^&|~])", r"\\\1", inside[negated:])
            text += f"[{'^' if negated else ''}{inside}]" if inside else re.escape(wild)
        position = match.end()
    text += re.escape(decode(part[position:]))
    hidden = "" if not WILD.match(part) else r"(?!\.)"
    try:
        return re.compile(hidden + text, re.S)
    except re.error:
        # A range that is none, as `[z-a]`.
        return re.compile(re.escape(decode(part)))
