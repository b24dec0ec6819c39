"""The contract, with a real daemon."""

from __future__ import annotations

import pytest
from wfx.containers import ContainerFactory, LoadedImage
from wfx.testing import ContainerFactoryContract
from wfx.testing.containers import RunsImages, tools_image
from wfx.testing.factories import StoredImage
from wfx.testing.runtimes import DockerDaemon
from wfx_docker import DockerFactory


class WithDaemon:
    factory = DockerFactory

    @pytest.fixture(autouse=True)
    def daemon(self, docker_daemon: DockerDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
        self.docker = docker_daemon.docker
        for name, value in docker_daemon.environment.items():
            monkeypatch.setenv(name, value)


@pytest.mark.real
class TestDocker(WithDaemon, ContainerFactoryContract):
    def image(self, folder):
        return StoredImage(tools_image().write_layout(folder / "layout"), "wfx/tools:1", tools_image().digest)

    def has(self, factory: ContainerFactory, image: LoadedImage) -> bool:
        return image.name in self.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()

    def start(self, factory: ContainerFactory, run: str) -> str:
        name = self.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()[0]
        options = factory.access(run).run_options
        return self.docker("run", "-d", "--network", "none", *options, name, "sleep", "100")

    def containers(self, factory: ContainerFactory) -> set[str]:
        return set(self.docker("ps", "-aq", "--no-trunc").split())


@pytest.mark.real
class TestDockerRuns(WithDaemon, RunsImages):
    def run(self, loaded: LoadedImage, *command: str) -> str:
        return self.docker("run", "--rm", "--pull", "never", "--network", "none", loaded.name, *command)
