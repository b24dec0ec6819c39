"""The contract, with the real program."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest
from wfx.containers import ContainerFactory, LoadedImage
from wfx.testing import ContainerFactoryContract
from wfx.testing.containers import RunsImages, tools_image
from wfx.testing.factories import StoredImage
from wfx_singularity import SingularityFactory


@pytest.mark.real
class TestSingularity(ContainerFactoryContract):
    factory = SingularityFactory
    # A container is the engine's child: it ends with it, and there is nothing to find by a label.
    test_cleaning_removes_the_containers_of_the_run_alone = None

    @pytest.fixture(autouse=True)
    def program(self, singularity_program: str) -> None:
        self.singularity = singularity_program

    def image(self, folder: Path) -> StoredImage:
        return StoredImage(tools_image().write_layout(folder / "layout"), "wfx/tools:1", tools_image().digest)

    def has(self, factory: ContainerFactory, image: LoadedImage) -> bool:
        return (
            subprocess.run([self.singularity, "inspect", image.name], capture_output=True, check=False).returncode == 0
        )

    def containers(self, factory: ContainerFactory) -> set[str]:
        return set()


@pytest.mark.real
class TestSingularityRuns(RunsImages):
    factory = SingularityFactory

    @pytest.fixture(autouse=True)
    def program(self, singularity_program: str) -> None:
        self.singularity = singularity_program

    def run(self, loaded: LoadedImage, *command: str) -> str:
        done = subprocess.run(
            [self.singularity, "exec", "--containall", "--net", "--network", "none", loaded.name, *command],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_a_sif_is_taken_as_it_is(self, made: ContainerFactory, loaded: LoadedImage, tmp_path: Path) -> None:
        assert loaded.path is not None
        # As the store has it: no suffix, and nobody may write to it.
        path = tmp_path / uuid.uuid4().hex
        path.write_bytes(loaded.path.read_bytes())
        path.chmod(0o444)
        taken = made.load(path, "https://example.org/tools.sif", loaded.image_id)
        assert (taken.path, taken.image_id, taken.fresh) == (path, loaded.image_id, False)
        assert self.run(taken, "cat", "/hello").strip() == "hello"
