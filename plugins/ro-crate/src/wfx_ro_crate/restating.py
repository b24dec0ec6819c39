"""The metadata of a crate of which some files are not handed on: what is missing stays as a reference that says why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wfx.crates.reading import kinds, path_of, values
from wfx.exporting import Addition, Omission
from wfx.packing import Member

from wfx_ro_crate.graph import DESCRIPTOR, local_id, path_id

DATA = frozenset({"File", "MediaObject", "Dataset"})
KEPT = ("@id", "@type", "contentSize", "sha256", "sha512", "sha1", "md5", "encodingFormat", "exampleOfWork")
"""What is told of a file that may not be disclosed."""


def left_out_id(path: str) -> str:
    """Return the id of what is not in the crate; it is no path, so nobody looks for it there."""
    return local_id("left-out", path)


def restate(
    crate: Path, members: Sequence[Member], omissions: Sequence[Omission], additions: Sequence[Addition] = ()
) -> dict[str, Any]:
    """Return the content of `ro-crate-metadata.json` for a crate that has `members` alone, and `additions` with them."""
    document: dict[str, Any] = json.loads((crate / DESCRIPTOR).read_bytes().decode("utf-8-sig"))
    graph = [entity for entity in document["@graph"] if isinstance(entity, dict) and "@id" in entity]
    absent = _Absent(members, omissions)
    renamed: dict[str, str] = {}
    for entity in graph:
        omission = absent.of(entity)
        if omission is not None:
            new = left_out_id(omission.shown or omission.path)
            renamed[entity["@id"]] = new
            _refer(entity, new, omission)
    changed = {member.path: member.source for member in members if isinstance(member.source, bytes)}
    for entity in graph:
        path = path_of(entity["@id"])
        if path in changed and path != DESCRIPTOR:
            _prove(entity, changed[path])
    for entity in graph:
        for name, value in entity.items():
            if not name.startswith("@"):
                entity[name] = _renamed(value, renamed)
    root = next((e for e in graph if e["@id"] == "./"), None)
    if root is not None:
        gone = set(renamed.values())
        _set(root, "hasPart", [v for v in values(root.get("hasPart")) if _target(v) not in gone])
        there = {_target(v) for v in values(root.get("mentions"))}
        added = [{"@id": identifier} for identifier in renamed.values() if identifier not in there]
        _set(root, "mentions", [*values(root.get("mentions")), *added])
        copies = [{"@id": path_id(addition.path)} for addition in additions]
        _set(root, "hasPart", [*values(root.get("hasPart")), *copies])
    document["@graph"] += [_copy(addition, graph) for addition in additions]
    return document


def _copy(addition: Addition, graph: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entity of a container image's copy, with the image that it is of."""
    digest = addition.about.partition(":")[2]
    images = [{"@id": e["@id"]} for e in graph if "ContainerImage" in kinds(dict(e)) and e.get("sha256") == digest]
    entity: dict[str, Any] = {
        "@id": path_id(addition.path), "@type": "File", "name": addition.path.rpartition("/")[2],
        "description": addition.description, "contentSize": str(addition.size), "sha256": addition.sha256,
        "encodingFormat": addition.media_type,
    }  # fmt: skip
    _set(entity, "about", [dict(each) for each in images])
    return entity


class _Absent:
    """Knows which entities speak of files that are not there."""

    def __init__(self, members: Iterable[Member], omissions: Iterable[Omission]) -> None:
        self._omissions = {omission.path: omission for omission in omissions}
        self._here: set[str] = set()
        for member in members:
            parts = member.path.split("/")
            self._here.update("/".join(parts[:n]) + ("/" if n < len(parts) else "") for n in range(1, len(parts) + 1))
        self._above: dict[str, Omission] = {}
        for omission in self._omissions.values():
            parts = omission.path.rstrip("/").split("/")
            for n in range(1, len(parts)):
                self._above.setdefault("/".join(parts[:n]) + "/", omission)

    def of(self, entity: Mapping[str, Any]) -> Omission | None:
        """Return why the file or folder of an entity is not there; None where it is, or is no file."""
        if not DATA & set(kinds(dict(entity))):
            return None
        path = path_of(str(entity["@id"]))
        if not path or path == "./":
            return None
        found = self._omissions.get(path) or self._omissions.get(path.rstrip("/") + "/")
        if found is not None:
            return found
        folder = path.rstrip("/") + "/"
        within = self._above.get(folder)
        if within is None or folder in self._here:
            return None
        # A folder all of whose files stay behind is not there either.
        return Omission(folder, within.why, 0, shown=folder, disclosable=within.disclosable)


def _refer(entity: dict[str, Any], new: str, omission: Omission) -> None:
    """Make an entity one of something that is elsewhere, or nowhere for others."""
    entity["@id"] = new
    if not omission.disclosable:
        for name in [name for name in entity if name not in KEPT]:
            del entity[name]
        entity["name"] = (omission.shown or omission.path).rstrip("/").rpartition("/")[2]
        entity["conditionsOfAccess"] = "It may not be disclosed."
    said = [text for text in values(entity.get("description")) if isinstance(text, str)]
    entity["description"] = " ".join([*said, f"Not in this crate: {omission.why[0].lower()}{omission.why[1:]}"])
    if omission.origin:
        entity["contentUrl"] = omission.origin
    if omission.size and "contentSize" not in entity:
        entity["contentSize"] = str(omission.size)
    if omission.sha256 and "Dataset" not in kinds(entity):
        entity.setdefault("sha256", omission.sha256)


def _prove(entity: dict[str, Any], data: bytes) -> None:
    if "contentSize" in entity:
        entity["contentSize"] = str(len(data))
    if "sha256" in entity:
        entity["sha256"] = hashlib.sha256(data).hexdigest()


def _renamed(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, renamed) for item in value]
    if isinstance(value, dict) and value.get("@id") in renamed:
        return {**value, "@id": renamed[value["@id"]]}
    return value


def _target(value: Any) -> str:
    return str(value.get("@id", "")) if isinstance(value, dict) else ""


def _set(entity: dict[str, Any], name: str, found: Sequence[Any]) -> None:
    """Write a property as RO-Crate 1.1 §4.1 wants it: a list of one is its only value."""
    if found:
        entity[name] = found[0] if len(found) == 1 else found
    else:
        entity.pop(name, None)
