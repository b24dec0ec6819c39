"""The driver of cwltool: a program of its own that never imports wfx, so that cwltool's versions never meet ours.

It reads a JSON object a line from stdin and answers on stdout: `describe` gives a description, `run` gives events and
a result. What cwltool and the tools print goes to stderr. Every path in an answer is relative to the run directory.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
LICENCE_KEYS = ("https://schema.org/license", "http://schema.org/license", "s:license")
LONGEST_LITERAL = 65536
TAIL = 5
CURRENT = threading.local()


class Broken(Exception):
    """Something that the user has to know of."""

    def __init__(self, kind: str, what: str, where: str = "", why: str = "") -> None:
        super().__init__(what)
        self.answer = {"kind": kind, "what": what, "where": where, "why": why}


def now() -> str:
    """Return the time with its zone; cwltool's own has none."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def uri_of(path: Path) -> str:
    """Return a file URI as cwltool writes it."""
    return "file://" + quote(os.fsencode(path))


def path_of(uri: str) -> str:
    """Return the path of a file URI."""
    return unquote(urlsplit(uri).path, errors="surrogateescape") if uri.startswith("file:") else uri


def short(identifier: str) -> str:
    """Return the local name of a parameter or step."""
    return urldefrag(identifier)[1].rpartition("/")[2] or identifier.rpartition("/")[2]


# -- loading


class Workflow:
    """A loaded document."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.tree = Path(message["tree"])
        self.entry, self.fragment = message["entry"], message["fragment"]
        self.aliases: dict[str, Path] = {uri: self.tree / path for uri, path in message["aliases"].items()}
        self.uri = uri_of(self.tree / self.entry) + (f"#{self.fragment}" if self.fragment else "")
        self.recorder = Recorder()
        self.warnings: list[str] = []
        self.process = self._load()

    def _load(self) -> Any:
        from cwltool.context import LoadingContext
        from cwltool.errors import GraphTargetMissingException, WorkflowException
        from cwltool.load_tool import load_tool
        from cwltool.process import Process
        from ruamel.yaml.error import YAMLError
        from schema_salad.exceptions import SchemaSaladException

        context = LoadingContext()
        context.fetcher_constructor = functools.partial(_fetcher(), self.aliases)
        context.construct_tool_object = functools.partial(make_tool, self.recorder)
        context.do_validate = True
        context.skip_schemas = not self._has_schemas()
        context.relax_path_checks = True
        try:
            process: Process = load_tool(self.uri, context)
        except GraphTargetMissingException as error:
            raise Broken(
                "document", "it has several processes and none is called main", self.entry, str(error)
            ) from error
        except (
            SchemaSaladException,
            WorkflowException,
            YAMLError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise self._broken(error) from error
        process.visit(self._place_defaults)
        return process

    def _has_schemas(self) -> bool:
        """Say whether ontologies have been staged, without which `$schemas` would be looked for in the network."""
        return any(path.suffix in (".owl", ".rdf", ".ttl") for path in self.tree.rglob("*.*"))

    def _place_defaults(self, tool: Any) -> None:
        """Tell where the default files lie that a document names by their URI."""

        def fix(value: Any) -> None:
            if isinstance(value, list):
                for item in value:
                    fix(item)
            elif isinstance(value, dict):
                location = value.get("location")
                if (
                    value.get("class") in ("File", "Directory")
                    and isinstance(location, str)
                    and location in self.aliases
                ):
                    value["location"] = uri_of(self.aliases[location])
                for item in value.values():
                    fix(item)

        for parameter in tool.get("inputs", []):
            fix(parameter.get("default"))
        for step in tool.get("steps", []):
            for parameter in step.get("in", []):
                fix(parameter.get("default"))

    def _broken(self, error: Exception) -> Broken:
        """Take the place and the innermost reason from what schema-salad says, in a line."""
        text = self.relative_text(str(error) or type(error).__name__)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        places = [re.match(r"(?P<file>\S.*?):(?P<line>\d+):(?P<column>\d+):\s*(?P<text>.*)", line) for line in lines]
        found = [match for match in places if match]
        # The deepest place says the most; lines above it say what it is part of.
        where = f"{found[-1]['file']}:{found[-1]['line']}" if found else self.entry
        reasons = [match["text"].lstrip("* ") if match else line for match, line in zip(places, lines, strict=True)]
        return Broken(
            "document", "it is not valid CWL", where, " ".join(dict.fromkeys(filter(None, reasons[-6:])))[:600]
        )

    def relative_text(self, text: str) -> str:
        """Take the folder of the tree out of a text."""
        for prefix in (uri_of(self.tree) + "/", str(self.tree) + "/"):
            text = text.replace(prefix, "")
        return text


def _fetcher() -> type:
    from schema_salad.exceptions import ValidationException
    from schema_salad.fetcher import DefaultFetcher

    class StagedFetcher(DefaultFetcher):  # type: ignore[misc]
        """Reads what has been staged; nothing else, and no network."""

        def __init__(self, aliases: dict[str, Path], cache: Any, session: Any = None) -> None:
            super().__init__(cache, None)
            self.aliases = aliases

        def fetch_text(self, url: str, content_types: list[str] | None = None) -> str:
            if url in self.cache and isinstance(self.cache[url], str):
                return str(self.cache[url])
            path = self.aliases.get(url)
            if path is None and not url.startswith("file:"):
                raise ValidationException(f"{url} was not staged")
            try:
                return Path(path or path_of(url)).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ValidationException(f"{url} cannot be read: {error}") from error

        def check_exists(self, url: str) -> bool:
            if url in self.cache or url in self.aliases:
                return True
            return url.startswith("file:") and os.path.exists(path_of(url))

    return StagedFetcher


# -- description


def describe(workflow: Workflow) -> dict[str, Any]:
    """Return the description as `wfx.engines.Description` has it, in JSON's types."""
    from cwltool.workflow import Workflow as CwlWorkflow

    process = workflow.process
    version = str(process.metadata.get("http://commonwl.org/cwltool#original_cwlVersion", "v1.2"))
    describer = Describer(workflow)
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
        "warnings": workflow.warnings,
    }


def _version() -> str:
    import importlib.metadata

    return importlib.metadata.version("cwltool")


def text_of(value: Any) -> str:
    """Return a label or doc, which may be a list of paragraphs."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


class Describer:
    """Collects the steps, tools and links of a workflow and of those within it."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.base = uri_of(workflow.tree) + "/"
        self.tools: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.connections: list[dict[str, str]] = []
        self.images: list[dict[str, Any]] = []

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
        ordered = [by_id[item["id"]] for item in process.tool["steps"] if item["id"] in by_id]
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
        need, required = process.get_requirement("DockerRequirement")
        image = (need or {}).get("dockerPull") or (need or {}).get("dockerImageId")
        if not image:
            return None
        if not any(other["tool"] == identifier for other in self.images):
            self.images.append({"image": str(image), "tool": identifier, "required": bool(required)})
        return str(image)

    def parameters(self, process: Any, which: str) -> list[dict[str, Any]]:
        """Describe inputs or outputs."""
        return [self.parameter(process, item) for item in process.tool[which]]

    def parameter(self, process: Any, item: Any) -> dict[str, Any]:
        """Describe one parameter."""
        formats = [str(f) for f in aslist(item.get("format")) if isinstance(f, str) and not f.startswith("$")]
        companions = [
            c for c in aslist(item.get("secondaryFiles")) if isinstance(c, dict) and isinstance(c.get("pattern"), str)
        ]
        described: dict[str, Any] = {
            "id": short(item["id"]),
            "type": self.type(process, item["type"], frozenset()),
            "label": text_of(item.get("label")),
            "doc": text_of(item.get("doc")),
            "formats": formats,
            "secondary_files": [
                {"pattern": c["pattern"], "required": c["required"] if isinstance(c.get("required"), bool) else None}
                for c in companions
            ],
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
            definition = process.schemaDefs.get(value)
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
                {"name": short(f["name"]), "type": self.type(process, f["type"], seen), "doc": text_of(f.get("doc"))}
                for f in value.get("fields", [])
            ]
            return {"kind": "record", "fields": fields}
        if kind == "enum":
            return {"kind": "enum", "symbols": [short(symbol) for symbol in value.get("symbols", [])]}
        return self.type(process, kind, seen)


def aslist(value: Any) -> list[Any]:
    """Return a list, whatever stands there."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]


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


# -- running


class Execution:
    """One execution of one step."""

    def __init__(self, recorder: Recorder, identifier: str, step: str, parent: str, tool: str, name: str) -> None:
        self.recorder = recorder
        self.fields: dict[str, Any] = {"id": identifier, "step": step, "parent": parent, "tool": tool, "name": name}
        self.messages: list[str] = []
        self.log: Path | None = None
        self.cached = False
        self.ended = False

    def start(self, inputs: dict[str, Any]) -> None:
        """Tell that it begins."""
        if "started" in self.fields:
            return
        self.fields |= {"started": now(), "inputs": self.recorder.public(inputs)}
        self._tell("started", self.fields["started"], without=("inputs",))

    def finish(self, outputs: dict[str, Any] | None, status: str) -> None:
        """Tell how it ended."""
        if self.ended:
            return
        self.ended = True
        ended = now()
        self.fields.setdefault("started", ended)
        self.fields |= {
            "ended": ended,
            "outputs": self.recorder.public({short(k): v for k, v in (outputs or {}).items()}),
        }
        state = {"success": "completed", "skipped": "skipped"}.get(status, "failed")
        if state == "completed" and self.cached:
            state = "cached"
        if self.log is not None and self.log.is_file():
            if self.log.stat().st_size:
                self.fields["log"] = self.recorder.relative(str(self.log))
            else:
                self.log.unlink()
        if state == "failed":
            self.fields["error"] = self.recorder.clean("\n".join([*self.messages[-TAIL:], *self._tail()]))
            self.recorder.failed.append(self)
        self._tell(state, ended)

    def measured(self, usage: Any, seconds: float) -> None:
        """Keep what the operating system says of the process and its children."""
        self.fields["resources"] = {
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "wall_seconds": round(seconds, 3),
            "max_memory_bytes": float(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)),
        }

    def _tail(self) -> list[str]:
        if self.log is None or not self.log.is_file():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.strip()][-TAIL:]

    def _tell(self, state: str, time: str, without: tuple[str, ...] = ()) -> None:
        fields = {key: value for key, value in self.fields.items() if key not in without}
        tell({"event": {**fields, "state": state, "time": time}})


class Recorder:
    """Knows which execution is which, and writes paths for others to read."""

    def __init__(self) -> None:
        self.root = ""
        self.logs: Path | None = None
        self.executions: dict[str, Execution] = {}
        self.failed: list[Execution] = []
        self.messages: list[str] = []
        self.describer: Describer | None = None
        self._lock = threading.Lock()

    def begin(self, step: Any, parent: str, scope: str, index: list[int], siblings: set[str]) -> Execution:
        """Enter an execution of a step. The n-th of a scatter has `_n` in its id, whatever order they run in."""
        name = short(step.tool["id"])
        own = name
        if index and any(index):
            mark = "_"
            while any(other.startswith(name + mark) and other[len(name + mark) :].isdigit() for other in siblings):
                mark += "_"
            own = name + mark + "_".join(str(i + 1) for i in index)
        identifier = f"{parent}/{own}" if parent else own
        step_id = f"{scope}/{name}" if scope else name
        assert self.describer is not None
        execution = Execution(
            self, identifier, step_id, parent, self.describer.identifier(step.embedded_tool.tool, step_id),
            text_of(step.tool.get("label")),
        )  # fmt: skip
        with self._lock:
            self.executions[identifier] = execution
        return execution

    def relative(self, path: str) -> str:
        """Return a path relative to the run directory."""
        return path[len(self.root) + 1 :] if path.startswith(self.root + "/") else path

    def clean(self, text: str) -> str:
        """Take the run directory's path out of a text."""
        return (
            text.replace("file://" + quote(os.fsencode(self.root)) + "/", "")
            .replace(self.root + "/", "")
            .replace(self.root, ".")
        )

    def public(self, value: Any) -> Any:
        """Return a value whose files say where they lie in the crate, or else only what they are."""
        if isinstance(value, (list, tuple)):
            return [self.public(item) for item in value]
        if not isinstance(value, dict):
            return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        if value.get("class") not in ("File", "Directory"):
            return {str(key): self.public(item) for key, item in value.items()}
        kept = ("class", "basename", "size", "checksum", "format", "secondaryFiles", "listing")
        result = {key: self.public(value[key]) for key in kept if value.get(key) is not None}
        location = str(value.get("location") or value.get("path") or "")
        path = path_of(location) if location.startswith("file:") else location
        if path.startswith("/"):
            result.setdefault("basename", os.path.basename(path.rstrip("/")))
            relative = self.relative(path)
            if not relative.startswith(("/", ".wfx/")):
                result["location"] = relative
        elif value["class"] == "File" and isinstance(value.get("contents"), str):
            result["contents"] = value["contents"][:LONGEST_LITERAL]
        return result


def scatter_index(callback: Any) -> list[int]:
    """Read from its callback which instance of a scatter an execution is; empty where there is no scatter."""
    index: list[int] = []
    while (
        isinstance(callback, functools.partial) and getattr(callback.func, "__name__", "") == "receive_scatter_output"
    ):
        index.append(int(callback.args[0]))
        callback = callback.func.__self__.output_callback  # type: ignore[attr-defined]
    return index[::-1]


def make_tool(recorder: Recorder, toolpath_object: Any, loading_context: Any) -> Any:
    """Make cwltool's objects, with workflows whose steps tell what they do."""
    from cwltool.workflow import Workflow as CwlWorkflow
    from cwltool.workflow import WorkflowStep, default_make_tool

    if toolpath_object.get("class") != "Workflow":
        return default_make_tool(toolpath_object, loading_context)

    class TellingStep(WorkflowStep):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.siblings: set[str] = set()

        def job(self, job_order: Any, output_callbacks: Any, runtime_context: Any) -> Iterator[Any]:
            parent = getattr(runtime_context, "wfx_execution", "")
            scope = getattr(runtime_context, "wfx_scope", "")
            execution = recorder.begin(self, parent, scope, scatter_index(output_callbacks), self.siblings)
            inputs = {short(key): value for key, value in job_order.items()}
            within = runtime_context.copy()
            within.wfx_execution, within.wfx_scope = execution.fields["id"], execution.fields["step"]

            def done(outputs: Any, status: str) -> None:
                execution.finish(outputs, status)
                output_callbacks(outputs, status)

            try:
                for job in super().job(job_order, done, within):
                    if job is not None and getattr(job, "wfx_execution", None) is None:
                        job.wfx_execution = execution
                        job.wfx_inputs = inputs
                        if isinstance(self.embedded_tool, CwlWorkflow):
                            execution.start(inputs)
                    yield job
            except Exception as error:
                execution.messages.append(str(error))
                execution.start(inputs)
                execution.finish({}, "permanentFail")
                raise

    class TellingWorkflow(CwlWorkflow):  # type: ignore[misc]
        def make_workflow_step(self, item: Any, position: int, context: Any, provenance: Any = None) -> Any:
            step = TellingStep(item, position, context, provenance)
            step.siblings = {short(other["id"]) for other in self.tool["steps"]}
            return step

    return TellingWorkflow(toolpath_object, loading_context)


def make_executor(recorder: Recorder, cores: int, memory: int) -> Any:
    """Return cwltool's parallel executor, with a thread-local word of which execution runs."""
    from cwltool.command_line_tool import CallbackJob
    from cwltool.executors import MultithreadedJobExecutor
    from cwltool.job import JobBase

    class TellingExecutor(MultithreadedJobExecutor):  # type: ignore[misc]
        def select_resources(self, request: Any, runtime_context: Any) -> Any:
            # A tool that asks for more than there is gets what there is, as from cwltool's own default executor.
            most = {"cores": self.max_cores, "ram": self.max_ram}
            capped = dict(request)
            for name, limit in most.items():
                for end in ("Min", "Max"):
                    if capped[name + end] > limit:
                        logging.getLogger("cwltool").warning(
                            "asks for %s %s; %s are there", capped[name + end], name, limit
                        )
                        capped[name + end] = limit
            return super().select_resources(capped, runtime_context)

        def _runner(self, job: Any, runtime_context: Any, lock: Any) -> None:
            execution: Execution | None = getattr(job, "wfx_execution", None)
            if execution is None or not hasattr(job, "run") or type(job).__name__ == "WorkflowJob":
                super()._runner(job, runtime_context, lock)
                return
            context = runtime_context.copy()
            context.rm_tmpdir = True
            execution.cached = isinstance(job, CallbackJob)
            CURRENT.execution = execution
            with contextlib.ExitStack() as stack:
                if isinstance(job, JobBase):
                    self._prepare(job, execution, context, stack)
                execution.start(getattr(job, "wfx_inputs", None) or dict(getattr(job, "joborder", {})))
                try:
                    super()._runner(job, context, lock)
                finally:
                    CURRENT.execution = None

        def _prepare(self, job: Any, execution: Execution, context: Any, stack: contextlib.ExitStack) -> None:
            execution.fields["command"] = [recorder.clean(str(word)) for word in job.command_line]
            assert recorder.logs is not None
            execution.log = recorder.logs / (execution.fields["id"] + ".log")
            execution.log.parent.mkdir(parents=True, exist_ok=True)
            log = stack.enter_context(execution.log.open("wb"))
            context.default_stdout = context.default_stderr = log
            collect = job.collect_outputs

            def collected(outdir: str, code: int) -> Any:
                execution.fields["exit_code"] = code
                return collect(outdir, code)

            job.collect_outputs = collected

    executor = TellingExecutor(max_parallel=cores)
    if memory:
        executor.max_ram = min(executor.max_ram, memory // 2**20)
    return executor


def measure_processes() -> None:
    """Have cwltool's processes waited for with `wait4`, which tells what they used."""
    import time

    import cwltool.job

    class Measured(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.execution: Execution | None = getattr(CURRENT, "execution", None)
            self.began = time.monotonic()
            super().__init__(*arguments, **options)

        def _try_wait(self, flags: int) -> tuple[int, int]:
            try:
                pid, status, usage = os.wait4(self.pid, flags)
            except ChildProcessError:
                return self.pid, 0
            if pid == self.pid and self.execution is not None:
                self.execution.measured(usage, time.monotonic() - self.began)
            return pid, status

    shim = types.ModuleType("subprocess")
    shim.__dict__.update(vars(subprocess), Popen=Measured)
    cwltool.job.subprocess = shim  # type: ignore[attr-defined]


class Listener(logging.Handler):
    """Keeps what cwltool complains of, for the error of the step that it is about."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.WARNING)
        self.recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """Take a message."""
        if record.levelno < logging.ERROR:
            return
        execution: Execution | None = getattr(CURRENT, "execution", None)
        text = " ".join(record.getMessage().split())
        (execution.messages if execution is not None else self.recorder.messages).append(text)


def run(workflow: Workflow, message: dict[str, Any]) -> dict[str, Any]:
    """Run the loaded workflow; tell events, return the result."""
    from cwltool.context import RuntimeContext
    from cwltool.errors import WorkflowException
    from cwltool.process import add_sizes, fill_in_defaults
    from cwltool.stdfsaccess import StdFsAccess
    from cwltool.utils import normalizeFilesDirs, visit_class
    from schema_salad.exceptions import SchemaSaladException

    root, state = message["root"], Path(message["state"])
    recorder = workflow.recorder
    recorder.root, recorder.logs, recorder.describer = root, Path(message["logs"]), Describer(workflow)
    places = {name: state / name for name in ("cwltool-tmp", "cwltool-out", "cache")}
    for name, place in places.items():
        if name != "cache":
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
    context = RuntimeContext()
    context.basedir = root
    context.use_container = False
    context.tmpdir_prefix = f"{places['cwltool-tmp']}/"
    context.tmp_outdir_prefix = f"{places['cwltool-out']}/"
    # What a killed run has finished is found here again.
    context.cachedir = str(places["cache"])
    context.rm_tmpdir = False
    executor = make_executor(recorder, message["cores"], message["memory"])
    context.select_resources = executor.select_resources
    measure_processes()
    logging.getLogger("cwltool").addHandler(Listener(recorder))
    job = located(message["job"], root)
    access = StdFsAccess(root)
    lone = None
    process = workflow.process
    if process.tool["class"] != "Workflow":
        lone = Execution(
            recorder, Path(workflow.entry).stem, "", "", recorder.describer.identifier(process.tool, ""), ""
        )
    outputs: Any = None
    status, error = "permanentFail", ""
    try:
        fill_in_defaults(process.tool["inputs"], job, access)
        visit_class(job, ("File",), functools.partial(add_sizes, access))
        normalizeFilesDirs(job)
        if lone is not None:
            tag_jobs(process, lone, job)
        outputs, status = executor(process, job, runtime_context=context)
    except (WorkflowException, SchemaSaladException) as problem:
        error = workflow.relative_text(recorder.clean(str(problem)))
    if status == "success" and outputs is not None:
        # A lone tool's own files may be removed from under its event: it is told after they are in their place.
        outputs = publish(outputs, Path(message["outputs"]), root, access)
    else:
        status = "permanentFail" if status == "success" else status
    if lone is not None:
        lone.start(job)
        lone.finish(outputs if isinstance(outputs, dict) else {}, status)
    tell_skipped(workflow, recorder, status)
    if status == "success":
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
    return {
        "status": status, "exit_code": exit_code(status, recorder),
        "outputs": recorder.public(outputs or {}) if status == "success" else {},
        "error": "" if status == "success" else why(recorder, error),
    }  # fmt: skip


def tag_jobs(process: Any, execution: Execution, inputs: Any) -> None:
    """Mark the jobs of a tool that is no workflow's step."""
    original = process.job

    def job(*arguments: Any, **options: Any) -> Iterator[Any]:
        for item in original(*arguments, **options):
            if item is not None:
                item.wfx_execution, item.wfx_inputs = execution, inputs
            yield item

    process.job = job


def located(value: Any, root: str) -> Any:
    """Return the job with each file's place as a URI."""
    if isinstance(value, list):
        return [located(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: located(item, root) for key, item in value.items()}
    if value.get("class") in ("File", "Directory"):
        result.pop("checksum", None)
        location = value.get("location")
        if isinstance(location, str) and "://" not in location and not location.startswith("_:"):
            result["location"] = uri_of(Path(root) / location)
    return result


def publish(outputs: Any, target: Path, root: str, access: Any) -> Any:
    """Bring the outputs to their folder, as links to the engine's own files where that is safe; return the object."""
    from cwltool.pathmapper import PathMapper
    from cwltool.process import stage_files
    from cwltool.utils import adjustDirObjs, get_listing, visit_class

    adjustDirObjs(outputs, functools.partial(get_listing, access, recursive=True))
    found: list[Any] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("class") in ("File", "Directory"):
                found.append(value)
            else:
                for item in value.values():
                    collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    def real(value: Any) -> None:
        if value["location"].startswith(("file:", "/")):
            value["location"] = uri_of(Path(os.path.realpath(path_of(value["location"]))))

    collect(outputs)
    visit_class(found, ("File", "Directory"), real)
    shared = (f"{root}/inputs/", f"{root}/workflow/")

    def bring(source: str, destination: str) -> None:
        source = os.path.realpath(source)
        if os.path.isdir(source):
            shutil.copytree(source, destination, copy_function=bring, dirs_exist_ok=True)
            return
        if not source.startswith(shared):
            with contextlib.suppress(OSError):
                os.link(source, destination)
                return
        shutil.copyfile(source, destination)

    mapper = PathMapper(found, "", str(target), separateDirs=False)
    stage_files(mapper, stage_func=bring, symlink=False, fix_conflicts=True)

    def place(value: Any) -> None:
        value["location"] = uri_of(Path(mapper.mapper(value["location"])[1]))
        value.pop("contents", None)

    visit_class(outputs, ("File", "Directory"), place)
    visit_class(outputs, ("File",), functools.partial(_checksum, access))
    return outputs


def _checksum(access: Any, value: Any) -> None:
    from cwltool.process import compute_checksums

    compute_checksums(access, value)


def tell_skipped(workflow: Workflow, recorder: Recorder, status: str) -> None:
    """Tell of the steps that a condition, or an empty scatter, has left out."""
    if workflow.process.tool["class"] != "Workflow" or status != "success":
        return
    scopes: list[tuple[Any, str, str]] = [(workflow.process, "", "")]
    for execution in list(recorder.executions.values()):
        fields = execution.fields
        process = subprocess_of(workflow.process, fields["step"])
        if process is not None:
            scopes.append((process, fields["id"], fields["step"]))
    for process, parent, scope in scopes:
        ran = {e.fields["step"] for e in recorder.executions.values() if e.fields["parent"] == parent}
        for step in process.steps:
            name = short(step.tool["id"])
            if (f"{scope}/{name}" if scope else name) not in ran:
                recorder.begin(step, parent, scope, [], set()).finish({}, "skipped")


def subprocess_of(process: Any, step: str) -> Any:
    """Return the workflow that a step runs; None where it runs a tool."""
    for part in step.split("/"):
        found = next((s for s in process.steps if short(s.tool["id"]) == part), None)
        if found is None or found.embedded_tool.tool["class"] != "Workflow":
            return None
        process = found.embedded_tool
    return process


def exit_code(status: str, recorder: Recorder) -> int:
    """Return 0, or the exit code of the first step that failed, or 1."""
    if status == "success":
        return 0
    codes = [e.fields["exit_code"] for e in recorder.failed if e.fields.get("exit_code")]
    return int(codes[0]) if codes else 1


def why(recorder: Recorder, error: str) -> str:
    """Say why the run failed: the innermost step first."""
    lines = []
    for execution in recorder.failed[:3]:
        fields = execution.fields
        if any(other.fields["parent"] == fields["id"] for other in recorder.failed):
            continue
        code = fields.get("exit_code")
        head = f"step '{fields['id']}'" if fields["step"] else f"'{fields['id']}'"
        ended = f" ended with exit code {code}" if code else " failed"
        lines.append(f"{head}{ended}: {fields.get('error', '')}".rstrip(": "))
    if error and not lines:
        lines.append(error)
    lines += [recorder.clean(text) for text in recorder.messages if not lines][:TAIL]
    return "\n".join(lines) or "cwltool says only that it failed"


# -- the conversation

OUT: Any = None
TELLING = threading.Lock()


def tell(message: dict[str, Any]) -> None:
    """Write one line."""
    data = json.dumps(message, default=str) + "\n"
    with TELLING:
        OUT.write(data.encode("utf-8", "surrogateescape"))
        OUT.flush()


def answer(message: dict[str, Any], loaded: dict[str, Workflow]) -> None:
    """Do what a line asks for."""
    key = json.dumps([message[name] for name in ("tree", "entry", "fragment")])
    try:
        if key not in loaded:
            loaded[key] = Workflow(message)
        if message["do"] == "describe":
            tell({"description": describe(loaded[key])})
        else:
            tell({"result": run(loaded[key], message)})
    except Broken as problem:
        tell({"problem": problem.answer})


def main() -> None:
    """Serve until stdin ends."""
    global OUT
    # Only our own lines reach stdout, whatever cwltool and its tools print.
    OUT = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import cwltool
    except ImportError as problem:
        tell({"problem": {"kind": "engine", "what": "cwltool cannot be imported", "why": str(problem)}})
        return
    del cwltool
    os.umask(os.umask(0) | 0o022)
    loaded: dict[str, Workflow] = {}
    for line in sys.stdin.buffer:
        answer(json.loads(line.decode("utf-8", "surrogateescape")), loaded)


if __name__ == "__main__":
    main()
