"""A bench for fetching in one line: a store, a gate and the core's own fetch, as a command would put them together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wfx.downloading import FetchSettings, fetch
from wfx.fetching import Body, Fetched, Fetcher, Net, Source, Span, StreamFetcher
from wfx.hookspecs import hookimpl
from wfx.net import NetSettings
from wfx.net.addresses import split_origin
from wfx.net.credentials import Credentials
from wfx.plugins import PluginManager
from wfx.references import Reference
from wfx.store import Store


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bytes = 0

    def start(self, total_items: int, total_bytes: int | None) -> None:
        """Ignore it."""

    def item(self, name: str, total: int | None) -> None:
        """Ignore it."""

    def advance(self, name: str, count: int) -> None:
        """Add up."""
        self.bytes += count

    def done(self, name: str) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


class PlainHttp(StreamFetcher):
    """What the distribution wfx-http offers: for tests of a plugin that leads to web addresses, installed alone."""

    keys = ("http", "https")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open what a web server has."""
        return net.http(ref.without_fragment().uri, span)


class FetchBench:
    """Fetches into a store of its own; nothing of the user's configuration or environment has a part in it.

    ::

        bench = FetchBench(tmp_path, [MyFetcher])
        assert bench.bytes_of(bench.one("my://thing")) == b"..."
    """

    def __init__(self, folder: Path, fetchers: Sequence[type[Fetcher]] | None = None) -> None:
        """Take the fetchers to use, and no installed ones; None: all that are installed."""
        self.store = Store(folder / "store")
        self.config = folder / "config"
        """Where `credentials.toml` would lie."""
        self.environment: dict[str, str] = {}
        """What the credentials see of one."""
        self.plugins = PluginManager() if fetchers is None else plugins_of(fetchers=fetchers)
        self.progress = Notes()
        self.idle = 5.0
        self.private: tuple[str, ...] = ()
        self.settings: dict[str, Any] = {"retries": 3}
        """Of the fetch (`FetchSettings`)."""
        self.network: dict[str, Any] = {}
        """Of the gate (`NetSettings`)."""

    def net(self, *, offline: bool = False, **settings: Any) -> Net:
        """Return a new gate."""
        limits = NetSettings(
            **{"idle_timeout": self.idle, "allow_private_hosts": self.private, **self.network, **settings}
        )
        return Net(offline=offline, settings=limits, credentials=Credentials(self.config, self.environment))

    def login(self, origin: str, user: str, password: str) -> None:
        """Give credentials for an origin, as the environment would."""
        host, port = split_origin(origin)
        name = f"{re.sub(r'[^A-Za-z0-9]', '_', host).upper()}_{port}"
        self.environment |= {f"WFX_USER_{name}": user, f"WFX_PASSWORD_{name}": password}

    def fetch(
        self, *sources: str | Reference | Source, net: Net | None = None, refresh: bool = True, **settings: Any
    ) -> list[Fetched]:
        """Fetch, with these settings in place of the bench's."""
        gate = net or self.net()
        try:
            return fetch(
                [_source(each) for each in sources], store=self.store, net=gate, plugins=self.plugins,
                progress=self.progress, refresh=refresh, settings=FetchSettings(**{**self.settings, **settings}),
            )  # fmt: skip
        finally:
            gate.close()

    def one(self, source: str | Reference | Source, **options: Any) -> Fetched:
        """Fetch one thing."""
        [answer] = self.fetch(source, **options)
        return answer

    def bytes_of(self, answer: Fetched) -> bytes:
        """Return the bytes of a file that was fetched, and hold them against digest and size."""
        path = answer.local or self.store.blob(answer.sha256)
        assert path is not None, f"the store does not have {answer.reference}"
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == answer.sha256
        assert len(data) == answer.size
        return data

    def files_of(self, answer: Fetched) -> dict[str, bytes]:
        """Return the files of a folder that was fetched."""
        assert answer.kind == "directory", f"{answer.reference} is a file"
        found = {}
        for entry in self.store.manifest(answer.sha256).entries:
            path = self.store.blob(entry.sha256) if entry.sha256 else None
            if path is not None:
                found[entry.path] = path.read_bytes()
        return found

    def clean(self) -> bool:
        """Say whether nothing half-written lies about in the store."""
        return not any((self.store.root / "tmp").iterdir())

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def _source(each: str | Reference | Source) -> Source:
    if isinstance(each, Source):
        return each
    return Source(Reference(each) if isinstance(each, str) else each)


def plugins_of(**offered: Iterable[type[Any]]) -> PluginManager:
    """Return a manager that has just these classes: `plugins_of(fetchers=[…], engines=[…])`."""
    manager = PluginManager(restrict=[])

    class Offer:
        @hookimpl
        def wfx_fetchers(self) -> list[type[Any]]:
            return list(offered.get("fetchers", ()))

        @hookimpl
        def wfx_container_factories(self) -> list[type[Any]]:
            return list(offered.get("container_factories", ()))

        @hookimpl
        def wfx_engines(self) -> list[type[Any]]:
            return list(offered.get("engines", ()))

        @hookimpl
        def wfx_exporters(self) -> list[type[Any]]:
            return list(offered.get("exporters", ()))

    manager.register(Offer())
    return manager
