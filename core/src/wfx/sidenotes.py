"""What inputs say of files that no engine knows: mirrors, checksums, licences. Taken off the values, put on the plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from wfx.fetching import Expected
from wfx.itemforms import NOTE
from wfx.planning import PlannedInput
from wfx.references import Reference
from wfx.values import JsonValue, Values


@dataclass(slots=True)
class Notes:
    """By the URI of a file."""

    by_uri: dict[str, dict[str, Any]] = field(default_factory=dict)

    def on(self, item: PlannedInput) -> PlannedInput:
        """Return a planned file with what was said of it."""
        note = self.by_uri.get(item.reference.uri)
        if note is None:
            return item
        told = note.get("licence", [])
        return replace(
            item,
            expected=_more(item.expected, note.get("checksums", {})),
            archive=_more(Expected(size=note.get("archive", {}).get("size")), note.get("archive", {}).get("checksums", {})),
            alternates=tuple(Reference(uri) for uri in note.get("alternates", ())),
            licence=" AND ".join(told) if told else item.licence,
            attribution=tuple(note.get("attribution", ())),
            cacheable=bool(note.get("cacheable", True)),
            table=note.get("table", {}),
        )  # fmt: skip


def split(values: Values) -> tuple[Values, Notes]:
    """Part the inputs from what only wfx has a use for."""
    notes = Notes()
    return {name: _plain(value, notes) for name, value in values.items()}, notes


def _plain(value: JsonValue, notes: Notes) -> JsonValue:
    if isinstance(value, list):
        return [_plain(item, notes) for item in value]
    if not isinstance(value, dict):
        return value
    note = value.get(NOTE)
    if isinstance(note, dict) and note and isinstance(value.get("location"), str):
        # The same file may stand at several places: what is said of one holds for it.
        notes.by_uri.setdefault(str(value["location"]), {}).update(note)
    return {key: _plain(item, notes) for key, item in value.items() if key != NOTE}


def _more(expected: Expected, stated: dict[str, str]) -> Expected:
    others = {algorithm: digits for algorithm, digits in stated.items() if algorithm != "sha256"}
    return Expected(
        stated.get("sha256", expected.sha256),
        expected.size,
        tuple(sorted({**dict(expected.checksums), **others}.items())),
    )
