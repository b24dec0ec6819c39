"""Read anybody's crate: a folder, a zip, a bag. Lenient with what is odd, strict with what leads out of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from wfx.errors import DefinitionError, MachineError

NAMES = ("ro-crate-metadata.json", "ro-crate-metadata.jsonld")
"""The second is RO-Crate 1.0's."""
DETACHED = "-ro-crate-metadata.json"
MOST_METADATA = 256 * 2**20
"""Bytes: a crate of a million files has less."""
MOST_MEMBERS = 2_000_000
# Deflate's best is about 1,030 : 1; a member that claims more is made to fill disks.
MOST_RATIO = 1_100


class Payload(ABC):
    """The files of a crate, by their path in it; nothing outside is ever reached."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""

    @abstractmethod
    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows."""

    @abstractmethod
    def files(self) -> Iterator[str]:
        """Yield the paths of all files, without wfx's own state."""

    def sha256(self, path: str) -> str:
        """Return a file's digest."""
        with self.open(path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


class FolderPayload(Payload):
    """A folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def _stat(self, path: str) -> os.stat_result | None:
        if not confined(path):
            return None
        place = self.root / path
        try:
            # A link may point to another file of the crate, not out of it.
            if not place.resolve(strict=True).is_relative_to(self.root):
                return None
            return place.stat()
        except (OSError, RuntimeError, ValueError):
            return None

    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""
        info = self._stat(path)
        return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None

    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""
        info = self._stat(path)
        return info is not None and stat.S_ISDIR(info.st_mode)

    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows."""
        return (self.root / path).open("rb")

    def files(self) -> Iterator[str]:
        """Yield the paths of all files, without wfx's own state."""
        for parent, folders, names in os.walk(self.root):
            below = os.path.relpath(parent, self.root)
            if below == ".":
                folders[:] = [name for name in folders if name != ".wfx"]
            folders.sort()
            for name in sorted(names):
                yield name if below == "." else f"{below}/{name}"


class ZipPayload(Payload):
    """A zip, read in place; `prefix` is the folder in it that is the crate."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str = "") -> None:
        self.archive, self.prefix = archive, prefix
        self._members = {
            info.filename[len(prefix) :]: info
            for info in archive.infolist()
            if info.filename.startswith(prefix) and not info.is_dir()
        }
        self._folders = {""}
        for name in (info.filename[len(prefix) :] for info in archive.infolist() if info.filename.startswith(prefix)):
            parts = name.split("/")[:-1]
            self._folders |= {"/".join(parts[: n + 1]) for n in range(len(parts))}

    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""
        info = self._members.get(path) if confined(path) else None
        return None if info is None else info.file_size

    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""
        return confined(path) and path.rstrip("/") in self._folders

    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows. Raises DefinitionError for one that would burst."""
        info = self._members[path]
        if info.flag_bits & 1:
            raise DefinitionError("it is encrypted", where=info.filename)
        if info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise DefinitionError("its compression is that of a zip bomb", where=info.filename)
        return self.archive.open(info)

    def files(self) -> Iterator[str]:
        """Yield the paths of all files."""
        yield from sorted(self._members)


@dataclass(slots=True)
class Crate:
    """A crate as it was found."""

    payload: Payload
    descriptor_path: str
    document: dict[str, Any]
    graph: list[dict[str, Any]] = field(default_factory=list)
    """The entities that are objects with a text as `@id`."""
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Normalised id → entity; the first of two."""
    detached: bool = False
    """Whether the metadata stands alone, so that no file is expected beside it."""

    def get(self, identifier: object) -> dict[str, Any] | None:
        """Return an entity by id or by reference to it."""
        if isinstance(identifier, dict):
            identifier = identifier.get("@id")
        return self.by_id.get(normal(identifier)) if isinstance(identifier, str) else None

    @property
    def descriptor(self) -> dict[str, Any] | None:
        """The entity of the metadata file itself."""
        name = self.descriptor_path.rpartition("/")[2]
        found = self.get(name) or next((e for n in NAMES if (e := self.get(n))), None)
        if found is not None:
            return found
        # With absolute ids, or another prefix, it is the one that is about the root and ends so.
        return next((e for e in self.graph if e["@id"].endswith((*NAMES, DETACHED)) and "about" in e), None)

    @property
    def root(self) -> dict[str, Any] | None:
        """The root data entity."""
        descriptor = self.descriptor
        about = first(descriptor.get("about")) if descriptor else None
        return self.get(about)


def normal(identifier: str) -> str:
    """Return an id as references to it are compared: `./x` is `x`, and the root is the root however it is written."""
    while identifier.startswith("./") and identifier != "./":
        identifier = identifier[2:]
    return "./" if identifier in (".", "./", "") else identifier


def confined(path: str) -> bool:
    """Say whether a path stays within the crate, by its text."""
    parts = path.rstrip("/").split("/")
    return not (path.startswith("/") or "\0" in path or "\\" in path or ".." in parts or parts[0] == ".wfx")


def path_of(identifier: str) -> str | None:
    """Return the path in the crate that an id names; None for an id that is no path (a URI, or `#local`)."""
    head, _, rest = identifier.partition(":")
    # RFC 3986 §4.2: a relative reference has no colon in its first part.
    if rest and "/" not in head and head[:1].isalpha() and len(head) > 1:
        return None
    if identifier.startswith(("#", "_:", "//")):
        return None
    return os.fsdecode(unquote_to_bytes(normal(identifier).partition("#")[0].partition("?")[0]))


def values(value: object) -> list[Any]:
    """Return what a property holds as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def first(value: object) -> Any:
    """Return the first value of a property."""
    return next(iter(values(value)), None)


def kinds(entity: dict[str, Any]) -> list[str]:
    """Return the types of an entity."""
    return [kind for kind in values(entity.get("@type")) if isinstance(kind, str)]


def ids(value: object) -> list[str]:
    """Return the ids that a property refers to; a plain text counts as one, as some writers have it."""
    found = [item.get("@id") if isinstance(item, dict) else item for item in values(value)]
    return [normal(item) for item in found if isinstance(item, str)]


# -- opening one


def read(place: Path) -> Crate:
    """Read the crate at a path: its folder, its metadata file, or a zip of it.

    Raises DefinitionError for what is no crate and MachineError for what cannot be read.
    """
    try:
        if place.is_file() and place.name.endswith((".json", ".jsonld")):
            return _load(FolderPayload(place.parent), place.name)
        if place.is_file():
            return _from_zip(place)
        payload: Payload = FolderPayload(place)
        prefix = "data/" if payload.size("bagit.txt") is not None and _descriptor_in(payload, "data/") else ""
        if prefix:
            payload = FolderPayload(place / "data")
        name = _descriptor_in(payload, "")
        if name is None:
            raise DefinitionError(f"there is no {NAMES[0]}", where=str(place))
        return _load(payload, name)
    except OSError as error:
        raise MachineError.of(error) from error


def _from_zip(place: Path) -> Crate:
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DefinitionError("it is neither a folder nor a zip", where=str(place), why=str(error)) from error
    names = archive.namelist()
    if len(names) > MOST_MEMBERS:
        raise DefinitionError(f"it has {len(names)} members", where=str(place))
    tops = {name.partition("/")[0] for name in names}
    only = f"{tops.pop()}/" if len(tops) == 1 else ""
    # Zips of repositories, of bags and from registries have the crate a folder down.
    for prefix in dict.fromkeys(("", "data/", only, f"{only}data/")):
        payload = ZipPayload(archive, prefix)
        name = _descriptor_in(payload, "")
        if name is not None:
            return _load(payload, name)
    raise DefinitionError(f"there is no {NAMES[0]} in it", where=str(place))


def _descriptor_in(payload: Payload, folder: str) -> str | None:
    for name in NAMES:
        if payload.size(folder + name) is not None:
            return folder + name
    if isinstance(payload, ZipPayload) or folder:
        return None
    return next((n for n in payload.files() if "/" not in n and n.endswith(DETACHED)), None)


def _load(payload: Payload, name: str) -> Crate:
    size = payload.size(name)
    if size is None or size > MOST_METADATA:
        raise DefinitionError(f"the metadata has {size} bytes", where=name)
    with payload.open(name) as file:
        data = file.read(MOST_METADATA + 1)
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DefinitionError("it is not UTF-8 text", where=name) from error
    except json.JSONDecodeError as error:
        raise DefinitionError("it is not JSON", where=f"{name}:{error.lineno}", why=error.msg) from error
    except (RecursionError, ValueError) as error:
        raise DefinitionError("it is not JSON that can be read", where=name, why=str(error)[:200]) from error
    if not isinstance(document, dict):
        raise DefinitionError("it is no JSON object", where=name)
    crate = Crate(payload, name, document, detached=name.endswith(DETACHED))
    graph = document.get("@graph")
    for entity in graph if isinstance(graph, list) else []:
        if isinstance(entity, dict) and isinstance(entity.get("@id"), str):
            crate.graph.append(entity)
            crate.by_id.setdefault(normal(entity["@id"]), entity)
    return crate
