"""CWL documents as text: whether something is one, what it names, and the inputs object of a job.

Nothing is evaluated here, and cwltool is not imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
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
    workflows = [claim for claim in found if "Workflow" in claim.evidence or "$graph" in claim.evidence] or found
    decided = len(workflows) == 1 or (workflows and workflows[0].entry in MAIN_NAMES)
    return workflows[0] if decided else None


def _recognise_file(path: Path, entry: str) -> Recognition | None:
    # A broken document with the language's own suffix is still one: its error, with the line, says more than
    # "not recognised".
    ours = path.name.endswith(SUFFIXES)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    # Other languages' files are not parsed at all.
    if b"cwlVersion" not in data and not (ours and b"class" in data):
        return None
    try:
        value = load_document(data, entry).value
    except WfxError:
        return Recognition(KEY, entry, "unknown", f"the suffix of {entry}") if ours else None
    if not isinstance(value, dict):
        return None
    written, kind = value.get("cwlVersion"), value.get("class")
    if isinstance(written, str) and (kind in CLASSES or "$graph" in value):
        version = written.rpartition("#")[2].removeprefix("cwl:")
        what = "$graph" if "$graph" in value else f"class: {kind}"
        return Recognition(KEY, entry, version, f"cwlVersion: {version}, {what} in {entry}")
    if ours and (written is not None or kind in CLASSES):
        return Recognition(KEY, entry, "unknown", f"the suffix of {entry}")
    return None


def references(data: bytes, name: str) -> Iterator[DocumentReference]:
    """Yield what a document names: other documents, texts, schemas, and files that are defaults."""
    document = load_document(data, name)
    yield from _references(document.value, document, ())


def _references(
    value: JsonValue, document: LoadedDocument, path: tuple[str | int, ...], literal: bool = False
) -> Iterator[DocumentReference]:
    """Search a part of the document; `literal` is within a default, where only files mean something."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, document, (*path, index), literal)
        return
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        place = (*path, key)
        if not literal:
            for text, role in _named(key, item, value, path):
                yield DocumentReference(text, document.line(place), role)
        yield from _references(item, document, place, literal or (key == "default" and path[-1:] not in NAMES))
    kind = value.get("class")
    if kind in ("File", "Directory"):
        location = value.get("location", value.get("path"))
        if isinstance(location, str) and location and not location.startswith(("_:", "$(", "${")):
            yield DocumentReference(location, document.line(path), "file" if kind == "File" else "directory")


# Below these keys stand names that the author has chosen, `run` and `default` perhaps among them.
NAMES = (("inputs",), ("outputs",), ("fields",), ("in",), ("steps",))
Role = Literal["document", "text", "schema"]


def _named(
    key: str, item: JsonValue, around: dict[str, JsonValue], path: tuple[str | int, ...]
) -> Iterator[tuple[str, Role]]:
    if key in ("$import", "$mixin") and isinstance(item, str):
        yield item, "document"
    elif key == "$include" and isinstance(item, str):
        yield item, "text"
    elif key == "$schemas":
        for text in item if isinstance(item, list) else [item]:
            if isinstance(text, str):
                yield text, "schema"
    elif path[-1:] in NAMES[:3]:
        # `sample: types.yml#Sample`, short for a mapping with a type.
        yield from _types(item)
    elif (
        key == "run"
        and isinstance(item, str)
        and path[-1:] not in NAMES
        and ("in" in around or path[-2:-1] == ("steps",))
    ):
        yield item, "document"
    elif key in ("type", "items", "types") and path[-1:] not in NAMES:
        yield from _types(item)


def _types(item: JsonValue) -> Iterator[tuple[str, Role]]:
    for text in item if isinstance(item, list) else [item]:
        # A type that another document defines: `formats.yml#Sample[]?`.
        if isinstance(text, str) and re.match(r"[^#\s]+\.(ya?ml|cwl|json)#", text):
            yield text.rstrip("?").removesuffix("[]"), "document"


def read_inputs(data: bytes, name: str) -> Values:
    """Read a job file (CWL v1.2 Workflow §4.1.3): `path` becomes `location`, prefixes of formats are expanded.

    Raises DocumentError and InputError, with the line.
    """
    if all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines()):
        return {}
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
