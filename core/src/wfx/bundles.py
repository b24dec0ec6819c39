"""Bundles: all that a definition needs, in one verified file, for a machine without a network.

A bundle is a tar: `manifest.json` first, which lists everything with its digest, then `blobs/SHA256` for the store, then
`payload/…`, a definition with those files of its that lay on the machine where it was made. What belongs in is found out
by rehearsal: the definition is resolved once more with the network switched off, and whatever the store is asked for is
what the other machine's will be asked for.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx import __version__, flow
from wfx.definitions import Definition, from_command_line
from wfx.errors import MachineError, UsageError
from wfx.itemforms import NOTE
from wfx.planning import now
from wfx.records import encode
from wfx.references import Reference
from wfx.session import Session
from wfx.staging import WITHOUT_EFFECT, place_workflow
from wfx.store import Known, Store, hash_bytes_of
from wfx.treeparts import entry_of, names_part
from wfx.values import JsonValue, Values
from wfx.valuetypes import map_files

if TYPE_CHECKING:
    from wfx.closures import Closure

SCHEMA = 1
MANIFEST = "manifest.json"
DEFINITION = "definition.wfx.json"
BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was written."""

    path: Path
    manifest: str
    """sha256 of the manifest, which stands for all that is in the bundle."""
    identity: str
    """Of the run that it is for."""
    blobs: int
    size: int
    """Bytes of the file."""


class _Rehearsed(Store):
    """The store, which remembers what it was asked for and had."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.used: set[str] = set()
        self.refs: dict[str, Known] = {}
        self.facts: dict[tuple[str, str], JsonValue] = {}

    def blob(self, sha256: str) -> Path | None:
        path = super().blob(sha256)
        if path is not None:
            self.used.add(sha256)
        return path

    def known(self, reference: Reference) -> Known | None:
        known = super().known(reference)
        if known is not None:
            self.refs[reference.safe()] = known
        return known

    def fact(self, kind: str, key: str) -> JsonValue:
        value = super().fact(kind, key)
        if value is not None:
            self.facts[kind, key] = value
        return value


def export(
    definition: Definition, session: Session, target: Path, options: flow.Options | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Bundle:  # fmt: skip
    """Fetch all that a definition needs, and write it into one file; it appears whole or not at all.

    Raises what a fetch raises, UsageError for a crate that cannot be carried, MachineError.
    """
    tell("fetching")
    brought = flow.bring(definition, session, options)
    scratch = session.scratch()
    payload = scratch / "payload"
    payload.mkdir()
    start = _payload(definition, brought, session, payload)
    tell("rehearsing without the network")
    with Session(session.config, offline=True, plugins=session.plugins) as rehearsal:
        store = _Rehearsed(session.directories.store)
        rehearsal.__dict__["store"] = store
        again = from_command_line(str(payload / start) if (payload / start).exists() else start, rehearsal)
        if definition.crate is not None:
            again = _with_machine(again, definition)
        lock = flow.bring(again, rehearsal, options).lock
        manifest = {
            "schema": SCHEMA, "wfx": __version__, "created": now(), "identity": lock.identity, "start": start,
            "blobs": {sha256: store.path_of(sha256).stat().st_size for sha256 in sorted(store.used)},
            "refs": {reference: encode(known) for reference, known in sorted(store.refs.items())},
            "facts": [[kind, key, value] for (kind, key), value in sorted(store.facts.items())],
            "payload": dict(_files(payload)),
        }  # fmt: skip
        tell("writing")
        return _write(manifest, store, payload, target, lock.identity)


def _with_machine(again: Definition, definition: Definition) -> Definition:
    return replace(again, containers=definition.containers, options=definition.options)


def _payload(definition: Definition, brought: flow.Brought, session: Session, payload: Path) -> str:
    """Write what is to be run there; return its name below the payload, or the reference that the store has."""
    if definition.crate is not None:
        return _crate(definition, payload)
    closure = brought.closure
    local = closure.local or closure.reference.on_this_machine
    workflow = _workflow(closure, session, payload) if local else closure.reference.uri
    if not local and closure.reference.safe() != closure.reference.uri:
        raise UsageError(
            "the workflow's reference holds a secret", where=str(closure.reference),
            remedy="give credentials in credentials.toml instead",
        )  # fmt: skip
    document: dict[str, Any] = {
        "wfx": 1, "name": definition.name, "workflow": workflow, "engine": closure.recognition.engine,
        "containers": list(definition.containers),
        "options": {key: value for key, value in definition.options.items() if key not in WITHOUT_EFFECT},
        "inputs": _carried(brought.values, session, payload),
    }  # fmt: skip
    text = json.dumps({key: value for key, value in document.items() if value}, indent=2, ensure_ascii=True)
    (payload / DEFINITION).write_text(text + "\n")
    return DEFINITION


def _crate(definition: Definition, payload: Path) -> str:
    assert definition.crate is not None
    where = definition.crate.where
    if definition.inputs or definition.inputs_file is not None or definition.input_options:
        raise UsageError(
            "a crate is carried with the inputs that it records", why="others were given with it",
            remedy="write a definition file with the workflow and these inputs",
        )  # fmt: skip
    if not where.on_this_machine:
        return where.uri
    source = Reference(where.uri.removeprefix("crate+")).path
    if source.is_dir():
        # A run's own state, and its outputs, are not needed to run it again; its crate's other files may be.
        shutil.copytree(source, payload / "crate", ignore=shutil.ignore_patterns(".wfx"), symlinks=True)
        return "crate"
    name = source.name
    shutil.copy(source, payload / name)
    return name


def _workflow(closure: Closure, session: Session, payload: Path) -> str:
    place_workflow(closure.documents, closure.sources, payload / "workflow", session.store)
    return f"workflow/{closure.entry}" + (f"#{closure.fragment}" if closure.fragment else "")


def _carried(values: Values, session: Session, payload: Path) -> Values:
    """Return the inputs with the files of this machine taken along, each under a number of its own."""
    taken: dict[str, str] = {}

    def change(item: dict[str, Any], path: tuple[str | int, ...]) -> JsonValue:
        location = item.get("location")
        if not isinstance(location, str) or not Reference(location).is_local:
            return item
        reference = Reference(location)
        source = reference.path
        whole = reference.without_fragment().uri
        if whole not in taken:
            taken[whole] = f"files/{len(taken) + 1}/{source.name}"
            target = payload / taken[whole]
            target.parent.mkdir(parents=True)
            if source.is_dir():
                session.store.copy_tree(source, target)
            else:
                session.store.copy_file(source, target)
        if names_part(reference):
            item = {**item, NOTE: {**item.get(NOTE, {}), "part": entry_of(reference)}}
        return {**item, "location": taken[whole]}

    return {name: map_files(value, change) for name, value in values.items()}


def _files(folder: Path) -> Iterator[tuple[str, JsonValue]]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield relative, {"link": os.readlink(path)}
                continue
            sha256, size = hash_bytes_of(path)
            yield relative, {"sha256": sha256, "size": size, "executable": os.access(path, os.X_OK)}


def _write(manifest: dict[str, Any], store: Store, payload: Path, target: Path, identity: str) -> Bundle:
    import hashlib

    data = json.dumps(manifest, ensure_ascii=True, separators=(",", ":")).encode()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, MANIFEST, io.BytesIO(data), len(data))
            for sha256, size in manifest["blobs"].items():
                with open(store.path_of(sha256), "rb") as file:
                    _add(archive, f"blobs/{sha256}", file, size)
            for name, entry in manifest["payload"].items():
                if "link" not in entry:
                    with open(payload / name, "rb") as file:
                        _add(archive, f"payload/{name}", file, entry["size"])
        os.replace(temporary, target)
    except OSError as error:
        raise MachineError.of(error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return Bundle(target, hashlib.sha256(data).hexdigest(), identity, len(manifest["blobs"]), target.stat().st_size)


def _add(archive: tarfile.TarFile, name: str, file: Any, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    archive.addfile(info, file)
