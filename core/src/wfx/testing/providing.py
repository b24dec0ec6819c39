"""The contract of engines that wfx can provide, shown by installing one.

::

    @pytest.mark.real
    class TestProvided(ProvidedEngineContract):
        engine = ScriptEngine

        def workflow(self, tree):
            (tree / "hello.script").write_text("greet: echo hello > greeting.txt")
            return "hello.script"

One installation serves all rules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from wfx import provided
from wfx.engines import Engine, Installation
from wfx.errors import EngineError, IntegrityError
from wfx.provided import Kept
from wfx.testing.contracts import files_below
from wfx.testing.enginebench import EngineBench, Outcome
from wfx.testing.requirements import require
from wfx.values import Values

SHA256 = re.compile(r"[0-9a-f]{64}")


class ProvidedEngineContract:
    """What wfx relies on in an engine that it provides.

    - its capabilities name a version that the plugin can drive, and that is the candidate where nothing is asked for;
    - it puts into its folder, and nowhere else beside it, a program that works there: no name of the place where it was
      made stands in it, its packages are listed with their digests;
    - a version that is provided is the version that runs, and a run changes nothing of it.
    """

    engine: ClassVar[type[Engine]]
    version: ClassVar[str] = ""
    """To install; empty: the one that its capabilities name."""
    sandbox: ClassVar[str] = "none"
    _kept: ClassVar[tuple[Kept, list[str], Path] | None]
    _ran: ClassVar[tuple[Outcome, bool] | None]

    # -- what the author gives

    def workflow(self, tree: Path) -> str:
        """Write a workflow with at least one step and one output file; return its main document."""
        raise NotImplementedError

    def values(self, bench: EngineBench) -> Values:
        """Return the inputs of `workflow`."""
        return {}

    # -- the installation

    @pytest.fixture
    def kept(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
        """Return the installation that all rules look at."""
        return self._install(request, tmp_path_factory)[0]

    def _install(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[Kept, list[str], Path]:
        cls = type(self)
        if "_kept" not in cls.__dict__:
            cls._kept = None
            owner = request.node.getparent(pytest.Class)
            owner.addfinalizer(lambda: delattr(cls, "_kept"))
            root, notes = tmp_path_factory.mktemp("engines"), list[str]()
            version = self.version or self.engine.capabilities.provides
            try:
                cls._kept = (provided.install(root, self.engine, version, notes.append), notes, root)
            except EngineError as error:
                require(False, f"it cannot be installed here: {error}")
        assert cls._kept is not None, "the installation that this rule looks at did not come to its end"
        return cls._kept

    @pytest.fixture
    def ran(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kept: Kept
    ) -> Iterator[tuple[Outcome, bool]]:
        """Return a run with the installation, and whether it left that alone."""
        cls = type(self)
        if "_ran" not in cls.__dict__:
            cls._ran = None
            request.node.getparent(pytest.Class).addfinalizer(lambda: delattr(cls, "_ran"))
            before = files_below(kept.folder)
            folder = tmp_path_factory.mktemp("ran") / "run"
            with EngineBench(folder, self.engine, sandbox=self.sandbox, installation=kept.installation) as bench:
                outcome = bench.run(self.workflow(bench.tree), self.values(bench))
            cls._ran = (outcome, files_below(kept.folder) == before)
        assert cls._ran is not None, "the run that this rule looks at did not come to its end"
        yield cls._ran

    # -- rules

    def test_what_it_provides_it_can_drive(self) -> None:
        """Name in the capabilities a version that is among those that the plugin can drive, and take it by default."""
        capabilities = self.engine.capabilities
        assert capabilities.provides, "its capabilities do not say what it provides"
        assert self.engine.fits(capabilities.provides, capabilities.versions)
        assert self.engine.candidate("") == capabilities.provides

    def test_a_version_that_is_provided_is_the_version(self, tmp_path: Path) -> None:
        """Say the version of the installation that the core hands over, and start nothing for it."""
        made = Installation("1.2.3", tmp_path / "no-such")
        with EngineBench(tmp_path / "run", self.engine, installation=made) as bench:
            assert bench.engine.version() == "1.2.3"
            assert bench.host.channels == []

    def test_it_lists_its_packages_with_their_digests(self, kept: Kept) -> None:
        """Write down each part that was installed, with the sha256 of what came."""
        assert kept.packages, "nobody knows what was installed"
        for package in kept.packages:
            assert package.name
            assert SHA256.fullmatch(package.sha256), f"{package.name} has no digest"

    def test_nothing_in_it_names_the_place_of_its_making(self, kept: Kept) -> None:
        """Leave no path in it that leads to the folder in which it was made: that is gone."""
        made = os.fsencode(kept.folder.with_name(f".{kept.folder.name}.part"))
        for path in files_below(kept.folder):
            file = kept.folder / path
            if file.is_file():
                assert made not in file.read_bytes(), f"{path} names the place where it was made"

    def test_it_puts_nothing_beside_its_folder(
        self, kept: Kept, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Write into the folder that it is given, and leave nothing beside it."""
        root = self._install(request, tmp_path_factory)[2]
        assert {path.name for path in root.iterdir()} == {self.engine.keys[0]}
        assert {path.name for path in kept.folder.parent.iterdir()} == {kept.folder.name, provided.LOCK}

    def test_it_says_what_it_does(
        self, kept: Kept, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Tell the user at least once what is being done while it lasts."""
        notes = self._install(request, tmp_path_factory)[1]
        assert len(notes) > 1, "nothing was said but that it is done"

    def test_a_run_uses_it(self, ran: tuple[Outcome, bool], kept: Kept) -> None:
        """Describe and run a workflow with the version that was installed."""
        outcome, _ = ran
        assert outcome.description.engine_version == kept.version
        assert (outcome.result.status, outcome.result.exit_code) == ("completed", 0), outcome.result.error

    def test_a_run_leaves_it_as_it_is(self, ran: tuple[Outcome, bool], kept: Kept) -> None:
        """Change, add and remove nothing in the installation."""
        assert ran[1], "the run changed the installation"
        try:
            provided.verify(kept)
        except IntegrityError as error:
            pytest.fail(str(error))
