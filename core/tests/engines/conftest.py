"""Engines without a program, whose versions are files: for the rules about which one serves, and what is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from wfx.config import Config
from wfx.engines import Description, Engine, EngineCapabilities, EngineResult, Recognition
from wfx.errors import EngineError
from wfx.session import Session
from wfx.testing.benches import plugins_of


class Toy(Engine):
    """Finds the version `here`, and can be provided in those that are `published`."""

    keys = ("toy.toy",)
    capabilities = EngineCapabilities("toy", "Toy", "Toy", versions=">=1,<9", provides="3.0")
    here: ClassVar[str] = "2.0"
    published: ClassVar[tuple[str, ...]] = ("1.5", "3.0", "4.1", "5.0")
    provided: ClassVar[list[str]] = []

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        return None

    def version(self) -> str:
        if self.installation is not None:
            return self.installation.version
        if not self.here:
            raise EngineError("Toy is not installed", why="there is none on PATH", remedy="wfx engines install toy")
        return self.here

    @classmethod
    def provide(cls, job: Any) -> str:
        cls.provided.append(job.version)
        job.note("writing it")
        if job.version not in cls.published:
            raise EngineError("no such version", why="nobody has published it")
        (job.into / "bin").mkdir()
        (job.into / "bin/toy").write_text(f"toy {job.version}")
        (job.into / "toy").symlink_to("bin/toy")
        job.add("toy", job.version, hashlib.sha256(job.version.encode()).hexdigest())
        return job.version

    def describe(self, entry: str, fragment: str = "") -> Description:
        raise NotImplementedError

    def read_inputs(self, document: bytes, name: str) -> Any:
        raise NotImplementedError

    def run(self, staged: Any, events: Any, handle: Any) -> EngineResult:
        raise NotImplementedError


@pytest.fixture
def toy() -> type[Toy]:
    """An engine of the test's own, to change."""
    return type("Toy", (Toy,), {"provided": []})


@pytest.fixture
def session(tmp_path: Path, toy: type[Toy]) -> Iterator[Callable[..., Session]]:
    """Make sessions in one home."""
    made = []

    def make(*, offline: bool = False, settings: str = "") -> Session:
        (tmp_path / "home/config").mkdir(parents=True, exist_ok=True)
        (tmp_path / "home/config/config.toml").write_text(settings)
        config = Config.load(
            environment={"WFX_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}, directory=tmp_path
        )
        made.append(Session(config, offline=offline, plugins=plugins_of(engines=[toy])))
        return made[-1]

    yield make
    for each in made:
        each.close()
