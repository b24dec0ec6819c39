"""Values as cwltool will read them: defaults added, and the companions of files that the types ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from wfx.engines import Description
from wfx.errors import InputError
from wfx.inputfiles import OPTIONAL
from wfx.references import Reference
from wfx.values import JsonValue, SecondaryFile, Values, ValueType


def bind(description: Description, values: Values) -> Values:
    """Return the values with defaults for what is missing, and `secondaryFiles` (CWL v1.2 Workflow §5.1.2) named."""
    bound: Values = {}
    for parameter in description.inputs:
        value = values.get(parameter.id)
        if value is None and parameter.has_default:
            value = parameter.default
        if value is None and parameter.id not in values:
            continue
        bound[parameter.id] = _bound(value, parameter.type, parameter.secondary_files)
        if len(parameter.formats) == 1:
            bound[parameter.id] = _formatted(bound[parameter.id], parameter.formats[0])
    return bound


def _formatted(value: JsonValue, form: str) -> JsonValue:
    """Say of files whose format nobody states that they have the one that is asked for: cwltool insists on a word."""
    if isinstance(value, list):
        return [_formatted(item, form) for item in value]
    if isinstance(value, dict) and value.get("class") == "File" and "format" not in value:
        return {**value, "format": form}
    return value


def _bound(value: JsonValue, kind: ValueType, patterns: Sequence[SecondaryFile]) -> JsonValue:
    """Name the companions of all files in a value: the parameter's patterns, or those of a record's field."""
    if isinstance(value, list):
        items = [t.items for t in (kind, *kind.alternatives) if t.items is not None]
        return [_bound(item, items[0] if len(items) == 1 else ValueType("any"), patterns) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") in ("File", "Directory"):
        _refuse_unreadable(value)
        return _companions(value, patterns) if value["class"] == "File" else value
    # Of several records the one that has all of the value's fields.
    records = [t for t in (kind, *kind.alternatives) if t.fields and set(value) <= {field.name for field in t.fields}]
    if not records:
        return value
    fields = {field.name: field for field in records[0].fields}
    return {name: _bound(item, fields[name].type, fields[name].secondary_files) for name, item in value.items()}


def _refuse_unreadable(value: dict[str, JsonValue]) -> None:
    """Refuse a name that is not UTF-8: cwltool takes the bytes for characters, and then does not find the file."""
    name = value.get("basename") or Reference(str(value.get("location", ""))).name
    try:
        str(name).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "its name is not UTF-8, which cwltool cannot read", where=str(name).encode("utf-8", "backslashreplace").decode(),
            remedy="give it another as basename",
        ) from error  # fmt: skip


def _companions(value: dict[str, JsonValue], patterns: Sequence[SecondaryFile]) -> JsonValue:
    if not patterns or not isinstance(value.get("location"), str):
        return value
    given = value.get("secondaryFiles")
    companions: list[JsonValue] = list(given) if isinstance(given, list) else []
    reference = Reference(str(value["location"]))
    if reference.uri.startswith("workflow/"):
        return value
    basename = value.get("basename")
    name = basename if isinstance(basename, str) and basename else reference.name
    here = {str(item.get("basename") or Reference(str(item.get("location", ""))).name)
            for item in companions if isinstance(item, dict)}  # fmt: skip
    for wanted in patterns:
        companion, there = named(wanted.pattern, name), named(wanted.pattern, reference.name)
        if companion is None or there is None or companion in here:
            continue
        place = beside(reference, there)
        # An optional companion is taken where it is; whether a required one is missing is said by the core.
        if place.is_local and wanted.required is False and not os.path.lexists(place.path):
            continue
        kind = "Directory" if place.is_local and place.path.is_dir() else "File"
        found: dict[str, JsonValue] = {"class": kind, "location": place.uri, "basename": companion}
        if wanted.required is False and not place.is_local:
            # Only its place can tell whether it is there, and the core asks it.
            found[OPTIONAL] = True
        companions.append(found)
        here.add(companion)
    return {**value, "secondaryFiles": companions} if companions else value


SIMPLE = re.compile(r"\$\(self\.(basename|nameroot|nameext)\)")


def named(pattern: str, name: str) -> str | None:
    """Return the companion's name by a pattern or by an expression that only puts the file's own name together.

    None for any other expression: only cwltool can evaluate it, and looks for such a file when it runs.
    """
    if "$(" not in pattern and "${" not in pattern:
        return applied(pattern, name)
    root, extension = os.path.splitext(name)
    parts = {"basename": name, "nameroot": root, "nameext": extension}
    rest = SIMPLE.sub("", pattern)
    if "$(" in rest or "${" in rest or "/" in rest:
        return None
    return SIMPLE.sub(lambda match: parts[match[1]], pattern).removesuffix("?") or None


def applied(pattern: str, name: str) -> str:
    """Apply a pattern to a file name: each leading `^` takes one extension away, the rest is added."""
    pattern = pattern.removesuffix("?")
    while pattern.startswith("^"):
        pattern = pattern[1:]
        stem, dot, _ = name.rpartition(".")
        name = stem if dot and stem else name
    return name + pattern


def beside(reference: Reference, name: str) -> Reference:
    """Return the reference of another file in the same folder."""
    if reference.is_local:
        return Reference.of_path(reference.path.parent / name)
    head, mark, fragment = reference.uri.partition("#path=")
    if mark:
        folder, slash, _ = unquote(fragment, errors="surrogateescape").rpartition("/")
        return Reference(f"{head}#path={quote(os.fsencode(folder + slash + name))}")
    path, question, query = reference.uri.partition("?")
    folder = path.rpartition("/")[0]
    return Reference(f"{folder}/{quote(os.fsencode(name))}{question}{query}")
