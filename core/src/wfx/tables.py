"""Tables that name files: their cells read, fetched like any other input, and written anew with the places of the files.

A table is CSV or TSV with quoting (RFC 4180). In the run directory its files lie beside it, so their names are all that
its cells have to say: that holds in a container, in a crate and on another machine.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from wfx.errors import InputError, IntegrityError
from wfx.fetching import Fetched
from wfx.planning import PlannedInput
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.store import Store

TABBED = (".tsv", ".tab", ".txt")
LARGEST = 256 * 2**20


@dataclass(slots=True)
class Table:
    """A table as it was read."""

    rows: list[list[str]]
    """All lines, the heading among them."""
    header: int
    """Lines of the heading."""
    columns: list[int]
    """Those that hold references."""
    delimiter: str
    ending: str
    where: str

    def cells(self) -> Iterable[tuple[int, int, str]]:
        """Yield row, column and text of every reference."""
        for number, row in enumerate(self.rows):
            if number < self.header:
                continue
            for column in self.columns:
                if column < len(row) and row[column].strip():
                    yield number, column, row[column].strip()

    def heading(self) -> list[str]:
        """Return the names of the columns."""
        return [cell.strip() for cell in self.rows[self.header - 1]] if self.header else []

    def encode(self) -> bytes:
        """Return the table's bytes."""
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.ending).writerows(self.rows)
        return text.getvalue().encode("utf-8")


def read_table(data: bytes, name: str, how: dict[str, Any], where: str) -> Table:
    """Read a table; `how` has `columns` (names or numbers), `delimiter` (None: by its name) and `header` (lines).

    Raises InputError for what is no table, and for a column that is not there.
    """
    if len(data) > LARGEST:
        raise InputError(f"the table has more than {LARGEST >> 20} MiB", where=where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the table is not UTF-8 text", where=where) from error
    delimiter = how.get("delimiter") or ("\t" if PurePosixPath(name.lower()).suffix in TABBED else ",")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError("it is no table", where=where, why=str(error)) from error
    header = int(how.get("header", 1))
    if len(rows) < header or not rows:
        raise InputError("the table is empty", where=where)
    table = Table(rows, header, [], delimiter, "\r\n" if "\r\n" in text else "\n", where)
    names = table.heading()
    for column in how["columns"]:
        if isinstance(column, int):
            if not 0 <= column < len(rows[header - 1 if header else 0]):
                raise InputError(f"the table has no column {column}", where=where)
            table.columns.append(column)
        elif column in names:
            table.columns.append(names.index(column))
        else:
            near = difflib.get_close_matches(str(column), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            raise InputError(f"the table has no column {column!r}", where=where, remedy=hint)
    return table


def settled(files: Sequence[PlannedInput]) -> tuple[PlannedInput, ...]:
    """Return the planned files with each table told where the files lie that its cells name."""
    if not any(item.table for item in files):
        return tuple(files)
    places = {(_folder(item.path), item.reference.uri): item.path for item in files}
    result = []
    for item in files:
        if item.table:
            folder, cells = _folder(item.path), item.table.get("cells", {})
            assert isinstance(cells, dict)
            beside: dict[str, JsonValue] = {
                cell: places[folder, str(uri)][len(folder) + 1 :] for cell, uri in cells.items()
            }
            item = replace(item, table={**item.table, "cells": beside})
        result.append(item)
    return tuple(result)


def rewritten(item: PlannedInput, answer: Fetched, store: Store) -> Fetched:
    """Return what was fetched for a table, with the places of its files in place of their references."""
    if not item.table:
        return answer
    path = answer.local or store.blob(answer.sha256)
    if path is None:
        raise IntegrityError("it is no longer in the store", where=answer.sha256, remedy="run again, it is fetched")
    table = read_table(path.read_bytes(), item.path, dict(item.table), str(item.reference))
    cells = item.table["cells"]
    assert isinstance(cells, dict)
    for row, column, text in table.cells():
        if text not in cells:
            raise InputError(f"it has changed since it was planned: it names {text}", where=str(item.reference))
        table.rows[row][column] = str(cells[text])
    data = table.encode()
    return replace(answer, sha256=store.add_bytes(data), size=len(data), local=None)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
