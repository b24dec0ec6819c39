"""Container runtimes for tests: started once a session, in a folder of their own, and stopped when it ends.

Import the fixtures that a `conftest.py` needs::

    from wfx.testing.runtimes import docker_daemon, podman_storage, singularity_program  # noqa: F401

Each gives an object whose `environment` a test sets; a runtime that is missing skips the test, and fails it in CI.
`scripts/runtimes containers` installs them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wfx.testing.processes import wait_until
from wfx.testing.requirements import require, require_program

__all__ = [
    "DockerDaemon", "NewRuntime", "PodmanStorage", "docker_daemon", "new_runtime", "podman_storage", "singularity_program",
]  # fmt: skip


@dataclass(slots=True)
class DockerDaemon:
    """A dockerd of the tests' own, on a socket in its folder. It makes no network: containers have `none` or `host`."""

    folder: Path
    data: Path | None = None
    """Where images lie; another place than the folder, where a test has a small disk."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """`unix://…`, for DOCKER_HOST."""
        return f"unix://{self.folder / 'docker.sock'}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients find it."""
        return {"DOCKER_HOST": self.endpoint, "DOCKER_CONFIG": str(self.folder / "config")}

    def start(self) -> None:
        """Start it, with the images it had."""
        program = require_program("dockerd", package="docker.io")
        require_program("docker", package="docker.io")
        require(os.geteuid() == 0, "dockerd needs root")
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = self.folder
        with (folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program, "--data-root", self.data or folder / "data", "--exec-root", folder / "exec",
                    "--pidfile", folder / "docker.pid", "--host", self.endpoint, "--bridge=none", "--iptables=false",
                    "--ip6tables=false",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_plain(),
            )  # fmt: skip
        wait_until(self._answers, f"dockerd answers ({folder / 'dockerd.log'})", timeout=60)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail("dockerd ends: " + (self.folder / "dockerd.log").read_text()[-1500:], pytrace=False)
        command = ["docker", "info", "--format", "{{.ID}}"]
        return (
            subprocess.run(command, env=_plain() | self.environment, capture_output=True, check=False).returncode == 0
        )

    def stop(self) -> None:
        """Stop it; its images stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None
            # One that was killed leaves its data mounted on themselves.
            subprocess.run(["umount", "-l", self.folder / "data"], capture_output=True, check=False)

    def docker(self, *arguments: str) -> str:
        """Run the docker command; return what it prints."""
        done = subprocess.run(["docker", *arguments], env=_plain() | self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@dataclass(slots=True)
class PodmanStorage:
    """A storage and configuration of the tests' own for podman; there is no process to start."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write the configuration. Limits and control groups are such as a container without systemd allows."""
        require_program("podman")
        folder = self.folder
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        (folder / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=20000:20000"]\n'
            f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
        )
        (folder / "registries.conf").write_text('[[registry]]\nlocation = "localhost"\ninsecure = true\n')
        self.environment = {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        }
        self.podman("info", "--format", "{{.Version.Version}}")

    def podman(self, *arguments: str) -> str:
        """Run podman; return what it prints."""
        done = subprocess.run(["podman", *arguments], env=_plain() | self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def remove(self) -> None:
        """Remove all containers and images, and let go of the file system."""
        for arguments in (("rm", "--all", "--force"), ("rmi", "--all", "--force")):
            with contextlib.suppress(AssertionError):
                self.podman(*arguments)
        subprocess.run(["umount", "-l", self.folder / "graph" / "overlay"], capture_output=True, check=False)


def _plain() -> dict[str, str]:
    """Return the environment without what would lead to the runtimes of whoever runs the tests."""
    return {
        k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "CONTAINER", "APPTAINER", "SINGULARITY"))
    }


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    # Not below pytest's own folders: the path of a socket has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix=f"wfx-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[DockerDaemon]:
    """A running Docker daemon of the tests' own."""
    require(sys.platform == "linux", "Docker's daemon runs on Linux")
    with _folder("docker") as folder:
        daemon = DockerDaemon(folder)
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture(scope="session")
def podman_storage() -> Iterator[PodmanStorage]:
    """Podman with a storage of the tests' own."""
    require(sys.platform == "linux", "podman's containers run on Linux")
    with _folder("podman") as folder:
        storage = PodmanStorage(folder)
        try:
            storage.prepare()
            yield storage
        finally:
            storage.remove()


@pytest.fixture(scope="session")
def singularity_program() -> str:
    """The path of Apptainer or SingularityCE."""
    require(sys.platform == "linux", "Singularity's containers run on Linux")
    for name in ("apptainer", "singularity"):
        path = shutil.which(name)
        if path is not None:
            return path
    return require_program("apptainer", package="apptainer, or run scripts/runtimes containers")


@dataclass(slots=True)
class NewRuntime:
    """The runtime that `wfx plugins new container-factory` writes: it speaks Docker's command line, with bubblewrap."""

    name: str
    """Key of its factory."""
    environment: dict[str, str]
    """Variables with which wfx finds the plugin."""


@pytest.fixture(scope="session")
def new_runtime() -> Iterator[NewRuntime]:
    """A third party's runtime, which no engine knows; as if it were installed."""
    from wfx.templates import write_plugin
    from wfx.testing.distributions import write_distribution

    require(sys.platform == "linux", "bubblewrap runs on Linux")
    require_program("bwrap", package="bubblewrap")
    with _folder("new") as folder:
        made = write_plugin("container-factory", "labrun", folder / "plugin")
        site = made.folder / "src"
        write_distribution(site, made.distribution, "0.1.0", {"wfx.container_factories": {made.key: made.module}})
        search = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))
        yield NewRuntime(made.key, {"PYTHONPATH": search})
