"""Engines: plugins for one workflow language and the program that runs it.

The engine's program runs in its own interpreter and process, under the core's supervisor and sandbox. A plugin gives
the command line of a small driver and speaks JSON lines with it through the `Channel` that the core hands it; one
process serves `describe` and `run`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol

from wfx.descriptions import Connection, Description, DocumentReference, ImageNeed, Software, Step, Tool
from wfx.errors import EngineError
from wfx.events import EngineResult, StepEvent, StepState, WorkflowForm
from wfx.values import JsonValue, Values
from wfx.versions import satisfies

if TYPE_CHECKING:
    from wfx.net import Net
    from wfx.planning import Plan
    from wfx.providing import Provision
    from wfx.staging import StagedRun


__all__ = [
    "Channel",
    "Connection",
    "Description",
    "DocumentReference",
    "Engine",
    "EngineCapabilities",
    "EngineResult",
    "Host",
    "ImageNeed",
    "Installation",
    "Recognition",
    "Software",
    "Step",
    "StepEvent",
    "StepState",
    "Tool",
    "Wanted",
    "WorkflowForm",
]


@dataclass(frozen=True, slots=True)
class EngineCapabilities:
    """What the core must know of an engine to choose and drive it."""

    language: str
    """`cwl`, `nextflow`, `snakemake`, `galaxy`: the first half of the key."""
    name: str
    """For people: `cwltool`."""
    language_name: str
    """For people: `Common Workflow Language`."""
    steps: bool = True
    """Whether a run yields step events."""
    resumes: bool = True
    """Whether an interrupted run goes on from its finished steps."""
    containers: tuple[str, ...] = ()
    """Runtimes that the engine can drive: `docker`, `podman`, `singularity`. With `docker` it drives each that speaks
    Docker's command line (`FactoryCapabilities.speaks`); in `run` it writes that of `staged.runtime.spoken`."""
    whole_tree: bool = False
    """Whether only running its documents shows what they name, so that the closure is the whole folder or repository."""
    leaves_out: tuple[str, ...] = ()
    """Patterns of names, at any depth, that are no part of such a tree: what the engine itself leaves there."""
    describing: tuple[str, ...] = ()
    """Options of a definition that change what a workflow is: `profile`. The core puts them into `Engine.options`. An
    engine that names options here or in `files` knows no others but `cores` and `memory`."""
    files: tuple[str, ...] = ()
    """Options whose value is a file: `config`. The core gives its text instead, as the option `config-text`."""
    versions: str = ""
    """Versions of the program that the plugin can drive, as `Engine.fits` reads them: `>=8.20,<10`; empty: any."""
    remote: bool = False
    """Whether a run happens on a server elsewhere: it is refused with `--offline`, is attached to again after a crash, and
    executes nothing of the workflow on this machine."""
    provides: str = ""
    """Version that wfx provides where nobody asks for another; empty: wfx cannot provide this engine."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """An engine's claim on a workflow, with its evidence."""

    engine: str
    entry: str
    """The main document, relative to the tree."""
    language_version: str
    evidence: str
    """One line: `cwlVersion: v1.2, class: Workflow in wf.cwl`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a workflow says about the version of its engine."""

    text: str
    """As it stands there, and as `Engine.fits` reads it: `>=8.0`, `!>=24.04.0`."""
    where: str
    """The document, relative to the tree."""
    strict: bool = True
    """False where another version may run it too, with a warning."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A version of the engine's program that wfx keeps: what `Engine.provide` has put into a folder, whole."""

    version: str
    folder: Path
    digest: str = ""
    """sha256 over its packages with their digests."""


class Channel(Protocol):
    """A running driver; the core made it and ends it, however wfx itself ends."""

    def send(self, message: Mapping[str, JsonValue]) -> None:
        """Write one JSON line to the driver. Raises EngineError when it is gone, with the tail of its stderr."""

    def receive(self) -> dict[str, JsonValue] | None:
        """Wait for the driver's next JSON line; None at its end. Raises EngineError for a line that is no JSON."""

    def close(self) -> int:
        """End the driver and everything it started; return its exit status."""


class Host(Protocol):
    """What the core does for an engine: processes in the sandbox, folders, settings."""

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """The configuration's section of this engine."""

    @property
    def offline(self) -> bool:
        """Whether the network is switched off: nothing is brought that is missing."""

    @property
    def installation(self) -> Installation | None:
        """The version of the engine's program to use; None: the one that is found on this machine."""

    @property
    def net(self) -> Net:
        """The gate to the network, for an engine that speaks with a server."""

    def note(self, text: str) -> None:
        """Tell the user what he waits for: that a server starts."""

    @property
    def tree(self) -> Path:
        """Where the workflow's documents lie (read-only to the engine)."""

    @property
    def aliases(self) -> Mapping[str, str]:
        """Absolute URIs that the documents name → where those things lie, relative to the tree."""

    @property
    def state(self) -> Path:
        """Folder for the engine's own use: work directory, cache, HOME; outside the crate, kept for a resume."""

    @property
    def logs(self) -> Path:
        """Folder for logs that belong to the run."""

    def launch(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, readable: Sequence[Path] = ()
    ) -> Channel:
        """Start a driver under the supervisor and in the sandbox, with a clean environment plus `env`.

        `readable` is what it needs to see beside the system and this Python: an engine that is installed elsewhere.
        """


class Engine(ABC):
    """A plugin for one language and one program. An instance serves one run; the core calls `close` at its end."""

    keys: ClassVar[tuple[str, ...]] = ()
    """`LANGUAGE.ENGINE`; the names of the package's entry points."""
    capabilities: ClassVar[EngineCapabilities]
    options: Mapping[str, str] = MappingProxyType({})
    """Of `capabilities.describing`, what the user has given; set before `describe` and `bind` are called."""
    opened: Mapping[str, Path] = MappingProxyType({})
    """Location → where its bytes lie now, of all that `opens` has named; set before `bind` is called."""

    def __init__(self, host: Host | None = None) -> None:
        """Take the core's host; without one only the methods that start no process work."""
        self.host = host

    @classmethod
    @abstractmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        """Say whether `entry` (or, where it is empty, the folder) is a workflow of this language. Reads, never runs."""

    @classmethod
    def references(cls, document: bytes, name: str) -> Iterable[DocumentReference]:
        """Return what a document names, for the core to fetch or to refuse. Never runs it. `name` is for messages."""
        return ()

    @abstractmethod
    def version(self) -> str:
        """Return the version of the engine's program without starting it where that is possible. Raises EngineError.

        It is that of `installation`, where there is one; else of what is found: on PATH, beside wfx, in the settings.
        Nothing is brought.
        """

    @property
    def installation(self) -> Installation | None:
        """The version that the core provides for this run; None: what is found on this machine is used."""
        return self.host.installation if self.host is not None else None

    @classmethod
    def wants(cls, entry: str, read: Callable[[str], str | None]) -> Wanted | None:
        """Return what the workflow declares about the engine's version, None where it says nothing. Runs nothing.

        `read` returns the text of a document by its path in the tree, None where there is none.
        """
        return None

    @classmethod
    def fits(cls, version: str, wanted: str) -> bool:
        """Say whether a version is among those that are wanted; any is where nothing is. By default as PEP 440 has it."""
        return satisfies(version, wanted) is not False

    @classmethod
    def candidate(cls, wanted: str) -> str:
        """Return the version to provide for what is wanted: the usual one, else one that it names; empty for none."""
        usual, able = cls.capabilities.provides, cls.capabilities.versions
        named: list[str] = re.findall(r"\d+(?:\.\d+)*", wanted)
        fitting = (v for v in (usual, *named) if v and cls.fits(v, wanted) and cls.fits(v, able))
        return next(fitting, "")

    @classmethod
    def provide(cls, job: Provision) -> str:
        """Put the version `job.version` of the program into the folder `job.into`; return which it is, in full.

        The core moves the folder to `job.final` when this returns, and hands it to `version` and all that follows as
        `installation`. Only for engines whose capabilities say what they provide. Raises EngineError.
        """
        raise EngineError(f"{cls.capabilities.name} cannot be provided by wfx")

    @abstractmethod
    def describe(self, entry: str, fragment: str = "") -> Description:
        """Describe the workflow at `host.tree / entry`. Raises DefinitionError with file:line for a broken one."""

    @abstractmethod
    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read the engine's own form of inputs file; locations stay as they are written, the core resolves them."""

    def name_files(self, description: Description, values: Values) -> Values:
        """Return the values of a file with short forms of this language made File and Directory objects.

        For languages in which a path is a text. Locations stay as they are written, the core resolves them.
        """
        return values

    def opens(self, description: Description, values: Values) -> Sequence[str]:
        """Return the locations of files elsewhere that `bind` has to read, such as a table that names more files.

        It is asked again with these in `opened`, until it names no more.
        """
        return ()

    def bind(self, description: Description, values: Values) -> Values:
        """Return the values that the engine will read: defaults added, secondary files named."""
        return values

    @abstractmethod
    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """Run it, offline but for `staged.needs`; call `events` from this thread as things happen.

        `handle` journals a remote run's id before it is waited for. A failing workflow is a result, not an exception.
        """

    def needs(self) -> tuple[str, ...]:
        """Return the origins (`https://HOST`) that a run must reach; by default none."""
        return ()

    def server(self) -> str:
        """Say who the server is, and who the user is to it: `Galaxy 26.1 at https://…, as ada`; empty where there is none.

        Raises FetchError.
        """
        return ""

    def check(self, description: Description, sizes: Sequence[int]) -> tuple[str, ...]:
        """Look whether the workflow can run where it is to run; return what the user should know beforehand.

        `sizes` are those of the inputs, in bytes, as far as they are known. By default there is nothing to say. Raises
        EngineError where it cannot run: a server lacks a tool.
        """
        return ()

    def brings(self, plan: Plan) -> tuple[str, ...]:
        """Return the origins (`https://HOST`) that `prepare` must reach for a staged run; by default none."""
        return ()

    def prepare(self, plan: Plan, online: Host) -> None:
        """Make ready what a run needs beside workflow, inputs and images; called while it is staged.

        What is made lies in the host's folder `state`, where `run` finds it. Only what `online` starts has a network: no
        document of a workflow may be executed there. Not called where `brings` names nothing. Raises EngineError.
        """

    def attach(
        self, known: JsonValue, staged: StagedRun, events: Callable[[StepEvent], None],
        handle: Callable[[JsonValue], None],
    ) -> EngineResult:  # fmt: skip
        """Go on with a run that an earlier attempt has begun elsewhere; `known` is the last handle that it journalled.

        Called in place of `run`, for engines whose capabilities say `remote`. Where nothing is left of the earlier
        attempt, it is begun anew.
        """
        from wfx.errors import UsageError

        raise UsageError(f"{self.capabilities.name} runs on this machine; there is nothing to attach to")

    def cancel(self) -> None:
        """Stop what this instance has begun elsewhere. What runs here the core ends itself."""

    def stop(self, known: JsonValue) -> None:
        """Stop what another process has begun elsewhere; `known` is the last handle that it journalled."""

    def close(self) -> None:
        """End the driver."""
