"""The workflow as a plan of steps and tools, of which only what has run is said to be a part (Provenance Run Crate 0.5)."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from wfx.engines import Step, Tool, WorkflowForm
from wfx.planning import Document
from wfx.running import RunRecord

from wfx_ro_crate.authorship import describe_authorship
from wfx_ro_crate.files import Files, licence, web_address
from wfx_ro_crate.graph import Graph, Property, local_id, path_id, ref
from wfx_ro_crate.people import language_of
from wfx_ro_crate.values import Scope

BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"


class Source:
    """The documents of the workflow as files of the crate, with where they came from."""

    def __init__(self, record: RunRecord, graph: Graph, files: Files, language: str) -> None:
        self.workflow = record.plan.workflow
        self.graph, self.files, self.language = graph, files, language
        self.main = path_id(f"workflow/{self.workflow.entry}")
        description = record.plan.description
        code = {self.workflow.entry, *(tool.document for tool in description.tools)}
        self.documents = {document.path: document for document in self.workflow.documents}
        for document in self.workflow.documents:
            self._enter(document, document.path in code)

    def _enter(self, document: Document, code: bool) -> None:
        identifier = self.files.path(f"workflow/{document.path}")
        if identifier is None:
            return
        graph = self.graph
        if not document.origin.on_this_machine:
            graph.set(identifier, "identifier", str(document.origin))
            graph.set(identifier, "url", web_address(document.origin))
        if code:
            graph.add(
                identifier, "SoftwareSourceCode", url=self.url(document.path), version=self.version(document.path)
            )
            graph.set(identifier, "programmingLanguage", ref(self.language))

    def url(self, path: str) -> str:
        """Return where a document is to be found: its place of origin, or else its place in the crate."""
        document = self.documents.get(path)
        found = "" if document is None or document.origin.on_this_machine else web_address(document.origin)
        return found or path_id(f"workflow/{path}")

    def version(self, path: str) -> str:
        """Return the commit or version of the workflow; of one that has none, what its content is."""
        if self.workflow.revision:
            return self.workflow.revision
        document = self.documents.get(path)
        return f"sha256:{document.sha256 if document else self.workflow.digest}"

    def _enter_form(self, form: WorkflowForm) -> None:
        """Enter the workflow in another language (Workflow RO-Crate 1.0, "CWL description": `subjectOf`)."""
        identifier = self.files.path(form.path)
        if identifier is None:
            return
        graph = self.graph
        graph.add(identifier, ["File", "SoftwareSourceCode", *(["HowTo"] if form.abstract else [])], name=form.name)
        graph.set(identifier, "encodingFormat", form.media_type)
        if form.language:
            graph.set(identifier, "programmingLanguage", ref(language_of(form.language, graph)))
        graph.set(identifier, "url", identifier)
        graph.set(identifier, "version", self.version(self.workflow.entry))
        graph.link(self.main, "subjectOf", identifier)

    def describe_main(self, record: RunRecord) -> str:
        """Make the main document a ComputationalWorkflow; return its id."""
        graph, workflow, description = self.graph, self.workflow, record.plan.description
        if self.main not in graph:
            # The run has no documents on record; the file is there all the same, or else the crate says that it is not.
            self.files.path(f"workflow/{workflow.entry}")
        graph.add(self.main, ["File", "SoftwareSourceCode", "ComputationalWorkflow"], url=self.url(workflow.entry))
        graph.set(self.main, "name", description.name or PurePosixPath(workflow.entry).stem)
        graph.set(self.main, "description", description.doc)
        graph.set(self.main, "programmingLanguage", ref(self.language))
        about = description.about
        version = self.version(workflow.entry)
        # A commit says more than what its authors call it, and that more than a digest.
        graph.set(self.main, "version", version if workflow.revision else about.version or version)
        graph.add(BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow", version="1.0-RELEASE")
        graph.set(self.main, "conformsTo", ref(BIOSCHEMAS))
        stated = workflow.licence or description.licence
        if stated:
            graph.set(self.main, "license", licence(graph, stated))
        if not workflow.reference.on_this_machine:
            origins = list(dict.fromkeys((str(workflow.pinned), str(workflow.reference))))
            graph.set(self.main, "isBasedOn", [*origins])
            address = web_address(workflow.pinned)
            if workflow.pinned.scheme.startswith("git") and address:
                graph.set(self.main, "codeRepository", address)
        describe_authorship(self.main, about, workflow.documents, graph)
        for form in record.forms:
            self._enter_form(form)
        named = [
            f"{workflow.label}" if workflow.label else "",
            about.version if about.version != workflow.label.removeprefix("v") else "",
            f"#{description.fragment}" if description.fragment else "",
        ]
        alternate: list[Property] = [f"{graph.get(self.main, 'name')} {name}" for name in named if name]
        graph.set(self.main, "alternateName", alternate)
        return self.main


class Structure:
    """Steps, tools and their links; each step's tool is an entity of its own where several steps share one."""

    def __init__(self, record: RunRecord, ran: frozenset[str], graph: Graph, files: Files, source: Source) -> None:
        """`ran`: ids of the steps that were executed at least once."""
        description = record.plan.description
        self.graph, self.files, self.source, self.ran = graph, files, source, ran
        self.steps: dict[str, Step] = {step.id: step for step in description.steps}
        self._tools: dict[str, Tool] = {tool.id: tool for tool in description.tools}
        self._shared = {tool for tool, uses in Counter(s.tool for s in description.steps).items() if uses > 1}
        self._entities: dict[str, str] = {}
        self._scopes: dict[str, Scope] = {"": Scope(source.main, description.inputs, description.outputs, graph, files)}
        self.record = record

    def scope(self, step: str) -> Scope:
        """Return the parameters of a step's tool; of the main workflow for an empty id."""
        if step not in self._scopes:
            tool = self._tools.get(self.steps[step].tool)
            inputs, outputs = (tool.inputs, tool.outputs) if tool else ((), ())
            self._scopes[step] = Scope(self.tool(step), inputs, outputs, self.graph, self.files)
        return self._scopes[step]

    def owner(self, step: str) -> str:
        """Return the workflow that a step belongs to."""
        parent = step.rpartition("/")[0]
        return self.tool(parent) if parent else self.source.main

    def tool(self, step: str) -> str:
        """Enter what a step runs; return its id."""
        known = self._entities.get(step)
        if known is not None:
            return known
        identifier = self._entities[step] = self._tool_id(step)
        tool = self._tools.get(self.steps[step].tool)
        name = self.steps[step].tool if tool is None else tool.name or _short(tool.id, step)
        graph = self.graph
        kinds: list[str]
        if tool is not None and tool.kind == "workflow":
            # A workflow none of whose steps ran orchestrates nothing that the profile could be shown.
            inside = any(other.startswith(f"{step}/") for other in self.ran)
            kinds = ["SoftwareSourceCode", *(["ComputationalWorkflow", "HowTo"] if inside else [])]
        else:
            kinds = [] if identifier in graph else ["SoftwareApplication"]
        graph.add(identifier, kinds)
        graph.set(identifier, "name", name)
        graph.set(identifier, "description", tool.doc if tool else None)
        document = tool.document if tool and tool.document else self.source.workflow.entry
        graph.add(identifier, [], url=self.source.url(document))
        source = "SoftwareSourceCode" in graph.kinds(identifier)
        stated = tool.version if tool is not None else ""
        graph.set(identifier, "version" if source else "softwareVersion", stated or self.source.version(document))
        if source:
            graph.set(identifier, "programmingLanguage", ref(self.source.language))
        base = path_id(f"workflow/{document}")
        if identifier != base and base in graph:
            graph.link(identifier, "isBasedOn", base)
        if tool is not None:
            self._software(identifier, tool)
        return identifier

    def _tool_id(self, step: str) -> str:
        tool = self.steps[step].tool
        document, _, fragment = tool.partition("#")
        known = self._tools.get(tool)
        base = path_id(f"workflow/{(known.document if known else document) or self.source.workflow.entry}")
        parts = [part for part in (fragment, step if tool in self._shared else "") if part]
        if not parts and base == self.source.main:
            parts = [step]
        return self.graph.fresh(f"{base}{local_id(*parts)}") if parts else base

    def _software(self, identifier: str, tool: Tool) -> None:
        """Enter the programs that a tool says it needs."""
        texts: list[Property] = []
        for software in tool.software:
            versions = ", ".join(software.versions)
            specs = [s for s in software.specs if s.startswith(("http://", "https://"))]
            if specs and versions:
                program = self.graph.add(
                    self.graph.clean(specs[0]), "SoftwareApplication", name=software.name, softwareVersion=versions,
                    url=specs[0], sameAs=[*specs[1:]],
                )  # fmt: skip
                self.graph.link(identifier, "softwareRequirements", program)
            else:
                texts.append(" ".join(filter(None, (software.name, versions, *software.specs))))
        self.graph.set(identifier, "softwareRequirements", texts)

    def enter_steps(self) -> None:
        """Enter every step whose workflow has run; only what has run itself is a part of it."""
        for step in self.steps.values():
            parent = step.id.rpartition("/")[0]
            if (parent and parent not in self.ran) or not self._orchestrates(parent):
                continue
            owner, tool = self.owner(step.id), self.tool(step.id)
            did_run = step.id in self.ran
            self.graph.add(
                self.howto(step.id), "HowToStep", name=step.name or step.id.rpartition("/")[2],
                description="\n".join(filter(None, (step.doc, "" if did_run else "It did not run in this execution."))),
                position=str(step.position),
            )  # fmt: skip
            self.graph.link(self.howto(step.id), "workExample", tool)
            self.graph.add(owner, "HowTo")
            self.graph.link(owner, "step", self.howto(step.id))
            if did_run:
                self.graph.link(owner, "hasPart", tool)

    def _orchestrates(self, parent: str) -> bool:
        prefix = f"{parent}/" if parent else ""
        return any(step.startswith(prefix) for step in self.ran)

    def howto(self, step: str) -> str:
        """Return the id of a step."""
        return f"{self.source.main}{local_id('step', step)}"

    def connect(self) -> None:
        """Enter the links between parameters that a value of this run has passed."""
        for link in self.record.plan.description.connections:
            source, target = self._end(link.scope, link.source, "input"), self._end(link.scope, link.target, "output")
            if source is None or target is None:
                continue
            receiver = self.source.main if not link.scope else self._entities.get(link.scope)
            if "/" in link.target:
                receiver = self.howto(_join(link.scope, link.target.partition("/")[0]))
            if receiver is None or receiver not in self.graph:
                continue
            identifier = self.graph.fresh(local_id("connection", link.scope, f"{link.source}-{link.target}"))
            self.graph.add(
                identifier, "ParameterConnection", name=f"{link.source} → {link.target}", sourceParameter=ref(source),
                targetParameter=ref(target),
            )  # fmt: skip
            self.graph.link(receiver, "connection", identifier)

    def _end(self, scope: str, end: str, side: str) -> str | None:
        """Return the FormalParameter at one end: of the workflow itself, or of a step's tool on the other side."""
        step, mark, name = end.partition("/")
        if not mark:
            known = self._scopes.get(scope)
            return known.parameter(side, end) if known else None
        known = self._scopes.get(_join(scope, step))
        return known.parameter("output" if side == "input" else "input", name) if known else None


def _join(scope: str, step: str) -> str:
    return f"{scope}/{step}" if scope else step


def _short(tool: str, step: str) -> str:
    document, _, fragment = tool.partition("#")
    if fragment.endswith("/run"):
        return step.rpartition("/")[2]
    return fragment.rpartition("/")[2] or PurePosixPath(document).stem
