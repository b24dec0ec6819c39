"""Sample sheets: which config keys are such, which of their columns are files, and how they are written anew."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Any

from .problems import Places, folder_of

TSV, CSV = "http://edamontology.org/format_3475", "http://edamontology.org/format_3752"
PATHS = {"file-path": "File", "directory-path": "Directory", "path": "path"}
# `samples = (pd.read_csv(config["samples"], sep="\t", …`: the variable, the function, the key, its options.
READ = re.compile(
    r"""\b(\w+)\s*=\s*\(?\s*(?:\w+\.)?(read_(?:csv|table))\(\s*config\[\s*["']([^"'\n]+)["']\s*\]((?:[^()]|\([^()]*\))*)\)"""
)
CHECKED = re.compile(r"""\bvalidate\(\s*(\w+)\b[^,\n]*,\s*(?:schema\s*=\s*)?["']([^"'{}\n]+)["']""")
SEPARATOR = re.compile(r"""\b(?:sep|delimiter)\s*=\s*r?(["'])(.+?)\1""")
FOLDERS = ("workflow/schemas", "schemas", "config/schemas", "config")


def sheets_of(texts: dict[str, str], places: Places, config: dict[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Return, for each key that names a sheet with files in it, its format and the kinds of those columns."""
    schemas: dict[str, list[Path]] = {}
    for name, text in texts.items():
        for variable, schema in CHECKED.findall(text):
            schemas.setdefault(variable, []).append((places.tree / name).parent / schema)
    project = places.tree / folder_of(places.entry)
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for text in texts.values():
        for variable, function, key, options in READ.findall(text):
            usual = [
                project / folder / f"{key}.schema.{kind}" for folder in FOLDERS for kind in ("yaml", "yml", "json")
            ]
            path = next((path for path in (*schemas.get(variable, ()), *usual) if path.is_file()), None)
            columns = columns_of(path) if path is not None else {}
            if columns:
                found.setdefault(key, (_format(function, options, str(config.get(key) or "")), columns))
    return found


def columns_of(path: Path) -> dict[str, str]:
    """Return the columns that the schema of a row, or of a list of rows, calls files."""
    from .parameters import read

    schema = read(path)
    if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        schema = schema["items"]
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return {
        str(name): PATHS[part["format"]]
        for name, part in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(part, dict) and part.get("format") in PATHS
    }


def _format(function: str, options: str, shipped: str) -> str:
    """Return whether the workflow reads columns that tabs or commas separate."""
    given = SEPARATOR.search(options)
    if given is not None:
        return CSV if given[2] == "," else TSV
    if "sep" in options:
        return TSV if shipped.endswith((".tsv", ".txt")) else CSV
    return TSV if function == "read_table" else CSV


def with_rows(kind: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """Return the type of a key that takes a sheet's rows too."""
    either = {"kind": "union", "alternatives": [{"kind": "File"}, {"kind": "Directory"}]}
    fields = [{"name": name, "type": either if word == "path" else {"kind": word}} for name, word in columns.items()]
    row = {"kind": "union", "alternatives": [{"kind": "record", "fields": fields}, {"kind": "any"}]}
    before = kind["alternatives"] if kind["kind"] == "union" else [kind]
    return {"kind": "union", "alternatives": [*before, {"kind": "array", "items": row}]}


def write_sheets(config: dict[str, Any], delimiters: dict[str, str], places: Places) -> dict[str, Any]:
    """Write the sheets that are given by their rows; return the config with their paths."""
    folder, result = places.state / "sheets", dict(config)
    for key, delimiter in delimiters.items():
        rows = config.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            continue
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", key) + (".tsv" if delimiter == "\t" else ".csv")
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with open(folder / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([["" if row.get(c) is None else str(row[c]) for c in columns] for row in rows])
        result[key] = os.fspath(folder / name)
    return result
