"""Workflow parameters: their types, and the values that fit them.

A value is JSON. A file or directory in it is an object as CWL writes it, for every engine alike:
`{"class": "File", "location": URI, "basename": …, "size": …, "checksum": "sha256$…", "secondaryFiles": […]}`,
`{"class": "Directory", "location": URI, "listing": […]}`, or a literal `{"class": "File", "basename": …, "contents": …}`
(CWL v1.2 CommandLineTool §4.2.2 and §4.2.3). `location` is an absolute URI before staging and a path relative to the
run directory after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
Values: TypeAlias = dict[str, JsonValue]

Kind = Literal[
    "null", "boolean", "int", "float", "string", "enum", "File", "Directory", "array", "record", "union", "any"
]


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a record."""

    name: str
    type: ValueType
    doc: str = ""
    secondary_files: tuple[SecondaryFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueType:
    """What a parameter takes.

    `items` belongs to an array, `fields` and `more` to a record, `symbols` to an enum, `alternatives` to a union. An
    optional parameter is a union with `null`.
    """

    kind: Kind
    items: ValueType | None = None
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()
    alternatives: tuple[ValueType, ...] = ()
    more: bool = False
    """Whether a record may have other fields too, of whatever type."""

    @property
    def optional(self) -> bool:
        """Whether null fits."""
        return self.kind in ("null", "any") or any(t.optional for t in self.alternatives)


@dataclass(frozen=True, slots=True)
class SecondaryFile:
    """A companion of a file, by CWL's pattern (`.bai`, `^.dict`); `required` may be false or unknown (None)."""

    pattern: str
    required: bool | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input or output of a workflow, a step or a tool."""

    id: str
    """Local name, `reads`; of a tool's or a step's parameter too."""
    type: ValueType
    label: str = ""
    doc: str = ""
    default: JsonValue = None
    has_default: bool = False
    formats: tuple[str, ...] = ()
    """IRIs, EDAM's by preference."""
    secondary_files: tuple[SecondaryFile, ...] = ()

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return not (self.has_default or self.type.optional)
