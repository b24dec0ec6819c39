"""Read gxformat2, `class: GalaxyWorkflow` (the schema of galaxyproject/gxformat2, gxformat2/schema/v19_09)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wfx.documents import LoadedDocument
from wfx.errors import DefinitionError

from wfx_galaxy.model import (
    DEEPEST,
    PARAMETERS,
    GalaxyInput,
    GalaxyOutput,
    GalaxyStep,
    GalaxyWorkflow,
    InputKind,
    choices,
    creators,
    last,
    short_tool,
    text_of,
    truth,
    unique,
)

DATA = frozenset({"data", "File", "data_input"})
COLLECTIONS = frozenset({"collection", "data_collection", "data_collection_input"})


def read_gxformat2(value: Mapping[str, Any], document: LoadedDocument) -> GalaxyWorkflow:
    """Read a workflow, or the main one of a `$graph`. Raises DefinitionError."""
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
        known_as = unique(label or short_tool(tool) or f"{index}", taken, index)
        told = tuple((name, _extension(item)) for name, item in _entries(step.get("out") or step.get("outputs")))
        steps.append(
            GalaxyStep(
                known_as, index, tool=tool, tool_version=str(step.get("tool_version") or ""), doc=text_of(step.get("doc")),
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
        name=str(value.get("label") or value.get("name") or ""), form="gxformat2", doc=text_of(value.get("doc")),
        licence=str(value.get("license") or ""), release=str(value.get("release") or ""),
        creators=creators(value.get("creator")), tags=tuple(map(str, value.get("tags") or ())), inputs=tuple(inputs),
        steps=tuple(steps), outputs=outputs or last(steps),
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
    optional = truth(item.get("optional")) or str(kind).endswith("?")
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
        unique(label or f"{index}", taken, index), index, role, doc=text_of(item.get("doc")), optional=optional,
        default=item.get("default"), formats=tuple(map(str, formats if isinstance(formats, (list, tuple)) else [formats])),
        collection_type=collection, parameter_type=PARAMETERS.get(kind, ""), multiple=multiple,
        choices=choices(item.get("restrictions")),
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
