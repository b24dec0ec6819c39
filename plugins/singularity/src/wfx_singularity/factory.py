"""SingularityCE and Apptainer: an image becomes one file (SIF), built once for each digest."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wfx.containers import (
    Availability,
    ContainerFactory,
    FactoryCapabilities,
    LoadedImage,
    RuntimeAccess,
    about_image,
    runtime_failure,
)
from wfx.errors import ContainerError, IntegrityError, MachineError
from wfx.images import Image, Platform, layout_view, read_layout

ASK_SECONDS = 20
PROGRAMS = ("apptainer", "singularity")
INSTALL = "install Apptainer (https://apptainer.org/docs/admin/latest/installation.html) or SingularityCE"
# Of the header of a SIF, after the line that a kernel would start it by (SIF specification, global header).
MAGIC, MAGIC_AT = b"SIF_MAGIC", 32
VERSION = re.compile(r"(apptainer|singularity-ce|singularity-pro|singularity) version (\S+)")
REMOTE = ("docker", "oras", "library", "shub")


@dataclass(frozen=True, slots=True)
class Built:
    """What is written beside a SIF that was built here."""

    digest: str
    """Of the image's manifest."""
    sha256: str
    """Of the SIF; building it again gives another."""
    size: int
    program: str


class SingularityFactory(ContainerFactory):
    """Builds SIF files of OCI layouts, and takes SIF files as they are."""

    keys = ("singularity",)
    capabilities = FactoryCapabilities(formats=("oci", "sif"), rootless=True, gpu=True)

    def available(self) -> Availability:
        """Ask the program for its version."""
        try:
            program = self._program()
            name, version = self._version(program)
        except ContainerError as error:
            return Availability(problem=error.what + (f": {error.why}" if error.why else ""), remedy=error.remedy or "")
        return Availability(
            version=f"{name} {version}",
            rootless=os.geteuid() != 0,
            gpu=any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")),
            platforms=(str(Platform.here()),),
            endpoint=program,
        )

    def load(self, image: Path, name: str, digest: str) -> LoadedImage:
        """Return the SIF of an image: the one built before, a new one, or the file itself where it is a SIF."""
        with about_image(name):
            return self._load(image, name, digest)

    def _load(self, image: Path, name: str, digest: str) -> LoadedImage:
        if image.is_file():
            return _taken(image, name, digest)
        stored = read_layout(image, digest)
        program = self._program()
        folder = self._folder()
        target = folder / f"sha256-{stored.manifest.hex}.sif"
        with _locked(target.with_suffix(".lock")):
            built = _built(target, stored)
            fresh = built is None
            if built is None:
                self.context.note(f"singularity: building a SIF of {name} ({stored.facts.size / 1e6:.0f} MB)")
                built = self._build(program, stored, target, name)
        return LoadedImage(str(target), stored.manifest.digest, f"sha256:{built.sha256}", target, fresh)

    def unload(self, image: LoadedImage) -> None:
        """Remove a SIF that was built here."""
        if image.path is not None and self.context.cache is not None and image.path.parent == self._folder():
            for path in (_note(image.path), image.path):
                path.unlink(missing_ok=True)

    def access(self, run: str) -> RuntimeAccess:
        """Give the engine the program; its containers are its own children and end with it."""
        program = self._program()
        variables = {}
        if self.context.cache is not None:
            # What the program would otherwise keep in the user's home.
            for prefix in ("APPTAINER", "SINGULARITY"):
                variables[f"{prefix}_CACHEDIR"] = str(self.context.cache / "cache")
        return RuntimeAccess(
            program=program,
            environment=variables,
            readable=(self._folder(),) if self.context.cache is not None else (),
            wrapper=_wrapper(program, variables),
        )

    # -- inside

    def _program(self) -> str:
        wanted = str(self.context.settings.get("program") or "")
        for name in (wanted,) if wanted else PROGRAMS:
            path = shutil.which(name)
            if path is not None:
                return path
        what = f"{wanted} is not installed" if wanted else "neither apptainer nor singularity is installed"
        raise ContainerError(what, remedy=INSTALL)

    def _version(self, program: str) -> tuple[str, str]:
        try:
            done = subprocess.run(
                [program, "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=ASK_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ContainerError(f"{program} does not answer", why=str(error), remedy="install it anew") from error
        match = VERSION.search(done.stdout)
        if done.returncode != 0 or match is None:
            raise runtime_failure("singularity", f"{program} does not say its version", done.stderr or done.stdout)
        return match[1], match[2]

    def _folder(self) -> Path:
        if self.context.cache is None:
            raise ContainerError("there is no folder to keep SIF files in", remedy="give the factory a cache folder")
        folder = self.context.cache / "sif"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError.of(error) from error
        return folder

    def _build(self, program: str, image: Image, target: Path, name: str) -> Built:
        # The view's path must be short and without a colon, which the program takes for a tag.
        with (
            tempfile.TemporaryDirectory(prefix="wfx-view-") as view,
            tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as work,
        ):
            layout_view(image, Path(view) / "image")
            made = Path(work) / "image.sif"
            command = [program, "build", "--disable-cache", str(made), f"oci:{Path(view) / 'image'}"]
            # The file system is unpacked where the result will lie: one place to have room, and one to name.
            environment = dict(os.environ) | {"SOURCE_DATE_EPOCH": "0", "TMPDIR": work}
            for prefix in ("APPTAINER", "SINGULARITY"):
                environment |= {f"{prefix}_TMPDIR": work, f"{prefix}_CACHEDIR": f"{work}/cache"}
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", env=environment, check=False,
                    stdin=subprocess.DEVNULL,
                )  # fmt: skip
            except OSError as error:
                raise ContainerError(f"{program} cannot be started", why=error.strerror) from error
            if done.returncode != 0 or not made.is_file():
                raise runtime_failure("singularity", "no SIF can be built of the image", done.stderr, where=name)
            try:
                with made.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    os.fsync(file.fileno())
                made.chmod(0o555)
                built = Built(image.manifest.digest, sha256, made.stat().st_size, " ".join(self._version(program)))
                made.replace(target)
                text = {"digest": built.digest, "sha256": sha256, "size": built.size, "program": built.program}
                note = Path(work) / "note.json"
                note.write_text(json.dumps(text))
                note.replace(_note(target))
            except OSError as error:
                raise MachineError.of(error) from error
        return built


def _taken(path: Path, name: str, digest: str) -> LoadedImage:
    """Take a SIF as it is, after a look at its bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(MAGIC_AT + len(MAGIC))
            if head[MAGIC_AT:] != MAGIC:
                raise ContainerError(
                    "it is no Singularity image", where=name, why="SIF files begin otherwise",
                    remedy="give a SIF, or an image in a registry",
                )  # fmt: skip
            file.seek(0)
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MachineError.of(error) from error
    if actual != digest.removeprefix("sha256:"):
        raise IntegrityError(f"its sha256 is {actual} where {digest} is stated", where=name, remedy="fetch it again")
    return LoadedImage(str(path), f"sha256:{actual}", f"sha256:{actual}", path, fresh=False)


def _note(sif: Path) -> Path:
    return sif.with_suffix(".json")


def _built(target: Path, image: Image) -> Built | None:
    """Return what was built before, if it is whole."""
    try:
        built = Built(**json.loads(_note(target).read_bytes()))
        whole = target.stat().st_size == built.size and built.digest == image.manifest.digest
    except (OSError, ValueError, TypeError):
        return None
    return built if whole else None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from building the same file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        # A file system without locks only costs a second build: the file appears by a rename.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _wrapper(program: str, variables: dict[str, str]) -> str:
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    remote = " | ".join(f"{scheme}://*" for scheme in REMOTE)
    return f"""#!/bin/sh
# Singularity for one run of wfx: images are files, and nothing is pulled.
{exports}refuse() {{
    echo "wfx: singularity pulls nothing during a run; the workflow wants an image that was not planned" >&2
    exit 1
}}
case ${{1-}} in
pull | build) refuse ;;
exec | run | shell | instance)
    for argument; do
        case $argument in {remote}) refuse ;; esac
    done
    ;;
esac
exec {shlex.quote(program)} "$@"
"""
