"""Read Galaxy's native form, `.ga`: its own export (format-version 0.1), old ones too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from uuid import NAMESPACE_OID, uuid5

from wfx.documents import LoadedDocument
from wfx.errors import DefinitionError

from wfx_galaxy.model import (
    DEEPEST,
    PARAMETERS,
    GalaxyInput,
    GalaxyOutput,
    GalaxyStep,
    GalaxyWorkflow,
    choices,
    creators,
    last,
    short_tool,
    truth,
    unique,
)

STEPS: Mapping[str, Literal["tool", "subworkflow", "pause"]] = {"subworkflow": "subworkflow", "pause": "pause"}


def with_uuids(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return a document whose every step has a uuid of its own, by which it is found again in what the server tells."""
    taken: set[str] = set()
    steps: dict[str, Any] = {}
    for key, step in (value.get("steps") or {}).items():
        known = str(step.get("uuid") or "").lower()
        if len(known) != 36 or known in taken:
            known = str(uuid5(NAMESPACE_OID, f"galaxy step {path}{key}"))
        taken.add(known)
        steps[key] = {**step, "uuid": known}
        if isinstance(step.get("subworkflow"), dict):
            steps[key]["subworkflow"] = with_uuids(step["subworkflow"], f"{path}{key}/")
    return {**value, "steps": steps}


def read_native(
    value: Mapping[str, Any], document: LoadedDocument, path: tuple[str | int, ...] = (), depth: int = 0
) -> GalaxyWorkflow:
    """Read a workflow that stands at `path` in its document, `depth` levels deep. Raises DefinitionError."""
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
        label = unique(str(step.get("label") or "") or _native_name(step, kind) or f"{index}", taken, index)
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
            inner = read_native(step["subworkflow"], document, (*path, "steps", key, "subworkflow"), depth + 1)
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
                uuid=str(step["uuid"]), kind=STEPS.get(str(step.get("type")), "tool"),
            )
        )  # fmt: skip
        for marked in step.get("workflow_outputs") or []:
            output = str(marked.get("output_name") or "output")
            label = str(marked.get("label") or "") or f"{labels[index]}: {output}"
            outputs.append(GalaxyOutput(label, f"{labels[index]}/{output}", dict(told).get(output, "")))
    return GalaxyWorkflow(
        name=str(value.get("name") or ""), form="ga", doc=str(value.get("annotation") or ""),
        licence=str(value.get("license") or ""), release=str(value.get("release") or ""),
        creators=creators(value.get("creator")), tags=tuple(map(str, value.get("tags") or ())), inputs=tuple(inputs),
        steps=tuple(produced), outputs=tuple(outputs) or last(produced),
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
        doc=str(step.get("annotation") or ""), optional=truth(state.get("optional")), default=state.get("default"),
        formats=tuple(map(str, formats if isinstance(formats, (list, tuple)) else [formats])),
        collection_type=str(state.get("collection_type") or ("list" if kind == "data_collection_input" else "")),
        parameter_type=parameter, multiple=truth(state.get("multiple")), uuid=str(step["uuid"]),
        choices=choices(state.get("restrictions")),
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
