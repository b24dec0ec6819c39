"""Samplesheets: their rows as values, so that the files which they name are fetched and staged like any other."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.errors import InputError
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue, ValueType

DELIMITERS = {".tsv": "\t", ".txt": "\t"}
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Table:
    """A samplesheet as it was read."""

    path: Path
    rows: list[dict[str, JsonValue]]
    lines: list[int]
    """Where each row stands in the file."""


def read_sheet(value: Mapping[str, Any], name: str) -> Table | None:
    """Read a samplesheet of this machine; None for one that is not there, which the core says.

    Raises InputError for one elsewhere: what it names could not be staged.
    """
    reference = Reference(str(value.get("location", "")))
    if not reference.is_local:
        raise InputError(
            f"input '{name}': the samplesheet is not on this machine", where=str(reference),
            why="the files that it names must be known before the run", remedy="download it, and give that file",
        )  # fmt: skip
    path = reference.path
    if not path.is_file():
        return None
    data = path.read_bytes()
    if path.suffix.lower() in (".json", ".yml", ".yaml"):
        return _read_document(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the samplesheet is not UTF-8 text", where=str(path)) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS.get(path.suffix.lower(), ","))
    rows: list[dict[str, JsonValue]] = []
    lines: list[int] = []
    head: list[str] | None = None
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if head is None:
            head = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(head):
            raise InputError(
                f"the row has {len(cells)} columns, the heading has {len(head)}", where=f"{path.name}:{reader.line_num}"
            )
        rows.append(dict(zip(head, cells, strict=True)))
        lines.append(reader.line_num)
    if head is None:
        raise InputError("the samplesheet is empty", where=str(path))
    return Table(path, rows, lines)


def _read_document(path: Path, data: bytes) -> Table:
    document = load_document(data, path.name)
    if not isinstance(document.value, list):
        raise InputError("the samplesheet is no list of rows", where=f"{path.name}:1")
    rows: list[dict[str, JsonValue]] = []
    for number, row in enumerate(document.value):
        if not isinstance(row, dict):
            raise InputError("the row is no mapping of columns", where=document.where((number,)))
        rows.append(row)
    return Table(path, rows, [document.line((number,)) for number in range(len(rows))])


def bind_rows(table: Table, kind: ValueType) -> JsonValue:
    """Return the rows with File and Directory objects for the cells that the schema calls files.

    Raises InputError that lists the cells whose file is missing, and required ones that are empty.
    """
    problems: list[str] = []
    known = {field.name: field.type for field in kind.fields}
    result: list[JsonValue] = []
    for row, line in zip(table.rows, table.lines, strict=True):
        bound: dict[str, JsonValue] = dict(row)
        for column, wanted in known.items():
            cell = row.get(column)
            where = f"{table.path.name}:{line}, column '{column}'"
            if cell is None or cell == "":
                if not wanted.optional:
                    problems.append(f"{where}: it is empty, and the pipeline's schema requires it")
                continue
            kinds: set[str] = {t.kind for t in (wanted, *wanted.alternatives)}
            if isinstance(cell, str) and kinds & {"File", "Directory"}:
                found = _file(cell.strip(), table.path, kinds)
                if found is None:
                    problems.append(f"{where}: there is no {cell.strip()}")
                else:
                    bound[column] = found
        result.append(bound)
    if problems:
        shown = problems[:SHOWN] + ([f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
        raise InputError("; ".join(shown))
    return result


def _file(cell: str, sheet: Path, kinds: set[str]) -> JsonValue:
    """Return the object of a cell; None for a local file that is not there.

    A relative path is looked for beside the sheet, then, as Nextflow does, from the working directory.
    """
    if SCHEME.match(cell) and not cell.lower().startswith("file:"):
        return {"class": "File" if "File" in kinds else "Directory", "location": Reference.parse(cell).uri}
    if cell.lower().startswith("file:"):
        candidates = [Reference.parse(cell).path]
    else:
        given = Path(cell).expanduser()
        candidates = [given] if given.is_absolute() else [sheet.parent / given, Path.cwd() / given]
    for path in candidates:
        if path.exists():
            return {"class": "Directory" if path.is_dir() else "File", "location": Reference.of_path(path).uri}
    return None
