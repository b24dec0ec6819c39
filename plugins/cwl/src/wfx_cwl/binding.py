"""Values as cwltool will read them: defaults added, and the companions of files that the types ask for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import quote, unquote

from wfx.engines import Description
from wfx.references import Reference
from wfx.values import JsonValue, Parameter, SecondaryFile, Values


def bind(description: Description, values: Values) -> Values:
    """Return the values with defaults for what is missing, and `secondaryFiles` (CWL v1.2 Workflow §5.1.2) named."""
    bound: Values = {}
    for parameter in description.inputs:
        value = values.get(parameter.id)
        if value is None and parameter.has_default:
            value = parameter.default
        if value is None and parameter.id not in values:
            continue
        bound[parameter.id] = _companions(value, parameter)
    return bound


def _companions(value: JsonValue, parameter: Parameter) -> JsonValue:
    if not parameter.secondary_files:
        return value
    if isinstance(value, list):
        return [_companions(item, parameter) for item in value]
    if not isinstance(value, dict) or value.get("class") != "File" or not isinstance(value.get("location"), str):
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
    for wanted in _wanted(parameter.secondary_files):
        companion = applied(wanted.pattern, name)
        if companion in here:
            continue
        place = beside(reference, applied(wanted.pattern, reference.name))
        if place.is_local:
            # An optional companion is taken where it is; whether a required one is missing is said by the core.
            if not os.path.lexists(place.path) and wanted.required is False:
                continue
        elif wanted.required is False:
            continue
        kind = "Directory" if place.is_local and place.path.is_dir() else "File"
        companions.append({"class": kind, "location": place.uri, "basename": companion})
        here.add(companion)
    return {**value, "secondaryFiles": companions} if companions else value


def _wanted(patterns: Sequence[SecondaryFile]) -> list[SecondaryFile]:
    # An expression can only be evaluated by cwltool, which looks for such a file when it runs.
    return [item for item in patterns if "$(" not in item.pattern and "${" not in item.pattern]


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
