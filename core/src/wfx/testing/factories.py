"""The contract of container factories.

::

    @pytest.mark.real
    class TestNerdctl(ContainerFactoryContract):
        factory = NerdctlFactory

        def has(self, factory, image):
            return image.name in nerdctl("images")

        def start(self, factory, run):
            return nerdctl("run", "-d", "--label", f"wfx.run={run}", …)

        def containers(self, factory):
            return set(nerdctl("ps", "-q"))
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from wfx.containers import (
    Availability,
    ContainerFactory,
    FactoryCapabilities,
    FactoryContext,
    LoadedImage,
    RuntimeAccess,
)
from wfx.errors import ContainerError, IntegrityError, WfxError
from wfx.testing.contracts import check_keys, files_below
from wfx.testing.images import machine_platform, make_image
from wfx.testing.machines import private_machine

RUN, OTHER_RUN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NAME = "registry.example.org/tools/hello:1.0"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image as the store has it."""

    path: Path
    name: str
    digest: str


class ContainerFactoryContract:
    """What wfx relies on in a container factory; a subclass gives the class and looks into its runtime.

    The rules, each a test of its own:

    - to look whether the runtime is there never raises, and says either a version or what is wrong with what to do;
    - an image is loaded from the store alone, without the network, is only read there, and is named so that an engine
      finds it; to load it again brings the same name, and says that it was there;
    - an image that is not what its digest says is refused, and not left in the runtime;
    - access names the run's label for each start, so that cleaning removes the containers of one run, and of no other;
    - the keys are the names of the package's entry points.

    Mark the class `real` where it drives a real runtime, and require it in `context` or a fixture.
    """

    factory: ClassVar[type[ContainerFactory]]

    # -- what the author gives

    def context(self, folder: Path) -> FactoryContext:
        """Return what the factory gets; `folder` is for converted images."""
        return FactoryContext(cache=folder)

    def image(self, folder: Path) -> StoredImage:
        """Write an image into `folder`, in a form that the runtime loads; each call may bring the same one."""
        made = make_image([{"hello": b"hello\n"}], platform=machine_platform())
        return StoredImage(made.write_layout(folder / "layout"), NAME, made.digest)

    def has(self, factory: ContainerFactory, image: LoadedImage) -> bool:
        """Say whether the runtime has the image under the name that an engine gets."""
        raise NotImplementedError

    def start(self, factory: ContainerFactory, run: str) -> str:
        """Start a container that stays, as an engine of that run would; return its id."""
        raise NotImplementedError

    def containers(self, factory: ContainerFactory) -> set[str]:
        """Return the ids of the containers that there are."""
        raise NotImplementedError

    # -- the bench

    @pytest.fixture
    def made(self, tmp_path: Path) -> ContainerFactory:
        """Return the factory."""
        cache = tmp_path / "cache"
        cache.mkdir()
        return self.factory(self.context(cache))

    @pytest.fixture
    def stored(self, tmp_path: Path) -> StoredImage:
        """Return an image of the store."""
        folder = tmp_path / "stored"
        folder.mkdir()
        return self.image(folder)

    @pytest.fixture
    def loaded(self, made: ContainerFactory, stored: StoredImage) -> Iterator[LoadedImage]:
        """Return the image as it was loaded."""
        image = made.load(stored.path, stored.name, stored.digest)
        yield image
        with contextlib.suppress(WfxError):
            made.unload(image)

    # -- the rules

    def test_a_runtime_that_is_there_says_its_version(self, made: ContainerFactory) -> None:
        """Give a version, on one line, and no problem."""
        found = made.available()
        assert isinstance(found, Availability)
        assert found.usable, f"the contract needs the runtime: {found.problem}"
        assert "\n" not in found.version
        assert not found.problem

    def test_a_runtime_that_is_missing_is_said_with_the_remedy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Raise nothing on a machine that has no program at all: say what is wrong, and what to do."""
        private_machine(tmp_path / "bare", monkeypatch)
        for name in list(os.environ):
            if name.endswith("_HOST"):
                monkeypatch.delenv(name)
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        found = self.factory(FactoryContext(cache=tmp_path)).available()
        assert not found.usable
        assert found.problem, "it says nothing of what is wrong"
        assert found.remedy, "it says nothing of what to do"

    def test_an_image_is_loaded_under_a_name_that_engines_find(
        self, made: ContainerFactory, stored: StoredImage, loaded: LoadedImage
    ) -> None:
        """Return the name, the digest that the plan records, and an id of the runtime's own."""
        assert loaded.name
        assert loaded.digest == stored.digest
        assert loaded.image_id
        assert self.has(made, loaded), f"the runtime does not know {loaded.name}"

    def test_to_load_again_brings_the_same(
        self, made: ContainerFactory, stored: StoredImage, loaded: LoadedImage
    ) -> None:
        """Leave what is there, say so, and give it the same name."""
        again = made.load(stored.path, stored.name, stored.digest)
        assert (again.name, again.image_id) == (loaded.name, loaded.image_id)
        assert not again.fresh, "it says that it had to load what was there"

    def test_the_stored_image_is_only_read(self, made: ContainerFactory, stored: StoredImage) -> None:
        """Change nothing of the store's: it may be linked into other runs."""
        before = files_below(stored.path.parent)
        with contextlib.suppress(WfxError):
            made.unload(made.load(stored.path, stored.name, stored.digest))
        assert files_below(stored.path.parent) == before

    def test_loading_needs_no_network(
        self, made: ContainerFactory, stored: StoredImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Take everything from the store: a daemon's own socket is all that may be opened."""
        opened: list[object] = []
        real = socket.socket.connect

        def connect(self: socket.socket, address: object) -> None:
            if self.family != socket.AF_UNIX:
                opened.append(address)
                raise OSError("a test lets nobody out")
            real(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr("socket.socket.connect", connect)
        with contextlib.suppress(WfxError):
            made.unload(made.load(stored.path, stored.name, stored.digest))
        assert opened == []

    def test_an_image_that_is_not_its_digest_is_refused(self, made: ContainerFactory, stored: StoredImage) -> None:
        """Compare what was loaded with the digest, and leave nothing in the runtime where it differs."""
        digest = "sha256:" + hashlib.sha256(b"another").hexdigest()
        with pytest.raises((ContainerError, IntegrityError)):
            made.load(stored.path, stored.name, digest)

    def test_an_image_that_is_broken_is_an_error_with_its_name(
        self, made: ContainerFactory, stored: StoredImage
    ) -> None:
        """Say which image it is that cannot be loaded."""
        largest = max((p for p in _files(stored.path)), key=lambda p: p.stat().st_size)
        largest.chmod(0o644)
        largest.write_bytes(b"\0" * 100)
        with pytest.raises((ContainerError, IntegrityError)) as caught:
            made.load(stored.path, stored.name, stored.digest)
        assert stored.name in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_access_names_the_runs_label(self, made: ContainerFactory) -> None:
        """Give the program, and options by which every container of the run can be found again."""
        access = made.access(RUN)
        assert isinstance(access, RuntimeAccess)
        assert Path(access.program).is_absolute()
        if self.factory.capabilities.daemon:
            said = " ".join(access.run_options) + access.wrapper
            assert f"wfx.run={RUN}" in said, "containers carry no label, and outlive the run"

    def test_cleaning_removes_the_containers_of_the_run_alone(
        self, made: ContainerFactory, loaded: LoadedImage
    ) -> None:
        """Remove what carries the run's label; what is another run's, or nobody's, stays."""
        mine, other = self.start(made, RUN), self.start(made, OTHER_RUN)
        try:
            assert {mine, other} <= self.containers(made)
            made.clean(RUN)
            left = self.containers(made)
            assert mine not in left, "a container of the run is left"
            assert other in left, "a container of another run was removed"
        finally:
            made.clean(OTHER_RUN)

    def test_to_clean_what_is_clean_is_nothing(self, made: ContainerFactory) -> None:
        """Do nothing, twice, where the run has left nothing."""
        before = self.containers(made)
        made.clean(RUN)
        made.clean(RUN)
        assert self.containers(made) == before

    def test_its_keys_are_the_entry_points(self) -> None:
        """Name in pyproject.toml what the class has as `keys`, and say what it can load."""
        check_keys(self.factory, "container-factory")
        capabilities = self.factory.capabilities
        assert isinstance(capabilities, FactoryCapabilities)
        assert capabilities.formats
        assert set(capabilities.formats) <= {"oci", "sif"}


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
