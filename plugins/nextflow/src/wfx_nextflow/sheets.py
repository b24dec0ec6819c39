"""Samplesheets: their rows as values, so that the files which they name are fetched and staged like any other."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wfx.documents import load_document
from wfx.errors import InputError
from wfx.inputfiles import NAMED_AT, NAMED_BY
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue, ValueType

from wfx_nextflow.schema import ROWS, SHEET, rows_of

DELIMITERS = {".tsv": "\t", ".txt": "\t"}
DOCUMENTS = (".json", ".yml", ".yaml")
SHOWN = 20
MOST_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A samplesheet as it was read."""

    name: str
    """With its suffix; for messages, and for how it is written anew."""
    place: Reference
    rows: list[dict[str, JsonValue]]
    lines: list[int]
    """Where each row stands in the file."""


@dataclass(slots=True)
class Sheets:
    """Reads the samplesheets of one run; what is wrong with their cells is told together at the end."""

    opened: Mapping[str, Path]
    """Location of a sheet elsewhere → where its bytes lie."""
    plain: Callable[[JsonValue], JsonValue]
    """What becomes of a File that is no samplesheet."""
    wanted: list[str] = field(default_factory=list)
    """Locations of sheets elsewhere that have not been opened yet."""
    problems: list[str] = field(default_factory=list)
    rows: int = 0
    """Read so far."""

    def bind(self, value: JsonValue, rows: ValueType, where: str, within: tuple[str, ...] = ()) -> JsonValue:
        """Return a samplesheet's rows with File and Directory objects in the place of paths.

        It is given as a file, as its rows, or as both name and rows. What was CSV stays a plain list. `within` are the
        sheets that lead to it.
        """
        if isinstance(value, list):
            return [self._bound(row, rows, f"{where}[{number}]", None, within) for number, row in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if value.get("class") != "File":
            given = value.get(ROWS)
            return {**value, ROWS: self.bind(given, rows, where, within)} if isinstance(given, list) else value
        place = str(value.get("location", ""))
        if place in within:
            raise InputError("the samplesheet names itself", where=where)
        table = self._read(value)
        if table is None:
            return value
        self.rows += len(table.rows)
        if self.rows > MOST_ROWS:
            raise InputError(f"the samplesheets have more than {MOST_ROWS} rows", where=where)
        within = (*within, place)
        bound: list[JsonValue] = [
            self._bound(row, rows, f"{table.name}:{line}", table, within)
            for row, line in zip(table.rows, table.lines, strict=True)
        ]
        suffix = posixpath.splitext(table.name)[1].lower()
        return {SHEET: table.name, ROWS: bound} if suffix in (*DELIMITERS, *DOCUMENTS) else bound

    def finish(self) -> None:
        """Raise InputError that lists the cells whose file is missing, and required ones that are empty."""
        if self.problems:
            rest = len(self.problems) - SHOWN
            raise InputError("; ".join(self.problems[:SHOWN] + ([f"and {rest} more"] if rest > 0 else [])))

    # -- cells

    def _bound(
        self, value: JsonValue, kind: ValueType, where: str, table: Table | None, within: tuple[str, ...]
    ) -> JsonValue:
        """Bind a cell, or what is in it, by its type; `table` is where it stands."""
        offered = (kind, *kind.alternatives)
        kinds = {t.kind for t in offered}
        if isinstance(value, dict) and value.get("class") in ("File", "Directory"):
            rows = rows_of(kind)
            return self.bind(value, rows, where, within) if rows is not None else self.plain(value)
        if isinstance(value, str) and kinds & {"File", "Directory"} and table is not None and value.strip():
            found = self._file(value.strip(), table, kinds, where)
            return self._bound(found, kind, where, None, within) if rows_of(kind) is not None else found
        if isinstance(value, list):
            items = next((t.items for t in offered if t.kind == "array" and t.items is not None), None)
            if items is not None:
                return [self._bound(item, items, f"{where}[{n}]", table, within) for n, item in enumerate(value)]
        record = next((t for t in offered if t.kind == "record"), None)
        if isinstance(value, dict) and record is not None:
            return self._fields(value, record, where, table, within)
        return value

    def _fields(
        self, row: dict[str, JsonValue], kind: ValueType, where: str, table: Table | None, within: tuple[str, ...]
    ) -> JsonValue:
        bound: dict[str, JsonValue] = dict(row)
        for known in kind.fields:
            cell = row.get(known.name)
            place = f"{where}, column '{known.name}'" if ", column '" not in where else f"{where}.{known.name}"
            if cell is None or cell == "":
                if not known.type.optional:
                    self.problems.append(f"{place}: it is empty, and the pipeline's schema requires it")
                elif cell == "" and not {"string", "any"} & {t.kind for t in (known.type, *known.type.alternatives)}:
                    # As a value an empty cell is nothing; written anew it is empty again.
                    bound[known.name] = None
            else:
                bound[known.name] = self._bound(cell, known.type, place, table, within)
        return bound

    def _file(self, cell: str, table: Table, kinds: set[Any], where: str) -> JsonValue:
        """Return the object of a cell; the cell itself where there is no such file, which is then told.

        In a sheet of this machine a relative path is looked for beside it, then, as Nextflow does, from the working
        directory; in one from elsewhere it is relative to the sheet's own address.
        """
        one = "File" if "File" in kinds else "Directory"
        named = SCHEME.match(cell) and not cell.lower().startswith("file:")
        if not table.place.is_local:
            if not named and (cell.lower().startswith("file:") or cell.startswith(("/", "~"))):
                self.problems.append(f"{where}: a sheet from elsewhere names a file of this machine: {cell}")
                return cell
            uri = Reference.parse(cell).uri if named else _beside(table.place, cell)
            return {"class": one, "location": uri, NAMED_BY: table.place.uri, NAMED_AT: where}
        if named:
            return {"class": one, "location": Reference.parse(cell).uri, NAMED_AT: where}
        if cell.lower().startswith("file:"):
            candidates = [Reference.parse(cell).path]
        else:
            given = Path(cell).expanduser()
            candidates = [given] if given.is_absolute() else [table.place.path.parent / given, Path.cwd() / given]
        for path in candidates:
            if path.exists():
                kind = "Directory" if path.is_dir() else "File"
                return {"class": kind, "location": Reference.of_path(path).uri, NAMED_AT: where}
        self.problems.append(f"{where}: there is no {cell}")
        return cell

    # -- tables

    def _read(self, value: Mapping[str, Any]) -> Table | None:
        """Read a samplesheet; None for one that is not there, which the core says, or that has yet to be opened."""
        place = Reference(str(value.get("location", "")))
        if place.is_local:
            path, name = place.path, str(value.get("basename") or place.path.name)
            if not path.is_file():
                return None
        elif place.uri in self.opened:
            path, name = self.opened[place.uri], str(value.get("basename") or place.name or "sheet.csv")
        else:
            self.wanted.append(place.uri)
            return None
        rows, lines = read_table(path.read_bytes(), name, str(place) if not place.is_local else str(path))
        return Table(name, place, rows, lines)


def _beside(sheet: Reference, cell: str) -> str:
    """Return the address of a file by its path from the sheet; in a repository that is a path of it."""
    if sheet.fragment.startswith("path="):
        folder = posixpath.dirname(sheet.fragment.partition("&")[0].removeprefix("path="))
        path = posixpath.normpath(posixpath.join(folder, quote(cell)))
        return f"{sheet.without_fragment().uri}#path={path}"
    return sheet.without_fragment().join(quote(cell)).uri


def read_table(data: bytes, name: str, where: str) -> tuple[list[dict[str, JsonValue]], list[int]]:
    """Return the rows of a samplesheet and their lines; its form is told by the suffix. Raises InputError with the line."""
    suffix = posixpath.splitext(name)[1].lower()
    if suffix in DOCUMENTS:
        return _read_document(data, name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the samplesheet is not UTF-8 text", where=where) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS.get(suffix, ","))
    rows: list[dict[str, JsonValue]] = []
    lines: list[int] = []
    head: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head = [cell.strip() for cell in cells]
                continue
            if len(cells) != len(head):
                raise InputError(
                    f"the row has {len(cells)} columns, the heading has {len(head)}", where=f"{name}:{reader.line_num}"
                )
            rows.append(dict(zip(head, cells, strict=True)))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError("it is no table", where=f"{name}:{reader.line_num}", why=str(error)) from error
    if head is None:
        raise InputError("the samplesheet is empty", where=where)
    return rows, lines


def _read_document(data: bytes, name: str) -> tuple[list[dict[str, JsonValue]], list[int]]:
    document = load_document(data, name)
    if not isinstance(document.value, list):
        raise InputError("the samplesheet is no list of rows", where=f"{name}:1")
    rows: list[dict[str, JsonValue]] = []
    for number, row in enumerate(document.value):
        if not isinstance(row, dict):
            raise InputError("the row is no mapping of columns", where=document.where((number,)))
        rows.append(row)
    return rows, [document.line((number,)) for number in range(len(rows))]
