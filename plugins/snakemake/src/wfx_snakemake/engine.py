"""The engine `snakemake.snakemake`: speaks with the driver, which runs Snakemake in a process of its own."""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    Wanted,
)
from wfx.errors import EngineError
from wfx.planning import NONE
from wfx.records import decode
from wfx.values import JsonValue, Values

from wfx_snakemake import conda, configuration, documents, sheets

if TYPE_CHECKING:
    from wfx.planning import Plan
    from wfx.providing import Provision
    from wfx.runtimes import Runtime
    from wfx.staging import StagedRun

logger = logging.getLogger(__name__)
DRIVER = Path(__file__).with_name("driver")
VERSIONS = ">=8.20,<10"
PROVIDED = "9.5.1"
PYTHON = "the Python of the setting engine.snakemake.snakemake.python"


class SnakemakeEngine(Engine):
    """Runs Snakefiles with Snakemake 8 and 9.

    Settings, in `[engine.snakemake.snakemake]`: `python`, the interpreter that has Snakemake, where it is not wfx's own;
    `conda`, `refuse`, `path` or `create` (see `conda.word`).
    """

    keys = (documents.KEY,)
    capabilities = EngineCapabilities(
        language="snakemake", name="Snakemake", language_name="Snakemake", containers=("singularity",), whole_tree=True,
        leaves_out=documents.LEFT_OUT, describing=("profile", "targets"), versions=VERSIONS, provides=PROVIDED,
    )  # fmt: skip

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
        """Return Snakemake's version, from its metadata."""
        if self.installation is not None:
            return self.installation.version
        python = self._python()
        if python == sys.executable:
            try:
                return importlib.metadata.version("snakemake")
            except importlib.metadata.PackageNotFoundError:
                raise EngineError("Snakemake is not installed", remedy="wfx engines install snakemake") from None
        code = "import importlib.metadata as m; print(m.version('snakemake'))"
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{PYTHON} does not start", where=python, why=str(error)) from error
        if done.returncode != 0:
            raise EngineError(
                "Snakemake is not installed there",
                where=python,
                remedy=f"{python} -m pip install 'snakemake>=8.20,<10'",
            )
        return done.stdout.strip()

    @classmethod
    def wants(cls, entry: str, read: Callable[[str], str | None]) -> Wanted | None:
        """Return what `min_version` in the Snakefile says."""
        least = documents.min_version(read(entry) or "")
        return Wanted(f">={least}", entry) if least else None

    @classmethod
    def provide(cls, job: Provision) -> str:
        """Put Snakemake into an environment of its own, with pip."""
        from wfx.providing import python_environment

        return python_environment(job, f"snakemake=={job.version}")

    def describe(self, entry: str, fragment: str = "") -> Description:
        """See `Engine.describe`. `fragment` is the target: a rule or a file."""
        answer = self._driver().ask(
            {
                "do": "describe",
                **self._workflow(entry, fragment),
                "version": self.version(),
                "targets": list(self.options.get("targets", "").split()),
            }
        )
        return decode(Description, answer["description"])

    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read a config file, YAML or JSON."""
        return documents.read_inputs(document, name)

    def name_files(self, description: Description, values: Values) -> Values:
        """Return the values of a config file with its paths as files, where the schema says that they are."""
        return configuration.name_files(description, values)

    def opens(self, description: Description, values: Values) -> list[str]:
        """Return the sample sheets elsewhere that name files."""
        return sheets.elsewhere(description, values)

    def bind(self, description: Description, values: Values) -> Values:
        """Return the whole config: the workflow's own with the values put into it, as Snakemake puts them.

        Raises DefinitionError where a rule asks for a conda environment and nobody has said what to do about it.
        """
        settings: Mapping[str, JsonValue] = self.host.settings if self.host is not None else {}
        conda.check(description, settings)
        return configuration.bind(description, sheets.bind(description, values, self.opened))

    def check(self, description: Description, sizes: Sequence[int]) -> tuple[str, ...]:
        """Say what of the workflow's profile is used and what is not."""
        return tuple(warning for warning in description.warnings if warning.startswith("the profile "))

    def brings(self, plan: Plan) -> tuple[str, ...]:
        """Return where the packages of conda environments come from."""
        assert self.host is not None
        if not self._creates(plan):
            return ()
        named = conda.needed(plan.description, containers=plan.containers != (NONE,)).values()
        return conda.origins(self.host.tree / file for _, files in named for file in files.split(", "))

    def prepare(self, plan: Plan, online: Host) -> None:
        """Have conda make the environments where Snakemake will look for them.

        Which they are Snakemake says, without a network; with one, conda alone is run.
        """
        assert self.host is not None
        answer = self._driver().ask({**self._order(plan), "do": "environments"})
        program = conda.program()
        state = self.host.state / "conda"
        maker = Driver(
            online, "conda", [sys.executable, "-s", str(DRIVER / "making.py")], readable=[conda.root(program)],
            env={"CONDA_PKGS_DIRS": str(state / "pkgs"), "CONDA_ENVS_DIRS": str(state / "named")},
        )  # fmt: skip
        maker.ask({"conda": str(program), "environments": answer["environments"], "lists": str(state / "lists")})
        maker.close()

    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """See `Engine.run`."""
        assert self.host is not None
        plan = staged.plan
        workflow = plan.workflow
        targets = plan.options.get("targets", "").split()
        if staged.runtime is None and plan.description.images:
            images = dict.fromkeys(need.image for need in plan.description.images)
            logger.warning("rules run without containers; not used: %s", ", ".join(images))
        order: dict[str, JsonValue] = {
            **self._order(plan), "do": "run", "outputs": str(staged.directory / "outputs"),
            "logs": str(self.host.logs / "steps"), "cores": int(plan.options.get("cores") or 0),
            "containers": _containers(staged.runtime),
            "steps": {step.id: step.tool for step in plan.description.steps},
            "declared": {output.id: output.type.kind == "array" for output in plan.description.outputs},
        }  # fmt: skip
        result = self._driver().run(order, events)
        return EngineResult(
            result["status"], int(result["exit_code"]), result["outputs"],
            command=_command(workflow.entry, workflow.fragment, targets), error=result["error"],
        )  # fmt: skip

    def close(self) -> None:
        """End the driver."""
        if self._started is not None:
            self._started.close()

    # -- the driver

    def _python(self) -> str:
        if self.installation is not None:
            from wfx.providing import environment_python

            return str(environment_python(self.installation, "snakemake"))
        settings: Mapping[str, JsonValue] = self.host.settings if self.host is not None else {}
        return str(settings.get("python") or sys.executable)

    def _workflow(self, entry: str, fragment: str) -> dict[str, JsonValue]:
        assert self.host is not None
        return {"tree": str(self.host.tree), "entry": entry, "fragment": fragment, "aliases": dict(self.host.aliases),
                "state": str(self.host.state), "profile": self.options.get("profile", "")}  # fmt: skip

    def _order(self, plan: Plan) -> dict[str, JsonValue]:
        """Return what Snakemake has to know to build the graph of a staged run."""
        assert self.host is not None
        return {
            **self._workflow(plan.workflow.entry, plan.workflow.fragment), "root": str(self.host.tree.parent),
            "targets": list(plan.options.get("targets", "").split()), "profile": plan.options.get("profile", ""),
            "config": configuration.overrides(plan.description, plan.inputs),
            "sheets": dict(sheets.delimiters(plan.description)), "memory": int(plan.options.get("memory") or 0),
            "storage": {file.reference.uri: file.path for file in plan.files},
            "conda": str(conda.program()) if self._creates(plan) else "",
        }  # fmt: skip

    def _creates(self, plan: Plan) -> bool:
        settings: Mapping[str, JsonValue] = self.host.settings if self.host is not None else {}
        wanted = conda.needed(plan.description, containers=plan.containers != (NONE,))
        return bool(wanted) and conda.word(settings) == "create"

    def _driver(self) -> Driver:
        if self._started is None:
            assert self.host is not None
            self._started = Driver(
                self.host, "Snakemake", [self._python(), "-s", str(DRIVER)], readable=self._conda_root()
            )
        return self._started

    def _conda_root(self) -> list[Path]:
        """Return what has to be seen of conda, which Snakemake calls for rules with environments."""
        settings: Mapping[str, JsonValue] = self.host.settings if self.host is not None else {}
        if conda.word(settings) != "create":
            return []
        try:
            return [conda.root(conda.program())]
        except EngineError:
            return []  # who needs it has been told


def _containers(runtime: Runtime | None) -> JsonValue:
    if runtime is None:
        return None
    images: dict[str, JsonValue] = {
        name: {"name": image.name, "digest": image.digest} for name, image in runtime.images.items()
    }
    return {"runtime": runtime.name, "images": images}


def _command(entry: str, fragment: str, targets: list[str]) -> tuple[str, ...]:
    wanted = targets or ([fragment] if fragment else [])
    return ("snakemake", "--snakefile", f"workflow/{entry}", "--configfile", "inputs.json", *wanted)
