"""Put the crate's metadata together: everything that a run record holds, and nothing that it does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wfx.engines import StepEvent
from wfx.running import RunRecord

from wfx_ro_crate import people
from wfx_ro_crate.actions import COMPLETED, FAILED, Actions, container, moment
from wfx_ro_crate.files import Files
from wfx_ro_crate.graph import DESCRIPTOR, PREVIEW, ROOT, Cleaner, Graph, local_id, ref
from wfx_ro_crate.workflow import Source, Structure

PROFILES = {
    "process": ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    "workflow": ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    "provenance": ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    "workflow-ro-crate": ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
}
OWN_FILES = {
    "plan.json": "The plan: the workflow pinned, its interface, and the inputs, as it was run.",
    "lock.json": "The lock: the sha256 of every input.",
    "inputs.json": "The inputs as the engine read them.",
}


def describe(record: RunRecord, directory: Path) -> dict[str, Any]:
    """Return the content of `ro-crate-metadata.json` for a run; files are looked at, none is changed."""
    graph = Graph(Cleaner(directory))
    return _Description(record, directory, graph).build()


class _Description:
    """One crate on its way."""

    def __init__(self, record: RunRecord, directory: Path, graph: Graph) -> None:
        self.record, self.graph = record, graph
        self.files = Files(record, directory, graph)
        self.events = complete(record.events, record)
        known = {step.id for step in record.plan.description.steps}
        self.executions = [e for e in self.events if e.state != "skipped"]
        self.ran = frozenset(e.step for e in self.executions if e.step in known)
        self.skipped = [e for e in self.events if e.state == "skipped"]

    def build(self) -> dict[str, Any]:
        graph, record, files = self.graph, self.record, self.files
        graph.add(DESCRIPTOR, "CreativeWork")
        graph.add(ROOT, "Dataset")
        for values in (record.outputs, record.plan.inputs, *(e.outputs for e in self.events)):
            for value in values.values():
                files.learn(value)
        self.agent = people.agent(record, graph)
        staged = record.status == "staged"
        self._profiles(run=not staged)
        language = people.language(record, graph)
        source = Source(record, graph, files, language)
        main = source.describe_main(record)
        graph.set(ROOT, "mainEntity", ref(main))
        structure = Structure(record, self.ran, graph, files, source)
        if staged:
            self._staged(structure)
            return graph.json_ld()
        actions = Actions(record, self.agent, graph, files)
        run = self._run(actions, structure)
        self._root(run)
        if self.ran:
            self._steps(actions, structure, run)
            structure.connect()
        else:
            self._engine(run, ())
        people.publication(record, graph)
        people.contacts(record, graph)
        self._signed()
        self._own_files()
        self._comparison(run)
        return graph.json_ld()

    def _staged(self, structure: Structure) -> None:
        """Enter what is to be run: the whole interface, with the inputs as examples, and the images by digest."""
        graph, record = self.graph, self.record
        scope = structure.scope("")
        scope.declare()
        scope.realise("input", record.plan.inputs)
        self._root(None)
        graph.link(ROOT, "mentions", people.engine(record, graph), people.wfx(record, graph))
        graph.link(ROOT, "mentions", *(container(i.image, i.digest, graph) for i in record.plan.images))
        self._signed()
        people.publication(record, graph)
        self._own_files()

    def _signed(self) -> None:
        """Say of images whose signature was verified with which key that was."""
        for image in self.record.plan.images:
            if image.signed:
                identifier = container(image.image, image.digest, self.graph)
                said = f"Signed (cosign) with the public key whose sha256 is {image.signed}."
                self.graph.set(identifier, "description", said)

    def _profiles(self, *, run: bool) -> None:
        """Say what the crate conforms to; where no step is known to have run, there is no provenance of steps to show."""
        names = ["process", "workflow", *(["provenance"] if self.ran else [])] if run else []
        names.append("workflow-ro-crate")
        for iri, name, version in (PROFILES[n] for n in names):
            self.graph.add(iri, "CreativeWork", name=name, version=version)
            self.graph.link(ROOT, "conformsTo", iri)
        self.graph.set(
            DESCRIPTOR, "conformsTo", [ref("https://w3id.org/ro/crate/1.1"), ref(PROFILES["workflow-ro-crate"][0])]
        )

    def _root(self, run: str | None) -> None:
        record, graph = self.record, self.graph
        name, description = record.plan.name, record.plan.description
        said = record.publication.description
        if not said:
            about = f"{description.name}: {description.doc}" if description.doc else description.name or name
            said = f"A {_outcome(record)} run of the workflow {about}".strip()
            if run is None:
                said += "\nIt has not been run yet: workflow and inputs are here, and no outputs."
        graph.set(ROOT, "name", f"Run of {name}" if run else f"Staged run of {name}")
        graph.set(ROOT, "description", said)
        graph.set(ROOT, "datePublished", moment(record.ended) or record.ended)
        graph.set(ROOT, "identifier", f"urn:uuid:{record.run}")
        if self.agent:
            graph.set(ROOT, "author", ref(self.agent))
        if run:
            graph.link(ROOT, "mentions", run)

    def _run(self, actions: Actions, structure: Structure) -> str:
        """Enter the run of the whole workflow; a lone tool's one execution is the run itself."""
        record, graph = self.record, self.graph
        run = local_id("run")
        graph.add(run, "CreateAction", name=f"Run of {record.plan.name}", description=self._told())
        lone = [e for e in self.executions if not e.step] if record.plan.description.kind != "workflow" else []
        scope = structure.scope("")
        outputs = dict(record.outputs) or (dict(lone[-1].outputs) if lone else {})
        failed = record.status != "completed"
        claimed = {e.log for e in self.executions if e.step}
        error = record.error or ("It was stopped." if record.status == "interrupted" else "")
        actions.finish(
            run, started=record.started, ended=record.ended, failed=failed, error=error,
            instrument=structure.source.main, objects=scope.realise("input", record.plan.inputs),
            results=scope.realise("output", outputs), logs=[log for log in record.logs if log not in claimed],
            all_logs=record.logs,
        )  # fmt: skip
        if lone:
            actions.details(run, lone[-1])
        return run

    def _steps(self, actions: Actions, structure: Structure, run: str) -> None:
        """Enter one action for each real execution, under the action that controls its step."""
        graph = self.graph
        ids = {"": run}
        for event in self.executions:
            if event.step:
                ids[event.id] = graph.fresh(local_id("run", event.id))
                graph.add(ids[event.id], "CreateAction")
        structure.enter_steps()
        controls: dict[str, dict[str, None]] = {}
        groups: dict[tuple[str, str], list[StepEvent]] = {}
        for event in self.executions:
            if event.step not in structure.steps:
                continue
            tool, scope = structure.tool(event.step), structure.scope(event.step)
            actions.execution(ids[event.id], event, tool, scope, f"Run of {event.id}")
            groups.setdefault((event.parent, event.step), []).append(event)
        for (parent, step), events in groups.items():
            control = graph.fresh(local_id("control", *filter(None, (parent,)), step.rpartition("/")[2]))
            failed = any(e.state == "failed" for e in events)
            graph.add(
                control, "ControlAction", name=f"Orchestrate {events[0].id}", instrument=ref(structure.howto(step)),
                actionStatus=FAILED if failed else COMPLETED,
            )  # fmt: skip
            graph.link(control, "object", *(ids[e.id] for e in events))
            controls.setdefault(parent, {})[control] = None
        for parent, found in controls.items():
            self._engine(ids[parent], found, next((e for e in self.executions if parent and e.id == parent), None))

    def _engine(self, run: str, controls: Iterable[str], event: StepEvent | None = None) -> None:
        """Enter the engine's work on a workflow; without steps to control, the engine is named and nothing is claimed."""
        record, graph = self.record, self.graph
        engine, wfx = people.engine(record, graph), people.wfx(record, graph)
        controls = list(controls)
        if not controls:
            graph.link(ROOT, "mentions", engine, wfx)
            return
        identifier = graph.fresh(local_id("engine", *([event.id] if event else ["run"])))
        name = people.engine_of(record)[0]
        graph.add(identifier, "OrganizeAction", name=f"Run {event.id if event else record.plan.name} with {name}")
        failed = event.state == "failed" if event else record.status != "completed"
        graph.set(identifier, "description", self._circumstances() if event is None else None)
        for key, value in (
            ("startTime", moment(event.started if event else record.started)),
            ("endTime", moment(event.ended if event else record.ended)),
        ):
            graph.set(identifier, key, value)
        graph.set(identifier, "actionStatus", FAILED if failed else COMPLETED)
        if failed:
            graph.set(identifier, "error", (event.error if event else record.error).strip() or "It did not finish.")
        if self.agent:
            graph.set(identifier, "agent", ref(self.agent))
        graph.link(identifier, "instrument", engine, *([] if event else [wfx]))
        graph.link(identifier, "object", *controls)
        graph.link(identifier, "result", run)
        graph.link(ROOT, "mentions", identifier)

    def _circumstances(self) -> str:
        record = self.record
        parts = [f"Platform: {record.platform}."] if record.platform else []
        if record.sandbox:
            parts.append(f"Sandbox: {record.sandbox}.")
        parts.append(f"Attempts: {record.attempts}.")
        return " ".join(parts)

    def _told(self) -> str:
        """Say in a few sentences what happened, what the actions below cannot say among it."""
        record, description = self.record, self.record.plan.description
        name, _ = people.engine_of(record)
        parts = [f"A {_outcome(record)} run with {name} {description.engine_version} by wfx {record.plan.wfx}."]
        if record.command:
            import shlex

            parts.append(f"Equivalent command line: {shlex.join(record.command)}")
        steps = [e for e in self.executions if e.step]
        if steps:
            parts.append(f"Executions of steps: {len(steps)}.")
        if self.skipped:
            parts.append(
                f"Skipped, because a condition left them out: {', '.join(dict.fromkeys(e.id for e in self.skipped))}."
            )
        told = {e.step for e in self.skipped}
        rest = [s.id for s in description.steps if s.id not in self.ran and s.id not in told]
        if rest and record.status != "completed":
            parts.append(f"Steps that did not finish or were not begun: {', '.join(rest)}.")
        parts.append(self._circumstances())
        return "\n".join(parts)

    def _own_files(self) -> None:
        """Enter what wfx writes beside workflow, inputs and outputs."""
        graph, record = self.graph, self.record
        for name, text in OWN_FILES.items():
            self.files.path(name, description=text)
        if record.inputs_file:
            self.files.path(record.inputs_file, description="The inputs file as it was given, without local paths.")
        for path in self.files.below("logs"):
            # The engine's own log is finished only after the record of its run.
            self.files.path(path)
        for item in record.lock.items:
            # What no parameter's value has led to, a secondary file for instance, is listed all the same.
            if item.kind == "file":
                self.files.path(item.path)
            else:
                self.files.folder(item.path, listed=False)
        graph.add(
            PREVIEW, "CreativeWork", name="The crate for people to read", encodingFormat="text/html", about=ref(ROOT)
        )

    def _comparison(self, run: str) -> None:
        """Enter what came of holding the run against the one that it repeats: an assessment with its report."""
        found, graph = self.record.comparison, self.graph
        if found is None:
            return
        original = graph.add(
            found.original or local_id("original"), "CreativeWork", name=found.name or "The original run",
            identifier=found.identifier or None, conformsTo=ref("https://w3id.org/ro/crate"),
        )  # fmt: skip
        action = local_id("comparison")
        graph.add(
            action, "AssessAction", name="Comparison with the original run", description=found.summary,
            endTime=moment(found.time), actionStatus=COMPLETED, instrument=ref(people.wfx(self.record, graph)),
        )  # fmt: skip
        if self.agent:
            graph.set(action, "agent", ref(self.agent))
        graph.link(action, "object", run, original)
        report = self.files.path(found.file, description="The comparison of each output, and what else differs.")
        if report:
            graph.link(action, "result", report)
        graph.link(ROOT, "mentions", action)
        graph.link(ROOT, "isBasedOn", original)


def complete(events: tuple[StepEvent, ...], record: RunRecord) -> list[StepEvent]:
    """Return the events with those of subworkflows that never ended, because the run was stopped within them."""
    found = {event.id for event in events}
    missing: dict[str, list[StepEvent]] = {}
    for event in events:
        parent, step = event.parent, event.step.rpartition("/")[0]
        while parent and parent not in found and step:
            missing.setdefault(parent, []).append(event)
            parent, step = parent.rpartition("/")[0], step.rpartition("/")[0]
    made = []
    for identifier, within in missing.items():
        depth = identifier.count("/") + 1
        step = "/".join(within[0].step.split("/")[:depth])
        made.append(
            StepEvent(
                identifier,
                step,
                "failed",
                record.ended,
                parent=identifier.rpartition("/")[0],
                started=min((e.started for e in within if e.started), default=record.started),
                ended=record.ended,
                error=record.error or "It was stopped before it ended.",
            )
        )
    return [*events, *made]


def _outcome(record: RunRecord) -> str:
    return record.status
