"""The engine `cwl.cwltool`: speaks with the driver, which runs cwltool in a process of its own."""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.drivers import Driver
from wfx.engines import (
    Description,
    DocumentReference,
    Engine,
    EngineCapabilities,
    EngineResult,
    Host,
    Recognition,
    StepEvent,
)
from wfx.errors import ContainerError, DefinitionError, EngineError
from wfx.records import decode
from wfx.values import JsonValue, Values

from wfx_cwl import binding, documents

if TYPE_CHECKING:
    from wfx.planning import Plan
    from wfx.providing import Provision
    from wfx.runtimes import Runtime
    from wfx.staging import StagedRun

logger = logging.getLogger(__name__)
DRIVER = Path(__file__).with_name("driver")
VERSIONS = ">=3.1.20240508115724"
PROVIDED = "3.1.20250715140722"


class CwltoolEngine(Engine):
    """Runs CWL v1.0 to v1.2 with cwltool.

    Settings, in `[engine.cwl.cwltool]`: `python`, the interpreter that has cwltool, where it is not wfx's own.
    """

    keys = (documents.KEY,)
    capabilities = EngineCapabilities(
        language="cwl",
        name="cwltool",
        language_name="Common Workflow Language",
        containers=("docker", "podman", "singularity"),
        versions=VERSIONS,
        provides=PROVIDED,
    )

    def __init__(self, host: Host | None = None) -> None:
        super().__init__(host)
        self._started: Driver | None = None

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        """See `Engine.recognise`."""
        return documents.recognise(tree, entry)

    @classmethod
    def references(cls, document: bytes, name: str) -> Iterable[DocumentReference]:
        """See `Engine.references`."""
        return documents.references(document, name)

    def version(self) -> str:
        """Return cwltool's version, from its metadata."""
        if self.installation is not None:
            return self.installation.version
        python = self._python()
        if python == sys.executable:
            try:
                return importlib.metadata.version("cwltool")
            except importlib.metadata.PackageNotFoundError:
                raise EngineError("cwltool is not installed", remedy="wfx engines install cwltool") from None
        code = "import importlib.metadata as m; print(m.version('cwltool'))"
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError("the Python of the setting engine.cwl.cwltool.python does not start",
                              where=python, why=str(error)) from error  # fmt: skip
        if done.returncode != 0:
            raise EngineError("cwltool is not installed there", where=python, remedy=f"{python} -m pip install cwltool")
        return done.stdout.strip()

    @classmethod
    def provide(cls, job: Provision) -> str:
        """Put cwltool into an environment of its own, with pip."""
        from wfx.providing import python_environment

        return python_environment(job, f"cwltool=={job.version}")

    def describe(self, entry: str, fragment: str = "") -> Description:
        """See `Engine.describe`."""
        answer = self._driver().ask({"do": "describe", **self._workflow(entry, fragment)})
        return decode(Description, answer["description"])

    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read a CWL job file, YAML or JSON."""
        return documents.read_inputs(document, name)

    def bind(self, description: Description, values: Values) -> Values:
        """See `Engine.bind`. Raises DefinitionError for a workflow that has a step that nothing can run."""
        abstract = {tool.id for tool in description.tools if tool.kind == "operation"}
        for step in description.steps:
            if step.tool in abstract:
                raise DefinitionError(
                    f"the step '{step.id}' is an abstract Operation", where=description.entry,
                    why="nothing can run it", remedy="put a tool in its place",
                )  # fmt: skip
        return binding.bind(description, values)

    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """See `Engine.run`."""
        assert self.host is not None
        plan = staged.plan
        if staged.runtime is None:
            _go_without_images(plan)
        order: dict[str, JsonValue] = {
            "do": "run", **self._workflow(plan.workflow.entry, plan.workflow.fragment), "job": plan.inputs,
            "root": str(staged.directory), "outputs": str(staged.directory / "outputs"),
            "logs": str(self.host.logs / "steps"), "cores": int(plan.options.get("cores") or 0),
            "memory": int(plan.options.get("memory") or 0), "containers": _containers(staged.runtime),
        }  # fmt: skip
        result = self._driver().run(order, events)
        return EngineResult(
            "completed" if result["status"] == "success" else "failed", int(result["exit_code"]), result["outputs"],
            command=_command(plan.workflow.entry, plan.workflow.fragment), error=result["error"],
        )  # fmt: skip

    def close(self) -> None:
        """End the driver."""
        if self._started is not None:
            self._started.close()

    # -- the driver

    def _python(self) -> str:
        if self.installation is not None:
            from wfx.providing import environment_python

            return str(environment_python(self.installation, "cwltool"))
        settings: Mapping[str, JsonValue] = self.host.settings if self.host is not None else {}
        return str(settings.get("python") or sys.executable)

    def _workflow(self, entry: str, fragment: str) -> dict[str, JsonValue]:
        assert self.host is not None
        return {"tree": str(self.host.tree), "entry": entry, "fragment": fragment, "aliases": dict(self.host.aliases),
                "state": str(self.host.state)}  # fmt: skip

    def _driver(self) -> Driver:
        if self._started is None:
            assert self.host is not None
            self._started = Driver(self.host, "cwltool", [self._python(), "-s", str(DRIVER)])
        return self._started


def _go_without_images(plan: Plan) -> None:
    """Refuse to run without containers what requires one, as cwltool does; say once which hints are not followed."""
    for need in plan.description.images:
        if need.required:
            raise ContainerError(
                f"a tool requires the container image {need.image}", where=need.tool,
                why="the cwl plugin runs tools without containers",
                remedy="install the tool, and have the workflow name the image under hints",
            )  # fmt: skip
    images = list(dict.fromkeys(need.image for need in plan.description.images))
    if images:
        logger.warning("tools run without containers; not used: %s", ", ".join(images))


def _containers(runtime: Runtime | None) -> JsonValue:
    if runtime is None:
        return None
    images: dict[str, JsonValue] = {
        name: {"name": image.name, "digest": image.digest} for name, image in runtime.images.items()
    }
    return {"runtime": runtime.spoken or runtime.name, "images": images, "network": runtime.network}


def _command(entry: str, fragment: str) -> tuple[str, ...]:
    document = f"workflow/{entry}" + (f"#{fragment}" if fragment else "")
    return ("cwltool", "--outdir", "outputs", document, "inputs.json")
