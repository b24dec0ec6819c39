"""A bench on which documents are described and run with the real driver, many in one process."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wfx.engines import Description, EngineResult, StepEvent
from wfx.hosts import EngineHost
from wfx.inputfiles import Layout
from wfx.inputs import Layer, assemble
from wfx.planning import Plan, PlannedWorkflow
from wfx.references import Reference
from wfx.sandbox import Sandbox
from wfx.staging import Lock, StagedRun
from wfx_cwl import CwltoolEngine


@dataclass
class Ran:
    """What came of a run."""

    directory: Path
    result: EngineResult
    events: list[StepEvent]

    @property
    def outputs(self) -> dict[str, Any]:
        return self.result.outputs

    @property
    def ends(self) -> dict[str, StepEvent]:
        """The last event of each execution, by its id."""
        return {event.id: event for event in self.events if event.state != "started"}

    def read(self, output: str) -> str:
        return (self.directory / self.outputs[output]["location"]).read_text()


@dataclass
class Case:
    """A workflow in a folder of its own, laid out as a run directory."""

    bench: Bench
    directory: Path
    entry: str
    fragment: str = ""
    aliases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        host = dataclasses.replace(
            self.bench.host, tree=self.directory / "workflow", state=self.directory / ".wfx/engine",
            logs=self.directory / "logs", aliases=self.aliases,
        )  # fmt: skip
        for folder in (host.tree, host.state, host.logs, self.directory / "given"):
            folder.mkdir(parents=True, exist_ok=True)
        self.engine = CwltoolEngine(host)
        self._description: Description | None = None

    def give(self, name: str, content: str | bytes = "") -> dict[str, Any]:
        """Make a file that lies outside of the run directory, as a user's does; return its object."""
        path = self.directory / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return {"class": "File", "location": Reference.of_path(path).uri}

    def describe(self) -> Description:
        if self._description is None:
            self.engine._started = self.bench.driver()
            self._description = self.engine.describe(self.entry, self.fragment)
        return self._description

    def run(self, inputs: Mapping[str, Any] | None = None, base: Path | None = None, **options: str) -> Ran:
        """Bind, stage by copying, and run."""
        description = self.describe()
        values = assemble(
            description.inputs, [Layer(dict(inputs or {}), base or self.directory / "given", lambda _: "inputs")]
        )
        layout = Layout()
        bound = layout.rewrite(self.engine.bind(description, values))
        for item in layout.files:
            source, target = item.reference.path, self.directory / item.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        here = Reference.of_path(self.directory / "workflow" / self.entry)
        plan = Plan(
            name="case", workflow=PlannedWorkflow(here, here, self.entry, self.fragment), description=description,
            inputs=bound, files=tuple(layout.files), options=options,
        )  # fmt: skip
        events: list[StepEvent] = []
        result = self.engine.run(StagedRun(self.directory, plan, Lock("", ())), events.append, lambda handle: None)
        return Ran(self.directory, result, events)


class Bench:
    """One driver for many cases: starting cwltool takes longer than most of what they do."""

    def __init__(self, folder: Path, sandbox: str = "auto") -> None:
        self.host = EngineHost.in_folder(folder, Sandbox.choose(sandbox))
        self.folder = self.host.root
        self._count = 0
        self._driver: Any = None

    @property
    def channel(self) -> Any:
        return self._driver._channel if self._driver is not None else None

    def driver(self) -> Any:
        if self._driver is None or (
            self.channel is not None and (self.channel._closed or self.channel._supervised.wait(0))
        ):
            self._driver = CwltoolEngine(self.host)._driver()
        return self._driver

    def case(
        self, documents: str | Mapping[str, str | bytes] | Path, entry: str = "", fragment: str = "",
        aliases: dict[str, str] | None = None,
    ) -> Case:  # fmt: skip
        """Lay out a folder's documents, or texts by name; the first is the main one."""
        self._count += 1
        directory = self.folder / f"case-{self._count}"
        tree = directory / "workflow"
        if isinstance(documents, Path):
            shutil.copytree(documents, tree)
            tree.chmod(0o755)
        else:
            texts = {"main.cwl": documents} if isinstance(documents, str) else documents
            for name, text in texts.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
            entry = entry or next(iter(texts))
        return Case(self, directory, entry, fragment, aliases or {})

    def close(self) -> None:
        self.host.close()


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture
def own_bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose driver serves one test: for what may kill it."""
    made = Bench(tmp_path)
    yield made
    made.close()


def run_bare(document: str, job: str, cwd: Path, outdir: Path) -> tuple[int, dict[str, Any], str]:
    """Run cwltool itself, with the flags that the driver's settings stand for."""
    command = [sys.executable, "-m", "cwltool", "--no-container", "--relax-path-checks", "--disable-color",
               "--outdir", str(outdir), document, job]  # fmt: skip
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


@pytest.fixture(scope="session")
def bare() -> Any:
    return run_bare
