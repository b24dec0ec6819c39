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
        elif name in message["sheets"] and isinstance(value, list):
            result[name] = write_sheet(name, [plain(row, root) for row in value], state / "sheets")
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


def write_sheet(name: str, rows: list[dict[str, Any]], folder: Path) -> str:
    """Write a samplesheet; return its path. What a table cannot hold goes into JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(isinstance(cell, (list, dict)) for row in rows for cell in row.values()):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1))
        return str(path)
    path = folder / f"{name}.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[cell_of(row.get(column)) for column in columns] for row in rows])
    return str(path)


def cell_of(value: Any) -> str:
    """Return a cell's text."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
