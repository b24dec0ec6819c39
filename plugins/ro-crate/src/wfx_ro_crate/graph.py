"""The crate's metadata while it grows: entities by id, references between them, and one gate for every text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from wfx.redaction import redact

Property: TypeAlias = "str | int | dict[str, str] | list[Property]"
Entity: TypeAlias = "dict[str, Property]"

VERSION = "1.1"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
DESCRIPTOR = "ro-crate-metadata.json"
PREVIEW = "ro-crate-preview.html"
ROOT = "./"
LONGEST = 20_000


def ref(identifier: str) -> dict[str, str]:
    """Return a reference to an entity."""
    return {"@id": identifier}


def as_bytes(text: str) -> bytes:
    """Return the bytes that a text stands for: of a name that is no UTF-8 its own, else UTF-8 whatever is in it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a surrogate pair, as JSON may have it, stands for no byte.
        return text.encode("utf-8", "surrogatepass")


def path_id(path: str, *, folder: bool = False) -> str:
    """Return the id of a path of the crate: a relative URI, percent-encoded byte by byte (RFC 3986 §2.1)."""
    encoded = quote(as_bytes(path.strip("/")))
    return f"{encoded}/" if folder else encoded


def local_id(*parts: str) -> str:
    """Return the id of something that has no file and no address: `#run/align`."""
    return "#" + "/".join(quote(as_bytes(part), safe="/:,@+=") for part in parts if part)


class Cleaner:
    """Takes out of a text what no crate may hold: secrets, paths of this machine, bytes that are no Unicode."""

    def __init__(self, directory: Path) -> None:
        places = {str(directory), str(directory.resolve())}
        self._paths = [(f"{place}/", "") for place in places] + [(place, ".") for place in places]
        self._paths += [("file://" + quote(place) + "/", "") for place in places]
        home = os.path.expanduser("~").rstrip("/")
        if home.count("/") >= 1 and len(home) > 1:
            self._paths.append((f"{home}/", "~/"))
        self._paths.sort(key=lambda pair: -len(pair[0]))

    def __call__(self, text: str) -> str:
        """Return the text as it may be handed on."""
        if not text.isascii():
            text = as_bytes(text).decode("utf-8", "replace")
        if "/" in text:
            for place, instead in self._paths:
                text = text.replace(place, instead)
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… ({len(text)} characters)"
        # The redactor looks for what stands in addresses and headers; most texts are neither.
        return redact(text)


class Graph:
    """Entities by id. Adding and linking take constant time, whatever the size of the crate."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self.clean = clean
        self._entities: dict[str, Entity] = {}
        self._links: dict[tuple[str, str], dict[str, None]] = {}

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._entities

    def __len__(self) -> int:
        return len(self._entities)

    def fresh(self, wish: str) -> str:
        """Return the id, or where it is taken the next free one like it."""
        if wish not in self._entities:
            return wish
        number = 2
        while f"{wish}-{number}" in self._entities:
            number += 1
        return f"{wish}-{number}"

    def add(self, identifier: str, kind: str | list[str], /, **properties: Property | None) -> str:
        """Enter an entity, or what is new about one that is there; return its id. None and "" say nothing."""
        entity = self._entities.setdefault(identifier, {"@id": identifier, "@type": list[Property]()})
        types = entity["@type"]
        assert isinstance(types, list)
        types += [t for t in ([kind] if isinstance(kind, str) else kind) if t not in types]
        for name, value in properties.items():
            if value is not None and value not in ("", []) and name not in entity:
                entity[name] = self._cleaned(value)
        return identifier

    def set(self, identifier: str, name: str, value: Property | None) -> None:
        """Set a property, in place of what was there."""
        if value is not None and value not in ("", []):
            self._entities[identifier][name] = self._cleaned(value)

    def put(self, identifier: str, name: str, value: Property) -> None:
        """Set a property, be the value empty or not."""
        self._entities[identifier][name] = self._cleaned(value)

    def get(self, identifier: str, name: str) -> Property | None:
        """Return what was added as a property."""
        return self._entities[identifier].get(name)

    def kinds(self, identifier: str) -> list[Property]:
        """Return the types of an entity."""
        types = self._entities[identifier]["@type"]
        assert isinstance(types, list)
        return types

    def link(self, subject: str, name: str, *objects: str) -> None:
        """Add references to a property; each is there once, in the order in which they came."""
        links = self._links.setdefault((subject, name), {})
        for identifier in objects:
            links[identifier] = None

    def linked(self, subject: str, name: str) -> list[str]:
        """Return the ids that a property refers to."""
        return list(self._links.get((subject, name), ()))

    def _cleaned(self, value: Property) -> Property:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self._cleaned(item) for item in value]
        return value

    def entities(self) -> Iterable[Entity]:
        """Yield the entities in their final form: a list of one is written as its only value (RO-Crate 1.1 §4.1)."""
        for (subject, name), links in self._links.items():
            entity = self._entities.get(subject)
            if entity is not None and links:
                there = entity.get(name, [])
                values = there if isinstance(there, list) else [there]
                entity[name] = [*values, *({"@id": i} for i in links if {"@id": i} not in values[:4])]
        self._links = {}
        for entity in self._entities.values():
            yield {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in entity.items()}

    def json_ld(self) -> dict[str, Any]:
        """Return the document, made by the rocrate library, which knows descriptor, root and context."""
        # Its import takes a fifth of a second, which only the commands that write a crate should pay.
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate

        crate = ROCrate(version=VERSION)
        crate.metadata.extra_contexts.append(TERMS)
        for entity in self.entities():
            identifier = str(entity["@id"])
            if identifier in (ROOT, DESCRIPTOR):
                own = crate.root_dataset if identifier == ROOT else crate.metadata
                for name, value in entity.items():
                    if not name.startswith("@"):
                        own[name] = value
            else:
                # Whether it is data is said by `hasPart`; the library's data entities would copy and list by themselves.
                crate.add(ContextEntity(crate, identifier, entity))
        document: dict[str, Any] = crate.metadata.generate()
        return document
