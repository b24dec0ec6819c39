"""Rules for container factories that are shown by running containers, beside `ContainerFactoryContract`.

The images are made of the machine's static busybox; nothing is pulled.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from wfx.containers import RUN_LABEL, ContainerFactory, FactoryContext, LoadedImage
from wfx.errors import WfxError
from wfx.testing.images import Files, MadeImage, busybox_files, machine_platform, make_image
from wfx.testing.processes import wait_until

NAME = "registry.example/wfx/tools:1"


@functools.cache
def tools_image() -> MadeImage:
    """Return an image with a shell, in three layers of which the last takes a file away."""
    second: Files = {"hello": b"hello\n", "gone": b"not for long\n"}
    third: Files = {".wh.gone": b"", "link": "hello"}
    return make_image([busybox_files(), second, third], platform=machine_platform())


class RunsImages:
    """What a loaded image does; a subclass gives the class, and runs a command in a container."""

    factory: ClassVar[type[ContainerFactory]]

    def run(self, loaded: LoadedImage, *command: str) -> str:
        """Run a command in a container of a loaded image without a network; return what it prints."""
        raise NotImplementedError

    @pytest.fixture
    def made(self, tmp_path: Path) -> ContainerFactory:
        """Return the factory, with a cache."""
        return self.factory(FactoryContext(cache=tmp_path / "cache"))

    @pytest.fixture
    def layout(self, tmp_path: Path) -> Path:
        """Return an image as the store gives it out."""
        return tools_image().write_layout(tmp_path / "layout")

    @pytest.fixture
    def loaded(self, made: ContainerFactory, layout: Path) -> Iterator[LoadedImage]:
        """Return the image, loaded."""
        image = made.load(layout, NAME, tools_image().digest)
        yield image
        made.unload(image)

    def test_a_loaded_image_runs_by_its_name(self, made: ContainerFactory, loaded: LoadedImage) -> None:
        """The engine is given a name that works, of the image that was stored."""
        assert machine_platform() in made.available().platforms
        assert self.run(loaded, "cat", "/hello", "/link").split() == ["hello", "hello"]
        assert self.run(loaded, "sh", "-c", "ls /gone 2>/dev/null || echo none").strip() == "none"

    def test_it_runs_without_a_network(self, loaded: LoadedImage) -> None:
        """Nothing but the loopback interface is to be seen."""
        lines = self.run(loaded, "cat", "/proc/net/dev").splitlines()
        assert [line.split(":")[0].strip() for line in lines if ":" in line] == ["lo"]

    def test_the_same_image_by_another_name_is_not_loaded_again(
        self, made: ContainerFactory, layout: Path, loaded: LoadedImage
    ) -> None:
        """What counts is the digest."""
        again = made.load(layout, "other.example/thing:2", loaded.digest)
        assert not again.fresh
        assert again.image_id == loaded.image_id
        assert self.run(again, "cat", "/hello").strip() == "hello"
        if again.name != loaded.name:
            made.unload(again)

    def test_an_unloaded_image_can_be_loaded_again(self, made: ContainerFactory, layout: Path) -> None:
        """What was brought can be taken away, twice."""
        first = made.load(layout, NAME, tools_image().digest)
        made.unload(first)
        made.unload(first)
        second = made.load(layout, NAME, tools_image().digest)
        assert second.fresh
        assert self.run(second, "cat", "/hello").strip() == "hello"
        made.unload(second)

    @pytest.mark.parametrize("fault", ["short", "changed"])
    def test_a_broken_layer_is_refused_and_mended_by_a_new_load(
        self, made: ContainerFactory, tmp_path: Path, fault: str
    ) -> None:
        """A damaged store is noticed, and nothing is left that looks whole."""
        # A layer that the runtime has already is not looked at again, so this one is new to it.
        image = make_image([busybox_files() | {"own": uuid.uuid4().hex.encode()}], platform=machine_platform())
        layout = image.write_layout(tmp_path / "broken")
        path = layout / "blobs" / "sha256" / image.layers[0][7:]
        data = bytearray(path.read_bytes())
        if fault == "short":
            del data[-100:]
        else:
            data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(WfxError) as caught:
            made.load(layout, "wfx/broken:1", image.digest)
        assert caught.value.exit_code in (5, 7)
        path.write_bytes(image.blobs[image.layers[0]])
        good = made.load(layout, "wfx/broken:1", image.digest)
        assert good.fresh
        assert len(self.run(good, "cat", "/own").strip()) == 32
        made.unload(good)

    # -- how an engine reaches it

    def wrapped(self, made: ContainerFactory, run: str, folder: Path) -> Path:
        """Write the wrapper as the core does."""
        folder.mkdir()
        path = folder / self.factory.keys[0]
        path.write_text(made.access(run).wrapper)
        path.chmod(0o755)
        return path

    def test_what_an_engine_needs_is_there(self, made: ContainerFactory, loaded: LoadedImage) -> None:
        """The program is one that can be called, and what a sandbox is to show exists."""
        access = made.access("r1")
        assert shutil.which(access.program) == access.program
        assert all(path.exists() for path in (*access.readable, *access.writable))

    def test_pulling_is_refused(self, made: ContainerFactory, tmp_path: Path) -> None:
        """A run fetches nothing behind the plan's back."""
        wrapper = self.wrapped(made, "r1", tmp_path / "bin")
        for command in (["pull", "registry.example/x"], ["pull", "docker://registry.example/x"]):
            done = subprocess.run([wrapper, *command], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1
            assert "not planned" in done.stderr

    def test_the_wrapper_gives_containers_the_run_s_label(
        self, made: ContainerFactory, loaded: LoadedImage, tmp_path: Path
    ) -> None:
        """An engine that has no option for labels leaves nothing behind either."""
        if not made.access("r1").cleaning:
            pytest.skip("its containers end with the engine")
        run = f"test-{uuid.uuid4().hex[:8]}"
        wrapper = self.wrapped(made, run, tmp_path / "bin")
        command = [str(wrapper), "run", "--detach", "--network", "none", loaded.name, "sleep", "100"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        access = made.access(run)
        variables = [f"{name}={value}" for name, value in access.environment.items()]
        listing = ["env", *variables, access.program, "ps", "-aq", "--filter", f"label={RUN_LABEL}={run}"]

        def left() -> list[str]:
            return subprocess.run(listing, check=True, capture_output=True, text=True, timeout=60).stdout.split()

        assert len(left()) == 1
        made.clean(run)
        wait_until(lambda: not left(), "the run's container is gone")
