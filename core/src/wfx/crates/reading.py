"""Read anybody's crate: a folder, a zip, a bag. Lenient with what is odd, strict with what leads out of it.

RO-Crate 1.0 to 1.3, attached or detached. No JSON-LD context is looked at: entities are compared by the short keys that
all versions share, while the IRIs behind them differ from version to version.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from wfx.crates.payloads import FolderPayload, Payload, ZipPayload, confined, open_zip
from wfx.errors import DefinitionError, MachineError
from wfx.references import Reference

__all__ = [
    "DETACHED", "NAMES", "Crate", "Entity", "Note", "confined", "first", "ids", "is_metadata_name", "kinds", "normal",
    "path_of", "read", "text", "values",
]  # fmt: skip

NAMES = ("ro-crate-metadata.json", "ro-crate-metadata.jsonld")
"""The second is RO-Crate 1.0's."""
DETACHED = "-ro-crate-metadata.json"
MOST_METADATA = 256 * 2**20
"""Bytes: a crate of a million files has less."""
MOST_VALUES = 2_500_000
"""Values of a small text; Python needs a hundred bytes for each."""
BYTES_A_VALUE = 4
"""Of a large text: whoever has fewer on the average is up to no good."""
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a crate that could not be used, and whether that matters to who wants to run it."""

    what: str
    where: str = ""
    """An @id, or a place in the graph."""
    matters: bool = False


@dataclass(slots=True)
class Crate:
    """A crate as it was found."""

    payload: Payload
    descriptor_path: str
    document: dict[str, Any]
    graph: list[Entity] = field(default_factory=list)
    """The entities that are objects with a text as `@id`."""
    by_id: dict[str, Entity] = field(default_factory=dict)
    """Normalised id → entity; the first of two."""
    detached: bool = False
    """Whether the metadata stands alone, so that no file is expected beside it."""
    reference: Reference | None = None
    """Where it is, with the version where the place knows versions; None for one that was read from a path."""
    revision: str = ""
    base: Reference | None = None
    """What relative ids are relative to where the files are not here but in the web."""
    notes: list[Note] = field(default_factory=list)
    ambiguous: set[str] = field(default_factory=set)
    """Normalised ids that several entities have which differ."""

    def get(self, identifier: object) -> Entity | None:
        """Return an entity by id or by reference to it."""
        if isinstance(identifier, dict):
            identifier = identifier.get("@id")
        return self.by_id.get(normal(identifier)) if isinstance(identifier, str) else None

    def all(self, value: object) -> list[Entity]:
        """Return the entities that a property refers to; those that are not in the graph are left out."""
        return [entity for item in ids(value) if (entity := self.by_id.get(item)) is not None]

    @property
    def descriptor(self) -> Entity | None:
        """The entity of the metadata file itself."""
        name = self.descriptor_path.rpartition("/")[2]
        found = self.get(name) or next((e for n in NAMES if (e := self.get(n))), None)
        if found is not None:
            return found
        # With absolute ids, or another prefix, it is the one that is about the root and ends so.
        return next((e for e in self.graph if e["@id"].endswith((*NAMES, DETACHED)) and "about" in e), None)

    @property
    def root(self) -> Entity | None:
        """The root data entity."""
        descriptor = self.descriptor
        about = first(descriptor.get("about")) if descriptor else None
        return self.get(about)


def normal(identifier: str) -> str:
    """Return an id as references to it are compared: `./x` is `x`, and the root is the root however it is written."""
    while identifier.startswith("./") and identifier != "./":
        identifier = identifier[2:]
    return "./" if identifier in (".", "./", "") else identifier


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


def text(value: object) -> str:
    """Return the first plain text of a property; of a reference its id, of a value object its value."""
    for item in values(value):
        if isinstance(item, dict):
            item = item.get("@value", item.get("@id"))
        if isinstance(item, bool) or item is None:
            continue
        if isinstance(item, (str, int, float)):
            return str(item)
    return ""


def kinds(entity: Entity) -> list[str]:
    """Return the types of an entity."""
    return [kind for kind in values(entity.get("@type")) if isinstance(kind, str)]


def ids(value: object) -> list[str]:
    """Return the ids that a property refers to; a plain text counts as one, as some writers have it."""
    found = [item.get("@id") if isinstance(item, dict) else item for item in values(value)]
    return [normal(item) for item in found if isinstance(item, str)]


# -- opening one


def is_metadata_name(name: str) -> bool:
    """Say whether a file of this name is a crate's metadata."""
    return name in NAMES or name.endswith((DETACHED, DETACHED + "ld"))


class NoCrateInZip(DefinitionError):
    """A zip without metadata: it may be an archive of something else."""


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
        name = _descriptor_in(payload, "")
        if name is None and payload.size("bagit.txt") is not None and _descriptor_in(payload, "data/"):
            payload = FolderPayload(place / "data")
            name = _descriptor_in(payload, "")
        if name is None:
            raise DefinitionError(f"there is no {NAMES[0]}", where=str(place))
        return _load(payload, name)
    except OSError as error:
        raise MachineError.of(error) from error


def _from_zip(place: Path) -> Crate:
    archive = open_zip(place)
    names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    only = f"{tops.pop()}/" if len(tops) == 1 else ""
    # Zips of repositories, of bags and from registries have the crate a folder down.
    for prefix in dict.fromkeys(("", "data/", only, f"{only}data/")):
        payload = ZipPayload(archive, prefix)
        name = _descriptor_in(payload, "")
        if name is not None:
            return _load(payload, name)
    archive.close()
    raise NoCrateInZip(f"there is no {NAMES[0]} in it", where=str(place))


def _descriptor_in(payload: Payload, folder: str) -> str | None:
    for name in NAMES:
        if payload.size(folder + name) is not None:
            return folder + name
    if isinstance(payload, ZipPayload) or folder:
        return None
    assert isinstance(payload, FolderPayload)
    # A folder of a million files is not searched for it.
    with os.scandir(payload.root) as entries:
        return next((e.name for e in entries if e.name.endswith(DETACHED) and e.is_file()), None)


def load(data: bytes, name: str, payload: Payload, stored: int = 0) -> Crate:
    """Read a crate from the bytes of its metadata, which take `stored` bytes where they lie. Raises DefinitionError."""
    if sum(map(data.count, (b",", b"[", b"{"))) > max(MOST_VALUES, stored // BYTES_A_VALUE):
        raise DefinitionError("it has too many values to be honest", where=name)
    try:
        # Half a surrogate pair could be printed nowhere.
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
        if SURROGATE.search(data):
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except UnicodeDecodeError as error:
        raise DefinitionError("it is not UTF-8 text", where=name) from error
    except json.JSONDecodeError as error:
        raise DefinitionError("it is not JSON", where=f"{name}:{error.lineno}", why=error.msg) from error
    except (RecursionError, ValueError) as error:
        raise DefinitionError("it is not JSON that can be read", where=name, why=str(error)[:200]) from error
    if not isinstance(document, dict):
        raise DefinitionError("it is no JSON object", where=name)
    crate = Crate(payload, name, document, detached=name not in NAMES and name.rpartition("/")[2] not in NAMES)
    graph = document.get("@graph")
    if not isinstance(graph, list):
        crate.notes.append(Note("there is no @graph, or it is no list", name, matters=True))
        graph = []
    for index, entity in enumerate(graph):
        if isinstance(entity, dict) and isinstance(entity.get("@id"), str):
            crate.graph.append(entity)
            identifier = normal(entity["@id"])
            known = crate.by_id.setdefault(identifier, entity)
            if known is not entity and identifier not in crate.ambiguous:
                _twice(crate, identifier, known, entity)
        else:
            crate.notes.append(Note("an entity without @id is left out", f"@graph[{index}]"))
    return crate


def _twice(crate: Crate, identifier: str, known: Entity, entity: Entity) -> None:
    if known == entity:
        crate.notes.append(Note("it is there twice, and the same", identifier))
        return
    crate.ambiguous.add(identifier)
    crate.notes.append(Note("two entities have this @id and differ; the first is taken", identifier, matters=True))


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _load(payload: Payload, name: str) -> Crate:
    size = payload.size(name)
    if size is None or size > MOST_METADATA:
        raise DefinitionError(f"the metadata has {size} bytes", where=name, why=f"at most {MOST_METADATA} are read")
    with payload.open(name) as file:
        return load(file.read(MOST_METADATA + 1), name, payload, payload.stored(name))
