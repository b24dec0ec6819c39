"""Podman, through its command: no daemon, and the digest of an image stays what it was."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wfx.containers import (
    RUN_LABEL,
    Availability,
    ContainerFactory,
    FactoryCapabilities,
    LoadedImage,
    RuntimeAccess,
    about_image,
    cleaning_by_label,
    runtime_failure,
    selinux_options,
    wrapper_script,
)
from wfx.errors import ContainerError, IntegrityError
from wfx.images import local_tag, oci_archive, read_layout

ASK_SECONDS = 30
# What tells podman where its storage and its configuration are.
PASSED_ON = (
    "CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF",
    "CONTAINER_HOST", "CONTAINER_CONNECTION", "STORAGE_DRIVER", "STORAGE_OPTS", "XDG_RUNTIME_DIR",
)  # fmt: skip
INSTALL = "install it (apt install podman)"
# Rootless storage as it lies below the data folder.
STORAGE = Path("containers") / "storage"


class PodmanFactory(ContainerFactory):
    """Loads images into podman's storage."""

    keys = ("podman",)
    capabilities = FactoryCapabilities(rootless=True, gpu=True, keeps_digest=True, builds=True)

    def available(self) -> Availability:
        """Ask podman about itself, which sets up its storage too."""
        try:
            info = self._info()
        except ContainerError as error:
            return Availability(problem=error.what + (f": {error.why}" if error.why else ""), remedy=error.remedy or "")
        host = info.get("host") or {}
        return Availability(
            version=str((info.get("version") or {}).get("Version", "unknown")),
            rootless=bool((host.get("security") or {}).get("rootless")),
            gpu=Path("/dev/nvidiactl").exists() and any(Path(d).glob("nvidia*") for d in ("/etc/cdi", "/var/run/cdi")),
            platforms=(f"{host.get('os', 'linux')}/{host.get('arch', '')}",),
            endpoint=self._program(),
        )

    def load(self, image: Path, name: str, digest: str) -> LoadedImage:
        """Load an OCI layout under a tag of ours, without a copy on the way: podman reads it from a pipe."""
        with about_image(name):
            return self._load(image, name, digest)

    def _load(self, image: Path, name: str, digest: str) -> LoadedImage:
        stored = read_layout(image, digest)
        tag = local_tag(name, stored.manifest.digest)
        found = self._inspect(tag) or self._inspect(stored.config.hex)
        fresh = found is None
        if found is None:
            self.context.note(f"podman: loading {name} ({stored.facts.size / 1e6:.0f} MB)")
            self._feed(oci_archive(stored, tag), tag)
            found = self._inspect(tag)
        if found is None:
            raise ContainerError("podman has not taken the image", where=tag)
        image_id = f"sha256:{str(found.get('Id', '')).removeprefix('sha256:')}"
        if image_id != stored.config.digest:
            raise IntegrityError(
                f"podman has {image_id} where {stored.config.digest} was loaded", where=tag, remedy=f"podman rmi {tag}"
            )
        if tag not in (found.get("RepoTags") or ()):
            self._run("tag", stored.config.hex, tag)
        return LoadedImage(tag, stored.manifest.digest, image_id, fresh=fresh)

    def build(self, recipe: str, tag: str, into: Path, *, network: bool = False) -> None:
        """Build in an empty folder, and save the image."""
        with tempfile.TemporaryDirectory(prefix="wfx-build-") as folder:
            text = Path(folder) / "Dockerfile"
            text.write_text(recipe)
            (Path(folder) / "empty").mkdir()
            cut = () if network else ("--network", "none")
            try:
                self._run(
                    "build", "--quiet", "--pull-never", "--force-rm", *cut, "--tag", tag, "--file", str(text),
                    str(Path(folder) / "empty"),
                )  # fmt: skip
                self._run("save", "--quiet", "--format", "oci-archive", "--output", str(into), tag)
            finally:
                with contextlib.suppress(ContainerError):  # there is none where the build has failed
                    self._run("rmi", tag)

    def unload(self, image: LoadedImage) -> None:
        """Remove our tag, and with it the image where it has no other and no container."""
        if image.name.startswith("wfx.local/") and self._inspect(image.name) is not None:
            try:
                self._run("rmi", image.name)
            except ContainerError as error:
                if "in use" not in (error.why or ""):
                    raise

    def access(self, run: str) -> RuntimeAccess:
        """Give the engine podman's folders, and the run's label for what it starts."""
        program, info = self._program(), self._info()
        store, host = info.get("store") or {}, info.get("host") or {}
        rootless = bool((host.get("security") or {}).get("rootless"))
        # A service has its user's ranges of ids whoever speaks with it, and from wherever.
        remote = bool(host.get("serviceIsRemote"))
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # Without it podman takes its running containers for those of an earlier boot, and forgets that they run.
        state = _state_folder(host, rootless=rootless)
        if rootless:
            environment |= _whereabouts(store, host, environment)
        options = ("--label", f"{RUN_LABEL}={run}", "--pull=never", *selinux_options())
        files = [Path(environment[name]) for name in PASSED_ON if name.endswith("_CONF") and name in environment]
        folders = [Path(str(store[key])) for key in ("graphRoot", "runRoot") if store.get(key)]
        return RuntimeAccess(
            program=program,
            environment=environment,
            readable=tuple(files),
            writable=tuple(folder for folder in (*folders, state) if folder.is_dir()),
            # The user's own ranges of ids can be had only outside of a sandbox: within one nothing gains rights.
            prefix=(program, "unshare") if rootless and not remote else (),
            run_options=options,
            cleaning=(cleaning_by_label(program, run, environment),),
            # Engines ask for the user's own id inside; root is that here, with or without rights.
            wrapper=wrapper_script(
                "podman",
                program,
                options,
                drop=() if rootless and remote else ("--userns=keep-id",),
                environment=environment,
            ),
        )

    # -- the program

    def _program(self) -> str:
        name = str(self.context.settings.get("program") or "podman")
        path = shutil.which(name)
        if path is None:
            raise ContainerError(f"{name} is not installed", remedy=INSTALL)
        return path

    def _run(self, *arguments: str, timeout: float | None = None) -> str:
        program = self._program()
        try:
            done = subprocess.run(
                [program, *arguments], capture_output=True, text=True, errors="replace", timeout=timeout, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ContainerError(f"podman {arguments[0]} does not answer", why=str(error)) from error
        if done.returncode != 0:
            raise runtime_failure("podman", f"podman {arguments[0]} fails", done.stderr)
        return done.stdout

    def _info(self) -> dict[str, Any]:
        answer = self._run("info", "--format", "json", timeout=ASK_SECONDS)
        try:
            value = json.loads(answer)
        except ValueError as error:
            raise ContainerError("podman info gives no JSON", why=str(error)) from error
        return value if isinstance(value, dict) else {}

    def _inspect(self, name: str) -> dict[str, Any] | None:
        program = self._program()
        done = subprocess.run(
            [program, "image", "inspect", "--", name], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            absent = any(text in done.stderr for text in ("not known", "no such image", "not found"))
            if absent:
                return None
            raise runtime_failure("podman", "podman image inspect fails", done.stderr, where=name)
        found = json.loads(done.stdout)
        return found[0] if found else None

    def _feed(self, archive: Iterable[bytes], tag: str) -> None:
        """Pipe an archive into `podman load`."""
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                [self._program(), "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
            ) as process:
                assert process.stdin is not None
                try:
                    for block in archive:
                        process.stdin.write(block)
                    process.stdin.close()
                except BrokenPipeError:
                    # It says itself why it takes no more.
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.close()
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                errors.seek(0)
                said = errors.read().decode("utf-8", "replace")
                raise runtime_failure("podman", "podman cannot load the image", said, where=tag)


def _runtime_folder(host: Mapping[str, Any]) -> Path:
    """Return podman's folder for what lasts until the machine stops: its socket lies two below."""
    socket = str((host.get("remoteSocket") or {}).get("path") or "").removeprefix("unix://")
    return Path(socket).parent.parent if socket.startswith("/") else Path("/run")


def _state_folder(host: Mapping[str, Any], *, rootless: bool) -> Path:
    return _runtime_folder(host) / ("libpod/tmp" if rootless else "libpod")


def _whereabouts(store: Mapping[str, Any], host: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for what podman would look up in the user's home, where an engine has one of its own."""
    found = {"XDG_RUNTIME_DIR": str(_runtime_folder(host))}
    graph = Path(str(store.get("graphRoot") or ""))
    if graph.parts[-2:] == STORAGE.parts:
        found["XDG_DATA_HOME"] = str(graph.parent.parent)
    written = Path(str(store.get("configFile") or ""))
    if "CONTAINERS_STORAGE_CONF" not in given and written.is_file():
        found["CONTAINERS_STORAGE_CONF"] = str(written)
    own = Path("~/.config/containers/containers.conf").expanduser()
    if not {"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"} & given.keys() and own.is_file():
        found["CONTAINERS_CONF_OVERRIDE"] = str(own)
    return found
