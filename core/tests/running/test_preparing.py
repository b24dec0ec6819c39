"""What an engine makes ready of a run while it is staged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from wfx import closures, preparing
from wfx.engines import Engine, EngineCapabilities, Recognition
from wfx.errors import OfflineError
from wfx.references import Reference
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox
from wfx.session import Session
from wfx.testing.benches import plugins_of
from wfx.testing.servers import FaultServer

REACH = """\
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
    open("reached", "w").close()
except OSError:
    pass
print("{}", flush=True)
sys.stdin.read()
"""


class Preparing(Engine):
    """Tries to reach a server from the process that may, and notes what it was told."""

    keys = ("prepared.prepared",)
    capabilities = EngineCapabilities("prepared", "Prepared", "Prepared")
    origins: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        return Recognition(cls.keys[0], "main.x", "1", "main.x")

    def version(self) -> str:
        return "1"

    def describe(self, entry: str, fragment: str = "") -> Any:
        raise NotImplementedError

    def read_inputs(self, document: bytes, name: str) -> Any:
        return {}

    def run(self, staged: Any, events: Any, handle: Any) -> Any:
        raise NotImplementedError

    def brings(self, plan: Any) -> tuple[str, ...]:
        return self.origins

    def prepare(self, plan: Any, online: Any) -> None:
        port = self.origins[0].rpartition(":")[2]
        assert online.launch([sys.executable, "-c", REACH, port]).receive() == {}
        (online.state / "asked").write_text(str(dict(self.options)))


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Return a function that prepares a run in a directory and returns the engine's folder in it."""
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    (tmp_path / "main.x").write_text("x")
    (tmp_path / "scratch").mkdir()

    def run(origins, *, offline=False):
        cls = type("Preparing", (Preparing,), {"origins": origins})
        session = Session(offline=offline, plugins=plugins_of(engines=[cls]))
        closure = closures.collect(Reference.of_path(tmp_path / "main.x"), session, scratch=tmp_path / "scratch")
        with RunDirectory.claim(tmp_path / "run", request="r", name="n") as directory:
            told: list[str] = []
            preparing.prepare(
                directory, None, closure, Sandbox.choose("auto"), session,
                options={"a": "b"}, installation=None, tell=told.append,
            )  # fmt: skip
            return directory.engine_state, told, session.contacts()

    return run


def test_what_it_starts_reaches_the_network_and_is_told_and_journalled(prepare):
    with FaultServer() as server:
        state, told, contacts = prepare((server.url,))
    assert (state / "reached").exists()
    assert (state / "asked").read_text() == "{'a': 'b'}"
    assert [server.url in text for text in told] == [True]
    assert server.url in {contact.origin for contact in contacts}


def test_an_engine_that_brings_nothing_starts_nothing(prepare):
    state, told, contacts = prepare(())
    assert not (state / "asked").exists()
    assert (told, tuple(contacts)) == ([], ())


def test_offline_it_is_refused_before_anything_starts(prepare):
    with pytest.raises(OfflineError):
        prepare(("https://packages.example.org",), offline=True)
