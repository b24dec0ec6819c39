"""Inputs as people give them: a file, options on the command line, or both; made into values with absolute locations."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.errors import DefinitionError, DocumentError, InputError, PolicyError
from wfx.inputfiles import NAMED_BY
from wfx.itemforms import NOTE, long_form, part_uri
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue, Parameter, Values
from wfx.valuetypes import array_of, check_values, map_files, parse_text

OPTION = re.compile(r"([^=:@]+?)(:=|=@|=)(.*)", re.S)
AS_GIVEN = "inputs-as-given"


@dataclass(frozen=True, slots=True)
class InputOption:
    """One `-i` of the command line."""

    name: str
    mark: str
    """`=` a text, read by the declared type; `:=` JSON; `=@` a reference."""
    text: str

    @classmethod
    def parse(cls, option: str) -> InputOption:
        """Read `NAME=VALUE`, `NAME:=JSON` or `NAME=@REFERENCE`. Raises InputError."""
        match = OPTION.fullmatch(option)
        if match is None:
            raise InputError(f"-i {option!r}", why="it is not NAME=VALUE, NAME:=JSON or NAME=@REFERENCE")
        return cls(match[1].strip(), match[2], match[3])


@dataclass(frozen=True, slots=True)
class InputsFile:
    """A file of inputs as it was read."""

    name: str
    """For messages."""
    data: bytes
    base: Reference
    """What relative references in it are relative to: the file's own reference."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Inputs from one file, and what its relative references are relative to."""

    values: Values
    base: Reference | Path
    where: Callable[[tuple[str | int, ...]], str]
    """Names the place of a value in the file."""


def assemble(
    parameters: Sequence[Parameter],
    layers: Sequence[Layer],
    options: Sequence[InputOption] = (),
    *,
    cwd: Path | None = None,
    expand: Callable[[Values, Sequence[Parameter]], Values] | None = None,
) -> Values:
    """Return the inputs, checked, with every `location` an absolute URI.

    A later layer overrides an earlier one, and `options` override them all; one that is given more than once appends
    where the input takes an array. `expand` puts files in the place of patterns, and of what stands for many. Raises
    InputError that lists all problems.
    """
    folder = cwd or Path.cwd()
    merged: Values = {}
    places: dict[str, Callable[[tuple[str | int, ...]], str]] = {}
    for layer in layers:
        base = layer.base
        if isinstance(base, Reference) and base.is_local:
            # What stands in a file of this machine is a path: `50%20.txt` and `a#b` are names, nothing is escaped.
            base = base.path.parent
        for name, value in layer.values.items():
            merged[name] = _absolute(value, base, name)
            places[name] = layer.where
    unknown: set[str] = set()
    given: set[str] = set()
    types = {p.id: p.type for p in parameters}
    for option in options:
        kind = types.get(option.name)
        if kind is None:
            # The name is checked with all the others, which can suggest one.
            merged[option.name] = option.text
            unknown.add(option.name)
            continue
        try:
            value = _absolute(_value(option, kind), folder, option.name)
        except DocumentError:
            raise  # it names the option, and the line in it
        except DefinitionError as error:
            raise InputError(error.what, where=f"-i {option.name}", why=error.why, remedy=error.remedy) from error
        array = array_of(kind)
        before = merged.get(option.name) if option.name in given else None
        if array is not None and option.mark == ":=" and isinstance(value, list):
            value = [*before, *value] if isinstance(before, list) else value if before is None else [before, *value]
        elif array is not None:
            if kind.kind == "array" or before is not None or not _alone(value, kind):
                value = [*(before if isinstance(before, list) else [] if before is None else [before]), value]
        elif option.name in given:
            raise InputError("it is given twice and takes one value", where=f"-i {option.name}")
        merged[option.name] = value
        given.add(option.name)

    def where(path: tuple[str | int, ...]) -> str:
        if path and (path[0] in given or path[0] in unknown):
            return f"-i {path[0]}"
        place = places.get(str(path[0])) if path else None
        return place(path) if place is not None else layers[-1].where(()) if layers else "inputs"

    if expand is not None:
        merged = expand(merged, parameters)
    found = check_values(merged, parameters, where)
    if found:
        shown = found[:10] + ([f"and {len(found) - 10} more"] if len(found) > 10 else [])
        raise InputError("; ".join(shown), remedy="`wfx inputs WORKFLOW` prints a template")
    return merged


def _alone(value: JsonValue, kind: Any) -> bool:
    from wfx.valuetypes import problems

    return any(not list(problems(value, t)) for t in kind.alternatives if t.kind != "array")


def _value(option: InputOption, kind: Any) -> JsonValue:
    if option.mark == ":=":
        return load_document(option.text.encode("utf-8", "surrogateescape"), f"-i {option.name}").value
    if option.mark == "=@":
        return {"class": "Directory" if _only_directories(kind) else "File", "location": option.text}
    return parse_text(option.text, kind)


def _only_directories(kind: Any) -> bool:
    inner = [kind, *kind.alternatives]
    kinds = {(t.items or t).kind for t in inner} - {"union", "null"}
    return "Directory" in kinds and "File" not in kinds


def _absolute(value: JsonValue, base: Reference | Path, name: str) -> JsonValue:
    """Make every location of a value absolute, and bring the short forms of files to the long one."""
    result: JsonValue = _files(long_form(value, name), base, name)
    return result


def _refuse_local(item: dict[str, Any], base: Reference, name: str) -> None:
    """Refuse a file of this machine that a document from elsewhere names, and note who names any other."""
    if Reference(item["location"]).on_this_machine:
        raise PolicyError(
            "what comes from elsewhere names a file of this machine", where=f"{base}, input '{name}'",
            why=item["location"], remedy="look at it, and give that file with -i",
        )  # fmt: skip
    if Reference(item["location"]).host != base.host:
        item.setdefault(NAMED_BY, base.uri)


def _files(value: JsonValue, base: Reference | Path, name: str) -> Any:
    def change(item: dict[str, Any], path: tuple[str | int, ...]) -> JsonValue:
        location = item.pop("path", None) if item.get("location") is None else item.get("location")
        if location is None:
            if item["class"] == "File" and "contents" not in item:
                raise InputError("a File without location, path or contents", where=name)
            return item
        if not isinstance(location, str):
            raise InputError(f"the location {location!r} is no text", where=name)
        item.pop("path", None)
        note = item.get(NOTE, {})
        if "expand" in note and not SCHEME.match(location) and not isinstance(base, Reference):
            # Signs of a pattern stay what they are in a path, and are told from those of a name.
            note["expand"].setdefault("path", str(base / os.path.expanduser(location)))
        if "columns" in note.get("expand", {}):
            note["expand"]["base"] = base.uri if isinstance(base, Reference) else str(base)
        item["location"] = Reference.parse(location, base).uri
        if "part" in note:
            item["location"] = part_uri(item["location"], str(note.pop("part")))
        if isinstance(base, Reference):
            _refuse_local(item, base, name)
        if "alternates" in note:
            note["alternates"] = [Reference.parse(text, base).uri for text in note["alternates"]]
        if not note:
            item.pop(NOTE, None)
        return item

    return map_files(value, change)


def as_given(given: InputsFile | None, places: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Return name and bytes of the inputs file as the user wrote it, for the crate.

    Local paths in it are replaced by the places in the run directory where those files now lie (`places`: URI → path),
    because a crate names no path of the machine it was made on.
    """
    if given is None:
        return None
    from wfx.redaction import redact

    try:
        text = given.data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    for uri, place in sorted(places.items(), key=lambda item: -len(item[0])):
        reference = Reference(uri)
        if not reference.is_local:
            continue
        text = text.replace(uri, place).replace(str(reference.path), place)
    suffix = ".json" if given.name.lower().endswith(".json") else ".yml"
    return AS_GIVEN + suffix, redact(text).encode("utf-8")
