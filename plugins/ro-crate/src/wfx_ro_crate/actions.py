"""What happened, as actions: the run, the engine's work, and one for each real execution of a step."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Sequence

from wfx.engines import StepEvent
from wfx.running import RunRecord

from wfx_ro_crate.files import Files
from wfx_ro_crate.graph import ROOT, Graph, local_id, ref
from wfx_ro_crate.values import Scope

COMPLETED, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
# What the engine measured: name → what it is called, IRI of its definition, unit (QUDT).
RESOURCES = {
    "cpu_seconds": ("CPU time", "https://man7.org/linux/man-pages/man2/getrusage.2.html#ru_utime+ru_stime", "SEC"),
    "wall_seconds": ("wall-clock time", "https://man7.org/linux/man-pages/man1/time.1.html#e", "SEC"),
    "max_memory_bytes": (
        "largest resident memory", "https://man7.org/linux/man-pages/man2/getrusage.2.html#ru_maxrss", "BYTE",
    ),
    "cores": ("cores", "https://www.commonwl.org/v1.2/CommandLineTool.html#ResourceRequirement", "NUM"),
}  # fmt: skip


def moment(text: str) -> str | None:
    """Return a time in UTC with its zone, as the profiles want it; None for one whose zone nobody knows."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        return None
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


class Actions:
    """Enters actions with what all of them have."""

    def __init__(self, record: RunRecord, agent: str | None, graph: Graph, files: Files) -> None:
        self.record, self.agent, self.graph, self.files = record, agent, graph, files

    def execution(self, identifier: str, event: StepEvent, instrument: str, scope: Scope, name: str) -> str:
        """Enter the execution of a tool or of a subworkflow."""
        self.graph.add(identifier, "CreateAction", name=name, description=told(event))
        objects, results = scope.realise("input", event.inputs), scope.realise("output", event.outputs)
        self.finish(
            identifier, started=event.started, ended=event.ended or event.time, failed=event.state == "failed",
            error=event.error, instrument=instrument, objects=objects, results=results,
            logs=[event.log] if event.log else [],
        )  # fmt: skip
        self.details(identifier, event)
        return identifier

    def details(self, identifier: str, event: StepEvent) -> None:
        """Add what is known of a process: its exit code, what it used, the container that it ran in."""
        graph = self.graph
        if event.exit_code is not None:
            code = graph.add(
                local_id("exit-code", str(event.exit_code)), "PropertyValue", name="exit code",
                propertyID="https://w3id.org/ro/terms/sapporo#exitCode", value=str(event.exit_code),
            )  # fmt: skip
            graph.link(identifier, "additionalProperty", code)
        for key, amount in event.resources.items():
            name, definition, unit = RESOURCES.get(key, (key.replace("_", " "), key, "UNITLESS"))
            usage = graph.add(
                graph.fresh(local_id("usage", event.id, key)), "PropertyValue", name=name, propertyID=definition,
                unitCode=f"http://qudt.org/vocab/unit/{unit}",
                value=str(int(amount)) if float(amount).is_integer() else str(amount),
            )  # fmt: skip
            graph.link(identifier, "resourceUsage", usage)
        if event.image:
            graph.link(identifier, "containerImage", container(event.image, event.image_digest or "", graph))

    def finish(
        self, identifier: str, *, started: str, ended: str, failed: bool, error: str, instrument: str,
        objects: Sequence[str] = (), results: Sequence[str] = (), logs: Sequence[str] = (), all_logs: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Add times, agent, status, and what went in and came out."""
        graph = self.graph
        graph.set(identifier, "startTime", moment(started))
        graph.set(identifier, "endTime", moment(ended))
        graph.set(identifier, "actionStatus", FAILED if failed else COMPLETED)
        if failed:
            graph.set(identifier, "error", error.strip() or "It failed, and nothing says why.")
        if self.agent:
            graph.set(identifier, "agent", ref(self.agent))
        graph.set(identifier, "instrument", ref(instrument))
        graph.link(identifier, "object", *objects)
        written = [log for log in map(self.files.path, logs) if log]
        for log in written:
            graph.link(identifier, "subjectOf", log)
            graph.link(log, "about", identifier)
        if failed and not results:
            # Its log is all that came of it.
            results = [log for log in map(self.files.path, all_logs or logs) if log]
        graph.link(identifier, "result", *results)
        if not failed and not results and graph.kinds(identifier) == ["CreateAction"]:
            # One that makes nothing is an ActivateAction (Process Run Crate 0.5, "Requirements").
            graph.kinds(identifier)[:] = ["ActivateAction"]
        if graph.kinds(identifier)[0] != "OrganizeAction":
            graph.link(ROOT, "mentions", identifier)


def told(event: StepEvent) -> str:
    """Say in a sentence what an execution did."""
    if event.command:
        text = f"Command line: {shlex.join(event.command)}"
        if event.exit_code is not None:
            text += f"\nExit code: {event.exit_code}"
    else:
        text = f"Execution {event.id} of step {event.step}" if event.step else f"Execution {event.id}"
    if event.state == "cached":
        text += "\nIts result was taken from an earlier attempt at this run."
    elif event.attempt > 1:
        text += f"\nIt ran in attempt {event.attempt}."
    return text


def container(image: str, digest: str, graph: Graph) -> str:
    """Enter a container image by the name that the workflow uses and, where it is known, its digest."""
    name, _, stated = image.partition("@")
    digest = digest or stated
    scheme, mark, bare = name.partition("://")
    bare = bare if mark else name
    first, slash, rest = bare.partition("/")
    named = bool(slash) and ("." in first.strip(".") or ":" in first or first == "localhost")
    if is_file(image):
        # A file of the web has a host; one of this machine has no registry, and its folder is nobody's business.
        registry = first if scheme in ("http", "https") else "localhost"
        path, tag = bare.rpartition("/")[2].partition("?")[0], ""
    else:
        # A name without a registry is Docker Hub's by the rule of the program that reads it, a library Sylabs'.
        home = "library.sylabs.io" if scheme == "library" else "docker.io"
        registry, path = (first, rest) if named else (home, bare)
        path, colon, tag = path.rpartition(":")
        path, tag = (path, tag) if colon else (tag, "latest" if not stated else "")
    single = bare.endswith((".sif", ".simg", ".img")) or scheme in ("library", "oras", "shub")
    shown = path if is_file(image) and registry == "localhost" else image
    identifier = graph.add(
        local_id("image", shown, digest.partition(":")[2][:16]) if digest else local_id("image", shown),
        "ContainerImage",
        name=path,
        registry=registry,
        tag=tag,
        additionalType=ref(f"https://w3id.org/ro/terms/workflow-run#{'SIF' if single else 'Docker'}Image"),
    )
    algorithm, _, value = digest.partition(":")
    if algorithm == "sha256" and value:
        graph.set(identifier, "sha256", value)
    return identifier


FILES = (".sif", ".simg", ".img", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_file(image: str) -> bool:
    """Say whether a workflow names an image as a file, or holds the text that it is built of."""
    text = image.lower()
    starts = ("/", "./", "../", "~", "file:", "http:", "https:", "docker-archive:", "oci-archive:", "dockerfile:")
    return text.startswith(starts) or ("://" not in text and text.endswith(FILES))
