"""The services that are asked: their addresses, and their answers as JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from wfx.documents import load_document
from wfx.errors import DefinitionError, DocumentError, FetchError
from wfx.fetching import Net

SECTION: Final = "fetcher.doi"
SERVICES: Final = {
    "datacite": "https://api.datacite.org",
    "handles": "https://hdl.handle.net",
    "identifiers": "https://resolver.api.identifiers.org",
    "resolver": "https://doi.org",
}
LARGEST_ANSWER: Final = 16 * 2**20


def address_of(service: str, net: Net) -> str:
    """Return the address of a service, from the settings where they name another. Raises DefinitionError."""
    section = net.section(SECTION)
    for key in section:
        if key not in SERVICES:
            raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SERVICES)}")
    value = section.get(service) or SERVICES[service]
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s@?#/]+(/[^\s@?#]*)?", value):
        raise DefinitionError(
            f"'{SECTION}.{service}' is {value!r}", why="it is no address", remedy="write https://HOST"
        )
    return value.rstrip("/")


def ask(net: Net, url: str, accept: str = "application/json") -> Any:
    """Return the JSON of an address. Raises FetchError for what is none."""
    body = net.http(url, headers={"Accept": accept})
    content = body.read(LARGEST_ANSWER)
    try:
        return load_document(content, "answer.json").value
    except DocumentError as error:
        raise FetchError("the answer is no JSON", where=body.url, why=error.what) from error
