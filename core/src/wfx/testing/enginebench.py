"""A bench on which an engine describes and runs a workflow as it would under wfx."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wfx.engines import Description, Engine, EngineResult, Installation, StepEvent
from wfx.hosts import EngineHost
from wfx.planning import Plan, PlannedWorkflow, now
from wfx.references import Reference
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox
from wfx.staging import Lock, StagedRun
from wfx.values import JsonValue, Values


@dataclass(slots=True)
class Outcome:
    """What one run on the bench gave."""

    description: Description
    result: EngineResult
    events: list[StepEvent] = field(default_factory=list)
    handles: list[JsonValue] = field(default_factory=list)


class EngineBench:
    """A run directory with an engine in it; use it as a context.

    ::

        with EngineBench(tmp_path / "run", ScriptEngine) as bench:
            bench.write("hello.script", "greet: echo hello")
            outcome = bench.run("hello.script", {"reads": bench.file("reads.fq", b"@r1")})
    """

    def __init__(
        self, folder: Path, engine: type[Engine], *, settings: Mapping[str, JsonValue] | None = None,
        sandbox: str = "none", aliases: Mapping[str, str] | None = None, installation: Installation | None = None,
    ) -> None:  # fmt: skip
        """Make the run directory `folder`. `sandbox` is as the option of that name."""
        self.directory = RunDirectory.claim(folder, request="0" * 64, name="bench")
        self.host = EngineHost.for_run(
            self.directory, Sandbox.choose(sandbox), settings=settings, aliases=aliases,
            installation=installation,
        )  # fmt: skip
        self.engine_class = engine
        self.engine = engine(self.host)

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @property
    def tree(self) -> Path:
        """Where the workflow's documents lie."""
        return self.directory.workflow

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a document of the workflow."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def file(self, name: str, data: bytes) -> dict[str, JsonValue]:
        """Put an input in its place; return it as a value."""
        path = self.directory.inputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {
            "class": "File", "location": f"inputs/{name}", "basename": path.name, "size": len(data),
            "checksum": f"sha256${hashlib.sha256(data).hexdigest()}",
        }  # fmt: skip

    def describe(self, entry: str, fragment: str = "") -> Description:
        """Ask the engine what the workflow is."""
        return self.engine.describe(entry, fragment)

    def run(
        self, entry: str, values: Values | None = None, *, fragment: str = "", options: Mapping[str, str] | None = None
    ) -> Outcome:
        """Describe, bind and run; locations in the values are relative to the run directory."""
        description = self.describe(entry, fragment)
        inputs = self.engine.bind(description, dict(values or {}))
        reference = Reference.of_path(self.tree / entry)
        workflow = PlannedWorkflow(reference, reference, entry, fragment)
        plan = Plan("bench", workflow, description, inputs, options=dict(options or {}), created=now())
        outcome = Outcome(description, EngineResult("failed", -1, {}))
        staged = StagedRun(self.path, plan, Lock("0" * 64, ()))
        outcome.result = self.engine.run(staged, outcome.events.append, outcome.handles.append)
        return outcome

    def close(self) -> None:
        """End the engine, whatever it left to the host, and let go of the directory."""
        try:
            self.engine.close()
        finally:
            self.host.close()
            self.directory.release()

    def __enter__(self) -> EngineBench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
