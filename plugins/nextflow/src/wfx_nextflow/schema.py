"""`nextflow_schema.json`: the parameters that a pipeline declares, with types, texts and defaults."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.errors import DefinitionError
from wfx.values import Field, Parameter, ValueType

from wfx_nextflow.recognition import SCHEMA

FILE, DIRECTORY, STRING = ValueType("File"), ValueType("Directory"), ValueType("string")
PATHS = ValueType("union", alternatives=(FILE, DIRECTORY))
FORMATS = {
    "file-path": FILE, "directory-path": DIRECTORY, "path": PATHS, "file-path-pattern": FILE, "glob": FILE,
}  # fmt: skip
SCALARS = {"string": STRING, "integer": ValueType("int"), "number": ValueType("float"), "boolean": ValueType("boolean")}
NULL, ANY = ValueType("null"), ValueType("any")
SHEET, ROWS = "sheet", "rows"
"""Of a samplesheet whose rows are given: the file name, whose suffix says how it is written, and the rows."""
DEEPEST = 8


def read_schema(tree: Path) -> dict[str, Parameter] | None:
    """Return the declared parameters by name; None for a pipeline without a schema. Raises DefinitionError."""
    path = tree / SCHEMA
    if not path.is_file():
        return None
    document = _load(path, SCHEMA)
    required: set[str] = set()
    properties: dict[str, Any] = {}
    for group in _groups(document):
        required |= {str(name) for name in _list(group.get("required"))}
        properties |= {name: item for name, item in _mapping(group.get("properties")).items() if isinstance(item, dict)}
    return {name: _parameter(name, item, name in required, tree) for name, item in properties.items()}


def optional(kind: ValueType) -> ValueType:
    """Return the type with null added."""
    if kind.optional:
        return kind
    return ValueType("union", alternatives=(NULL, *(kind.alternatives if kind.kind == "union" else (kind,))))


def _load(path: Path, name: str) -> Mapping[str, Any]:
    value = load_document(path.read_bytes(), name).value
    if not isinstance(value, dict):
        raise DefinitionError("it is no JSON Schema", where=f"{name}:1")
    return value


def _groups(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield document
    for key in ("$defs", "definitions", "defs"):
        yield from (group for group in _mapping(document.get(key)).values() if isinstance(group, dict))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parameter(name: str, item: Mapping[str, Any], required: bool, tree: Path) -> Parameter:
    kind = _type(item, tree)
    default = item.get("default")
    # A place as a default is the pipeline's own affair: it is named, and not fetched before somebody asks for it.
    plain = "default" in item and default is not None and not _is_path(kind)
    doc = " ".join(str(item.get("description") or "").split())
    more = " ".join(str(item.get("help_text") or "").split())
    if "default" in item and not plain and default not in (None, ""):
        more = f"{more} Default: {default}".strip()
    return Parameter(
        name, kind if required and not plain else optional(kind) if not plain else kind, label=doc,
        doc=f"{doc}\n{more}".strip() if more else doc, default=_default(default, kind) if plain else None, has_default=plain,
    )  # fmt: skip


def _default(value: Any, kind: ValueType) -> Any:
    """Return a default in its declared type; schemas often write numbers and truths as texts."""
    if isinstance(value, str):
        if kind.kind == "boolean" and value.lower() in ("true", "false"):
            return value.lower() == "true"
        for cls, name in ((int, "int"), (float, "float")):
            if kind.kind == name:
                try:
                    return cls(value)
                except ValueError:
                    return value
    return value


def _is_path(kind: ValueType) -> bool:
    return kind.kind in ("File", "Directory") or any(t.kind in ("File", "Directory") for t in kind.alternatives)


def _type(item: Mapping[str, Any], tree: Path) -> ValueType:
    stated = item.get("type")
    kinds = [k for k in (_list(stated) or [stated]) if isinstance(k, str)]
    if isinstance(item.get("enum"), list) and all(isinstance(symbol, str) for symbol in item["enum"]):
        return ValueType("enum", symbols=tuple(dict.fromkeys(item["enum"])))
    form = item.get("format")
    if isinstance(form, str) and form in FORMATS and "string" in (kinds or ["string"]):
        rows = _rows(item, tree)
        return sheet_type(rows) if rows else FORMATS[form]
    if kinds == ["array"]:
        inner = item.get("items")
        return ValueType("array", items=_type(inner, tree) if isinstance(inner, dict) else ANY)
    found = [NULL if kind == "null" else SCALARS.get(kind, ANY) for kind in kinds]
    if not found or ANY in found:
        return ANY
    return found[0] if len(found) == 1 else ValueType("union", alternatives=tuple(found))


def _rows(item: Mapping[str, Any], tree: Path) -> ValueType | None:
    """Return the type of a samplesheet's rows, where a schema says what is in them and some of it is files."""
    stated = item.get("schema")
    if not isinstance(stated, str):
        return None
    return read_rows(stated, tree)


def sheet_type(rows: ValueType) -> ValueType:
    """Return the type of a samplesheet: the file, its rows, or its rows with the name that says how they are written."""
    table = ValueType("array", items=rows)
    # Its rows are those of the table, which need not be said twice to people.
    named = ValueType("record", fields=(Field(SHEET, STRING), Field(ROWS, ValueType("array", items=ANY))))
    return ValueType("union", alternatives=(FILE, named, table))


def rows_of(kind: ValueType) -> ValueType | None:
    """Return the type of a samplesheet's rows; None for a type that is no samplesheet's."""
    if not any(t.kind == "record" and [f.name for f in t.fields] == [SHEET, ROWS] for t in kind.alternatives):
        return None
    return next((t.items for t in kind.alternatives if t.kind == "array"), None)


def sheet_columns(kind: ValueType) -> dict[str, Any]:
    """Return the columns of a samplesheet that are samplesheets themselves, with theirs."""
    rows = rows_of(kind)
    fields = rows.fields if rows is not None else ()
    return {field.name: sheet_columns(field.type) for field in fields if rows_of(field.type) is not None}


def read_rows(stated: str, tree: Path, depth: int = 0) -> ValueType | None:
    """Return the type of the rows that a schema of a samplesheet describes; None where nothing in them is a file.

    A column may be a samplesheet in its turn, with a schema of its own, and hold lists and maps where the sheet is JSON
    or YAML.
    """
    name = posixpath.normpath(stated.removeprefix("${projectDir}/").removeprefix("$projectDir/"))
    if name.startswith(("..", "/")) or not (tree / name).is_file() or depth > DEEPEST:
        return None
    schema = _load(tree / name, name)
    row = _column({**_mapping(schema.get("items")), "type": "object"}, tree, depth)
    return row if row.kind == "record" and _names_files(row) else None


def _names_files(kind: ValueType) -> bool:
    inner = (*kind.alternatives, *(field.type for field in kind.fields), *((kind.items,) if kind.items else ()))
    return kind.kind in ("File", "Directory") or any(_names_files(each) for each in inner)


def _doc(about: Mapping[str, Any]) -> str:
    return " ".join(str(about.get("description") or about.get("errorMessage") or "").split())


def _column(about: Mapping[str, Any], tree: Path, depth: int) -> ValueType:
    options = [about, *(o for key in ("anyOf", "oneOf") for o in _list(about.get(key)) if isinstance(o, dict))]
    for option in options:
        form = option.get("format")
        if isinstance(form, str) and form in FORMATS:
            rows = read_rows(option["schema"], tree, depth + 1) if isinstance(option.get("schema"), str) else None
            return sheet_type(rows) if rows is not None else FORMATS[form]
    stated = about.get("type")
    kinds = [k for k in (_list(stated) or [stated]) if isinstance(k, str)]
    if "array" in kinds and isinstance(about.get("items"), dict) and depth <= DEEPEST:
        return ValueType("array", items=_column(about["items"], tree, depth + 1))
    if "object" in kinds and isinstance(about.get("properties"), dict) and depth <= DEEPEST:
        required = set(map(str, _list(about.get("required"))))
        fields = []
        for name, part in about["properties"].items():
            if isinstance(part, dict):
                kind = _column(part, tree, depth + 1)
                fields.append(Field(name, kind if name in required else optional(kind), _doc(part)))
        return ValueType("record", fields=tuple(fields), more=True)
    found = [SCALARS.get(kind, ANY) for kind in kinds if kind != "null"]
    if len(found) != 1 or found[0].kind in ("any", "string"):
        return found[0] if len(found) == 1 else ANY
    # A cell of a table is a text, whatever is meant by it.
    return ValueType("union", alternatives=(found[0], STRING))
