from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.downloading import FetchSettings, fetch
from wfx.fetching import Expected, Fetched, Source
from wfx.net import Net, NetSettings
from wfx.net.credentials import Credentials
from wfx.plugins import PluginManager
from wfx.references import Reference
from wfx.store import Store
from wfx.testing.servers import FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bytes = 0

    def start(self, total_items: int, total_bytes: int | None) -> None: ...

    def item(self, name: str, total: int | None) -> None: ...

    def advance(self, name: str, count: int) -> None:
        self.bytes += count

    def done(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


class Bench:
    """Fetches in one line."""

    def __init__(self, store: Store, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.config = store, config
        self.environment: dict[str, str] = {}
        self.plugins = PluginManager()
        self.progress = Notes()
        self.idle = 5.0
        self.private: tuple[str, ...] = ()
        monkeypatch.setattr("wfx.transfers.random.uniform", lambda low, high: 0.02)

    def net(self, **options: Any) -> Net:
        settings = NetSettings(idle_timeout=self.idle, allow_private_hosts=self.private)
        return Net(settings=settings, credentials=Credentials(self.config, self.environment), **options)

    def fetch(
        self, *sources: str | Source, net: Net | None = None, refresh: bool = True, **settings: Any
    ) -> list[Fetched]:
        listed = [Source(Reference(s)) if isinstance(s, str) else s for s in sources]
        gate = net or self.net()
        try:
            return fetch(
                listed, store=self.store, net=gate, plugins=self.plugins, progress=self.progress, refresh=refresh,
                settings=FetchSettings(**{"retries": 3, **settings}),
            )  # fmt: skip
        finally:
            gate.close()

    def one(self, source: str | Source, **options: Any) -> Fetched:
        [answer] = self.fetch(source, **options)
        return answer

    def bytes_of(self, answer: Fetched) -> bytes:
        path = self.store.blob(answer.sha256)
        assert path is not None
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == answer.sha256
        assert len(data) == answer.size
        return data

    def clean(self) -> bool:
        """Say whether nothing lies about: no temporary file, nothing half-written."""
        return not any((self.store.root / "tmp").iterdir())


@pytest.fixture
def bench(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(store, tmp_path / "config", monkeypatch)


@pytest.fixture
def stated() -> Callable[..., Source]:
    def make(url: str, data: bytes | None = None, **expected: Any) -> Source:
        if data is not None:
            expected.setdefault("sha256", hashlib.sha256(data).hexdigest())
        return Source(Reference(url), Expected(**expected))

    return make
