"""Values on their way to Nextflow: paths made files, patterns matched, samplesheets read, the output folder set."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from wfx.documents import load_document
from wfx.engines import Description
from wfx.errors import InputError
from wfx.references import Reference
from wfx.values import JsonValue, Parameter, Values, ValueType

from wfx_nextflow.parameters import MANAGED, OUTPUTS
from wfx_nextflow.schema import ROWS, rows_of
from wfx_nextflow.sheets import Sheets

MAGIC = re.compile(r"[*?\[]|\{[^{}]*,[^{}]*\}")
PATTERN = "pattern"
"""Key of a literal Directory: the pattern that its members were matched by, which Nextflow matches again."""
MOST = 100_000


def read_inputs(data: bytes, name: str) -> Values:
    """Read a params file, YAML or JSON. Raises DocumentError and InputError, with the line."""
    if all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines()):
        return {}
    document = load_document(data, name)
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        raise InputError("the parameters are no mapping", where=f"{name}:1", remedy="write NAME: VALUE lines")
    return document.value


def name_files(description: Description, values: Values) -> Values:
    """Make texts files where a parameter takes files: in a params file a path is a text."""
    kinds = {parameter.id: parameter.type for parameter in description.inputs}
    return {name: _named(value, kinds[name]) if name in kinds else value for name, value in values.items()}


def _named(value: JsonValue, kind: ValueType) -> JsonValue:
    offered = (kind, *kind.alternatives)
    if isinstance(value, str):
        names = {t.kind for t in offered}
        if value and not names & {"string", "any"} and names & {"File", "Directory"}:
            return {"class": "File" if "File" in names else "Directory", "location": value}
        return value
    if isinstance(value, list):
        items = next((t.items for t in offered if t.kind == "array" and t.items is not None), None)
        return [_named(item, items) for item in value] if items is not None else value
    if isinstance(value, dict) and (rows := rows_of(kind)) is not None:
        table = value.get(ROWS)
        return {**value, ROWS: [_named(row, rows) for row in table]} if isinstance(table, list) else value
    if isinstance(value, dict) and "class" not in value:
        record = next((t for t in offered if t.kind == "record"), None)
        fields = {field.name: field.type for field in record.fields} if record is not None else {}
        return {name: _named(item, fields[name]) if name in fields else item for name, item in value.items()}
    return value


def bind(description: Description, values: Values, opened: Mapping[str, Path] | None = None) -> Values:
    """See `wfx.engines.Engine.bind`. Raises InputError, of a samplesheet with row and column."""
    bound: Values = {}
    for parameter in description.inputs:
        if is_output_folder(parameter):
            bound[parameter.id] = OUTPUTS
        elif parameter.id in values or _is_elsewhere(parameter):
            value, rows = values.get(parameter.id, parameter.default), rows_of(parameter.type)
            if rows is None or _in_tree(value):
                bound[parameter.id] = _files(value, parameter.id)
                continue
            sheets = _sheets(parameter, opened or {})
            bound[parameter.id] = sheets.bind(value, rows, parameter.id)
            sheets.finish()
            if sheets.wanted:
                place = str(Reference(sheets.wanted[0]))
                raise InputError(
                    f"input '{parameter.id}': the samplesheet is not on this machine", where=place,
                    why="the files that it names must be known before the run", remedy="download it, and give that file",
                )  # fmt: skip
    return bound


def sheets_elsewhere(description: Description, values: Values, opened: Mapping[str, Path]) -> list[str]:
    """Return the samplesheets that have to be opened before `bind`: those that are given, and those that they name."""
    wanted: list[str] = []
    for parameter in description.inputs:
        rows = rows_of(parameter.type)
        value = values.get(parameter.id, parameter.default)
        if rows is not None and not _in_tree(value):
            sheets = _sheets(parameter, opened)
            sheets.bind(value, rows, parameter.id)
            wanted += sheets.wanted
    return wanted


def _is_elsewhere(parameter: Parameter) -> bool:
    """Say whether a default is a file elsewhere, as a profile names one: it is brought before the run."""
    return isinstance(parameter.default, dict) and parameter.default.get("class") in ("File", "Directory")


def _sheets(parameter: Parameter, opened: Mapping[str, Path]) -> Sheets:
    return Sheets(opened, lambda value: _files(value, parameter.id))


def is_output_folder(parameter: Parameter) -> bool:
    """Say whether a parameter is one that wfx sets."""
    return parameter.doc.endswith(MANAGED)


def _in_tree(value: JsonValue) -> bool:
    return isinstance(value, dict) and str(value.get("location", "")).startswith("workflow/")


def _files(value: JsonValue, name: str) -> JsonValue:
    if isinstance(value, list):
        return [_files(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: _files(item, name) for key, item in value.items()}
    location = value.get("location")
    if not isinstance(location, str) or _in_tree(value):
        return value
    reference = Reference(location)
    if not reference.is_local:
        if MAGIC.search(location.partition("?")[0]):
            raise InputError(
                f"the pattern {location} cannot be matched", where=name, why="wfx matches patterns of files on this machine",
                remedy="list the files",
            )  # fmt: skip
        return value
    path = reference.path
    if path.is_dir():
        return {**value, "class": "Directory"}
    if not path.exists() and MAGIC.search(str(path)):
        return matched(path, name)
    return value


def matched(path: Path, name: str) -> JsonValue:
    """Return a literal folder of what a pattern matches. Raises InputError for a pattern that matches nothing."""
    found = sorted({file for pattern in alternatives(str(path)) for file in glob.glob(pattern, recursive=True)})
    if not found:
        raise InputError(f"nothing matches the pattern {path}", where=f"input '{name}'")
    if len(found) > MOST:
        raise InputError(f"more than {MOST} files match the pattern {path}", where=f"input '{name}'")
    listing: list[JsonValue] = [
        {"class": "Directory" if Path(file).is_dir() else "File", "location": Reference.of_path(Path(file)).uri}
        for file in found
    ]
    return {"class": "Directory", "basename": name, "listing": listing, PATTERN: path.name}


def alternatives(pattern: str) -> Sequence[str]:
    """Return what a pattern with `{a,b}` stands for, a pattern each: Python's glob knows no braces."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [whole for part in match[1].split(",") for whole in alternatives(f"{head}{part}{tail}")]
