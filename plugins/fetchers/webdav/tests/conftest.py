"""WebDAV servers on loopback: the kit's web server as one that goes wrong, and wsgidav as a real one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cheroot import wsgi
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_webdav import WebdavFetcher
from wsgidav.wsgidav_app import WsgiDAVApp


class DavPlace:
    """A folder behind a WebDAV server; `paths` are where it is mounted, `users` who may read."""

    def __init__(self, folder: Path, paths: tuple[str, ...] = ("/",), users: dict[str, str] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        mapping: Any = {name: {"password": password} for name, password in (users or {}).items()} or True
        logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
        app = WsgiDAVApp({
            "provider_mapping": {path: {"root": str(folder), "readonly": True} for path in paths},
            "simple_dc": {"user_mapping": {"*": mapping}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "verbose": 0,
            "logging": {"enable": False},
        })  # fmt: skip

        def noting(environ: dict[str, Any], start_response: Any) -> Any:
            self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            return app(environ, start_response)

        self.server = wsgi.Server(("127.0.0.1", 0), noting, numthreads=4)
        self.server.shutdown_timeout = 0.1
        self.server.expiration_interval = 0.02
        self.server.prepare()
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"webdav://127.0.0.1:{self.server.bind_addr[1]}"

    def write(self, path: str, data: bytes) -> Reference:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return Reference(f"{self.url}/{path}")

    def close(self) -> None:
        self.server.stop()
        self.thread.join(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., DavPlace]]:
    made: list[DavPlace] = []

    def start(*paths: str, users: dict[str, str] | None = None) -> DavPlace:
        made.append(DavPlace(tmp_path / "files", paths or ("/",), users))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    made = FetchBench(tmp_path / "bench", [WebdavFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()
