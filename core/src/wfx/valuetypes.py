"""Types of values at work: check a value, read one from a text, and show types to people and as JSON Schema."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wfx.errors import InputError
from wfx.values import JsonValue, Parameter, Values, ValueType

Path = tuple[str | int, ...]
FILE_CLASSES = ("File", "Directory")
INT_RANGE = 2**63
LARGEST = sys.float_info.max


def type_name(kind: ValueType) -> str:
    """Return a type as people write it: `File[]`, `int?`, `enum(a, b)`."""
    if kind.kind == "array":
        assert kind.items is not None
        inner = type_name(kind.items)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind.kind == "enum":
        return f"enum({', '.join(kind.symbols)})"
    if kind.kind == "record":
        fields = [f"{f.name}: {type_name(f.type)}" for f in kind.fields] + (["…"] if kind.more else [])
        return "record{" + ", ".join(fields) + "}"
    if kind.kind == "union":
        others = [t for t in kind.alternatives if t.kind != "null"]
        text = " | ".join(type_name(t) for t in others)
        if len(others) == len(kind.alternatives):
            return text
        return f"({text})?" if len(others) > 1 else f"{text}?"
    return kind.kind


def problems(value: JsonValue, kind: ValueType, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield where and why a value does not fit a type; nothing where it does."""
    if kind.kind == "any":
        if value is None:
            yield path, "null where any value but null is expected"
    elif kind.kind == "union":
        attempts = [list(problems(value, t, path)) for t in kind.alternatives]
        if all(attempts):
            # Of the alternatives with the value's own shape, say what is wrong inside; else name the type.
            deeper = [a for a in attempts if any(len(where) > len(path) for where, _ in a)]
            yield from deeper[0] if len(deeper) == 1 else [(path, _wrong(value, kind))]
    elif kind.kind == "array":
        if not isinstance(value, list):
            yield path, _wrong(value, kind)
            return
        assert kind.items is not None
        for index, item in enumerate(value):
            yield from problems(item, kind.items, (*path, index))
    elif kind.kind == "record":
        if not isinstance(value, dict) or value.get("class") in FILE_CLASSES:
            yield path, _wrong(value, kind)
            return
        for part in kind.fields:
            if part.name in value or not part.type.optional:
                yield from problems(value.get(part.name), part.type, (*path, part.name))
        for name in value if not kind.more else ():
            if name not in {part.name for part in kind.fields}:
                yield (*path, name), f"there is no field '{name}' in this record"
    elif not _fits(value, kind):
        yield path, _wrong(value, kind)


def _fits(value: JsonValue, kind: ValueType) -> bool:
    match kind.kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and -INT_RANGE <= value < INT_RANGE  # type: ignore[operator]
        case "float":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST
        case "string":
            return isinstance(value, str)
        case "enum":
            return isinstance(value, str) and value in kind.symbols
        case _:
            return isinstance(value, dict) and value.get("class") == kind.kind


def _wrong(value: JsonValue, kind: ValueType) -> str:
    if isinstance(value, dict) and value.get("class") in FILE_CLASSES:
        given = f"a {value['class']}"
    else:
        text = json.dumps(value, ensure_ascii=False)
        given = text if len(text) <= 60 else text[:57] + "…"
        if isinstance(value, dict):
            given = f"an object ({given})"
    return f"{given} where {type_name(kind)} is expected"


def parse_text(text: str, kind: ValueType) -> JsonValue:
    """Read a text from the command line by the declared type.

    A file or directory becomes an object whose `location` is the text; of a union the first alternative that fits is
    taken, numbers before strings. For an array the text is one item. Raises InputError with the expected type.
    """
    match kind.kind:
        case "string":
            return text
        case "File" | "Directory":
            return {"class": kind.kind, "location": text}
        case "array":
            assert kind.items is not None
            return parse_text(text, kind.items)
        case "null":
            if text in ("", "null", "~"):
                return None
        case "boolean":
            if text.lower() in ("true", "yes", "on", "1", "false", "no", "off", "0"):
                return text.lower() in ("true", "yes", "on", "1")
        case "int":
            number = _number(text, int)
            if number is not None and -INT_RANGE <= number < INT_RANGE:
                return number
        case "float":
            number = _number(text, float)
            if number is not None and math.isfinite(number):
                return number
        case "enum":
            if text in kind.symbols:
                return text
        case "union" | "any":
            return _parse_union(text, kind)
        case "record":
            raise InputError(f"a {type_name(kind)} cannot be written as a text", remedy="give it with NAME:=JSON")
    raise InputError(f"{text!r} where {type_name(kind)} is expected")


def _number(text: str, cls: type[int] | type[float]) -> int | float | None:
    try:
        return cls(text) if "_" not in text else None
    except ValueError:
        return None


def _parse_union(text: str, kind: ValueType) -> JsonValue:
    simple = ("boolean", "int", "float", "enum")
    alternatives = kind.alternatives or tuple(ValueType(k) for k in ("int", "float", "string"))
    order = sorted(alternatives, key=lambda t: (t.kind == "string", t.kind not in simple, t.kind == "null"))
    if text in ("null", "") and not any(t.kind == "string" for t in alternatives) and not list(problems(None, kind)):
        return None
    # "1" is a number before it is a truth.
    order.sort(key=lambda t: t.kind == "boolean" and any(o.kind in ("int", "float") for o in alternatives))
    for alternative in order:
        if alternative.kind == "null":
            continue
        try:
            return parse_text(text, alternative)
        except InputError:
            continue
    raise InputError(f"{text!r} where {type_name(kind)} is expected")


def array_of(kind: ValueType) -> ValueType | None:
    """Return the array type that a parameter is, or offers as an alternative; None where it takes one value only."""
    if kind.kind == "array":
        return kind
    return next((t for t in kind.alternatives if t.kind == "array"), None)


def map_files(value: Any, change: Callable[[dict[str, Any], Path], JsonValue], path: Path = ()) -> Any:
    """Return the value with `change` applied to each File and Directory object, the innermost first."""
    if isinstance(value, list):
        return [map_files(item, change, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    inner = {key: map_files(item, change, (*path, key)) for key, item in value.items()}
    return change(inner, path) if inner.get("class") in FILE_CLASSES else inner


# -- for people and other programs


def json_schema(parameters: Sequence[Parameter], title: str = "") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an inputs file for these parameters."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {p.id: _property(p) for p in parameters},
        "required": [p.id for p in parameters if p.required],
        "additionalProperties": False,
        "$defs": {"File": _file_schema("File"), "Directory": _file_schema("Directory")},
    }
    if title:
        schema["title"] = title
    return schema


def _property(parameter: Parameter) -> dict[str, Any]:
    schema = _type_schema(parameter.type)
    if not parameter.required and any(problems(None, parameter.type)):
        # An input that need not be given may be given as null: that is its default.
        schema = {} if parameter.type.kind == "any" else {"anyOf": [schema, {"type": "null"}]}
    text = parameter.doc or parameter.label
    if text:
        schema["description"] = text
    if parameter.has_default:
        schema["default"] = parameter.default
    return schema


def _type_schema(kind: ValueType) -> dict[str, Any]:
    match kind.kind:
        case "File" | "Directory":
            return {"$ref": f"#/$defs/{kind.kind}"}
        case "array":
            assert kind.items is not None
            array = {"type": "array", "items": _type_schema(kind.items)}
            # One form may stand for many files: a pattern, members of an archive.
            return {"anyOf": [array, {"$ref": "#/$defs/File"}]} if kind.items.kind == "File" else array
        case "enum":
            return {"enum": list(kind.symbols)}
        case "record":
            return {
                "type": "object",
                "properties": {f.name: _type_schema(f.type) for f in kind.fields},
                "required": [f.name for f in kind.fields if not f.type.optional],
                "additionalProperties": kind.more,
            }
        case "union":
            return {"anyOf": [_type_schema(t) for t in kind.alternatives]}
        case "any":
            return {"not": {"type": "null"}}
        case "int":
            return {"type": "integer", "minimum": -INT_RANGE, "maximum": INT_RANGE - 1}
    return {"type": "number" if kind.kind == "float" else kind.kind}


def _file_schema(name: str) -> dict[str, Any]:
    short = {"File": "file", "Directory": "directory"}[name]
    stated = {"sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}, "size": {"type": "integer", "minimum": 0}}
    # The other keys of the forms (docs/reference/definition-file.md) are looked at when they are read.
    place = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    forms = [short, "archive", *(["table", "directory"] if name == "File" else [])]
    return {
        "anyOf": [
            {"type": "object", "properties": {"class": {"const": name}}, "required": ["class"]},
            *({"type": "object", "properties": {form: place, **stated}, "required": [form]} for form in forms),
        ]
    }


EXAMPLES: dict[str, JsonValue] = {"boolean": False, "int": 0, "float": 0.0, "string": "", "null": None, "any": ""}


def example(kind: ValueType, name: str) -> JsonValue:
    """Return a value of the type, to be replaced by a person."""
    match kind.kind:
        case "File":
            return {"class": "File", "location": f"path-or-URL-of-{name}"}
        case "Directory":
            return {"class": "Directory", "location": f"path-or-URL-of-{name}"}
        case "array":
            assert kind.items is not None
            return [example(kind.items, name)]
        case "enum":
            return kind.symbols[0]
        case "record":
            return {f.name: example(f.type, f.name) for f in kind.fields}
        case "union":
            return example(next((t for t in kind.alternatives if t.kind != "null"), ValueType("null")), name)
    return EXAMPLES[kind.kind]


def template(parameters: Sequence[Parameter], title: str = "") -> str:
    """Return a commented YAML template of an inputs file: required inputs to fill in, the others commented out."""
    lines = [f"# Inputs of {_comment(title)}", ""] if title else []
    for parameter in sorted(parameters, key=lambda p: not p.required):
        state = "required" if parameter.required else "optional"
        lines.append(f"# {_comment(parameter.label or parameter.id)} — {_comment(type_name(parameter.type))}, {state}")
        if parameter.doc and parameter.doc != parameter.label:
            lines += [f"# {_comment(line)}" for line in parameter.doc.strip().splitlines()]
        if parameter.formats:
            lines.append(f"# format: {_comment(', '.join(parameter.formats))}")
        if parameter.secondary_files:
            patterns = ", ".join(s.pattern for s in parameter.secondary_files)
            lines.append(f"# with secondary files: {_comment(patterns)}")
        value = parameter.default if parameter.has_default else example(parameter.type, parameter.id)
        # JSON is YAML, and needs no rules for quoting.
        entry = f"{_quoted(parameter.id) if _odd(parameter.id) else parameter.id}: {_quoted(value)}"
        lines += [entry if parameter.required else f"# {entry}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _quoted(value: JsonValue) -> str:
    """Return the value as JSON, on one line to YAML too: U+0085 and U+2028 end lines there."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def _odd(name: str) -> bool:
    return (
        not name.replace("_", "").replace("-", "").isalnum()
        or name.lower() in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
        or name[0].isdigit()
        or name[0] == "-"
    )


def check_values(values: Values, parameters: Sequence[Parameter], where: Callable[[Path], str]) -> list[str]:
    """Return all that is wrong with a workflow's inputs, a line each; `where` says where a value was given."""
    import difflib

    known = {p.id: p for p in parameters}
    found = []
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it takes: {', '.join(sorted(known)) or 'none'}"
            found.append(f"{where((name,))}: the workflow has no input '{name}'{hint}")
    for name, parameter in known.items():
        value = values.get(name)
        if value is None:
            if parameter.required:
                found.append(f"{where(())}: the input '{name}' ({type_name(parameter.type)}) is missing")
            continue
        for path, text in problems(value, parameter.type, (name,)):
            place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)[1:]
            found.append(f"{where(path)}: input '{place}': {text}")
    return found
