"""Where the files of a crate are: in it, or where it says that they came from; never anywhere else of this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.crates.payloads import confined
from wfx.crates.reading import Crate, Entity, ids, kinds, normal, path_of, text
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue
from wfx.valuetypes import map_files

CHECKSUMS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
# Where a file may be had from that is not in the crate, the best first.
ORIGINS = ("contentUrl", "downloadUrl", "url", "distribution", "isBasedOn", "sameAs")
PAGES = ("url", "isBasedOn", "sameAs")
HEX = re.compile(r"[0-9a-fA-F]+")


@dataclass(slots=True)
class Locator:
    """Finds the files of one crate, and remembers what it names elsewhere and what is not to be had."""

    crate: Crate
    folder: Path | None
    """Where the crate's files lie; None where they are in the web."""
    remote: set[str] = field(default_factory=set)
    """URIs that the crate names, which are fetched with no more rights than a stranger's document has."""
    known: set[str] = field(default_factory=set)
    """URIs of files of the crate that have been found."""
    missing: list[str] = field(default_factory=list)
    """A line for each thing that is not to be had, and what would supply it."""
    refused: list[str] = field(default_factory=list)
    """A line for each thing that leads out of the crate."""

    def path(self, entity: Entity) -> Path | None:
        """Return where a file or folder lies in the crate; None where it does not."""
        path = path_of(entity["@id"])
        if path is None or self.folder is None or not path:
            return None
        for candidate in dict.fromkeys((path, normal(entity["@id"]))):
            if confined(candidate) and (
                self.crate.payload.size(candidate) is not None or self.crate.payload.is_folder(candidate)
            ):
                return self.folder / candidate.rstrip("/")
        return None

    def find(self, entity: Entity, purpose: str) -> Reference | None:
        """Return where a file or folder can be had; None where nowhere, and then why is noted. `purpose` says for what."""
        found = self.path(entity)
        if found is not None:
            if found.is_dir() and (link := link_out_of(found)):
                self.refused.append(f"{purpose}: {entity['@id']} holds the link {link}, which leads out of it")
                return None
            return self.found(found)
        identifier = entity["@id"]
        path = path_of(identifier)
        if path is not None and self.crate.base is not None and confined(path):
            return self._named(self.crate.base.join(normal(identifier)))
        for origin in self._origins(entity):
            return self._named(origin)
        if identifier.lower().startswith("file:") or (path is not None and not confined(path)):
            self.refused.append(f"{purpose}: {identifier} leads out of the crate")
        elif path is not None and self.crate.payload.is_link(path):
            self.refused.append(f"{purpose}: {identifier} is a symbolic link out of the crate, or within a zip")
        else:
            self.missing.append(f"{purpose}: {identifier} is not in the crate, and it names no address for it")
        return None

    def found(self, path: Path) -> Reference:
        """Return the reference of a file that lies in the crate, and remember it."""
        reference = Reference.of_path(path)
        self.known.add(reference.uri)
        return reference

    def confine(self, value: JsonValue, purpose: str) -> JsonValue:
        """Return a value in which every file is one that was found here, or that the crate names elsewhere.

        A crate may write a path as a text, and mean a file of its own; one of this machine it cannot mean.
        """

        def look(item: dict[str, Any], path: tuple[str | int, ...]) -> JsonValue:
            location = item.get("location", item.get("path"))
            item.pop("path", None)
            if location is None or location in self.known or location in self.remote:
                return item
            found = self.find({"@id": str(location), "@type": "File"}, purpose)
            return {**item, "location": found.uri} if found is not None else item

        result: JsonValue = map_files(value, look)
        return result

    def _named(self, reference: Reference) -> Reference:
        self.remote.add(reference.uri)
        return reference

    def _origins(self, entity: Entity, *, distributed: bool = False) -> list[Reference]:
        found = []
        for name in ("@id", *ORIGINS):
            for item in ids(entity.get(name)):
                target = self.crate.get(item)
                if name == "distribution" and target is not None and not distributed:
                    found += self._origins(target, distributed=True)
                elif SCHEME.match(item) and (reference := remote(item)) is not None and _is_data(entity, item, name):
                    found.append(reference)
        return found


def remote(uri: str) -> Reference | None:
    """Return a URI as a reference that leads to no file of this machine; None for any other."""
    if not SCHEME.match(uri) or any(ord(c) <= 0x20 for c in uri):
        return None
    reference = Reference(uri)
    if reference.on_this_machine or reference.scheme in ("urn", "mailto", "arcp", "info", "tag"):
        return None
    return reference


def _is_data(entity: Entity, uri: str, name: str) -> bool:
    """Say whether an address is that of the bytes; `url` and its like are pages for people as often as data."""
    suffix = Path(path_of(entity["@id"]) or "").suffix
    return name not in PAGES or (bool(suffix) and Reference(uri).name.endswith(suffix))


def link_out_of(folder: Path) -> str:
    """Return a link within a folder that leads out of it; empty where there is none."""
    top = folder.resolve()
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent) / name
            if path.is_symlink() and not path.resolve().is_relative_to(top):
                return os.path.relpath(path, folder)
    return ""


def stated(entity: Entity) -> dict[str, str | int]:
    """Return what a crate states of a file, in the form of a File object: `checksum`, `size`."""
    found: dict[str, str | int] = {}
    for algorithm, length in CHECKSUMS.items():
        value = text(entity.get(algorithm))
        if len(value) == length and HEX.fullmatch(value):
            found["checksum"] = f"{algorithm}${value.lower()}"
            break
    size = text(entity.get("contentSize"))
    if size.isascii() and size.isdigit() and "checksum" in found:
        # Without a checksum a size proves little, and writers give it rounded or in other units.
        found["size"] = int(size)
    return found


def is_folder(entity: Entity) -> bool:
    """Say whether an entity is a folder."""
    return "Dataset" in kinds(entity)
