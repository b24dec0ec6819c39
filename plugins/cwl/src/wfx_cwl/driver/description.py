"""Describe a loaded document: its inputs and outputs, steps, tools, links and images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .images import need_of
from .loading import Broken, Workflow
from .names import aslist, path_of, short, text_of, uri_of

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
LICENCE_KEYS = ("https://schema.org/license", "http://schema.org/license", "s:license")


def describe(workflow: Workflow) -> dict[str, Any]:
    """Return the description as `wfx.engines.Description` has it, in JSON's types."""
    from cwltool.workflow import Workflow as CwlWorkflow

    process = workflow.process
    if process.tool["class"] == "Operation":
        raise Broken(
            "document", "it is an abstract Operation, which nothing can run", workflow.entry,
            remedy="name a workflow that has a tool in its place",
        )  # fmt: skip
    version = str(process.metadata.get("http://commonwl.org/cwltool#original_cwlVersion", "v1.2"))
    describer = Describer(workflow, version)
    tool = process.tool
    is_workflow = isinstance(process, CwlWorkflow)
    if is_workflow:
        describer.walk(process, "")
    else:
        describer.images_of(process, describer.identifier(tool, ""))
    return {
        "engine": "cwl.cwltool",
        "engine_version": _version(),
        "language_version": version,
        "entry": workflow.entry,
        "fragment": workflow.fragment,
        "kind": {"Workflow": "workflow", "CommandLineTool": "command"}.get(tool["class"], "expression"),
        "name": text_of(tool.get("label")) or Path(workflow.entry).stem,
        "doc": text_of(tool.get("doc")),
        "licence": next((text_of(tool[key]) for key in LICENCE_KEYS if tool.get(key)), None),
        "inputs": describer.parameters(process, "inputs"),
        "outputs": describer.parameters(process, "outputs"),
        "tools": list(describer.tools.values()),
        "steps": describer.steps,
        "connections": describer.connections,
        "images": describer.images,
        "network": describer.network,
        "warnings": workflow.warnings,
    }


def _version() -> str:
    import importlib.metadata

    return importlib.metadata.version("cwltool")


class Describer:
    """Collects the steps, tools and links of a workflow and of those within it."""

    def __init__(self, workflow: Workflow, version: str = "") -> None:
        self.workflow, self.version = workflow, version
        self.base = uri_of(workflow.tree) + "/"
        self.tools: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.connections: list[dict[str, str]] = []
        self.images: list[dict[str, Any]] = []
        self.network: list[str] = []

    def identifier(self, tool: Any, step: str) -> str:
        """Return a tool's id relative to the tree; one written in place has its step's, not cwltool's random one."""
        identifier = str(tool.get("id", ""))
        for uri, path in self.workflow.aliases.items():
            if identifier.startswith(uri):
                identifier = uri_of(path) + identifier[len(uri) :]
        identifier = unquote(identifier.removeprefix(self.base))
        document, _, fragment = identifier.partition("#")
        if not document or UUID.search(fragment) or identifier.startswith("_:"):
            return f"{self.workflow.entry}#{step}/run"
        return identifier

    def walk(self, process: Any, prefix: str) -> None:
        """Describe the steps of a workflow that stands at `prefix` (`outer/inner/`)."""
        from cwltool.workflow import Workflow as CwlWorkflow

        scope = prefix.rstrip("/")
        ends = {parameter["id"]: short(parameter["id"]) for parameter in process.tool["inputs"]}
        by_id = {step.tool["id"]: step for step in process.steps}
        ordered = [by_id[item["id"]] for item in as_written(process.tool["steps"]) if item["id"] in by_id]
        for step in ordered:
            for parameter in step.tool["outputs"]:
                ends[parameter["id"]] = f"{short(step.tool['id'])}/{short(parameter['id'])}"
        links: dict[str, set[str]] = {}
        for step in ordered:
            name = short(step.tool["id"])
            for parameter in step.tool["inputs"]:
                for source in aslist(parameter.get("source")):
                    start = ends.get(source)
                    if start is None:
                        continue
                    target = f"{name}/{short(parameter['id'])}"
                    self.connections.append({"source": start, "target": target, "scope": scope})
                    links.setdefault(name, set()).add(start.partition("/")[0] if "/" in start else "")
        for parameter in process.tool["outputs"]:
            for source in aslist(parameter.get("outputSource")):
                if source in ends:
                    self.connections.append({"source": ends[source], "target": short(parameter["id"]), "scope": scope})
        for position, step in enumerate(in_order(ordered, links)):
            name = prefix + short(step.tool["id"])
            identifier = self.tool(step.embedded_tool, name)
            self.steps.append({
                "id": name, "tool": identifier, "position": position, "name": text_of(step.tool.get("label")),
                "doc": text_of(step.tool.get("doc")), "scatter": "scatter" in step.tool, "conditional": "when" in step.tool,
            })  # fmt: skip
            if isinstance(step.embedded_tool, CwlWorkflow):
                self.walk(step.embedded_tool, f"{name}/")

    def tool(self, process: Any, step: str) -> str:
        """Describe what a step runs, once; return its id."""
        tool = process.tool
        identifier = self.identifier(tool, step)
        if identifier in self.tools:
            return identifier
        kinds = {"CommandLineTool": "command", "ExpressionTool": "expression", "Workflow": "workflow"}
        software, _ = process.get_requirement("SoftwareRequirement")
        self.tools[identifier] = {
            "id": identifier,
            "kind": kinds.get(tool["class"], "operation"),
            "name": text_of(tool.get("label")),
            "doc": text_of(tool.get("doc")),
            "inputs": self.parameters(process, "inputs"),
            "outputs": self.parameters(process, "outputs"),
            "image": self.images_of(process, identifier),
            "software": [
                {
                    "name": str(item["package"]),
                    "versions": [str(v) for v in aslist(item.get("version"))],
                    "specs": [str(s) for s in aslist(item.get("specs"))],
                }
                for item in (software or {}).get("packages", [])
            ],
            "document": identifier.partition("#")[0],
        }
        return identifier

    def images_of(self, process: Any, identifier: str) -> str | None:
        """Note the container image that a tool asks for."""
        if process.tool["class"] == "Workflow":
            return None
        access, _ = process.get_requirement("NetworkAccess")
        # cwltool gives it to every tool of v1.0, whose language knew no such wish.
        if (access or {}).get("networkAccess") and self.version != "v1.0" and identifier not in self.network:
            self.network.append(identifier)
        requirement, required = process.get_requirement("DockerRequirement")
        need = need_of(requirement)
        if need is None:
            return None
        if not any(other["tool"] == identifier for other in self.images):
            self.images.append({**need, "tool": identifier, "required": bool(required)})
        return need["image"]

    def parameters(self, process: Any, which: str) -> list[dict[str, Any]]:
        """Describe inputs or outputs."""
        return [self.parameter(process, item) for item in as_written(process.tool[which])]

    def parameter(self, process: Any, item: Any) -> dict[str, Any]:
        """Describe one parameter."""
        formats = [str(f) for f in aslist(item.get("format")) if isinstance(f, str) and not f.startswith("$")]
        described: dict[str, Any] = {
            "id": short(item["id"]),
            "type": self.type(process, item["type"], frozenset()),
            "label": text_of(item.get("label")),
            "doc": text_of(item.get("doc")),
            "formats": formats,
            "secondary_files": companions(item),
        }
        if "default" in item:
            described |= {"default": self.default(item["default"]), "has_default": True}
        return described

    def default(self, value: Any) -> Any:
        """Return a default with the files of the tree named relative to the run directory."""
        if isinstance(value, list):
            return [self.default(item) for item in value]
        if not isinstance(value, dict):
            return value
        result = {
            key: self.default(item)
            for key, item in value.items()
            if key not in ("path", "nameroot", "nameext", "dirname")
        }
        if value.get("class") in ("File", "Directory"):
            location = str(value.get("location") or value.get("path") or "")
            path = path_of(location) if location.startswith("file:") else ""
            tree = str(self.workflow.tree)
            if path.startswith(tree + "/"):
                result["location"] = "workflow/" + path[len(tree) + 1 :]
        return result

    def type(self, process: Any, value: Any, seen: frozenset[str]) -> dict[str, Any]:
        """Return a type as `wfx.values.ValueType` has it."""
        simple = {
            "null": "null", "boolean": "boolean", "int": "int", "long": "int", "float": "float", "double": "float",
            "string": "string", "File": "File", "Directory": "Directory", "Any": "any", "stdin": "File",
            "stdout": "File", "stderr": "File",
        }  # fmt: skip
        if isinstance(value, str):
            name = (
                value.rpartition("#")[2] if value.startswith(("https://w3id.org/cwl", "http://www.w3.org")) else value
            )
            if name in simple:
                return {"kind": simple[name]}
            # cwltool's own table of them, schemaDefs, has Avro's names for keys.
            need, _ = process.get_requirement("SchemaDefRequirement")
            definition = next((item for item in (need or {}).get("types", []) if item.get("name") == value), None)
            if definition is None or value in seen:
                return {"kind": "any"}
            return self.type(process, definition, seen | {value})
        if isinstance(value, list):
            alternatives = [self.type(process, item, seen) for item in value]
            return alternatives[0] if len(alternatives) == 1 else {"kind": "union", "alternatives": alternatives}
        kind = value.get("type")
        if kind == "array":
            return {"kind": "array", "items": self.type(process, value["items"], seen)}
        if kind == "record":
            fields = [
                {
                    "name": short(f["name"]),
                    "type": self.type(process, f["type"], seen),
                    "doc": text_of(f.get("doc")),
                    "secondary_files": companions(f),
                }
                for f in value.get("fields", [])
            ]
            return {"kind": "record", "fields": fields}
        if kind == "enum":
            return {"kind": "enum", "symbols": [short(symbol) for symbol in value.get("symbols", [])]}
        return self.type(process, kind, seen)


def companions(item: Any) -> list[dict[str, Any]]:
    """Describe the secondary files of a parameter or a record's field."""
    found = [c for c in aslist(item.get("secondaryFiles")) if isinstance(c, dict) and isinstance(c.get("pattern"), str)]
    return [
        {"pattern": c["pattern"], "required": c["required"] if isinstance(c.get("required"), bool) else None}
        for c in found
    ]


def as_written(items: list[Any]) -> list[Any]:
    """Return them in the order of the document; schema-salad sorts what is written as a mapping by name."""

    def place(item: Any) -> tuple[int, int]:
        marks = getattr(getattr(item, "lc", None), "data", None) or {}
        return min(((mark[0], mark[1]) for mark in marks.values()), default=(0, 0))

    return sorted(items, key=place)


def in_order(steps: list[Any], links: dict[str, set[str]]) -> list[Any]:
    """Sort steps so that each comes after those that it reads from, else as they are written."""
    done: set[str] = {""}
    rest, result = list(steps), []
    while rest:
        ready = next((s for s in rest if links.get(short(s.tool["id"]), set()) <= done), rest[0])
        rest.remove(ready)
        done.add(short(ready.tool["id"]))
        result.append(ready)
    return result
