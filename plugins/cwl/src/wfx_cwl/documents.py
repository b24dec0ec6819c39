"""CWL documents as text: whether something is one, what it names, and the inputs object of a job.

Nothing is evaluated here, and cwltool is not imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from wfx.documents import LoadedDocument, load_document
from wfx.engines import DocumentReference, Recognition
from wfx.errors import InputError, WfxError
from wfx.references import SCHEME
from wfx.values import JsonValue, Values

KEY = "cwl.cwltool"
CLASSES = ("Workflow", "CommandLineTool", "ExpressionTool", "Operation")
SUFFIXES = (".cwl", ".cwl.json", ".cwl.yml", ".cwl.yaml")
MAIN_NAMES = ("main.cwl", "workflow.cwl", "main-workflow.cwl")
# Keys of a job file that say something of the document, not of an input (CWL v1.2 Workflow §4.1.3).
NOT_INPUTS = ("$namespaces", "$schemas", "id", "cwl:tool")
REFUSED = ("cwl:requirements", "cwltool:overrides", "cwl:overrides")


def recognise(tree: Path, entry: str) -> Recognition | None:
    """Say whether `entry`, or the folder, is a CWL process; see `wfx.engines.Engine.recognise`."""
    if entry:
        return _recognise_file(tree / entry, entry)
    names = sorted(path.name for path in tree.iterdir() if path.name.endswith(SUFFIXES) and path.is_file())
    candidates = [name for name in MAIN_NAMES if name in names] or names
    found = [claim for name in candidates if (claim := _recognise_file(tree / name, name)) is not None]
    workflows = [claim for claim in found if "Workflow" in claim.evidence or "$graph" in claim.evidence]
    return (workflows or found)[0] if len(workflows or found) == 1 or (candidates[0] in MAIN_NAMES and found) else None


def _recognise_file(path: Path, entry: str) -> Recognition | None:
    try:
        data = path.read_bytes()
        # Other languages' files are not parsed at all.
        if b"cwlVersion" not in data:
            return None
        value = load_document(data, entry).value
    except (OSError, WfxError):
        # A broken document is still one: the error is worth more with its line than "not recognised".
        if path.name.endswith(SUFFIXES) and path.is_file() and b"cwlVersion" in path.read_bytes()[:65536]:
            return Recognition(KEY, entry, "unknown", f"cwlVersion in {entry}")
        return None
    if not isinstance(value, dict) or not isinstance(value.get("cwlVersion"), str):
        return None
    version = str(value["cwlVersion"]).rpartition("#")[2].removeprefix("cwl:")
    if "$graph" in value:
        return Recognition(KEY, entry, version, f"cwlVersion: {version}, $graph in {entry}")
    if value.get("class") in CLASSES:
        return Recognition(KEY, entry, version, f"cwlVersion: {version}, class: {value['class']} in {entry}")
    return None


def references(data: bytes, name: str) -> Iterator[DocumentReference]:
    """Yield what a document names: other documents, texts, schemas, and files that are defaults."""
    document = load_document(data, name)
    yield from _references(document.value, document, ())


def _references(value: JsonValue, document: LoadedDocument, path: tuple[str | int, ...]) -> Iterator[DocumentReference]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, document, (*path, index))
        return
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        place = (*path, key)
        for text, role in _named(key, item):
            yield DocumentReference(text, document.line(place), role)  # type: ignore[arg-type]
        yield from _references(item, document, place)
    kind = value.get("class")
    if kind in ("File", "Directory"):
        location = value.get("location", value.get("path"))
        if isinstance(location, str) and location and not location.startswith(("_:", "$(", "${")):
            role = "file" if kind == "File" else "directory"
            yield DocumentReference(location, document.line(path), role)  # type: ignore[arg-type]


def _named(key: str, item: JsonValue) -> Iterator[tuple[str, str]]:
    if key in ("run", "$import", "$mixin") and isinstance(item, str):
        yield item, "document"
    elif key == "$include" and isinstance(item, str):
        yield item, "text"
    elif key == "$schemas":
        for text in item if isinstance(item, list) else [item]:
            if isinstance(text, str):
                yield text, "schema"
    elif key in ("type", "items", "types"):
        for text in item if isinstance(item, list) else [item]:
            # A type that another document defines: `formats.yml#Sample[]?`.
            if isinstance(text, str) and re.match(r"[^#\s]+\.(ya?ml|cwl|json)#", text):
                yield text.rstrip("?").removesuffix("[]"), "document"


def read_inputs(data: bytes, name: str) -> Values:
    """Read a job file (CWL v1.2 Workflow §4.1.3): `path` becomes `location`, prefixes of formats are expanded.

    Raises DocumentError and InputError, with the line.
    """
    document = load_document(data, name)
    value = document.value
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("the inputs are no mapping", where=f"{name}:1", remedy="write NAME: VALUE lines")
    for key in REFUSED:
        if key in value:
            raise InputError(
                f"{key} in an inputs file is not supported", where=document.where((key,)),
                why="a run's requirements belong to its workflow", remedy="write them into the workflow",
            )  # fmt: skip
    namespaces = value.get("$namespaces")
    prefixes = {k: v for k, v in namespaces.items() if isinstance(v, str)} if isinstance(namespaces, dict) else {}
    prefixes.setdefault("edam", "http://edamontology.org/")
    return {key: _input(item, prefixes, document, (key,)) for key, item in value.items() if key not in NOT_INPUTS}


def _input(
    value: JsonValue, prefixes: dict[str, str], document: LoadedDocument, path: tuple[str | int, ...]
) -> JsonValue:
    if isinstance(value, list):
        return [_input(item, prefixes, document, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {key: _input(item, prefixes, document, (*path, key)) for key, item in value.items()}
    if value.get("class") in ("File", "Directory"):
        location, plain = value.get("location"), value.get("path")
        if location is not None and plain is not None:
            raise InputError("it has both location and path", where=document.where(path), remedy="keep one")
        if isinstance(plain, str):
            result["location"] = plain
            del result["path"]
        elif isinstance(location, str) and not SCHEME.match(location):
            # A location is an IRI, so what is escaped in it stands for a character; a path is not.
            result["location"] = unquote(location, errors="surrogateescape")
        kind = value.get("format")
        if isinstance(kind, str) and (prefix := kind.partition(":"))[0] in prefixes and "//" not in prefix[2]:
            result["format"] = prefixes[prefix[0]] + prefix[2]
    return result
