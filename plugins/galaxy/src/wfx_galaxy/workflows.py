"""Read Galaxy's workflows: `.ga` (the native form, old ones too) and gxformat2 (`class: GalaxyWorkflow`).

Both become the same small model. What the server makes of a document is the server's: here is read what a person sees
of a workflow, its inputs, steps, connections and marked outputs. Sources: Galaxy's own export (format-version 0.1) and
the schema of gxformat2 (galaxyproject/gxformat2, gxformat2/schema/v19_09).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wfx.documents import LoadedDocument, load_document
from wfx.errors import DefinitionError

InputKind = Literal["data", "collection", "parameter"]
# gxformat2's spellings, and those of a native parameter_input.
PARAMETERS = {
    "text": "text", "string": "text", "integer": "integer", "int": "integer", "long": "integer", "float": "float",
    "double": "float", "boolean": "boolean", "bool": "boolean", "color": "text", "directory_uri": "text",
}  # fmt: skip
DATA = frozenset({"data", "File", "data_input"})
COLLECTIONS = frozenset({"collection", "data_collection", "data_collection_input"})
STEPS: Mapping[str, Literal["tool", "subworkflow", "pause"]] = {"subworkflow": "subworkflow", "pause": "pause"}
DEEPEST = 20
"""Subworkflows within subworkflows."""


@dataclass(frozen=True, slots=True)
class GalaxyInput:
    """An input of a workflow."""

    label: str
    """As people see it; unique in its workflow."""
    index: int
    """The step's number, by which the server takes its value."""
    kind: InputKind
    doc: str = ""
    optional: bool = False
    default: Any = None
    formats: tuple[str, ...] = ()
    """Galaxy's extensions: `fastqsanger.gz`."""
    collection_type: str = ""
    """`list`, `paired`, `list:paired`; empty where any will do."""
    parameter_type: str = ""
    """`text`, `integer`, `float` or `boolean`."""
    multiple: bool = False
    choices: tuple[str, ...] = ()
    """The values that a text is restricted to."""


@dataclass(frozen=True, slots=True)
class GalaxyStep:
    """A step that does something."""

    label: str
    """As people see it; unique in its workflow."""
    index: int
    tool: str = ""
    """Id of the tool: `sort1`, or with the Tool Shed's whole path."""
    tool_version: str = ""
    doc: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    """(the step's own input, `LABEL` of a workflow's input or `LABEL/OUTPUT` of a step)."""
    outputs: tuple[tuple[str, str], ...] = ()
    """(name, extension) as the document says; empty where it does not."""
    conditional: bool = False
    kind: Literal["tool", "subworkflow", "pause"] = "tool"
    workflow: GalaxyWorkflow | None = None


@dataclass(frozen=True, slots=True)
class GalaxyOutput:
    """An output that is marked as the workflow's."""

    label: str
    source: str
    """`LABEL/OUTPUT`."""
    extension: str = ""
    marked: bool = True
    """False where the workflow marks none, and this is what its last steps leave."""


@dataclass(frozen=True, slots=True)
class GalaxyWorkflow:
    """A workflow, whichever form it was written in."""

    name: str
    form: Literal["ga", "gxformat2"]
    doc: str = ""
    licence: str = ""
    release: str = ""
    creators: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    inputs: tuple[GalaxyInput, ...] = ()
    steps: tuple[GalaxyStep, ...] = ()
    outputs: tuple[GalaxyOutput, ...] = ()

    def every_step(self, prefix: str = "") -> Iterator[tuple[str, GalaxyStep]]:
        """Yield all steps with their paths, those of subworkflows after the step that runs them."""
        for step in self.steps:
            yield prefix + step.label, step
            if step.workflow is not None:
                yield from step.workflow.every_step(f"{prefix}{step.label}/")


def is_galaxy(value: object) -> str:
    """Return the form that a document is in, `ga` or `gxformat2`; empty where it is neither."""
    if not isinstance(value, dict):
        return ""
    if str(value.get("a_galaxy_workflow", "")).lower() == "true" and isinstance(value.get("steps"), dict):
        return "ga"
    graph = value.get("$graph")
    if value.get("class") == "GalaxyWorkflow" or (
        isinstance(graph, list)
        and any(isinstance(item, dict) and item.get("class") == "GalaxyWorkflow" for item in graph)
    ):
        return "gxformat2"
    return ""


def read_workflow(data: bytes, name: str) -> GalaxyWorkflow:
    """Read a workflow; `name` is for messages. Raises DefinitionError with file:line for what is none."""
    document = load_document(data, name)
    form = is_galaxy(document.value)
    if not form:
        raise DefinitionError(
            "it is no Galaxy workflow", where=name, why="it says neither a_galaxy_workflow nor class: GalaxyWorkflow"
        )
    value = document.value
    assert isinstance(value, dict)
    try:
        return _native(value, document, (), 0) if form == "ga" else _gxformat2(value, document)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise DefinitionError("the workflow is not as Galaxy writes it", where=name, why=str(error)) from error


# -- the native form


def _native(
    value: Mapping[str, Any], document: LoadedDocument, path: tuple[str | int, ...], depth: int
) -> GalaxyWorkflow:
    if depth > DEEPEST:
        raise DefinitionError("subworkflows are nested too deeply", where=document.where(path))
    steps: dict[str, Any] = value.get("steps") or {}
    inputs: list[GalaxyInput] = []
    working: list[tuple[int, str, Mapping[str, Any]]] = []
    labels: dict[int, str] = {}
    taken: set[str] = set()
    for key in sorted(steps, key=lambda text: int(text)):
        step, index = steps[key], int(key)
        kind = str(step.get("type") or "tool")
        label = _unique(str(step.get("label") or "") or _native_name(step, kind) or f"{index}", taken, index)
        labels[index] = label
        if kind in ("data_input", "data_collection_input", "parameter_input"):
            inputs.append(_native_input(step, label, index, kind))
        else:
            working.append((index, key, step))
    produced: list[GalaxyStep] = []
    outputs: list[GalaxyOutput] = []
    for index, key, step in working:
        inner = None
        if isinstance(step.get("subworkflow"), dict):
            inner = _native(step["subworkflow"], document, (*path, "steps", key, "subworkflow"), depth + 1)
        sources = []
        for target, links in (step.get("input_connections") or {}).items():
            for link in links if isinstance(links, list) else [links]:
                origin = labels.get(int(link["id"]))
                if origin is None:
                    raise DefinitionError(
                        f"step {index} takes '{target}' from step {link['id']}, which there is not",
                        where=document.where((*path, "steps", key, "input_connections")),
                    )
                is_input = any(item.label == origin for item in inputs)
                sources.append((str(target), origin if is_input else f"{origin}/{link.get('output_name', 'output')}"))
        told = tuple((str(item["name"]), str(item.get("type") or "")) for item in step.get("outputs") or [])
        produced.append(
            GalaxyStep(
                labels[index], index, tool=str(step.get("tool_id") or ""), tool_version=str(step.get("tool_version") or ""),
                doc=str(step.get("annotation") or ""), sources=tuple(sources), outputs=told,
                conditional=bool(step.get("when")), workflow=inner,
                kind=STEPS.get(str(step.get("type")), "tool"),
            )
        )  # fmt: skip
        for marked in step.get("workflow_outputs") or []:
            output = str(marked.get("output_name") or "output")
            label = str(marked.get("label") or "") or f"{labels[index]}: {output}"
            outputs.append(GalaxyOutput(label, f"{labels[index]}/{output}", dict(told).get(output, "")))
    return GalaxyWorkflow(
        name=str(value.get("name") or ""), form="ga", doc=str(value.get("annotation") or ""),
        licence=str(value.get("license") or ""), release=str(value.get("release") or ""),
        creators=_creators(value.get("creator")), tags=tuple(map(str, value.get("tags") or ())), inputs=tuple(inputs),
        steps=tuple(produced), outputs=tuple(outputs) or _last(produced),
    )  # fmt: skip


def _native_name(step: Mapping[str, Any], kind: str) -> str:
    """Return what an unlabelled step is called; an old input has its name in its inputs or in its state."""
    if kind.endswith("_input"):
        for item in step.get("inputs") or []:
            if item.get("name"):
                return str(item["name"])
        return str(_state(step).get("name") or step.get("name") or "")
    if kind == "subworkflow":
        return str(step.get("name") or "subworkflow")
    return short_tool(str(step.get("tool_id") or step.get("name") or ""))


def _native_input(step: Mapping[str, Any], label: str, index: int, kind: str) -> GalaxyInput:
    state = _state(step)
    formats = state.get("format") or ()
    parameter = PARAMETERS.get(str(state.get("parameter_type") or "text"), "text") if kind == "parameter_input" else ""
    return GalaxyInput(
        label, index, "collection" if kind == "data_collection_input" else "data" if kind == "data_input" else "parameter",
        doc=str(step.get("annotation") or ""), optional=_truth(state.get("optional")), default=state.get("default"),
        formats=tuple(map(str, formats if isinstance(formats, (list, tuple)) else [formats])),
        collection_type=str(state.get("collection_type") or ("list" if kind == "data_collection_input" else "")),
        parameter_type=parameter, multiple=_truth(state.get("multiple")), choices=_choices(state.get("restrictions")),
    )  # fmt: skip


def _state(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's state, which is JSON in a text, and in old documents JSON within JSON."""
    state = step.get("tool_state")
    if isinstance(state, str):
        try:
            state = json.loads(state)
        except ValueError:
            return {}
    if not isinstance(state, dict):
        return {}
    return {key: _unwrapped(item) for key, item in state.items()}


def _unwrapped(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in '"[{':
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


# -- gxformat2


def _gxformat2(value: Mapping[str, Any], document: LoadedDocument) -> GalaxyWorkflow:
    graph: dict[str, Any] = {}
    if isinstance(value.get("$graph"), list):
        graph = {str(item.get("id", "")).lstrip("#"): item for item in value["$graph"] if isinstance(item, dict)}
        main = graph.get("main") or next((g for g in graph.values() if g.get("class") == "GalaxyWorkflow"), None)
        if main is None:
            raise DefinitionError("its $graph holds no workflow", where=document.where(("$graph",)))
        value = main
    return _format2(value, graph, document, 0)


def _format2(
    value: Mapping[str, Any], graph: Mapping[str, Any], document: LoadedDocument, depth: int
) -> GalaxyWorkflow:
    if depth > DEEPEST:
        raise DefinitionError("subworkflows are nested too deeply", where=document.name)
    taken: set[str] = set()
    inputs = [
        _format2_input(label, item, index, taken, document)
        for index, (label, item) in enumerate(_entries(value.get("inputs")))
    ]
    names = {item.label for item in inputs}
    steps: list[GalaxyStep] = []
    for index, (label, step) in enumerate(_entries(value.get("steps")), start=len(inputs)):
        run = step.get("run")
        inner = None
        if isinstance(run, str):
            run = graph.get(run.lstrip("#"))
            if run is None:
                raise DefinitionError(
                    f"step '{label}' runs {step['run']!r}, which is not in the document", where=document.name,
                    remedy="write the subworkflow into the document ($graph)",
                )  # fmt: skip
        if isinstance(run, dict):
            inner = _format2(run, graph, document, depth + 1)
        tool = str(step.get("tool_id") or "")
        unique = _unique(label or short_tool(tool) or f"{index}", taken, index)
        told = tuple((name, _extension(item)) for name, item in _entries(step.get("out") or step.get("outputs")))
        steps.append(
            GalaxyStep(
                unique, index, tool=tool, tool_version=str(step.get("tool_version") or ""), doc=_text(step.get("doc")),
                sources=tuple(_links(step, names)), outputs=told, conditional=bool(step.get("when")), workflow=inner,
                kind="subworkflow" if inner else "pause" if step.get("type") == "pause" else "tool",
            )
        )  # fmt: skip
    outputs = tuple(
        GalaxyOutput(label or str(item.get("outputSource")), _source(str(item.get("outputSource") or ""), names),
                     _extension(item))
        for label, item in _entries(value.get("outputs"), short="outputSource")
    )  # fmt: skip
    return GalaxyWorkflow(
        name=str(value.get("label") or value.get("name") or ""), form="gxformat2", doc=_text(value.get("doc")),
        licence=str(value.get("license") or ""), release=str(value.get("release") or ""),
        creators=_creators(value.get("creator")), tags=tuple(map(str, value.get("tags") or ())), inputs=tuple(inputs),
        steps=tuple(steps), outputs=outputs or _last(steps),
    )  # fmt: skip


def _entries(value: Any, short: str = "type") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (label, mapping) of what may be written as a mapping or as a list."""
    if isinstance(value, dict):
        for label, item in value.items():
            yield str(label), item if isinstance(item, dict) else {} if item is None else {short: item}
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield str(item.get("label") or item.get("id") or ""), item
            else:
                yield str(item), {}


def _format2_input(
    label: str, item: Mapping[str, Any], index: int, taken: set[str], document: LoadedDocument
) -> GalaxyInput:
    kind = item.get("type", "data")
    multiple = isinstance(kind, list)
    if isinstance(kind, list):
        kind = kind[0] if kind else "data"
    optional = _truth(item.get("optional")) or str(kind).endswith("?")
    kind = str(kind).removesuffix("?")
    role: InputKind
    if kind in DATA:
        role = "data"
    elif kind in COLLECTIONS:
        role = "collection"
    elif kind in PARAMETERS:
        role = "parameter"
    else:
        raise DefinitionError(
            f"input '{label}' has the type {kind!r}", where=document.where(("inputs", label)),
            why=f"known are data, collection, {', '.join(sorted(PARAMETERS))}",
        )  # fmt: skip
    formats = item.get("format") or ()
    collection = str(item.get("collection_type") or "") or ("list" if role == "collection" else "")
    return GalaxyInput(
        _unique(label or f"{index}", taken, index), index, role, doc=_text(item.get("doc")), optional=optional,
        default=item.get("default"), formats=tuple(map(str, formats if isinstance(formats, (list, tuple)) else [formats])),
        collection_type=collection, parameter_type=PARAMETERS.get(kind, ""), multiple=multiple,
        choices=_choices(item.get("restrictions")),
    )  # fmt: skip


def _links(step: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, str]]:
    for target, item in _entries(step.get("in") or step.get("connect"), short="source"):
        sources = item.get("source")
        for source in sources if isinstance(sources, list) else [sources]:
            if isinstance(source, str):
                yield target, _source(source, names)


def _source(text: str, names: set[str]) -> str:
    """Return a source with the name of its output: `step` alone means its first one."""
    if text in names or "/" in text:
        return text
    return f"{text}/output"


def _extension(item: Mapping[str, Any]) -> str:
    kind = item.get("type") or item.get("format")
    return str(kind) if isinstance(kind, str) and kind not in ("File", "data", "collection", "Directory") else ""


# -- both


def _last(steps: Sequence[GalaxyStep]) -> tuple[GalaxyOutput, ...]:
    """Return what the steps leave that no other step takes, for a workflow that marks no outputs."""
    used = {source for step in steps for _, source in step.sources}
    return tuple(
        GalaxyOutput(f"{step.label}: {name}", f"{step.label}/{name}", extension, marked=False)
        for step in steps
        for name, extension in step.outputs
        if f"{step.label}/{name}" not in used
    )


def _unique(label: str, taken: set[str], index: int) -> str:
    found = label if label not in taken else f"{label} ({index})"
    taken.add(found)
    return found


def _creators(value: Any) -> tuple[Mapping[str, Any], ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, dict))


def _choices(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(str(item.get("value", "")) if isinstance(item, dict) else str(item) for item in value)


def _text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def short_tool(identifier: str) -> str:
    """Return a tool's short name: of `toolshed…/repos/iuc/fastp/fastp/0.23.4+galaxy0` it is `fastp`."""
    parts = identifier.split("/")
    return parts[-2] if len(parts) >= 6 and "repos" in parts else identifier


def versionless(identifier: str) -> str:
    """Return a Tool Shed tool's id without its version; others as they are."""
    parts = identifier.split("/")
    return "/".join(parts[:-1]) if len(parts) >= 6 and "repos" in parts else identifier


__all__ = [
    "GalaxyInput", "GalaxyOutput", "GalaxyStep", "GalaxyWorkflow", "is_galaxy", "read_workflow", "short_tool",
    "versionless",
]  # fmt: skip
