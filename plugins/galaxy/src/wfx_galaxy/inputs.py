"""A workflow's inputs on their way to the server: files into datasets, nested values into collections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wfx.engines import Description
from wfx.errors import InputError
from wfx.values import JsonValue, Values

from wfx_galaxy.model import GalaxyInput, GalaxyWorkflow
from wfx_galaxy.server import Server
from wfx_galaxy.uploading import URL_SCHEMES, Upload

MEMBERS = ("forward", "reverse")


def named(values: Values) -> Values:
    """Return job files as planemo writes them in the forms of wfx: `class: Collection` becomes arrays and records.

    See planemo's documentation, "Test format": `{class: Collection, collection_type, elements: [{class: File,
    identifier, path}]}`.
    """
    return {name: _unfolded(value) for name, value in values.items()}


def _unfolded(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_unfolded(item) for item in value]
    if not isinstance(value, dict) or value.get("class") != "Collection":
        return value
    elements = value.get("elements")
    if not isinstance(elements, list):
        raise InputError("a Collection without elements", why="it takes a list of File and Collection objects")
    kind = str(value.get("collection_type") or value.get("type") or "list")
    outer = kind.partition(":")[0]
    members: list[tuple[str, JsonValue]] = []
    for item in elements:
        if not isinstance(item, dict) or not item.get("identifier"):
            raise InputError("an element of a Collection without its identifier")
        members.append((str(item["identifier"]), _unfolded(item)))
    if outer in ("paired", "paired_or_unpaired"):
        return {name: _bare(item) for name, item in members}
    result: list[JsonValue] = []
    for name, item in members:
        if isinstance(item, list):
            result.append({"identifier": name, "elements": item})
        elif isinstance(item, dict):
            result.append({**item, "identifier": name})
    return result


def _bare(item: JsonValue) -> JsonValue:
    return {key: part for key, part in item.items() if key != "identifier"} if isinstance(item, dict) else item


def check(description: Description, values: Values) -> None:
    """Check what types cannot say: that no two elements of a collection share a name. Raises InputError."""
    for parameter in description.inputs:
        _check_names(values.get(parameter.id), parameter.id)


def _check_names(value: JsonValue, where: str) -> None:
    if isinstance(value, list):
        names = [element_name(item, index) for index, item in enumerate(value) if isinstance(item, dict)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"two elements of '{where}' are called '{name}'", remedy="give each an `identifier` of its own"
                )
        for item, name in zip(value, names, strict=False):
            _check_names(item, f"{where}/{name}")
    elif isinstance(value, dict) and value.get("class") != "File":
        _check_names(value.get("elements"), where)


def element_name(item: Mapping[str, JsonValue], index: int) -> str:
    """Return what an element is called: as the user says, as its file is, or as the files of its pair begin."""
    name = item.get("identifier") or item.get("basename")
    if not name and item.get("class") == "File":
        name = str(item.get("location") or "").rpartition("/")[2]
    return str(name or _common(item) or f"element{index + 1}")


def files_of(value: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Yield each File within a value."""
    if isinstance(value, list):
        for item in value:
            yield from files_of(item)
    elif isinstance(value, dict):
        if value.get("class") == "File":
            yield value
        else:
            for item in value.values():
                yield from files_of(item)


def uploads(
    workflow: GalaxyWorkflow, values: Values, directory: Path, digests: Mapping[str, str], origins: Mapping[str, str],
    datatypes: frozenset[str], *, dbkey: str, by_url: bool,
) -> list[Upload]:  # fmt: skip
    """Return what is to be brought into the history: each file once for each datatype that it is wanted in.

    `digests` and `origins` are those of the lock, by path.
    """
    found: dict[str, Upload] = {}
    for item in workflow.inputs:
        for file in files_of(values.get(item.label)):
            path = str(file["location"])
            url = origins.get(path, "") if by_url else ""
            found.setdefault(
                path,
                Upload(
                    path, directory / path, str(file.get("basename") or Path(path).name),
                    datatype(item, file, datatypes), digests[path], str(file.get("dbkey") or dbkey),
                    url if url.startswith(URL_SCHEMES) else "",
                ),
            )  # fmt: skip
    return list(found.values())


def datatype(item: GalaxyInput, file: Mapping[str, JsonValue], datatypes: frozenset[str]) -> str:
    """Return the datatype to mark a file with: what the user says, what the workflow wants, what the name says."""
    if file.get("filetype"):
        return str(file["filetype"])
    name = str(file.get("basename") or "").lower()

    def fits(extension: str) -> bool:
        return name.endswith(f".{extension}")

    wanted = [extension for extension in item.formats if fits(extension)]
    if wanted:
        return max(wanted, key=len)
    if item.formats:
        return item.formats[0]
    return max(filter(fits, datatypes), key=len, default="auto")


def for_invocation(
    server: Server, history: str, workflow: GalaxyWorkflow, values: Values, datasets: Mapping[str, str]
) -> dict[str, Any]:
    """Return the inputs of an invocation by uuid, or by label; collections are made in the history."""
    given: dict[str, Any] = {}
    for item in workflow.inputs:
        value = values.get(item.label)
        if value is None:
            continue
        if item.kind == "parameter":
            given[item.uuid or item.label] = value
        elif item.kind == "data":
            assert isinstance(value, dict)
            given[item.uuid or item.label] = {"src": "hda", "id": datasets[str(value["location"])]}
        else:
            made = server.post_again(
                "dataset_collections",
                {
                    "instance_type": "history", "history_id": history, "name": item.label,
                    "collection_type": item.collection_type or "list", "copy_elements": False,
                    "element_identifiers": _elements(value, item.collection_type or "list", item.label, datasets),
                },
            )  # fmt: skip
            given[item.uuid or item.label] = {"src": "hdca", "id": str(made["id"])}
    return given


def _elements(value: JsonValue, kind: str, where: str, datasets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a collection's elements as Galaxy names them."""
    outer, _, inner = kind.partition(":")
    members: list[tuple[str, JsonValue]] = []
    if outer in ("paired", "paired_or_unpaired") and isinstance(value, dict):
        members = [(name, value[name]) for name in MEMBERS if value.get(name) is not None]
        if len(members) == 1 and outer == "paired_or_unpaired":
            members = [("unpaired", members[0][1])]
    elif isinstance(value, list):
        members = [
            (element_name(item, index), item.get("elements", item))
            for index, item in enumerate(value)
            if isinstance(item, dict)
        ]
    else:
        raise InputError(
            f"the input '{where}' takes a collection of the type {kind or 'any'}", why="it is not written as one",
            remedy="`wfx inputs WORKFLOW` prints a template",
        )  # fmt: skip
    result: list[dict[str, Any]] = []
    for name, member in members:
        if inner:
            parts = _elements(member, inner, f"{where}/{name}", datasets)
            result.append(
                {"name": name, "src": "new_collection", "collection_type": inner, "element_identifiers": parts}
            )
        elif isinstance(member, dict):
            result.append({"name": name, "src": "hda", "id": datasets[str(member["location"])]})
    return result


def _common(pair: Mapping[str, JsonValue]) -> str:
    """Return what the names of a pair's files begin with: of `a_1.fq` and `a_2.fq` it is `a`."""
    names = []
    for member in MEMBERS:
        file = pair.get(member)
        if isinstance(file, dict):
            text = str(file.get("basename") or str(file.get("location") or "").rpartition("/")[2])
            names.append(text)
    if len(names) < 2:
        return names[0] if names else ""
    size = next((i for i, (a, b) in enumerate(zip(*names, strict=False)) if a != b), min(map(len, names)))
    return names[0][:size].rstrip("_.- R")
