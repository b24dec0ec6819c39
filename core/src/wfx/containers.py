"""Container factories: plugins for one runtime, which make a stored, pinned image usable by an engine offline.

A factory starts no container of a workflow: the engine does that, with the runtime's own program. The factory says
whether the runtime can be used here, loads an image that the store has, and says how the engine's process reaches the
runtime. The smallest one::

    class NerdctlFactory(ContainerFactory):
        keys = ("nerdctl",)

        def available(self) -> Availability: ...
        def load(self, image: Path, name: str, digest: str) -> LoadedImage: ...
        def access(self, run: str) -> RuntimeAccess: ...
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from wfx.errors import ContainerError, IntegrityError
from wfx.values import JsonValue

__all__ = [
    "RUN_LABEL", "Availability", "ContainerFactory", "FactoryCapabilities", "FactoryContext", "LoadedImage",
    "RuntimeAccess", "about_image", "cleaning_by_label", "runtime_failure", "selinux_options",
    "wrapper_script",
]  # fmt: skip

RUN_LABEL = "wfx.run"
SELINUX = Path("/sys/fs/selinux/enforce")
CLEAN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class FactoryCapabilities:
    """What the core compares with an engine's need; what depends on the machine is in `Availability`."""

    formats: tuple[str, ...] = ("oci",)
    """Image forms that the runtime loads: `oci` (layout folder), `sif` (file)."""
    rootless: bool = False
    """Whether it can be set up for users without rights of their own on the machine."""
    cuts_network: bool = True
    """Whether it can run a container without a network."""
    gpu: bool = False
    """Whether it can give a container a GPU."""
    keeps_digest: bool = False
    """Whether `NAME@DIGEST` names an image that was loaded from a file."""
    builds: bool = False
    """Whether it can build an image of a Dockerfile."""
    daemon: bool = False
    """Whether containers are children of a daemon, and so outlive an engine that is killed, and its sandbox."""
    speaks: tuple[str, ...] = ()
    """Well-known runtimes (`docker`, `singularity`) whose command line its program takes: an engine that drives one of
    them drives this one, and is told that it is the other. `wfx.dockerline` reads Docker's for programs of your own."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the runtime can be used here and now."""

    version: str = ""
    """Empty where it cannot."""
    problem: str = ""
    remedy: str = ""
    rootless: bool = False
    """Whether this one runs without root."""
    gpu: bool = False
    """Whether this one has what it takes to give a container a GPU of this machine."""
    platforms: tuple[str, ...] = ()
    """Of images that it runs: `linux/amd64`."""
    endpoint: str = ""
    """Where it is: a daemon's address, or the program's path."""

    @property
    def usable(self) -> bool:
        """Whether it can be used."""
        return bool(self.version)


@dataclass(frozen=True, slots=True)
class FactoryContext:
    """What the core gives a factory."""

    cache: Path | None = None
    """Folder for converted images, kept between runs; None where the caller keeps nothing."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """The configuration's section `container.RUNTIME`."""
    note: Callable[[str], None] = lambda _text: None
    """Tells a person what takes its time."""


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image as the runtime has it now."""

    name: str
    """How an engine must name it: a tag of ours, an image id, or the path of a SIF."""
    digest: str
    """Of the manifest, `sha256:…`: what plan and crate record. Of a SIF that came as one, its sha256."""
    image_id: str
    """The runtime's own: the configuration's digest, or the SIF's sha256."""
    path: Path | None = None
    """The SIF."""
    fresh: bool = True
    """Whether it had to be loaded; False where the runtime had it already."""


@dataclass(frozen=True, slots=True)
class RuntimeAccess:
    """What an engine's process needs to drive the runtime."""

    program: str
    """Path of the runtime's command."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables without which the command does not find its runtime."""
    readable: tuple[Path, ...] = ()
    """What a sandbox must show: configuration, images."""
    writable: tuple[Path, ...] = ()
    """What a sandbox must let it write to: a daemon's socket, folders of images and containers."""
    prefix: tuple[str, ...] = ()
    """Command in front of the engine's own and of the sandbox: what enters a namespace that the program must be in."""
    run_options: tuple[str, ...] = ()
    """Options that each start of a container gets: the run's label, no pulling."""
    cleaning: tuple[tuple[str, ...], ...] = ()
    """Commands that remove what the run left, for the supervisor; they find nothing to do after a good run."""
    wrapper: str = ""
    """Text of a script to put on the engine's PATH under the runtime's name, where the engine itself has no place for
    `run_options`: it adds them, and refuses to pull. Empty where none is needed."""


class ContainerFactory(ABC):
    """A plugin for one runtime."""

    keys: ClassVar[tuple[str, ...]] = ()
    """The runtime: `docker`, `podman`, `singularity`; the names of the package's entry points."""
    capabilities: ClassVar[FactoryCapabilities] = FactoryCapabilities()

    def __init__(self, context: FactoryContext | None = None) -> None:
        """Look at nothing yet: a factory is made to be asked whether it is available."""
        self.context = context or FactoryContext()

    @abstractmethod
    def available(self) -> Availability:
        """Look whether the runtime is installed and answers; never raises, and takes seconds at most."""

    @abstractmethod
    def load(self, image: Path, name: str, digest: str) -> LoadedImage:
        """Load a stored image, unless the runtime has it.

        `image` is an OCI layout (`wfx.images`) or, where the capabilities say so, a SIF; it is only read. `name` is the
        workflow's, `digest` the manifest's, or a SIF's sha256. What was loaded has been compared with the digest.
        Raises ContainerError for a runtime that is missing, stopped or full, IntegrityError.
        """

    @abstractmethod
    def access(self, run: str) -> RuntimeAccess:
        """Say how the engine of the run with this id reaches the runtime. Raises ContainerError where there is none."""

    def build(self, recipe: str, tag: str, into: Path, *, network: bool = False) -> None:
        """Build the image of a Dockerfile and write it as an archive (`docker save`'s, or OCI's) to the file `into`.

        The recipe's base images have been loaded and stand in it by their names here; nothing is pulled, and without
        `network` its commands reach nothing. There are no files beside the recipe. `tag` is the image's for the time.
        Raises ContainerError with the end of what the builder said.
        """
        raise ContainerError(f"{self.keys[0]} builds no images")

    def unload(self, image: LoadedImage) -> None:
        """Remove what `load` brought, if nothing uses it; what others loaded stays. By default nothing is removed."""

    def clean(self, run: str) -> None:
        """Remove the containers labelled `wfx.run=RUN`. Raises ContainerError where that fails."""
        for command in self.access(run).cleaning:
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", timeout=CLEAN_SECONDS, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ContainerError(f"containers of run {run} could not be removed", why=str(error)) from error
            if done.returncode != 0:
                raise runtime_failure(self.keys[0], f"containers of run {run} could not be removed", done.stderr)


def wrapper_script(
    runtime: str, program: str, options: Sequence[str], *, drop: Sequence[str] = (), environment: Mapping[str, str] = {}
) -> str:
    """Return a `RuntimeAccess.wrapper` for commands that are as Docker's are: `run`, `create` and `pull`.

    It adds the options to each start, leaves out those of `drop`, and refuses to pull.
    """
    quoted = " ".join(shlex.quote(option) for option in options)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    dropped = "|".join(shlex.quote(option) for option in drop)
    dropping = (
        f'n=$#\nwhile [ "$n" -gt 0 ]; do\n    case $1 in {dropped}) ;; *) set -- "$@" "$1" ;; esac\n'
        f"    shift\n    n=$((n - 1))\ndone\n"
        if drop
        else ""
    )
    return f"""#!/bin/sh
# {runtime} for one run of wfx: each container carries the run's label, and nothing is pulled.
{exports}{dropping}verb=${{1-}}
case $verb in container | image) verb=${{2-}}; [ "$#" -lt 2 ] || shift ;; esac
case $verb in
run | create)
    shift
    exec {shlex.quote(program)} "$verb" {quoted} "$@"
    ;;
pull)
    echo "wfx: {runtime} pulls nothing during a run; the workflow wants an image that was not planned" >&2
    exit 1
    ;;
esac
exec {shlex.quote(program)} "$@"
"""


def selinux_options() -> tuple[str, ...]:
    """Return the options with which containers may read and write what is mounted where SELinux is enforced.

    `label=disable`, and not the `:z` of a mount, which writes a label to the user's own files.
    """
    try:
        enforced = SELINUX.read_text().strip() == "1"
    except OSError:
        enforced = False
    return ("--security-opt", "label=disable") if enforced else ()


def cleaning_by_label(program: str, run: str, environment: Mapping[str, str] = {}) -> tuple[str, ...]:
    """Return the command that removes all containers of a run, for runtimes whose commands are as Docker's are."""
    # Killed first: a removal by force asks politely, and waits ten seconds, where the runtime is podman. One whose
    # container died with the engine's sandbox learns of that by a first removal, which fails.
    script = (
        'found=$("$1" ps -aq --filter "label=$2") || exit; [ -n "$found" ] || exit 0; '
        '"$1" kill $found >/dev/null 2>&1; "$1" rm -f -v $found >/dev/null 2>&1 && exit; sleep 1; '
        'exec "$1" rm -f -v $found >/dev/null'
    )
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ("env", *variables, "sh", "-c", script, "wfx", program, f"{RUN_LABEL}={run}")


@contextlib.contextmanager
def about_image(name: str) -> Iterator[None]:
    """Have the errors of a block say which image they are about, as the workflow names it."""
    try:
        yield
    except (ContainerError, IntegrityError) as error:
        if name not in str(error):
            error.why = "; ".join(filter(None, (error.why, error.where)))
            error.where = name
        raise


def runtime_failure(runtime: str, what: str, said: str, *, where: str | None = None) -> ContainerError:
    """Return the error for what a runtime said, with what to do where that is known."""
    from wfx.redaction import redact

    lines = [line.strip() for line in redact(said).splitlines() if line.strip()]
    why = " ".join(lines[-2:])[-400:] or None
    text = said.lower()
    remedy = None
    if "no space left" in text or "disk quota exceeded" in text:
        remedy = f"free some space where {runtime} keeps its images, and run again"
    elif "permission denied" in text:
        remedy = f"check that you may use {runtime}"
    elif "cannot connect" in text or "connection refused" in text or "connection reset" in text:
        remedy = f"start {runtime}, and run again"
    return ContainerError(what, where=where, why=why, remedy=remedy)
