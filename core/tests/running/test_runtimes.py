"""Which runtime serves a workflow: the user's order, what an engine drives, and what speaks as one that it drives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from wfx import runtimes
from wfx.config import Config
from wfx.containers import Availability, ContainerFactory, FactoryCapabilities, LoadedImage, RuntimeAccess
from wfx.engines import Description, EngineCapabilities, ImageNeed
from wfx.errors import ContainerError, PluginLoadError
from wfx.session import Session

NEEDS = Description("lines.lines", "1", "1", "x", images=(ImageNeed("a:1", "x"),))


class Factory(ContainerFactory):
    """A runtime that is there."""

    usable = True

    def available(self) -> Availability:
        return Availability(version="1") if self.usable else Availability(problem="it is off", remedy="turn it on")

    def load(self, image: Path, name: str, digest: str) -> LoadedImage:
        raise NotImplementedError

    def access(self, run: str) -> RuntimeAccess:
        raise NotImplementedError


class Docker(Factory):
    keys = ("docker",)


class Off(Factory):
    keys = ("docker",)
    usable = False


class Singularity(Factory):
    keys = ("singularity",)


class Speaking(Factory):
    keys = ("aaa",)
    capabilities = FactoryCapabilities(speaks=("docker",))


class Silent(Factory):
    keys = ("bbb",)


@dataclass
class Plugins:
    """The plugins that are there."""

    classes: tuple[type[Factory], ...]

    def keys(self, kind: str) -> list[str]:
        assert kind == "container-factory"
        return sorted([*(cls.keys[0] for cls in self.classes), "broken"])

    def container_factory(self, name: str) -> type[Factory]:
        for cls in self.classes:
            if cls.keys[0] == name:
                return cls
        raise PluginLoadError(f"{name} does not load")


def engine(*containers: str) -> type:
    capabilities = EngineCapabilities(language="lines", name="Lines", language_name="Lines", containers=containers)
    return type("Lines", (), {"capabilities": capabilities})


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("WFX_HOME", str(tmp_path))
    with Session(Config.load()) as session:
        yield session


def choose(session: Session, order: tuple[str, ...], driven: tuple[str, ...], *classes: type[Factory]) -> str:
    session.plugins = Plugins(classes)  # type: ignore[assignment]
    return runtimes.choose(NEEDS, order, engine(*driven), session)[0]


def test_what_speaks_as_docker_serves_an_engine_that_drives_docker(session: Session) -> None:
    assert choose(session, ("aaa",), ("docker", "podman"), Docker, Speaking) == "aaa"
    assert runtimes.spoken("aaa", engine("podman", "docker"), session) == "docker"
    assert runtimes.spoken("docker", engine("docker"), session) == "docker"


def test_without_an_order_it_comes_after_those_that_the_engine_knows(session: Session) -> None:
    assert choose(session, (), ("docker",), Speaking, Docker) == "docker"
    assert choose(session, (), ("docker",), Speaking, Off, Silent) == "aaa"


def test_what_speaks_otherwise_or_not_at_all_is_refused_with_the_reason(session: Session) -> None:
    with pytest.raises(ContainerError, match="aaa: Lines cannot drive it; bbb: Lines cannot drive it"):
        choose(session, ("aaa", "bbb"), ("singularity",), Speaking, Silent, Singularity)


def test_a_runtime_that_nobody_named_is_not_complained_of(session: Session) -> None:
    with pytest.raises(ContainerError) as caught:
        choose(session, (), ("docker",), Off, Silent)
    assert "docker: it is off" in str(caught.value)
    assert "bbb" not in str(caught.value)
    assert "broken" not in str(caught.value)


def test_a_named_plugin_that_does_not_load_is_said(session: Session) -> None:
    with pytest.raises(ContainerError, match="broken: broken does not load"):
        choose(session, ("broken",), ("docker",), Docker)
