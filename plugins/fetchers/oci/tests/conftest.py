from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.config import Config
from wfx.fetching import Fetched, Source
from wfx.references import Reference
from wfx.session import Session
from wfx.testing.registries import Registry


class Notes:
    """Keeps what a transfer says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, total_items: int, total_bytes: int | None) -> None: ...

    def item(self, name: str, total: int | None) -> None: ...

    def advance(self, name: str, count: int) -> None: ...

    def done(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep the logins and settings of whoever runs the tests out of them; return the home."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith("WFX_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "wfx"))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def open_session(notes: Notes) -> Iterator[Callable[..., Session]]:
    """Open a session on the one store of the test."""
    sessions: list[Session] = []

    def open_(*, offline: bool = False, **settings: object) -> Session:
        session = Session(Config.load({"fetch.retries": 2, **settings}), offline=offline, progress=notes)
        sessions.append(session)
        return session

    yield open_
    for session in sessions:
        session.close()


@pytest.fixture
def fetch(open_session: Callable[..., Session]) -> Callable[..., Fetched]:
    """Fetch one reference."""
    session = open_session()

    def run(uri: str, *, refresh: bool = True, within: Session | None = None) -> Fetched:
        [fetched] = (within or session).fetch([Source(Reference(uri))], refresh=refresh)
        return fetched

    run.session = session  # type: ignore[attr-defined]
    return run


@pytest.fixture
def layout(fetch: Callable[..., Fetched], tmp_path: Path) -> Callable[..., Path]:
    """Write a fetched image out as a layout."""

    def write(fetched: Fetched) -> Path:
        folder = tmp_path / f"layout-{fetched.sha256[:12]}"
        fetch.session.store.place_tree(fetched.sha256, folder)  # type: ignore[attr-defined]
        return folder

    return write
