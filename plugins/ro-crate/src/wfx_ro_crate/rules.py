"""The rules that a crate is held to: RO-Crate's own structure, and what the run profiles ask of it."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from wfx.crates.reading import NAMES, Crate, confined, first, ids, kinds, normal, path_of, values
from wfx.errors import WfxError
from wfx.exporting import Finding

from wfx_ro_crate.clauses import CLAUSES

Severity = Literal["error", "warning", "note"]
ACTIONS = frozenset({"CreateAction", "ActivateAction", "UpdateAction"})
TOOLS = frozenset({"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"})
DATA = frozenset({"File", "MediaObject", "Dataset"})
REALISERS = frozenset({"File", "MediaObject", "Dataset", "Collection", "PropertyValue"})
STATUSES = ("CompletedActionStatus", "FailedActionStatus")
PROFILE = re.compile(
    r"https?://w3id\.org/(ro/wfrun/(?P<run>process|workflow|provenance)|workflowhub/workflow-ro-crate)\b"
)
BASE = re.compile(r"https?://w3id\.org/ro/crate/(?P<version>[0-9.]+(-DRAFT)?)")
UNENCODED = re.compile(r"[\s<>\"{}|\\^`]|%(?![0-9A-Fa-f]{2})")
RUN_TERMS = frozenset({"containerImage", "resourceUsage", "sourceParameter", "targetParameter", "connection"})


def claimed(crate: Crate) -> set[str]:
    """Return the profiles that the crate says it conforms to: `process`, `workflow`, `provenance`, `workflow-ro-crate`."""
    found = set()
    for entity in (crate.root, crate.descriptor):
        for iri in ids(entity.get("conformsTo")) if entity else ():
            match = PROFILE.match(iri)
            if match:
                found.add(match["run"] or "workflow-ro-crate")
    return found


def version(crate: Crate) -> str:
    """Return the version of RO-Crate that the crate is written in; empty where it says none."""
    for iri in ids((crate.descriptor or {}).get("conformsTo")):
        match = BASE.match(iri)
        if match:
            return match["version"]
    return ""


def structure(crate: Crate) -> Iterator[Finding]:
    """Yield what is wrong with the form: the graph, its entities, descriptor and root (RO-Crate 1.1 §4, §5)."""
    document = crate.document
    context = [item for item in values(document.get("@context")) if isinstance(item, str)]
    if not any(BASE.match(item) for item in context):
        yield _found("warning", "context", "@context names no version of RO-Crate")
    graph = document.get("@graph")
    if not isinstance(graph, list):
        yield _found("error", "graph", "there is no @graph, or it is no list")
        return
    seen: set[str] = set()
    for index, entity in enumerate(graph):
        if not isinstance(entity, dict) or not isinstance(entity.get("@id"), str):
            yield _found("error", "entity-id", "an entity without @id", f"@graph[{index}]")
            continue
        identifier = entity["@id"]
        if normal(identifier) in seen:
            yield _found("error", "duplicate-id", "two entities have this @id", identifier)
        seen.add(normal(identifier))
        if not kinds(entity):
            yield _found("error", "entity-type", "it has no @type", identifier)
        for name, value in entity.items():
            if isinstance(value, list) and len(value) == 1 and not name.startswith("@"):
                yield _found("warning", "single-value", f"'{name}' is a list of one", identifier)
            for item in values(value):
                if isinstance(item, list) or (isinstance(item, dict) and "@id" not in item and "@value" not in item):
                    yield _found("error", "nested", f"'{name}' holds an object that is no reference", identifier)
    yield from _descriptor(crate)


def _descriptor(crate: Crate) -> Iterator[Finding]:
    descriptor, root = crate.descriptor, crate.root
    if descriptor is None:
        yield _found("error", "descriptor", f"no entity describes {NAMES[0]}")
        return
    if "CreativeWork" not in kinds(descriptor):
        yield _found("error", "descriptor-type", "it is no CreativeWork", descriptor["@id"])
    if not version(crate):
        yield _found("error", "descriptor-version", "it conforms to no version of RO-Crate", descriptor["@id"])
    if root is None:
        yield _found("error", "root", "the descriptor is about no entity of the graph", descriptor["@id"])
        return
    if "Dataset" not in kinds(root):
        yield _found("error", "root-type", "the root is no Dataset", root["@id"])
    for name in ("name", "description", "datePublished", "license"):
        if not values(root.get(name)) or values(root.get(name)) == [""]:
            yield _found("error", f"root-{name.lower()}", f"the root has no {name}", root["@id"])
    for date in values(root.get("datePublished")):
        if isinstance(date, str) and date and not _is_date(date):
            yield _found(
                "error", "root-datepublished", f"its datePublished is no ISO 8601 date: {date[:60]!r}", root["@id"]
            )
    for name, wanted in (("author", {"Person", "Organization"}), ("publisher", {"Organization"})):
        targets = [crate.get(item) for item in ids(root.get(name))]
        if not any(target and wanted & set(kinds(target)) for target in targets):
            yield _found("warning", f"root-{name}", f"the root names no {name} with an entity of its own", root["@id"])


def files(crate: Crate) -> Iterator[Finding]:
    """Yield what is wrong with the data: paths that lead out, files that are missing or not what they are said to be."""
    reachable = _reachable(crate)
    root = crate.root
    for entity in crate.graph:
        identifier = entity["@id"]
        if not DATA & set(kinds(entity)) or entity is root:
            continue
        if identifier.lower().startswith("file:"):
            # It is an absolute URI, which the specification allows, and of no use to anybody else.
            yield _found("warning", "local-path", "it names a place of the machine that it was made on", identifier)
            continue
        path = path_of(identifier)
        if path is None:
            continue
        if not confined(path):
            yield _found("error", "path", "it leads out of the crate", identifier)
            continue
        if UNENCODED.search(identifier):
            yield _found("warning", "encoding", "its @id is no URI: what is special in one must be encoded", identifier)
        if _decoded(identifier) not in reachable:
            yield _found("error", "not-listed", "it is reached from the root by no hasPart", identifier)
        if not crate.detached:
            yield from _payload(crate, entity, path)


def _payload(crate: Crate, entity: dict[str, Any], path: str) -> Iterator[Finding]:
    identifier, payload = entity["@id"], crate.payload
    if "Dataset" in kinds(entity):
        if not payload.is_folder(path or "."):
            yield _found("error", "missing", "the folder is not in the crate", identifier)
        elif not identifier.endswith("/"):
            yield _found("warning", "folder-id", "the @id of a folder ends with /", identifier)
        return
    # Not all encode; a name that is there as it stands is accepted.
    path = next((p for p in (path, normal(identifier)) if confined(p) and payload.size(p) is not None), path)
    size = payload.size(path)
    if size is None:
        yield _found("error", "missing", "the file is not in the crate", identifier)
        return
    stated = str(first(entity.get("contentSize")) or "")
    if stated.isdigit() and int(stated) != size:
        yield _found("error", "size", f"it has {size} bytes, and {stated} are stated", identifier)
        return
    digest = first(entity.get("sha256"))
    if isinstance(digest, str) and re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        try:
            found = payload.sha256(path)
        except (OSError, WfxError, zipfile.BadZipFile, EOFError) as error:
            yield _found("error", "unreadable", f"it cannot be read: {error}", identifier)
            return
        if found != digest.lower():
            yield _found("error", "sha256", f"its sha256 is {found}, and {digest} is stated", identifier)


def _reachable(crate: Crate) -> set[str]:
    """Return what hasPart leads to from the root; ids are compared decoded, since not all writers encode alike."""
    if crate.root is None:
        return set()
    entities: dict[str, dict[str, Any]] = {}
    for entity in crate.graph:
        entities.setdefault(_decoded(entity["@id"]), entity)
    found = {_decoded(crate.root["@id"])}
    queue = deque(found)
    while queue:
        part = entities.get(queue.popleft())
        for identifier in map(_decoded, ids(part.get("hasPart")) if part else ()):
            if identifier not in found:
                found.add(identifier)
                queue.append(identifier)
    return found


def _decoded(identifier: str) -> str:
    return path_of(identifier) or normal(identifier)


def unlisted(crate: Crate) -> Iterator[Finding]:
    """Yield the files of the crate that the metadata does not speak of."""
    if crate.detached:
        return
    known, folders = set(), []
    for entity in crate.graph:
        path = path_of(entity["@id"])
        if path:
            known.add(path)
            known.add(normal(entity["@id"]))
            if "Dataset" in kinds(entity) and path != "./":
                folders.append(path.rstrip("/") + "/")
    folder_set = set(folders)
    for path in crate.payload.files():
        parts = path.split("/")
        within = any("/".join(parts[:n]) + "/" in folder_set for n in range(1, len(parts)))
        own = path == crate.descriptor_path or path.startswith("ro-crate-preview")
        if path not in known and not within and not own:
            yield _found("note", "unlisted", "the metadata does not speak of it", path)


def references(crate: Crate) -> Iterator[Finding]:
    """Yield references to entities that should be in the graph and are not."""
    for entity in crate.graph:
        for name, value in entity.items():
            if name.startswith("@"):
                continue
            for item in values(value):
                target = item.get("@id") if isinstance(item, dict) else None
                if isinstance(target, str) and target.startswith("#") and normal(target) not in crate.by_id:
                    yield _found(
                        "warning", "dangling", f"'{name}' refers to {target}, which is not there", entity["@id"]
                    )


def workflow(crate: Crate) -> Iterator[Finding]:
    """Yield what Workflow RO-Crate 1.0 misses: the main workflow, its types and its language."""
    root = crate.root
    if root is None:
        return
    main = crate.get(first(root.get("mainEntity")))
    if main is None:
        yield _found("error", "main-entity", "the root has no mainEntity that is in the graph", root["@id"])
        return
    missing = [kind for kind in ("File", "SoftwareSourceCode", "ComputationalWorkflow") if kind not in kinds(main)]
    if missing:
        yield _found("error", "main-type", f"the main workflow is no {', no '.join(missing)}", main["@id"])
    languages = [crate.get(item) for item in ids(main.get("programmingLanguage"))]
    if not any(language and "ComputerLanguage" in kinds(language) for language in languages):
        yield _found("error", "main-language", "the main workflow names no ComputerLanguage", main["@id"])
    if "step" in main and "HowTo" not in kinds(main):
        yield _found("error", "main-howto", "a workflow with steps is a HowTo too", main["@id"])


def runs(crate: Crate, profiles: set[str]) -> Iterator[Finding]:
    """Yield what the Workflow Run Crate profiles 0.5 miss: actions, parameters, steps."""
    actions = [entity for entity in crate.graph if ACTIONS & set(kinds(entity))]
    used: set[str] = set()
    for action in actions:
        used |= set(ids(action.get("instrument")))
        yield from _action(crate, action)
    main = first(ids((crate.root or {}).get("mainEntity")))
    if {"workflow", "provenance"} & profiles and main and main not in used:
        yield _found("error", "main-action", "no action has the main workflow as its instrument", main)
    for entity in crate.graph:
        if "FormalParameter" in kinds(entity):
            yield from _parameter(crate, entity)
    if "provenance" in profiles:
        yield from _provenance(crate, used)
    has_terms = any(not RUN_TERMS.isdisjoint(entity) for entity in crate.graph)
    context = values(crate.document.get("@context"))
    named = any(
        (isinstance(item, str) and "ro/terms/workflow-run" in item)
        or (isinstance(item, dict) and not RUN_TERMS.isdisjoint(item))
        for item in context
    )
    if has_terms and not named:
        yield _found("error", "run-context", "it uses terms of workflow-run that its @context does not define")
    if profiles and version(crate) not in ("1.1", "1.1-DRAFT"):
        said = version(crate) or "no version"
        yield _found("warning", "run-version", f"the run profiles 0.5 are written for RO-Crate 1.1, and this is {said}")


def _action(crate: Crate, action: dict[str, Any]) -> Iterator[Finding]:
    identifier = action["@id"]
    if not ids(action.get("instrument")):
        yield _found("error", "action-instrument", "the action has no instrument", identifier)
    status = str(first(ids(action.get("actionStatus"))) or "")
    if status and status.rpartition("/")[2] not in STATUSES:
        yield _found("warning", "action-status", f"its actionStatus is {status[:80]!r}", identifier)
    if "error" in action and not status.endswith("FailedActionStatus"):
        yield _found("warning", "action-error", "it has an error and did not fail", identifier)
    for name in ("startTime", "endTime"):
        for moment in values(action.get(name)):
            if not _is_moment(moment):
                yield _found("warning", "action-time", f"its {name} is no ISO 8601 time with a zone", identifier)
    agents = [crate.get(item) for item in ids(action.get("agent"))]
    if not any(agent and {"Person", "Organization"} & set(kinds(agent)) for agent in agents):
        yield _found("warning", "action-agent", "it names no agent", identifier)


def _parameter(crate: Crate, parameter: dict[str, Any]) -> Iterator[Finding]:
    identifier = parameter["@id"]
    if not values(parameter.get("additionalType")):
        yield _found("error", "parameter-type", "the parameter has no additionalType", identifier)
    for example in ids(parameter.get("workExample")):
        entity = crate.get(example)
        if entity is None or not REALISERS & set(kinds(entity)):
            yield _found("error", "parameter-example", f"its workExample {example} is no data and no value", identifier)
        elif normal(identifier) not in ids(entity.get("exampleOfWork")):
            yield _found("warning", "parameter-back", f"{example} does not refer back by exampleOfWork", identifier)


def _provenance(crate: Crate, used: set[str]) -> Iterator[Finding]:
    stepped = {s for entity in crate.graph if "ComputationalWorkflow" in kinds(entity) for s in ids(entity.get("step"))}
    for entity in crate.graph:
        identifier, types = entity["@id"], kinds(entity)
        if "ComputationalWorkflow" in types:
            parts = [part for part in ids(entity.get("hasPart")) if TOOLS & set(kinds(crate.get(part) or {}))]
            if not parts:
                yield _found("error", "workflow-tools", "the workflow has no tool as a part", identifier)
            for part in parts:
                if part not in used:
                    yield _found("error", "tool-action", "the tool is part of a workflow, and no action used it", part)
        if "HowToStep" in types:
            if normal(identifier) not in stepped:
                yield _found("error", "step-workflow", "the step belongs to no workflow", identifier)
            if not any(TOOLS & set(kinds(crate.get(item) or {})) for item in ids(entity.get("workExample"))):
                yield _found("error", "step-tool", "the step names no tool as its workExample", identifier)
        wanted: list[tuple[str, frozenset[str]]] = []
        if "ControlAction" in types:
            wanted = [("instrument", frozenset({"HowToStep"})), ("object", ACTIONS)]
        elif "OrganizeAction" in types:
            wanted = [("instrument", TOOLS), ("object", frozenset({"ControlAction"})), ("result", ACTIONS)]
        elif "ParameterConnection" in types:
            wanted = [(name, frozenset({"FormalParameter"})) for name in ("sourceParameter", "targetParameter")]
        for name, kind in wanted:
            if not any(kind & set(kinds(crate.get(item) or {})) for item in ids(entity.get(name))):
                yield _found("error", "control", f"its {name} is no {' or '.join(sorted(kind))}", identifier)


def _is_date(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return re.fullmatch(r"\d{4}(-\d{2})?", text) is not None
    return True


def _is_moment(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    return moment.tzinfo is not None or len(value) == len("2000-01-01")


def _found(severity: Severity, code: str, message: str, where: str = "") -> Finding:
    return Finding(severity, f"crate-{code}", message, where, CLAUSES[code])


Rule = Callable[[Crate], Iterable[Finding]]
