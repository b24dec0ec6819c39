"""Sample sheets: their rows as values, so that the files which they name are fetched and staged like any other.

Which keys are sheets, and which columns are files, the driver finds in the workflow's schemas.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from wfx.engines import Description
from wfx.errors import InputError
from wfx.inputfiles import NAMED_AT, NAMED_BY
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue, Parameter, Values, ValueType

TSV = "http://edamontology.org/format_3475"
"""Format of a sheet whose columns are separated by tabs (EDAM); else they are by commas."""
SHOWN = 20
Row = dict[str, JsonValue]


def rows_of(parameter: Parameter) -> ValueType | None:
    """Return the type of a sheet's rows; None for a parameter that is no sheet with files in it."""
    return _rows(parameter.type)


def _rows(kind: ValueType) -> ValueType | None:
    if kind.kind == "array" and kind.items is not None:
        return next((t for t in kind.items.alternatives if t.kind == "record"), None)
    return next(filter(None, map(_rows, kind.alternatives)), None)


def delimiters(description: Description) -> dict[str, str]:
    """Return what separates the columns of each sheet, by the parameter's id."""
    return {p.id: "\t" if TSV in p.formats else "," for p in description.inputs if rows_of(p) is not None}


def elsewhere(description: Description, values: Values) -> list[str]:
    """Return the locations of the sheets that do not lie on this machine."""
    places = (_given(values.get(p.id)) for p in description.inputs if rows_of(p) is not None)
    return [place.uri for place in places if place is not None and not place.is_local]


def _given(value: JsonValue) -> Reference | None:
    """Return where a sheet of the user's lies; None for one of the workflow's own, and for what is no file."""
    location = value.get("location") if isinstance(value, dict) and value.get("class") == "File" else None
    return Reference(location) if isinstance(location, str) and not location.startswith("workflow/") else None


def bind(description: Description, values: Values, opened: Mapping[str, Path]) -> Values:
    """Return the values with the user's sheets as lists of their rows, files in them as File and Directory objects.

    Raises InputError that lists the cells whose file is missing, by row and column.
    """
    result, problems = dict(values), list[str]()
    for parameter in description.inputs:
        kind, place = rows_of(parameter), _given(values.get(parameter.id))
        path = None if place is None else place.path if place.is_local else opened.get(place.uri)
        if kind is None or place is None or path is None or not path.is_file():
            continue
        files = {field.name: field.type for field in kind.fields}
        delimiter = "\t" if TSV in parameter.formats else ","
        rows: list[JsonValue] = []
        for line, row in read(path, place.name, delimiter):
            for column, wanted in files.items():
                cell = str(row.get(column) or "").strip()
                where = f"{place.name}:{line}, column '{column}'"
                found = _file(cell, place, wanted, where) if cell else None
                if isinstance(found, str):
                    problems.append(f"{where}: {found}")
                elif found is not None:
                    row[column] = found
            rows.append(row)
        result[parameter.id] = rows
    if problems:
        raise InputError(
            "; ".join(problems[:SHOWN] + ([f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []))
        )
    return result


def read(path: Path, name: str, delimiter: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a sheet with their lines; lines that begin with `#` below the heading are comments."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the sample sheet is not UTF-8 text", where=name) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    head: list[str] | None = None
    for cells in reader:
        if not any(cell.strip() for cell in cells) or (
            cells[0].startswith("#") and (head is not None or len(cells) == 1)
        ):
            continue
        if head is None:
            head = [cell.strip() for cell in cells]
        elif len(cells) != len(head):
            raise InputError(
                f"the row has {len(cells)} columns, the heading has {len(head)}", where=f"{name}:{reader.line_num}",
                why=f"the workflow reads it with columns separated by {'tabs' if delimiter != ',' else 'commas'}",
            )  # fmt: skip
        else:
            row: Row = dict(zip(head, cells, strict=True))
            yield reader.line_num, row
    if head is None:
        raise InputError("the sample sheet is empty", where=name)


def _file(cell: str, sheet: Reference, wanted: ValueType, where: str) -> Row | str:
    """Return the object of a cell, or what is wrong with it.

    In a sheet of this machine a path is looked for beside it, then from the working directory; in one from elsewhere it
    is relative to the sheet's own address.
    """
    kinds = {t.kind for t in (wanted, *wanted.alternatives)}
    one = "File" if "File" in kinds else "Directory"
    remote = bool(SCHEME.match(cell)) and not cell.lower().startswith("file:")
    if not sheet.is_local:
        if not remote and cell.lower().startswith(("file:", "/", "~")):
            return f"a sheet from elsewhere names a file of this machine: {cell}"
        uri = Reference.parse(cell).uri if remote else sheet.join(cell).uri
        return {"class": one, "location": uri, NAMED_BY: sheet.uri, NAMED_AT: where}
    if remote:
        return {"class": one, "location": Reference.parse(cell).uri, NAMED_AT: where}
    given = Reference.parse(cell).path if cell.lower().startswith("file:") else Path(cell).expanduser()
    for path in [given] if given.is_absolute() else [sheet.path.parent / given, Path.cwd() / given]:
        if path.exists():
            kind = "Directory" if path.is_dir() else "File"
            return {"class": kind, "location": Reference.of_path(path).uri, NAMED_AT: where}
    return f"there is no {cell}"
