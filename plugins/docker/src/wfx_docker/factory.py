"""Docker, through its daemon's interface: the SDK is imported when a daemon is spoken with, and not before."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
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
from wfx.images import Image, docker_archive, local_tag, read_layout

ASK_SECONDS = 10
# The daemon says nothing while it unpacks a large layer.
LOAD_SECONDS = 1800
# From here on the daemon unpacks zstd itself.
KNOWS_ZSTD = 23
PASSED_ON = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")


class DockerFactory(ContainerFactory):
    """Loads images into a Docker daemon."""

    keys = ("docker",)
    capabilities = FactoryCapabilities(rootless=True, gpu=True, builds=True, daemon=True)

    def available(self) -> Availability:
        """Ask the daemon for its version."""
        try:
            with self._client(ASK_SECONDS) as (client, endpoint):
                version, info = client.version(), client.info()
        except ContainerError as error:
            place = f" at {error.where}" if error.where else ""
            why = f": {error.why}" if error.why else ""
            return Availability(problem=f"{error.what}{place}{why}", remedy=error.remedy or "")
        if not _program():
            return Availability(
                problem="the docker command is not installed",
                remedy="install it (apt install docker.io, or docker-cli)",
            )
        return Availability(
            version=str(version.get("Version", "unknown")),
            rootless=any("rootless" in str(option) for option in info.get("SecurityOptions") or ()),
            gpu="nvidia" in (info.get("Runtimes") or {}) and Path("/dev/nvidiactl").exists(),
            platforms=(f"{version.get('Os', 'linux')}/{version.get('Arch', '')}",),
            endpoint=endpoint,
        )

    def load(self, image: Path, name: str, digest: str) -> LoadedImage:
        """Load an OCI layout, under a tag of ours: Docker knows `NAME@DIGEST` only of what it has pulled itself."""
        with about_image(name):
            return self._load(image, name, digest)

    def _load(self, image: Path, name: str, digest: str) -> LoadedImage:
        stored = read_layout(image, digest)
        tag = local_tag(name, stored.manifest.digest)
        with self._client(LOAD_SECONDS) as (client, _):
            found = _find(client, stored)
            fresh = found is None
            if found is None:
                self.context.note(f"docker: loading {name} ({stored.facts.size / 1e6:.0f} MB)")
                found = _load(client, stored, tag)
            _check(found, stored, tag)
            if tag not in (found.attrs.get("RepoTags") or ()):
                found.tag(*tag.rsplit(":", 1))
            return LoadedImage(tag, stored.manifest.digest, str(found.id), fresh=fresh)

    def build(self, recipe: str, tag: str, into: Path, *, network: bool = False) -> None:
        """Build with the daemon's own builder, which every daemon has, and save the image."""
        with self._client(LOAD_SECONDS) as (client, _):
            try:
                said = ""
                for event in client.api.build(
                    fileobj=io.BytesIO(recipe.encode()), tag=tag, rm=True, forcerm=True, pull=False, decode=True,
                    network_mode=None if network else "none",
                ):  # fmt: skip
                    said = (said + str(event.get("stream") or ""))[-2000:]
                    if "error" in event:
                        text = f"{said}\n{event['error']}"
                        raise runtime_failure("docker", "Docker cannot build the image", text)
                with into.open("wb") as archive:
                    for block in client.images.get(tag).save(named=tag):
                        archive.write(block)
            finally:
                with contextlib.suppress(Exception):  # there is none where the build has failed
                    client.images.remove(tag)

    def unload(self, image: LoadedImage) -> None:
        """Remove our tag, and with it the image where it has no other and no container."""
        if not image.name.startswith("wfx.local/"):
            return
        import docker.errors

        with self._client(LOAD_SECONDS) as (client, _):
            try:
                client.images.remove(image.name)
            except docker.errors.ImageNotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code != 409:  # a container uses it
                    raise

    def access(self, run: str) -> RuntimeAccess:
        """Give the engine the daemon's address, and the run's label for what it starts."""
        program = _program()
        if not program:
            raise ContainerError("the docker command is not installed", remedy="apt install docker.io, or docker-cli")
        endpoint = self._endpoint()
        environment = {"DOCKER_HOST": endpoint} | {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        options = ("--label", f"{RUN_LABEL}={run}", "--pull", "never", *selinux_options())
        certificates = environment.get("DOCKER_CERT_PATH")
        return RuntimeAccess(
            program=program,
            environment=environment,
            readable=(Path(certificates),) if certificates else (),
            writable=(Path(endpoint.removeprefix("unix://")),) if endpoint.startswith("unix://") else (),
            run_options=options,
            cleaning=(cleaning_by_label(program, run, environment),),
            wrapper=wrapper_script("docker", program, options, environment=environment),
        )

    # -- the daemon

    def _endpoint(self) -> str:
        """Return the daemon's address: the setting, DOCKER_HOST, the user's context, or the usual one."""
        given = self.context.settings.get("host") or os.environ.get("DOCKER_HOST")
        if given:
            return str(given)
        with contextlib.suppress(Exception):  # a broken context is one that is not there
            from docker.context import ContextAPI

            context = ContextAPI.get_current_context()
            if context is not None and context.Host:
                return str(context.Host).replace("http+unix://", "unix://")
        return "unix:///var/run/docker.sock"

    @contextlib.contextmanager
    def _client(self, timeout: int) -> Iterator[tuple[Any, str]]:
        """Open a connection; what the daemon or the way to it says against it becomes a ContainerError."""
        endpoint = self._endpoint()
        try:
            import docker
            import docker.errors
            import requests
        except ImportError as error:
            raise ContainerError(
                "the docker package for Python is not installed", remedy="pip install docker"
            ) from error
        environment = dict(os.environ) | {"DOCKER_HOST": endpoint}
        try:
            client = docker.DockerClient.from_env(timeout=timeout, environment=environment)
        except (docker.errors.DockerException, requests.RequestException, ValueError) as error:
            raise _unreachable(endpoint, error) from error
        try:
            yield client, endpoint
        except docker.errors.APIError as error:
            raise runtime_failure("docker", "the Docker daemon refuses", error.explanation or str(error)) from error
        except requests.ReadTimeout as error:
            raise ContainerError(
                "the Docker daemon does not answer", where=endpoint, why=f"nothing for {timeout} s", remedy="restart it"
            ) from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise _unreachable(endpoint, error) from error
        finally:
            client.close()


def _program() -> str:
    return shutil.which("docker") or ""


def _unreachable(endpoint: str, error: Exception) -> ContainerError:
    text = str(error)
    if "PermissionError" in text or "Permission denied" in text:
        remedy = "add yourself to the group docker (usermod -aG docker NAME) and log in anew, or use rootless Docker"
        why = "permission denied"
    elif not _program() and "No such file" in text:
        remedy, why = "install Docker (apt install docker.io)", "Docker is not installed"
    else:
        remedy = "start it (systemctl start docker), or name another with DOCKER_HOST"
        why = "nobody listens there" if "No such file" in text or "refused" in text else text[-200:]
    return ContainerError("the Docker daemon cannot be reached", where=endpoint, why=why, remedy=remedy)


def _find(client: Any, image: Image) -> Any | None:
    """Return the image as the daemon has it; with containerd's store the id is the manifest's digest."""
    import docker.errors

    for identity in (image.config.digest, image.manifest.digest):
        try:
            return client.images.get(identity)
        except docker.errors.ImageNotFound:
            continue
    return None


def _load(client: Any, image: Image, tag: str) -> Any:
    import docker.errors

    version = str(client.version().get("Version", "0")).partition(".")[0]
    stream = docker_archive(image, [tag], unpack_zstd=not version.isdigit() or int(version) < KNOWS_ZSTD)
    said = ""
    for event in client.api.load_image(stream):
        if "error" in event:
            raise runtime_failure("docker", "Docker cannot load the image", str(event["error"]), where=tag)
        said = str(event.get("stream") or said)
    try:
        return client.images.get(tag)
    except docker.errors.ImageNotFound:
        raise ContainerError("Docker has not taken the image", where=tag, why=said.strip() or None) from None


def _check(found: Any, image: Image, tag: str) -> None:
    """Hold what the daemon has against the digest; the layers' own digests count where its ids are others."""
    if found.id in (image.config.digest, image.manifest.digest):
        return
    layers = tuple((found.attrs.get("RootFS") or {}).get("Layers") or ())
    if layers != image.diff_ids:
        raise IntegrityError(
            f"Docker has {found.id} where {image.config.digest} was loaded", where=tag, remedy=f"docker rmi {tag}"
        )
