"""The params file: values as Nextflow reads them, files as absolute paths."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any


def render(message: dict[str, Any], state: Path) -> dict[str, Any]:
    """Return the params; samplesheets are written below `state`."""
    root = message["root"]
    result: dict[str, Any] = {}
    for name, value in message["params"].items():
        if name in message["folders"]:
            result[name] = message["outputs"]
        elif name in message["sheets"]:
            result[name] = sheet(name, plain(value, root), message["sheets"][name], state / "sheets")
        else:
            result[name] = plain(value, root)
    return result


def plain(value: Any, root: str) -> Any:
    """Return a value with each file as its path."""
    if isinstance(value, list):
        return [plain(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: plain(item, root) for key, item in value.items()}
    listing = value.get("listing")
    if "location" in value or not isinstance(listing, list):
        return os.path.join(root, str(value.get("location", "")))
    paths = [plain(item, root) for item in listing]
    folders = {os.path.dirname(path) for path in paths}
    if len(folders) == 1 and value.get("pattern"):
        return os.path.join(folders.pop(), str(value["pattern"]))
    # Members of several folders, which no pattern means any more: they are named one by one.
    return paths


def sheet(name: str, value: Any, inner: dict[str, Any], folder: Path) -> Any:
    """Write a samplesheet that is given by its rows; return its path. `inner` has the columns that are sheets themselves."""
    if isinstance(value, list):
        named, rows = f"{name}.csv", value
    elif isinstance(value, dict) and isinstance(value.get("rows"), list):
        named, rows = name + os.path.splitext(str(value.get("sheet", "")))[1].lower(), value["rows"]
    else:
        return value
    for number, row in enumerate(rows, 1):
        for column, deeper in inner.items():
            if column in row:
                row[column] = sheet(f"{name}-{number}-{column}", row[column], deeper, folder)
    return write_sheet(folder / named.replace("/", "_"), rows)


def write_sheet(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows in the form of the suffix; return the path. What a table cannot hold goes into JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix
    if suffix not in (".json", ".yml", ".yaml") and any(
        isinstance(cell, (list, dict)) for row in rows for cell in row.values()
    ):
        path, suffix = path.with_suffix(".json"), ".json"
    if suffix in (".json", ".yml", ".yaml"):
        # JSON is YAML too.
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1))
        return str(path)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", delimiter="\t" if suffix in (".tsv", ".txt") else ",")
        writer.writerow(columns)
        writer.writerows([[cell_of(row.get(column)) for column in columns] for row in rows])
    return str(path)


def cell_of(value: Any) -> str:
    """Return a cell's text."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
