"""From a registry's list of files to a tree: where each lies, and what the list states of it.

The specification has paths relative to the primary descriptor, at its own folder or below. In fact there are four forms,
and all are put into one tree in which the documents find each other:

- paths from one root, the primary descriptor's among them (WorkflowHub);
- paths relative to the primary descriptor with `..` in them, beside them perhaps `dockstore_absolute_path` (Dockstore);
- an absolute path of the primary descriptor, to whose folder the others are relative (Dockstore, before);
- addresses (`https://…`) in place of paths (registries that are lists of files elsewhere).
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from wfx.errors import DefinitionError, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference

MOST_FILES: Final = 10_000
MOST_UP: Final = 8
UP: Final = "_"
"""Name for a folder above the primary descriptor's, which the registry does not tell."""
PRIMARY: Final = "PRIMARY_DESCRIPTOR"
OPTIONAL: Final = ("TEST_FILE", "CONTAINERFILE")
ALGORITHMS: Final = {
    "sha-256": "sha256",
    "sha-1": "sha1",
    "sha-512": "sha512",
    "sha-384": "sha384",
    "sha-224": "sha224",
}
HEX: Final = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a version."""

    path: str
    """In the tree."""
    asked: str
    """As the registry writes it: a path, or an address."""
    role: str
    checksums: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a version, by path, and which of them is the workflow."""

    files: tuple[ListedFile, ...]
    entry: str

    def digest(self, computed: Mapping[str, str]) -> str:
        """Return one sha256 for all: over path, role and checksum, which is `computed` where none is stated."""
        rows = [
            [item.path, item.role, *(item.checksums[0] if item.checksums else ("sha256", computed.get(item.path, "")))]
            for item in self.files
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()

    @property
    def tells(self) -> bool:
        """Whether every file's checksum is stated."""
        return all(item.checksums for item in self.files)


def read_listing(items: Sequence[Mapping[str, Any]], wanted: str, where: Reference) -> Listing:
    """Lay the files of a version out. `wanted` is the path of the main document, where the user names one.

    Raises FetchError, PolicyError for names that lead astray, DefinitionError where it is not clear what the workflow is.
    """
    if len(items) > MOST_FILES:
        raise PolicyError(f"the version has more than {MOST_FILES} files", where=str(where))
    named = _named(items, where)
    places = _places(named, where)
    files = []
    for name, item in named.items():
        path = _checked(places[name], where)
        files.append(ListedFile(path, name, str(item.get("file_type") or "OTHER"), checksums_of(item.get("checksum"))))
    _refuse_clashes(files, where)
    files.sort(key=lambda file: file.path)
    return Listing(tuple(files), _entry(files, wanted, where))


def checksums_of(value: Any) -> tuple[tuple[str, str], ...]:
    """Read a Checksum, or a list of them; what is no checksum of a known algorithm is passed over. The best comes first."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        name, stated = str(item.get("type", "")).lower(), str(item.get("checksum", "")).lower()
        algorithm = ALGORITHMS.get(name, name)
        if HEX.get(algorithm) == len(stated) and set(stated) <= set("0123456789abcdef"):
            found.append((algorithm, stated))
    return tuple(sorted(found, key=lambda each: -HEX[each[0]]))


def _named(items: Sequence[Mapping[str, Any]], where: Reference) -> dict[str, Mapping[str, Any]]:
    """Return the items by path; of two for one path the primary descriptor's."""
    named: dict[str, Mapping[str, Any]] = {}
    for item in items:
        path = item.get("path")
        if not isinstance(path, str) or not path.strip("/"):
            raise FetchError("the registry's list has a file without a path", where=str(where))
        if path not in named or item.get("file_type") == PRIMARY:
            named[path] = item
    return named


def _places(named: Mapping[str, Mapping[str, Any]], where: Reference) -> dict[str, str]:
    absolute = {name: item.get("dockstore_absolute_path") for name, item in named.items()}
    if all(isinstance(path, str) and path.startswith("/") for path in absolute.values()):
        return {name: str(path) for name, path in absolute.items()}
    addresses = {name: urlsplit(name) for name in named if name.startswith(("https://", "http://"))}
    primary = next((name for name, item in named.items() if item.get("file_type") == PRIMARY), "")
    base = posixpath.dirname(primary) if primary.startswith("/") else ""
    places = {name: posixpath.normpath(posixpath.join(base, name)) for name in named if name not in addresses}
    up = max((_ups(path) for path in places.values()), default=0)
    if up > MOST_UP:
        raise PolicyError(f"a file lies more than {MOST_UP} folders above the workflow", where=str(where))
    if up:
        places = {name: posixpath.normpath("/".join([UP] * up + [path])) for name, path in places.items()}
    if addresses:
        home = addresses[primary].netloc if primary in addresses else ""
        near = [posixpath.dirname(unquote(parts.path)) for parts in addresses.values() if parts.netloc == home]
        top = posixpath.commonpath(near) if near else "/"
        for name, parts in addresses.items():
            path = unquote(parts.path)
            at_home = parts.netloc == home
            places[name] = posixpath.relpath(path, top) if at_home else f"external/{parts.netloc}/{path.lstrip('/')}"
    return places


def _ups(path: str) -> int:
    parts = path.split("/")
    return next((number for number, part in enumerate(parts) if part != ".."), len(parts))


def _checked(path: str, where: Reference) -> str:
    clean = posixpath.normpath(path.lstrip("/"))
    parts = clean.split("/")
    if (
        clean in (".", "")
        or ".." in parts
        or any(ord(c) < 0x20 or ord(c) == 0x7F for c in clean)
        or len(clean) > 4000
        or any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts)
    ):
        raise PolicyError(f"a file there has the name {path[:200]!r}", where=str(where))
    return clean


def _refuse_clashes(files: Sequence[ListedFile], where: Reference) -> None:
    paths = {file.path for file in files}
    folders = {folder for path in paths for folder in _parents(path)}
    if len(paths) < len(files) or paths & folders:
        twice = next(iter(sorted(paths & folders)), "")
        raise FetchError(
            "two files there have the same name", where=str(where), why=f"{twice!r} is a folder too" if twice else None
        )


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


def _entry(files: Sequence[ListedFile], wanted: str, where: Reference) -> str:
    paths = [file.path for file in files]
    if wanted:
        if wanted in paths or any(path.startswith(f"{wanted}/") for path in paths):
            return wanted
        raise ReferenceNotFound(f"there is no {wanted!r} in it", where=str(where))
    primary = [file.path for file in files if file.role == PRIMARY]
    if len(primary) == 1:
        return primary[0]
    if not files:
        raise ReferenceNotFound("the version has no files", where=str(where))
    found = ", ".join((primary or paths)[:10])
    raise DefinitionError(
        "the registry names more than one primary descriptor" if primary else "the registry names no primary descriptor",
        where=str(where), why=f"it has {found}", remedy="add #path= and the one that is meant",
    )  # fmt: skip
