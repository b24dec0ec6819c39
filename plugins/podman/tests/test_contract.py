"""The contract, with the real program."""

from __future__ import annotations

import pytest
from wfx.containers import ContainerFactory, LoadedImage
from wfx.testing import ContainerFactoryContract
from wfx.testing.containers import RunsImages, tools_image
from wfx.testing.factories import StoredImage
from wfx.testing.runtimes import PodmanStorage
from wfx_podman import PodmanFactory


class WithStorage:
    factory = PodmanFactory

    @pytest.fixture(autouse=True)
    def storage(self, podman_storage: PodmanStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.podman = podman_storage.podman
        for name, value in podman_storage.environment.items():
            monkeypatch.setenv(name, value)


@pytest.mark.real
class TestPodman(WithStorage, ContainerFactoryContract):
    def image(self, folder):
        return StoredImage(tools_image().write_layout(folder / "layout"), "wfx/tools:1", tools_image().digest)

    def has(self, factory: ContainerFactory, image: LoadedImage) -> bool:
        return image.name in self.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()

    def start(self, factory: ContainerFactory, run: str) -> str:
        name = self.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()[0]
        options = factory.access(run).run_options
        return self.podman("run", "-d", "--network", "none", *options, name, "sleep", "100")

    def containers(self, factory: ContainerFactory) -> set[str]:
        return set(self.podman("ps", "-aq", "--no-trunc").split())


@pytest.mark.real
class TestPodmanRuns(WithStorage, RunsImages):
    def run(self, loaded: LoadedImage, *command: str) -> str:
        return self.podman("run", "--rm", "--pull=never", "--network", "none", loaded.name, *command)

    def test_the_digest_names_the_image_too(self, loaded: LoadedImage) -> None:
        name = f"{loaded.name.rpartition(':')[0]}@{loaded.digest}"
        assert self.podman("run", "--rm", "--pull=never", "--network", "none", name, "cat", "/hello") == "hello"
