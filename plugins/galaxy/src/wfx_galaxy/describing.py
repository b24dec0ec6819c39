"""What a Galaxy workflow is in the terms of wfx: parameters with types, tools, steps and connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wfx.engines import Connection, Description, Step, Tool
from wfx.values import Field, JsonValue, Parameter, ValueType

from wfx_galaxy.model import GalaxyInput, GalaxyOutput, GalaxyWorkflow, short_tool
from wfx_galaxy.recognition import KEY

FILE, TEXT, NULL = ValueType("File"), ValueType("string"), ValueType("null")
KINDS = {"text": TEXT, "integer": ValueType("int"), "float": ValueType("float"), "boolean": ValueType("boolean")}
# EDAM's formats of extensions that workflows name often (datatypes_conf.xml of Galaxy, attribute `edam`).
FORMATS = {
    "txt": "2330", "tabular": "3475", "tsv": "3475", "csv": "3752", "fasta": "1929", "fasta.gz": "1929",
    "fastq": "1930", "fastq.gz": "1930", "fastqsanger": "1932", "fastqsanger.gz": "1932", "bed": "3003", "bam": "2572",
    "sam": "2573", "cram": "3462", "vcf": "3016", "vcf_bgzip": "3016", "gff": "2305", "gff3": "1975", "gtf": "2306",
    "html": "2331", "json": "3464", "xml": "2332", "pdf": "3508", "png": "3603", "bigwig": "3006", "h5ad": "3590",
    "zip": "3987", "interval": "3475",
}  # fmt: skip


def describe(workflow: GalaxyWorkflow, entry: str, version: str) -> Description:
    """Return the description; ids of parameters are the labels that people gave them."""
    tools: dict[str, Tool] = {}
    steps: list[Step] = []
    connections: list[Connection] = []
    _collect(workflow, "", entry, tools, steps, connections)
    warnings = []
    if not any(output.marked for output in workflow.outputs):
        warnings.append("the workflow marks no outputs: what its last steps leave is taken for them")
    return Description(
        engine=KEY, engine_version=version, language_version=workflow.form, entry=entry, name=workflow.name,
        doc=workflow.doc, licence=workflow.licence or None, inputs=tuple(map(_input, workflow.inputs)),
        outputs=tuple(map(_output, workflow.outputs)), tools=tuple(tools.values()), steps=tuple(steps),
        connections=tuple(connections), warnings=tuple(warnings),
    )  # fmt: skip


def tool_key(tool: str, version: str) -> str:
    """Return the id of a tool in a description: a Tool Shed's has its version in it already."""
    return tool if not version or tool.endswith(f"/{version}") else f"{tool}/{version}"


def tool_of(key: str) -> tuple[str, str]:
    """Return (tool, version) of the id of a tool in a description."""
    parts = key.split("/")
    if "repos" in parts and len(parts) >= parts.index("repos") + 5:
        end = parts.index("repos") + 5
        return "/".join(parts[:end]), parts[-1]
    tool, _, version = key.rpartition("/")
    return (tool, version) if tool else (key, "")


def _collect(
    workflow: GalaxyWorkflow, prefix: str, entry: str, tools: dict[str, Tool], steps: list[Step],
    connections: list[Connection],
) -> None:  # fmt: skip
    scope = prefix.rstrip("/")
    # gxformat2 need not list a step's outputs: those that somebody takes are known all the same.
    taken = [source for step in workflow.steps for _, source in step.sources] + [o.source for o in workflow.outputs]
    for position, step in enumerate(workflow.steps):
        identifier = prefix + step.label
        if step.workflow is not None:
            key = f"{entry}#{identifier}"
            inner = step.workflow
            tools[key] = Tool(
                key, "workflow", name=inner.name or step.label, doc=inner.doc, inputs=tuple(map(_input, inner.inputs)),
                outputs=tuple(map(_output, inner.outputs)), document=entry,
            )  # fmt: skip
        elif step.kind == "pause":
            key = f"{entry}#{identifier}"
            tools[key] = Tool(key, "operation", name="Pause for review", document=entry)
        else:
            key = tool_key(step.tool, step.tool_version)
            known = tools.get(key)
            tools[key] = Tool(
                key, "command", name=short_tool(step.tool), document=entry, version=step.tool_version,
                inputs=_merged(
                    known.inputs if known else (), (Parameter(name, ValueType("any")) for name, _ in step.sources)
                ),
                outputs=_merged(
                    known.outputs if known else (),
                    (
                        Parameter(name, ValueType("any"), formats=_formats((extension,)))
                        for name, extension in (*step.outputs, *_outputs_taken(step.label, taken))
                    ),
                ),
            )  # fmt: skip
        steps.append(Step(identifier, key, position, name=step.label, doc=step.doc, conditional=step.conditional))
        connections += (Connection(source, f"{step.label}/{target}", scope) for target, source in step.sources)
        if step.workflow is not None:
            _collect(step.workflow, f"{identifier}/", entry, tools, steps, connections)
    connections += (Connection(output.source, output.label, scope) for output in workflow.outputs)


def _outputs_taken(step: str, sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    for source in sources:
        label, _, name = source.rpartition("/")
        if label == step:
            yield name, ""


def _merged(known: tuple[Parameter, ...], more: Iterator[Parameter]) -> tuple[Parameter, ...]:
    found = {parameter.id: parameter for parameter in known}
    for parameter in more:
        found.setdefault(parameter.id, parameter)
    return tuple(found.values())


def _input(item: GalaxyInput) -> Parameter:
    kind = type_of(item)
    has_default = item.default is not None and item.kind == "parameter"
    if item.optional and not kind.optional:
        kind = ValueType("union", alternatives=(NULL, kind))
    default: JsonValue = _typed(item.default, item.parameter_type) if has_default else None
    return Parameter(
        item.label, kind, doc=item.doc, default=default, has_default=has_default, formats=_formats(item.formats)
    )


def type_of(item: GalaxyInput) -> ValueType:
    """Return the type of an input's value, without regard to whether it may be missing."""
    if item.kind == "data":
        return FILE
    if item.kind == "collection":
        return collection_type(item.collection_type)
    kind = ValueType("enum", symbols=item.choices) if item.choices else KINDS[item.parameter_type]
    return ValueType("array", items=kind) if item.multiple else kind


def collection_type(text: str) -> ValueType:
    """Return the type of a collection's value.

    A `list` is an array of files, a `paired` a record of `forward` and `reverse`; what is nested is an array of records,
    each with the `identifier` of the element beside its content: `{identifier, forward, reverse}` of a pair in a list,
    `{identifier, elements}` of a list in a list. What else there is takes any value, as planemo writes collections.
    """
    outer, _, inner = text.partition(":")
    if outer == "paired":
        element = collection_type(inner) if inner else FILE
        return ValueType("record", fields=(Field("forward", element), Field("reverse", element)))
    if outer == "paired_or_unpaired" and not inner:
        optional = ValueType("union", alternatives=(NULL, FILE))
        return ValueType("record", fields=(Field("forward", FILE), Field("reverse", optional)))
    if outer != "list":
        return ValueType("any")
    if not inner:
        return ValueType("array", items=FILE)
    element = collection_type(inner)
    if element.kind == "any":
        return element
    if element.kind == "record":
        name = Field("identifier", ValueType("union", alternatives=(NULL, TEXT)))
        return ValueType("array", items=ValueType("record", fields=(name, *element.fields)))
    record = ValueType("record", fields=(Field("identifier", TEXT), Field("elements", element)))
    return ValueType("array", items=record)


def _output(item: GalaxyOutput) -> Parameter:
    # Only the run shows whether a step is mapped over a collection: then it leaves a folder.
    kind = ValueType("union", alternatives=(FILE, ValueType("Directory"), NULL))
    return Parameter(item.label, kind, formats=_formats((item.extension,)))


def _formats(extensions: tuple[str, ...]) -> tuple[str, ...]:
    known = dict.fromkeys(FORMATS[e] for e in extensions if e in FORMATS)
    return tuple(f"http://edamontology.org/format_{number}" for number in known)


def _typed(value: Any, kind: str) -> JsonValue:
    """Return a default by its type: documents write numbers and truths as texts too."""
    try:
        if kind == "integer":
            return int(value)
        if kind == "float":
            return float(value)
    except (TypeError, ValueError):
        return None
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    result: JsonValue = value
    return result
