"""Bring a run's outputs from the server: each by its label, collections as folders, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfx.errors import FetchError, IntegrityError, MachineError
from wfx.fetching import Span
from wfx.net import TemporaryFailure
from wfx.treepaths import safe_name
from wfx.values import JsonValue, Values

from wfx_galaxy import jobs
from wfx_galaxy.model import GalaxyWorkflow, step_of
from wfx_galaxy.server import FIRST_PAUSE, LONGEST_PAUSE, Server
from wfx_galaxy.sites import Site

AT_ONCE = 4
GOOD = frozenset({"ok", "empty"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dataset, and where it is to lie."""

    dataset: str
    path: str
    """Relative to the run directory."""


def outputs_of(workflow: GalaxyWorkflow, answer: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return label → (`hda` or `hdca`, id) of what the invocation has left; `value` and the value of a parameter."""
    told = {step.label: item for item in answer.get("steps") or [] if (step := step_of(workflow, item)) is not None}
    found: dict[str, tuple[str, str]] = {}
    for output in workflow.outputs:
        for kind, group in (("hda", "outputs"), ("hdca", "output_collections")):
            item = (answer.get(group) or {}).get(output.label)
            if item is None:
                label, _, name = output.source.rpartition("/")
                item = (told.get(label, {}).get(group) or {}).get(name)
            if item is not None and item.get("id"):
                found[output.label] = (kind, str(item["id"]))
    return found


class Places:
    """Where the outputs will lie, known as soon as the server has their names: so a job's outputs are the run's."""

    def __init__(self, server: Server, site: Site, workflow: GalaxyWorkflow) -> None:
        self._server, self._site, self._workflow = server, site, workflow
        self._names: dict[str, str] = {}
        """Dataset → what it will be called below `outputs/`, without its extension."""
        self._whole: set[str] = set()

    def learn(self, answer: Mapping[str, Any]) -> None:
        """Take what an invocation's outputs are called from its present state."""
        for label, (kind, identifier) in outputs_of(self._workflow, answer).items():
            if identifier in self._whole:
                continue
            if kind == "hda":
                self._names[identifier] = safe_name(label)
                self._whole.add(identifier)
                continue
            collection = self._server.get(f"dataset_collections/{identifier}", instance_type="history")
            for item in jobs.leaves(collection):
                self._names[str(item["id"])] = "/".join(safe_name(part) for part in (label, *item["path"]))
            if collection.get("populated"):
                self._whole.add(identifier)

    def of(self, told: Mapping[str, Any]) -> str:
        """Return the path of a dataset in the run directory; empty for what is no output, or stays on the server."""
        name = self._names.get(str(told.get("id")), "")
        size = told.get("file_size")
        limit = self._site.largest_output
        if not name or not self._site.download or (limit and isinstance(size, int) and size > limit):
            return ""
        folder, _, last = f"outputs/{name}".rpartition("/")
        return f"{folder}/{safe_name(jobs.file_name({**told, 'name': last}))}"


def bring(
    server: Server, site: Site, workflow: GalaxyWorkflow, answer: Mapping[str, Any], directory: Path,
    describe: jobs.Describer,
) -> Values:  # fmt: skip
    """Download all outputs below `outputs/` and return their values. Raises FetchError, IntegrityError, MachineError."""
    wanted: list[Wanted] = []
    shapes: dict[str, JsonValue] = {}
    taken: set[str] = set()

    def want(dataset: str) -> str:
        told = describe.about(dataset)
        if str(told.get("state")) not in GOOD or told.get("deleted") or told.get("purged"):
            return ""
        path = _free(describe.places.of(told) or f"outputs/{dataset}", taken)
        wanted.append(Wanted(dataset, path))
        return path

    describe.places.learn(answer)
    for label, (kind, identifier) in outputs_of(workflow, answer).items():
        if kind == "hda":
            if path := want(identifier):
                shapes[label] = path
        else:
            collection = server.get(f"dataset_collections/{identifier}", instance_type="history")
            shapes[label] = [path for item in jobs.leaves(collection) if (path := want(str(item["id"])))]
    files = _bring_all(server, site, wanted, directory, describe)
    values: Values = {}
    for label, shape in shapes.items():
        if isinstance(shape, str):
            values[label] = files[shape]
        else:
            assert isinstance(shape, list)
            inside = [files[str(path)] for path in shape]
            values[label] = _directory(outputs_folder(shape), inside)
    return values | {str(k): v for k, v in (answer.get("output_values") or {}).items() if k not in values}


def outputs_folder(paths: Sequence[JsonValue]) -> str:
    """Return the folder below `outputs/` that the paths of a collection share."""
    return "/".join(str(paths[0]).split("/")[:2]) if paths else ""


def _directory(folder: str, files: list[dict[str, JsonValue]]) -> JsonValue:
    if not folder or any("://" in str(item.get("location")) for item in files):
        # What stays on the server, or is nothing at all, makes no folder here.
        return list[JsonValue](files)
    return {
        "class": "Directory",
        "location": folder,
        "basename": folder.rpartition("/")[2],
        "listing": list[JsonValue](files),
    }


def _bring_all(
    server: Server, site: Site, wanted: Sequence[Wanted], directory: Path, describe: jobs.Describer
) -> dict[str, dict[str, JsonValue]]:
    about = {item.path: describe.about(item.dataset) for item in wanted}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="galaxy-download") as pool:
        running = {
            item.path: pool.submit(_bring, server, site, item, about[item.path], directory / item.path)
            for item in wanted
        }
        try:
            results = {path: future.result() for path, future in running.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {
        path: {"class": "File", "location": path, "basename": path.rpartition("/")[2], **value}
        for path, value in results.items()
    }


def _bring(server: Server, site: Site, item: Wanted, told: Mapping[str, Any], target: Path) -> dict[str, JsonValue]:
    address = f"{server.url}/datasets/{item.dataset}/display"
    size = told.get("file_size") if isinstance(told.get("file_size"), int) else None
    if not site.download or (site.largest_output and size is not None and size > site.largest_output):
        remote: dict[str, JsonValue] = {"location": address, "size": size}
        return remote | jobs.checksum(told)
    extension = str(told.get("extension") or "")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        digest, count = _copy(server, f"{address}?to_ext={extension}", part)
        if size is not None and count != size:
            raise IntegrityError(
                f"{count} bytes came of {size}", where=address, why="the server's dataset and its file differ"
            )
        _hold(part, told, address, digest)
        part.replace(target)
    except OSError as error:
        raise MachineError.of(error) from error
    return {"checksum": f"sha256${digest}", "size": count}


def _copy(server: Server, url: str, part: Path) -> tuple[str, int]:
    """Copy a stream to a file, going on where it broke off; return its sha256 and its size."""
    deadline, pause = time.monotonic() + server.patience, FIRST_PAUSE
    offset, validator = 0, None
    buffer = memoryview(bytearray(2**20))
    with part.open("w+b") as file:
        while True:
            try:
                body = server.open(url, Span(offset, None, validator) if offset and validator else None)
                if body.start != offset:
                    offset = body.start
                    file.seek(offset)
                    file.truncate()
                validator = body.validator
                try:
                    while count := body.stream.readinto(buffer):
                        file.write(buffer[:count])
                        offset += count
                finally:
                    body.stream.close()
                break
            except (TemporaryFailure, ConnectionError, TimeoutError) as error:
                if time.monotonic() + pause > deadline:
                    if isinstance(error, FetchError):
                        raise
                    raise TemporaryFailure("the connection broke", where=url, why=str(error)) from error
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        file.flush()
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest(), offset


def _hold(part: Path, told: Mapping[str, Any], where: str, sha256: str) -> None:
    """Hold a file to the digests that the server has of it. Raises IntegrityError."""
    for algorithm, stated in jobs.hashes(told):
        with part.open("rb") as file:
            found = sha256 if algorithm == "sha256" else hashlib.file_digest(file, algorithm).hexdigest()
        if found != stated:
            raise IntegrityError(f"the {algorithm} is {found}, and the server states {stated}", where=where)


def _free(path: str, taken: set[str]) -> str:
    """Return the path, with a number where it is taken; names are compared without regard to case."""
    stem, dot, suffix = path.partition(".")
    found, number = path, 2
    while found.lower() in taken:
        found, number = f"{stem}_{number}{dot}{suffix}", number + 1
    taken.add(found.lower())
    return found
