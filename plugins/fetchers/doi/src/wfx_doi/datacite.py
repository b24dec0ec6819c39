"""What DataCite knows of a DOI: where the bytes are, if its depositor says so, licence, and what to call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source

from wfx_doi.handles import Handle
from wfx_doi.services import address_of, ask


@dataclass(frozen=True, slots=True)
class Record:
    """The part of a record that is used."""

    title: str = ""
    kind: str = ""
    """`Dataset`, `Software`, …"""
    publisher: str = ""
    licence: str | None = None
    contents: tuple[str, ...] = ()
    """Addresses of the bytes themselves."""

    def __str__(self) -> str:
        who = f" at {self.publisher}" if self.publisher else ""
        return f"{self.kind or 'a record'}{f' “{self.title}”' if self.title else ''}{who}"


def record_of(handle: Handle, net: Net) -> Record | None:
    """Return DataCite's record of a DOI; None where another agency has registered it."""
    url = f"{address_of('datacite', net)}/dois/{quote(handle.name, safe='/')}"
    try:
        answer = ask(net, url)
    except ReferenceNotFound:
        return None
    data = answer.get("data") if isinstance(answer, dict) else None
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise FetchError("the answer of DataCite is not understood", where=url)
    types, rights = attributes.get("types"), attributes.get("rightsList")
    contents = attributes.get("contentUrl")
    contents = [contents] if isinstance(contents, str) else contents
    publisher = attributes.get("publisher")
    return Record(
        _text(_first(attributes.get("titles")), "title"),
        _text(types, "resourceTypeGeneral"),
        publisher if isinstance(publisher, str) else _text(publisher, "name"),
        _text(_first(rights), "rightsUri") or _text(_first(rights), "rightsIdentifier") or None,
        tuple(item for item in contents if isinstance(item, str)) if isinstance(contents, list) else (),
    )


def sources_of(record: Record, net: Net, where: Reference) -> list[Source]:
    """Return the contents of a record: one file, or several with a name each. Raises PolicyError, FetchError."""
    gate = net.on_behalf_of(Reference(address_of("datacite", net)), "fetch")
    found: list[Source] = []
    names: set[str] = set()
    for address in dict.fromkeys(record.contents):
        try:
            reference = Reference.parse(address)
        except FetchError:
            continue
        if reference.on_this_machine or "://" not in address:
            continue
        # Whoever deposits a record names the address: it may lead into no private network.
        gate.connect(reference.origin)
        name = reference.name or "content"
        stem, dot, suffix = name.partition(".")
        for number in range(2, len(record.contents) + 2):
            if name not in names:
                break
            name = f"{stem}-{number}{dot}{suffix}"
        names.add(name)
        found.append(Source(reference, name=name, licence=record.licence))
    return found


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _text(value: Any, name: str) -> str:
    text = value.get(name) if isinstance(value, dict) else None
    return " ".join(text.split())[:300] if isinstance(text, str) else ""
