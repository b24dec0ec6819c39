"""The engine `nextflow.nextflow`: reads pipelines itself, and has its driver run Nextflow in a process of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx.drivers import Driver
from wfx.engines import (
    Description,
    Engine,
    EngineCapabilities,
    EngineResult,
    Host,
    Recognition,
    StepEvent,
    Wanted,
)
from wfx.errors import DefinitionError, EngineError
from wfx.values import JsonValue, Values

from wfx_nextflow import binding, installing, programs, recognition, versions
from wfx_nextflow.configuration import Configuration, read_configuration
from wfx_nextflow.describing import PUBLISHED, describe, found_images, has_open_images, patterns_of, plugins_of
from wfx_nextflow.project import Project, home_of
from wfx_nextflow.schema import rows_of, sheet_columns

if TYPE_CHECKING:
    from wfx.providing import Provision
    from wfx.runtimes import Runtime
    from wfx.staging import StagedRun

DRIVER = Path(__file__).with_name("driver")
VERSIONS = ">=23.10"
PROFILES = re.compile(r"[A-Za-z0-9_]+[\w.,-]*")


class NextflowEngine(Engine):
    """Runs Nextflow pipelines, DSL2.

    Settings, in `[engine."nextflow.nextflow"]`: `program`, `version`, `plugins`; see the package's README.
    """

    keys = (recognition.KEY,)
    capabilities = EngineCapabilities(
        language="nextflow", name="Nextflow", language_name="Nextflow", containers=("docker", "podman", "singularity"),
        whole_tree=True,
        leaves_out=("work", "results", ".nextflow", ".nextflow.log*", ".nf-test", ".nf-test.log", "*.code-workspace"),
        versions=VERSIONS, provides=installing.PINNED, describing=("profile",), files=("config",),
    )  # fmt: skip

    def __init__(self, host: Host | None = None) -> None:
        super().__init__(host)
        self._started: Driver | None = None

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        """See `Engine.recognise`."""
        return recognition.recognise(tree, entry)

    def version(self) -> str:
        """See `Engine.version`."""
        return self.installation.version if self.installation is not None else self._program().version

    @classmethod
    def wants(cls, entry: str, read: Callable[[str], str | None]) -> Wanted | None:
        """Return what `manifest.nextflowVersion` says; without `!` Nextflow itself only warns."""
        beside = f"{entry.rpartition('/')[0]}/{recognition.CONFIG}".lstrip("/")
        for place in dict.fromkeys((beside, recognition.CONFIG)):
            text = read(place)
            if text is not None:
                wanted = recognition.wanted_version(text)
                return Wanted(wanted, place, strict=wanted.startswith("!")) if wanted else None
        return None

    @classmethod
    def fits(cls, version: str, wanted: str) -> bool:
        """Say whether a version is among those that are wanted, as Nextflow reads them."""
        return versions.fits(version, wanted)

    @classmethod
    def candidate(cls, wanted: str) -> str:
        """See `Engine.candidate`."""
        able = cls.capabilities.versions
        known = (cls.capabilities.provides, *versions.named(wanted))
        return next((v for v in known if cls.fits(v, wanted) and cls.fits(v, able)), "")

    @classmethod
    def provide(cls, job: Provision) -> str:
        """Bring the jars of a version."""
        return installing.provide(job)

    def describe(self, entry: str, fragment: str = "") -> Description:
        """See `Engine.describe`. `fragment` names a workflow of the main script, as Nextflow's option -entry does."""
        assert self.host is not None
        project = Project.read(self.host.tree, entry)
        if project.is_dsl1:
            return describe(project, Configuration(), "", fragment)
        configuration = self._configuration(entry)
        if self.options.get("profile"):
            # What a profile says of the params, the user has asked for; the rest are the pipeline's own affair.
            plain = self._configuration(entry, profile=False)
            configuration = Configuration(configuration.values, configuration.changes(plain, "params."))
        found = describe(project, configuration, self.version(), fragment)
        if has_open_images(found):
            # What the text leaves open the script may settle when it is run without its tasks.
            images = self._ask("images", entry)["images"]
            found = describe(
                project, configuration, self.version(), fragment, images if isinstance(images, dict) else {}
            )
        return found

    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read a params file, YAML or JSON."""
        return binding.read_inputs(document, name)

    def name_files(self, description: Description, values: Values) -> Values:
        """See `Engine.name_files`."""
        return binding.name_files(description, values)

    def opens(self, description: Description, values: Values) -> list[str]:
        """Return the samplesheets elsewhere: the files that they name must be known before the run."""
        return binding.sheets_elsewhere(description, values, self.opened)

    def bind(self, description: Description, values: Values) -> Values:
        """See `Engine.bind`. Raises EngineError for plugins that nobody has provided."""
        self._refuse_plugins(description)
        return binding.bind(description, values, self.opened)

    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """See `Engine.run`."""
        assert self.host is not None
        plan = staged.plan
        entry, fragment = plan.workflow.entry, plan.workflow.fragment
        description = plan.description
        project = Project.read(self.host.tree, entry)
        patterns: dict[str, Any] = patterns_of(project, fragment)
        tools = {step.id: step.tool for step in description.steps}
        program = self._program()
        order: dict[str, JsonValue] = {
            "do": "run", **self._start(program), "entry": entry, "workflow": fragment, "params": plan.inputs,
            "sheets": {p.id: sheet_columns(p.type) for p in description.inputs if rows_of(p.type) is not None},
            "folders": [p.id for p in description.inputs if binding.is_output_folder(p)],
            "home": str(home_of(self.host.tree, entry)), "root": str(staged.directory),
            "outputs": str(staged.directory / "outputs"), "logs": str(self.host.logs),
            "cores": int(plan.options.get("cores") or 0), "memory": int(plan.options.get("memory") or 0),
            "published": PUBLISHED, **_chosen(plan.options),
            "steps": {step: {"tool": tool, **patterns.get(step, {})} for step, tool in tools.items()},
            "containers": _containers(staged.runtime, description), "found": found_images(description),
        }  # fmt: skip
        result = self._driver(program).run(order, events)
        return EngineResult(
            result["status"], int(result["exit_code"]), result["outputs"], command=tuple(result["command"]),
            error=result["error"], warnings=tuple(_unplanned(result["unplanned"])),
        )  # fmt: skip

    def close(self) -> None:
        """End the driver."""
        if self._started is not None:
            self._started.close()

    # -- Nextflow and its driver

    def _program(self) -> programs.Program:
        if self.installation is not None:
            return programs.kept(self.installation)
        return programs.found(self.host.settings if self.host is not None else {})

    def _configuration(self, entry: str, *, profile: bool = True) -> Configuration:
        """Ask Nextflow for the pipeline's configuration; a pipeline without any needs no Nextflow for it."""
        assert self.host is not None
        chosen = any(_chosen(self.options).values())
        if not chosen and not (home_of(self.host.tree, entry) / recognition.CONFIG).is_file():
            return Configuration()
        return read_configuration(str(self._ask("config", entry, profile=profile)["config"]))

    def _ask(self, what: str, entry: str, *, profile: bool = True) -> dict[str, JsonValue]:
        """Ask Nextflow about the pipeline."""
        assert self.host is not None
        program, home = self._program(), str(home_of(self.host.tree, entry))
        order = {"do": what, **self._start(program), "entry": entry, "home": home, **_chosen(self.options)}
        order |= {} if profile else {"profile": ""}
        return self._driver(program).ask(order)

    def _refuse_plugins(self, description: Description) -> None:
        """Refuse a pipeline that asks for plugins of Nextflow that nobody has provided: it would download them."""
        provided = str(self.host.settings.get("plugins") or "") if self.host is not None else ""
        for name in plugins_of(description):
            identifier, _, version = name.partition("@")
            pattern = f"{identifier}-{version}" if version else f"{identifier}-*"
            if provided and any(Path(provided).expanduser().glob(pattern)):
                continue
            raise EngineError(
                f"the pipeline asks for Nextflow's plugin {name}", where=recognition.CONFIG,
                why="plugins are not downloaded during a run",
                remedy=f"bring it with `nextflow plugin install {name}`, and name the folder that it is then in "
                "(~/.nextflow/plugins) with the setting engine.nextflow.nextflow.plugins",
            )  # fmt: skip

    def _start(self, program: programs.Program) -> dict[str, JsonValue]:
        assert self.host is not None
        return {
            "command": list(program.command), "environment": dict(program.environment),
            "version": program.version, "tree": str(self.host.tree), "state": str(self.host.state),
            "plugins": str(Path(str(self.host.settings.get("plugins") or "")).expanduser().absolute())
            if self.host.settings.get("plugins") else "",
        }  # fmt: skip

    def _driver(self, program: programs.Program) -> Driver:
        if self._started is None:
            assert self.host is not None
            readable = list(program.readable)
            if self.host.settings.get("plugins"):
                readable.append(Path(str(self.host.settings["plugins"])).expanduser().absolute())
            self._started = Driver(self.host, "Nextflow", [sys.executable, "-s", str(DRIVER)], readable=readable)
        return self._started


def _chosen(options: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return for the driver the user's options. Raises DefinitionError for what names no profile."""
    profile = options.get("profile", "")
    if profile and not PROFILES.fullmatch(profile):
        raise DefinitionError(f"the option 'profile': {profile!r} names no profile", remedy="write names, with commas")
    return {"profile": profile, "config": options.get("config-text", "")}


def _unplanned(images: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield what is to be said of images that tasks asked for and nobody had planned."""
    for image, steps in images.items():
        yield f"{', '.join(steps)} asked for the image {image}, which was not planned: wfx does not know its bytes"


def _containers(runtime: Runtime | None, description: Description) -> JsonValue:
    """Return for the driver which step runs in which loaded image."""
    if runtime is None:
        return None
    images = {tool.id: tool.image for tool in description.tools}
    steps: dict[str, JsonValue] = {}
    for step in description.steps:
        loaded = runtime.images.get(images.get(step.tool) or "")
        if loaded is not None:
            steps[step.id] = {"name": loaded.name, "image": images[step.tool], "digest": loaded.digest}
    return {"runtime": runtime.spoken or runtime.name, "program": runtime.access.program, "steps": steps}
