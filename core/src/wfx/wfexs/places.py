"""What a converted definition must reach: each reference, with the plugin that fetches it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfx.errors import DefinitionError, PluginError
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.session import Session

FORMS = ("file", "directory", "archive", "table")


@dataclass(frozen=True, slots=True)
class Place:
    """A reference of a definition."""

    parameter: str
    """`workflow`, or the input that names it."""
    reference: str
    plugin: str
    """Distribution that fetches it; empty: none that is installed."""


def places_of(definition: Mapping[str, Any], session: Session) -> list[Place]:
    """Return every reference of a definition, the workflow's first, mirrors and rows of inline tables too."""
    found = [("workflow", str(definition["workflow"]))]
    for name, value in (definition.get("inputs") or {}).items():
        found += [(str(name), text) for text in _references(value)]
    return [Place(name, text, _plugin(text, session)) for name, text in found]


def _plugin(text: str, session: Session) -> str:
    try:
        provider = session.plugins.fetcher_provider(Reference(text))
    except (DefinitionError, PluginError):
        return ""
    return provider.distribution if provider is not None else ""


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        form = next((form for form in FORMS if form in value), None)
        if form is None:
            for item in value.values():
                yield from _references(item)
        elif form == "table" and "contents" in value:
            rows = list(csv.reader(io.StringIO(value["contents"]), delimiter=value["delimiter"]))[value["header"] :]
            yield from (row[column] for row in rows for column in value["columns"] if column < len(row) and row[column])
        else:
            given = value[form] if isinstance(value[form], list) else [value[form]]
            yield from map(str, given)
            for item in value.get("secondary", []):
                yield from [item] if isinstance(item, str) else _references(item)
