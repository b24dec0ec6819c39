"""One side of a comparison: what a run took, used and made, read from its crate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wfx.crates.contents import (
    choose_action,
    contents,
    engine_of,
    main_workflow,
    parameter_name,
    parameters,
    realised,
    shown,
    status,
)
from wfx.crates.exact import exact
from wfx.crates.locating import CHECKSUMS
from wfx.crates.opening import find_crate
from wfx.crates.payloads import FolderPayload, confined
from wfx.crates.reading import Crate, Entity, kinds, normal, path_of, text
from wfx.errors import DefinitionError, UsageError
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.session import Session

MOST = 1_000_000


@dataclass(slots=True)
class Output:
    """One file of an output, or a value."""

    name: str
    """Within the output: the file's name, `folder/name`."""
    path: str = ""
    """In the crate."""
    value: str | None = None
    """Of what is no file."""
    stated: dict[str, str] = field(default_factory=dict)
    """Digests that the crate states."""
    size: int | None = None
    open: Callable[[], IO[bytes]] | None = None
    """None where the bytes are not in the crate."""
    digest: Callable[[str], str] | None = None


@dataclass(slots=True)
class Side:
    """One run."""

    label: str
    """As it was named."""
    reference: str
    identifier: str
    """Of the run, where the crate has one: `urn:uuid:…`."""
    status: str
    ended: str
    outputs: dict[str, list[Output]]
    inputs: dict[str, tuple[str, ...]]
    """Digests of files, texts of values."""
    workflow: str
    """Digest over all documents; empty where only our own crates would have one."""
    document: str
    """Digest of the main document, or its path where nobody has one."""
    engine: str
    engine_version: str
    images: tuple[str, ...]
    options: dict[str, str]
    steps: dict[str, str]
    """Name of each execution → how it ended."""


def open_side(argument: str, session: Session, action: str = "") -> Side:
    """Read a run by its id, its directory, or a crate of it. Raises DefinitionError where no run is recorded."""
    crate = find_crate(argument, session)
    if crate is None:
        raise UsageError(f"there is no run and no crate '{argument}'", remedy="see `wfx runs list`")
    return side_of(crate, argument, session, action)


def side_of(crate: Crate, label: str, session: Session, action: str = "") -> Side:
    """Read one side from a crate."""
    main = main_workflow(crate)
    chosen = choose_action(crate, main, action)
    if main is None or chosen is None:
        raise DefinitionError("the crate records no run of a workflow", where=label, remedy="see `wfx inspect`")
    folder = crate.payload.root if isinstance(crate.payload, FolderPayload) and crate.base is None else None
    ours = exact(crate, folder, session)
    engine, version = engine_of(crate, chosen)
    if ours is not None:
        engine, version = ours.plan.description.engine.rpartition(".")[2], ours.plan.description.engine_version
        images = tuple(sorted(f"{i.image}@{i.digest}" for i in ours.plan.images))
        workflow, options = ours.plan.workflow.digest, dict(ours.plan.options)
    else:
        images, options, workflow = contents(crate).images, {}, ""
    return Side(
        label=label,
        reference=_told(crate),
        identifier=text((crate.root or {}).get("identifier")),
        status=status(chosen),
        ended=text(chosen.get("endTime")),
        outputs=_outputs(crate, main, chosen, session),
        inputs=_inputs(crate, main, chosen),
        workflow=workflow,
        document=_main_digest(crate, main),
        engine=engine,
        engine_version=version,
        images=images,
        options=options,
        steps=dict(_steps(crate, main, chosen)),
    )


def _told(crate: Crate) -> str:
    """Return where a crate is without paths of this machine, for what is handed on."""
    reference = crate.reference
    return "" if reference is None or reference.on_this_machine else reference.safe()


def _main_digest(crate: Crate, main: Entity) -> str:
    path = path_of(main["@id"])
    if path and confined(path) and crate.base is None and crate.payload.size(path) is not None:
        return crate.payload.sha256(path)
    return text(main.get("sha256")) or main["@id"]


# -- outputs


def _outputs(crate: Crate, main: Entity, action: Entity, session: Session) -> dict[str, list[Output]]:
    results = crate.all(action.get("result"))
    found: dict[str, list[Output]] = {}
    claimed: set[str] = set()
    for parameter in parameters(crate, main, "output"):
        entities = realised(crate, parameter, results)
        claimed |= {normal(e["@id"]) for e in entities}
        items = [item for e in entities for item in _items(crate, e, session)]
        if items:
            found.setdefault(parameter_name(parameter), []).extend(items)
    for entity in results:
        if normal(entity["@id"]) not in claimed and not _is_log(crate, entity, action):
            for item in _items(crate, entity, session):
                found.setdefault(item.name, []).append(item)
    return {name: _distinct(items) for name, items in found.items()}


def _is_log(crate: Crate, entity: Entity, action: Entity) -> bool:
    path = path_of(entity["@id"]) or ""
    logs = {normal(e["@id"]) for e in crate.all(action.get("subjectOf"))}
    return path.startswith("logs/") and normal(entity["@id"]) in logs


def _distinct(items: list[Output]) -> list[Output]:
    """Number the files of one name, so that each has its like on the other side."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.name] = counts.get(item.name, 0) + 1
        if counts[item.name] > 1:
            item.name = f"{item.name} ({counts[item.name]})"
    return items


def _items(
    crate: Crate, entity: Entity, session: Session, prefix: str = "", seen: set[str] | None = None
) -> Iterator[Output]:
    # Each thing once: a few folders that hold one another many times would have no end.
    seen = set() if seen is None else seen
    if entity["@id"] in seen or len(seen) > MOST:
        return
    seen.add(entity["@id"])
    types = set(kinds(entity))
    called = text(entity.get("alternateName")) or path_of(entity["@id"]) or entity["@id"]
    name = prefix + called.rstrip("/").rpartition("/")[2]
    if "PropertyValue" in types:
        yield Output(prefix or name, value=shown(crate, entity))
    elif "Collection" in types and "Dataset" not in types:
        for part in crate.all(entity.get("hasPart")):
            yield from _items(crate, part, session, prefix, seen)
    elif "Dataset" in types:
        parts = crate.all(entity.get("hasPart"))
        renamed = any(text(part.get("alternateName")) for part in parts)
        listed = () if renamed or crate.base is not None else tuple(_below(crate, entity))
        for path in listed:
            yield _file(crate, path, f"{name}/{path[len(_folder_path(entity)) :]}", {}, session)
        for part in parts if not listed else ():
            yield from _items(crate, part, session, f"{name}/", seen)
    else:
        stated = {
            a: text(entity.get(a)).lower() for a in CHECKSUMS if re.fullmatch(r"[0-9a-fA-F]+", text(entity.get(a)))
        }
        yield _file(crate, path_of(entity["@id"]) or "", name, stated, session, normal(entity["@id"]))


def _folder_path(entity: Entity) -> str:
    return (path_of(entity["@id"]) or "").rstrip("/") + "/"


def _below(crate: Crate, entity: Entity) -> Iterator[str]:
    folder = _folder_path(entity)
    if folder == "/" or not confined(folder) or not crate.payload.is_folder(folder):
        return
    if isinstance(crate.payload, FolderPayload):
        # Not the whole crate for each of its folders.
        for path in FolderPayload(crate.payload.root / folder).files():
            if crate.payload.size(folder + path) is not None:
                yield folder + path
        return
    yield from (path for path in crate.payload.files() if path.startswith(folder))


def _file(crate: Crate, path: str, name: str, stated: dict[str, str], session: Session, raw: str = "") -> Output:
    for candidate in dict.fromkeys((path, raw)):
        if candidate and confined(candidate) and crate.base is None and crate.payload.size(candidate) is not None:
            payload = crate.payload
            return Output(
                name, candidate, stated=stated, size=payload.size(candidate), open=partial(payload.open, candidate),
                digest=partial(payload.digest, candidate),
            )  # fmt: skip
    if crate.base is not None and path and confined(path):
        fetched = partial(_fetched, crate.base.join(raw or path), crate.base, session)
        return Output(name, path, stated=stated, open=lambda: fetched().open("rb"))
    return Output(name, path, stated=stated)


def _fetched(reference: Reference, base: Reference, session: Session) -> Path:
    from wfx.fetching import Source

    [answer] = session.fetch([Source(reference)], behalf=base, refresh=False)
    path = session.store.blob(answer.sha256)
    if path is None:
        raise DefinitionError("it has just been fetched and is no longer in the store", where=str(reference))
    return path


# -- the rest


def _inputs(crate: Crate, main: Entity, action: Entity) -> dict[str, tuple[str, ...]]:
    objects = crate.all(action.get("object"))
    found = {}
    for parameter in parameters(crate, main, "input"):
        entities = realised(crate, parameter, objects)
        if entities:
            found[parameter_name(parameter)] = tuple(fingerprint(crate, e) for e in entities)
    return found


def fingerprint(crate: Crate, entity: Entity) -> str:
    """Return what tells one value from another: `sha256:…` of a file, the text of a value."""
    if "PropertyValue" in kinds(entity):
        return shown(crate, entity)
    for algorithm in CHECKSUMS:
        if text(entity.get(algorithm)):
            return f"{algorithm}:{text(entity.get(algorithm)).lower()}"
    path = path_of(entity["@id"])
    if path and confined(path) and crate.base is None and crate.payload.size(path) is not None:
        return f"sha256:{crate.payload.sha256(path)}"
    return (path or entity["@id"]).rstrip("/").rpartition("/")[2]


def _steps(crate: Crate, main: Entity, run: Entity) -> Iterator[tuple[str, str]]:
    tools = {normal(e["@id"]) for e in crate.all(main.get("hasPart"))}
    for entity in crate.graph:
        if entity is run or not {"CreateAction", "ActivateAction"} & set(kinds(entity)):
            continue
        if not {normal(e["@id"]) for e in crate.all(entity.get("instrument"))} & tools:
            continue
        name = text(entity.get("name")).removeprefix("Run of ") or entity["@id"]
        properties = crate.all(entity.get("additionalProperty"))
        codes = (text(p.get("value")) for p in properties if "exit" in text(p.get("name")).lower())
        code = next(codes, text(entity.get("exitCode")))
        yield name, " ".join(filter(None, (status(entity), f"exit code {code}" if code else "")))
