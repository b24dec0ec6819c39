"""What a crate holds: its workflow with language and parameters, its runs, images, people and licences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from wfx.crates.payloads import confined
from wfx.crates.reading import Crate, Entity, Note, first, ids, kinds, normal, path_of, text, values
from wfx.errors import UsageError

ACTIONS = frozenset({"CreateAction", "ActivateAction", "UpdateAction"})
WORKFLOWS = frozenset({"ComputationalWorkflow", "Workflow"})
"""The second is RO-Crate 1.0's."""
DATA = frozenset({"File", "MediaObject", "Dataset"})
CRATE_VERSION = re.compile(r"https?://w3id\.org/ro/crate/([0-9.]+(?:-DRAFT)?)")
PROFILE_NAMES = (
    (re.compile(r"w3id\.org/ro/wfrun/process(?:/([\w.-]+))?"), "Process Run Crate"),
    (re.compile(r"w3id\.org/ro/wfrun/workflow(?:/([\w.-]+))?"), "Workflow Run Crate"),
    (re.compile(r"w3id\.org/ro/wfrun/provenance(?:/([\w.-]+))?"), "Provenance Run Crate"),
    (re.compile(r"w3id\.org/workflowhub/workflow-ro-crate(?:/([\w.-]+))?"), "Workflow RO-Crate"),
    (re.compile(r"w3id\.org/5s-crate(?:/([\w.-]+))?"), "Five Safes Crate"),
    (re.compile(r"w3id\.org/ro/crate(?:/([\w.-]+))?"), "RO-Crate"),
)
# How the language may be called, in ids and names of any writer, in lower case → the first half of an engine's key.
LANGUAGES = {
    "cwl": "cwl", "common workflow language": "cwl", "nextflow": "nextflow", "nxf": "nextflow",
    "snakemake": "snakemake", "galaxy": "galaxy", "gxformat2": "galaxy", "wdl": "wdl", "compss": "compss",
}  # fmt: skip
SUFFIXES = {".cwl": "cwl", ".nf": "nextflow", ".smk": "snakemake", ".ga": "galaxy", ".wdl": "wdl"}


@dataclass(frozen=True, slots=True)
class CrateValue:
    """A parameter of a crate's workflow, and what a run gave it."""

    name: str
    type: str = ""
    required: bool | None = None
    values: tuple[str, ...] = ()
    """Texts, paths in the crate, or addresses."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class CrateRun:
    """An execution of the workflow that a crate records."""

    id: str
    name: str
    status: str
    """`completed`, `failed`, `active`, `potential`, or empty where nobody says."""
    started: str = ""
    ended: str = ""
    agents: tuple[str, ...] = ()
    engine: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a crate holds, for people and programs."""

    name: str
    description: str
    version: str
    """Of RO-Crate; empty where it says none."""
    profiles: tuple[str, ...]
    workflow: str
    """Path, or address; empty where there is none."""
    workflow_name: str
    language: str
    """As the crate calls it."""
    language_version: str
    engine: str
    """The first half of an engine's key; empty for a language that no engine of wfx is known for."""
    files: int
    steps: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    inputs: tuple[CrateValue, ...] = ()
    outputs: tuple[CrateValue, ...] = ()
    runs: tuple[CrateRun, ...] = ()
    notes: tuple[Note, ...] = field(default=())


def main_workflow(crate: Crate) -> Entity | None:
    """Return the main workflow: `mainEntity`, or the only workflow that there is."""
    root = crate.root
    main = crate.get(first(root.get("mainEntity"))) if root is not None else None
    if main is not None:
        return main
    found = [e for e in crate.graph if WORKFLOWS & set(kinds(e))]
    return found[0] if len(found) == 1 else None


def language(crate: Crate, main: Entity) -> tuple[str, str, str]:
    """Return a workflow's language as the crate calls it, its version, and the first half of an engine's key."""
    name = version = ""
    words: list[str] = []
    for item in values(main.get("programmingLanguage")):
        entity = crate.get(item)
        if entity is None:
            words += [text(item)]
            name = name or text(item)
            continue
        name = name or text(entity.get("name")) or entity["@id"]
        version = version or text(entity.get("version"))
        words += [entity["@id"], *(text(entity.get(k)) for k in ("name", "alternateName", "url", "identifier"))]
    for word in words:
        low = word.lower()
        tail = re.split(r"[#/]", low.rstrip("/"))[-1]
        for known, key in LANGUAGES.items():
            if known in (low, tail) or (len(known) > 3 and known in low):
                return name, version, key
    path = path_of(main["@id"]) or main["@id"]
    suffix = "." + path.lower().rpartition(".")[2]
    key = "snakemake" if path.rpartition("/")[2] == "Snakefile" else SUFFIXES.get(suffix, "")
    return name, version, key


def run_actions(crate: Crate, main: Entity | None) -> list[Entity]:
    """Return the executions of the main workflow, in the order of the crate."""
    if main is None:
        return []
    wanted = {normal(main["@id"])}
    # WfExS runs a packed form of the workflow, and says so by `isBasedOn` or a shared part.
    wanted |= {normal(e["@id"]) for e in crate.graph if WORKFLOWS & set(kinds(e)) and _stands_for(e, main)}
    return [e for e in crate.graph if ACTIONS & set(kinds(e)) and wanted & set(ids(e.get("instrument")))]


def _stands_for(entity: Entity, main: Entity) -> bool:
    return any(normal(main["@id"]) in ids(entity.get(key)) for key in ("isBasedOn", "sameAs", "translationOfWork"))


def choose_action(crate: Crate, main: Entity | None, wanted: str = "") -> Entity | None:
    """Return the run to take the inputs of: the one that is asked for, else the last that did not fail.

    Raises UsageError where there is no such run.
    """
    actions = run_actions(crate, main)
    if wanted:
        for number, action in enumerate(actions, 1):
            if wanted in (action["@id"], action["@id"].lstrip("#"), text(action.get("name")), str(number)):
                return action
        names = ", ".join(f"{n} ({a['@id']})" for n, a in enumerate(actions, 1)) or "none"
        raise UsageError(f"the crate has no run {wanted!r}", why=f"its runs: {names}", remedy="see `wfx inspect`")
    good = [a for a in actions if status(a) in ("completed", "")]
    return next(reversed(good or actions), None)


def status(action: Entity) -> str:
    """Return an action's status as a word; a text, a reference and its whole IRI are all in use."""
    said = text(action.get("actionStatus")).rstrip("/").rpartition("/")[2]
    word = said.rpartition(":")[2].removesuffix("ActionStatus").lower()
    if not word and "error" in action:
        return "failed"
    return word if word in ("completed", "failed", "active", "potential") else ""


def parameters(crate: Crate, main: Entity, side: str) -> list[Entity]:
    """Return the FormalParameters of a workflow: `input` or `output`."""
    return crate.all(main.get(side)) or crate.all(main.get(f"{side}s"))


def parameter_name(parameter: Entity) -> str:
    """Return the slot of a parameter: `main/reads` and `wf.cwl#main/reads` are `reads`."""
    name = text(parameter.get("name"))
    if name:
        return name.rpartition("/")[2].rpartition("#")[2] or name
    return re.split(r"[#/:]", parameter["@id"])[-1]


def realised(crate: Crate, parameter: Entity, among: list[Entity]) -> list[Entity]:
    """Return what realises a parameter among the objects or results of an action; links count in both directions."""
    identifier = normal(parameter["@id"])
    examples = set(ids(parameter.get("workExample")))
    return [
        e for e in among if identifier in ids(e.get("exampleOfWork")) or normal(e["@id"]) in examples
    ]  # fmt: skip


def engine_of(crate: Crate, action: Entity) -> tuple[str, str]:
    """Return name and version of the engine that a crate says made a run; empty where it does not say."""
    for entity in crate.graph:
        if "OrganizeAction" in kinds(entity) and normal(action["@id"]) in ids(entity.get("result")):
            for tool in crate.all(entity.get("instrument")):
                name = text(tool.get("name"))
                version = text(tool.get("softwareVersion")) or text(tool.get("version"))
                if not version and " " in name:
                    name, _, version = name.rpartition(" ")
                return name, version.rpartition(" ")[2]
    return "", ""


def contents(crate: Crate, action: str = "") -> Contents:
    """Say what a crate holds; `action` chooses the run whose values are shown."""
    root, main = crate.root or {}, main_workflow(crate)
    chosen = choose_action(crate, main, action)
    name, version, key = language(crate, main) if main is not None else ("", "", "")
    found = CRATE_VERSION.search(" ".join(ids((crate.descriptor or {}).get("conformsTo"))))
    objects = crate.all(chosen.get("object")) if chosen else _examples(crate, main, "input")
    results = crate.all(chosen.get("result")) if chosen else []
    return Contents(
        name=text(root.get("name")),
        description=text(root.get("description")),
        version=found[1] if found else "",
        profiles=tuple(dict.fromkeys(_profiles(crate))),
        workflow=(path_of(main["@id"]) or main["@id"]) if main is not None else "",
        workflow_name=text(main.get("name")) if main is not None else "",
        language=name,
        language_version=version,
        engine=key,
        files=sum(1 for e in crate.graph if {"File", "MediaObject"} & set(kinds(e))),
        steps=tuple(_steps(crate, main)),
        images=tuple(sorted(_images(crate))),
        licences=tuple(dict.fromkeys(_licences(crate, main))),
        people=tuple(dict.fromkeys(_people(crate))),
        inputs=tuple(_values(crate, main, "input", objects)),
        outputs=tuple(_values(crate, main, "output", results)),
        runs=tuple(_run(crate, a) for a in run_actions(crate, main)),
        notes=tuple(notes(crate)),
    )


def _examples(crate: Crate, main: Entity | None, side: str) -> list[Entity]:
    if main is None:
        return []
    return [e for p in parameters(crate, main, side) for e in crate.all(p.get("workExample"))]


def notes(crate: Crate) -> Iterator[Note]:
    """Yield what of a crate cannot be used, and whether that matters."""
    yield from crate.notes
    if crate.descriptor is None:
        yield Note("no entity describes the metadata file", matters=True)
    elif crate.root is None:
        yield Note("the descriptor is about no entity of the graph", crate.descriptor["@id"], matters=True)
    main, root = main_workflow(crate), crate.root
    if main is None:
        yield Note("no main workflow: there is nothing to run", matters=True)
    for entity in crate.graph:
        if entity is root or not DATA.intersection(kinds(entity)):
            continue
        problem = data_problem(crate, entity)
        if problem:
            yield Note(problem, entity["@id"], matters=entity is main)


def data_problem(crate: Crate, entity: Entity) -> str:
    """Say why a file or folder of a crate cannot be used where it is said to be; empty where it can."""
    identifier = entity["@id"]
    if identifier.lower().startswith("file:"):
        return "it names a place of the machine that it was made on"
    path = path_of(identifier)
    if path is None or crate.base is not None or crate.detached:
        return ""
    if not confined(path):
        return "it leads out of the crate"
    # Not all encode their ids; a name that is there as it stands is accepted.
    names = dict.fromkeys((path, normal(identifier)))
    if any(crate.payload.size(p) is not None or crate.payload.is_folder(p) for p in names if confined(p)):
        return ""
    if crate.payload.is_link(path):
        return "it is a symbolic link that is not followed"
    return "it is not in the crate"


def _profiles(crate: Crate) -> Iterator[str]:
    for entity in (crate.descriptor, crate.root):
        for iri in ids(entity.get("conformsTo")) if entity else ():
            for pattern, name in PROFILE_NAMES:
                match = pattern.search(iri)
                if match:
                    yield f"{name} {match[1]}" if match[1] else name
                    break
            else:
                yield iri


def _steps(crate: Crate, main: Entity | None) -> Iterator[str]:
    if main is None:
        return
    for step in crate.all(main.get("step")):
        yield text(step.get("name")) or re.split(r"[#/]", step["@id"])[-1]


def _images(crate: Crate) -> set[str]:
    found = set()
    for entity in crate.graph:
        if "ContainerImage" in kinds(entity):
            name = "/".join(filter(None, (text(entity.get("registry")), text(entity.get("name")))))
            tag, digest = text(entity.get("tag")), text(entity.get("sha256"))
            if name:
                found.add(f"{name}{':' + tag if tag else ''}{'@sha256:' + digest if digest else ''}")
            else:
                found.add(entity["@id"])
        found |= {item for item in ids(entity.get("containerImage")) if crate.get(item) is None}
    return found


def _licences(crate: Crate, main: Entity | None) -> Iterator[str]:
    for entity in (crate.root, main):
        for item in values(entity.get("license")) if entity else ():
            known = crate.get(item)
            said = text(known.get("name")) if known else ""
            yield said or text(item)


def _people(crate: Crate) -> Iterator[str]:
    for entity in crate.graph:
        if {"Person", "Organization"} & set(kinds(entity)):
            name = text(entity.get("name"))
            address = entity["@id"] if "://" in entity["@id"] else ""
            yield f"{name} <{address}>" if name and address else name or address or entity["@id"]


def _values(crate: Crate, main: Entity | None, side: str, among: list[Entity]) -> Iterator[CrateValue]:
    for parameter in parameters(crate, main, side) if main is not None else ():
        found = realised(crate, parameter, among)
        required = text(parameter.get("valueRequired")).lower()
        many = str(parameter.get("multipleValues")).lower() == "true"
        kind = "|".join(t.rpartition("/")[2] for t in ids(parameter.get("additionalType")))
        yield CrateValue(
            parameter_name(parameter),
            f"{kind}[]" if many and kind else kind,
            {"true": True, "false": False}.get(required),
            tuple(shown(crate, e) for e in found),
            parameter["@id"],
        )


def shown(crate: Crate, entity: Entity, depth: int = 0) -> str:
    """Return a value as people read it."""
    if "PropertyValue" not in kinds(entity) or depth > 2:
        path = path_of(entity["@id"]) or entity["@id"]
        name = text(entity.get("alternateName"))
        return f"{path} ({name})" if name and name not in path else path
    parts = []
    for item in values(entity.get("value"))[:20]:
        inner = crate.get(item) if isinstance(item, dict) else None
        said = shown(crate, inner, depth + 1) if inner is not None else str(item)
        named = inner is not None and "PropertyValue" in kinds(inner)
        parts.append(f"{text(inner.get('name'))}: {said}" if named and inner is not None else said)
    return ", ".join(parts)


def _run(crate: Crate, action: Entity) -> CrateRun:
    agents = [text(a.get("name")) or a["@id"] for a in crate.all(action.get("agent"))]
    return CrateRun(
        action["@id"], text(action.get("name")), status(action), text(action.get("startTime")),
        text(action.get("endTime")), tuple(agents), " ".join(filter(None, engine_of(crate, action))),
        text(action.get("error"))[:500],
    )  # fmt: skip
