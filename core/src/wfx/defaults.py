"""Defaults of a workflow that lie elsewhere: the workflow names them, not the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfx.references import SCHEME, Reference
from wfx.values import JsonValue, Values
from wfx.valuetypes import map_files

if TYPE_CHECKING:
    from wfx.engines import Description


def named_by_default(description: Description, values: Values, workflow: Reference) -> dict[str, Reference]:
    """Return the URIs that a workflow's defaults name and no value of the user's → the workflow.

    They are fetched with a stranger's rights.
    """
    defaults: Values = {p.id: p.default for p in description.inputs if p.has_default and p.id not in values}
    return dict.fromkeys(_locations(defaults) - _locations(values), workflow)


def _locations(values: Values) -> set[str]:
    found: set[str] = set()

    def note(item: dict[str, JsonValue], path: tuple[str | int, ...]) -> JsonValue:
        location = item.get("location")
        if isinstance(location, str) and SCHEME.match(location):
            found.add(location)
        return item

    map_files(values, note)
    return found
