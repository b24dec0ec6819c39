"""What the core does for an engine: folders, settings, and processes in the sandbox, under a supervisor."""

from __future__ import annotations

import os
import shlex
import shutil
import site
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.engines import Installation
from wfx.errors import MachineError
from wfx.net import Net
from wfx.processes import EngineChannel, Order
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.progress import Progress
    from wfx.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class EngineHost:
    """What the core does for an engine: `wfx.engines.Host`. Made by `for_run` or `in_folder`."""

    settings: Mapping[str, JsonValue]
    tree: Path
    aliases: Mapping[str, str]
    state: Path
    logs: Path
    sandbox: Sandbox
    root: Path
    """The folder that is writable in the sandbox."""
    read_only: tuple[Path, ...] = ()
    """Folders below the root that are not."""
    run: RunDirectory | None = None
    needs: tuple[str, ...] = ()
    """Origins that the engine must reach; without any it has no network in the sandbox."""
    readable: tuple[Path, ...] = ()
    """More that it may read: an engine that is installed elsewhere."""
    cleaning: tuple[tuple[str, ...], ...] = ()
    """Commands for the supervisor's end."""
    runtime: Runtime | None = None
    """The container runtime that the engine may drive."""
    name: str = "the engine"
    offline: bool = False
    """Whether the network is switched off for all of wfx."""
    net: Net = field(default_factory=lambda: Net(offline=True))
    """The gate to the network, for an engine that speaks with a server."""
    progress: Progress | None = None
    """Who shows the user what goes on."""
    installation: Installation | None = None
    """The version of the engine's program that wfx provides; None: the one that is found on this machine."""
    channels: list[EngineChannel] = field(default_factory=list)

    @classmethod
    def for_run(
        cls, directory: RunDirectory, sandbox: Sandbox, settings: Mapping[str, JsonValue] | None = None,
        aliases: Mapping[str, str] | None = None, *, name: str = "the engine", needs: Sequence[str] = (),
        readable: Sequence[Path] = (), cleaning: Sequence[Sequence[str]] = (), runtime: Runtime | None = None,
        offline: bool = False, installation: Installation | None = None, net: Net | None = None,
        progress: Progress | None = None,
    ) -> EngineHost:  # fmt: skip
        """Serve an engine in a run directory: inputs and workflow are read-only to it, the rest writable."""
        return cls(
            settings=settings or {}, tree=directory.workflow, aliases=aliases or {}, state=directory.engine_state,
            logs=directory.logs, sandbox=sandbox, root=directory.path, name=name, run=directory, needs=tuple(needs),
            read_only=(directory.workflow, directory.inputs), readable=tuple(readable),
            cleaning=tuple(tuple(command) for command in cleaning), runtime=runtime, offline=offline,
            installation=installation, net=net or Net(offline=True), progress=progress,
        )  # fmt: skip

    @classmethod
    def in_folder(
        cls, folder: Path, sandbox: Sandbox, settings: Mapping[str, JsonValue] | None = None,
        aliases: Mapping[str, str] | None = None, *, name: str = "the engine", readable: Sequence[Path] = (),
        offline: bool = False, installation: Installation | None = None, net: Net | None = None,
        progress: Progress | None = None,
    ) -> EngineHost:  # fmt: skip
        """Serve an engine in a scratch folder, to describe a workflow that has no run directory."""
        folder = folder.resolve()
        places = [folder / part for part in ("workflow", "engine", "logs")]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        tree, state, logs = places
        return cls(
            settings=settings or {}, tree=tree, aliases=aliases or {}, state=state, logs=logs, sandbox=sandbox,
            root=folder, name=name, read_only=(tree,), readable=tuple(readable), offline=offline,
            installation=installation, net=net or Net(offline=True), progress=progress,
        )  # fmt: skip

    def launch(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, readable: Sequence[Path] = ()
    ) -> EngineChannel:
        """Start a driver under the supervisor and in the sandbox, with a clean environment plus `env`.

        It begins in the folder `state`. Close the channel, or the host, at the end.
        """
        environment = clean_environment(self.state)
        access = self.runtime.access if self.runtime is not None else None
        if access is not None and self.runtime is not None:
            environment |= access.environment
            environment["PATH"] = os.pathsep.join([str(self._wrapper(self.runtime)), environment["PATH"]])
        wrapped = self.sandbox.wrap(
            command, directory=self.root, cwd=self.state, read_only=self.read_only,
            readable=(*self.readable, *self._provided(), *readable, *(access.readable if access else ())),
            writable=access.writable if access else (), network=bool(self.needs) or self._containers_have_network(),
            containers=self.runtime is not None and self.runtime.nests,
        )  # fmt: skip
        order = Order(
            command=(*(access.prefix if access else ()), *wrapped), env=environment | dict(env or {}), cwd=self.state,
            cleaning=(*self.cleaning, *(access.cleaning if access else ())),
            journal=None if self.run is None else self.run.journal.path,
            lock_fd=None if self.run is None else self.run.lock_fd,
        )  # fmt: skip
        channel = EngineChannel(self.name, order, self.state / "stderr.log", self.logs / "engine.log")
        home = os.environ.get("HOME", "")
        channel.hide((str(self.root), "."), *([(home, "~")] if len(home) > 1 else []))
        self.channels.append(channel)
        return channel

    def _provided(self) -> tuple[Path, ...]:
        return (self.installation.folder,) if self.installation is not None else ()

    def _containers_have_network(self) -> bool:
        """Say whether the sandbox must have what its containers get; a daemon's have it from the daemon."""
        return self.runtime is not None and self.runtime.nests and self.runtime.network

    def _wrapper(self, runtime: Runtime) -> Path:
        """Put the runtime's own script, which adds the run's label and refuses to pull, first on the engine's PATH.

        A runtime that speaks another's command line stands there under that one's name.
        """
        folder, access = self.state / "bin", runtime.access
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        text = access.wrapper
        if not text and runtime.spoken not in ("", runtime.name):
            text = f'#!/bin/sh\nexec {shlex.quote(access.program)} "$@"\n'
        for name in {runtime.name, runtime.spoken or runtime.name, Path(access.program).name} if text else ():
            target = folder / name
            target.write_text(text)
            target.chmod(0o755)
        return folder

    def note(self, text: str) -> None:
        """See `wfx.engines.Host.note`."""
        if self.progress is not None:
            self.progress.note(text)

    def close(self) -> None:
        """End every driver that is still there."""
        while self.channels:
            self.channels.pop().close()


def clean_environment(state: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's but where programs lie; make the folders that it names."""
    places = {
        "HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "home/.cache", "XDG_CONFIG_HOME": "home/.config",
        "XDG_DATA_HOME": "home/.local/share", "XDG_STATE_HOME": "home/.local/state",
    }  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    for variable, place in places.items():
        folder = state / place
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError.of(error) from error
        environment[variable] = str(folder)
    if site.ENABLE_USER_SITE and Path(site.getuserbase()).is_dir():
        # With another HOME Python would not find what `pip install --user` has installed.
        environment["PYTHONUSERBASE"] = site.getuserbase()
    if "TZ" in os.environ:
        environment["TZ"] = os.environ["TZ"]
    return environment
