"""A Galaxy workflow as people see it: inputs, steps, connections and marked outputs, whichever form it was written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

InputKind = Literal["data", "collection", "parameter"]
# gxformat2's spellings, and those of a native parameter_input.
PARAMETERS = {
    "text": "text", "string": "text", "integer": "integer", "int": "integer", "long": "integer", "float": "float",
    "double": "float", "boolean": "boolean", "bool": "boolean", "color": "text", "directory_uri": "text",
}  # fmt: skip
DEEPEST = 20
"""Subworkflows within subworkflows."""


@dataclass(frozen=True, slots=True)
class GalaxyInput:
    """An input of a workflow."""

    label: str
    """As people see it; unique in its workflow."""
    index: int
    """The step's number in the document. The server numbers steps anew, as they depend on each other."""
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
    uuid: str = ""
    """By which the server knows a native document's step."""


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
    uuid: str = ""


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


def step_of(workflow: GalaxyWorkflow, told: Mapping[str, Any]) -> GalaxyInput | GalaxyStep | None:
    """Return the step or input that a step of an invocation is of: by its uuid, its label, or its number."""
    items: list[GalaxyInput | GalaxyStep] = [*workflow.inputs, *workflow.steps]
    for item in items:
        if item.uuid and item.uuid == str(told.get("workflow_step_uuid") or "").lower():
            return item
    label = told.get("workflow_step_label")
    by_label = next((item for item in items if label and item.label == label), None)
    return by_label or next((item for item in items if item.index == told.get("order_index")), None)


def last(steps: Sequence[GalaxyStep]) -> tuple[GalaxyOutput, ...]:
    """Return what the steps leave that no other step takes, for a workflow that marks no outputs."""
    used = {source for step in steps for _, source in step.sources}
    return tuple(
        GalaxyOutput(f"{step.label}: {name}", f"{step.label}/{name}", extension, marked=False)
        for step in steps
        for name, extension in step.outputs
        if f"{step.label}/{name}" not in used
    )


def unique(label: str, taken: set[str], index: int) -> str:
    """Return a label that no other step has."""
    found = label if label not in taken else f"{label} ({index})"
    taken.add(found)
    return found


def creators(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the people of a workflow."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, dict))


def choices(value: Any) -> tuple[str, ...]:
    """Return the values that a text is restricted to."""
    if not isinstance(value, list):
        return ()
    return tuple(str(item.get("value", "")) if isinstance(item, dict) else str(item) for item in value)


def text_of(value: Any) -> str:
    """Return a doc, which may be a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def truth(value: Any) -> bool:
    """Read a truth, which may be a text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


def short_tool(identifier: str) -> str:
    """Return a tool's short name: of `toolshed…/repos/iuc/fastp/fastp/0.23.4+galaxy0` it is `fastp`."""
    parts = identifier.split("/")
    return parts[-2] if len(parts) >= 6 and "repos" in parts else identifier


def versionless(identifier: str) -> str:
    """Return a Tool Shed tool's id without its version; others as they are."""
    parts = identifier.split("/")
    return "/".join(parts[:-1]) if len(parts) >= 6 and "repos" in parts else identifier
