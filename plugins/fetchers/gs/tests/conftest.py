"""Stores on loopback: the kit's web server as one that goes wrong, and fake-gcs-server, the emulator that is in use."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from wfx.fetching import Net
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer
from wfx_gs import GsFetcher, tokens


class GsBench(FetchBench):
    """A bench whose log-in is a token for the bucket, and whose store is at an endpoint."""

    def at(self, endpoint: str, **more: Any) -> GsBench:
        self.network = {"sections": {"fetcher.gs": {"endpoint": endpoint, **more}}}
        return self

    def login(self, origin: str, user: str, password: str) -> None:
        self.environment["WFX_TOKEN_BUCKET"] = password


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    tokens._known.clear()
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path) -> Iterator[GsBench]:
    made = GsBench(tmp_path / "bench", [GsFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="session")
def path_of() -> Callable[[str], str]:
    """Return where an object's bytes are in the JSON API."""

    def make(name: str, bucket: str = "bucket") -> str:
        return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"

    return make


class Emulator:
    """A running fake-gcs-server, and how things are put there."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self._net = endpoint, Net()

    def bucket(self, name: str, *, versions: bool = False) -> None:
        data = json.dumps({"name": name, "versioning": {"enabled": versions}}).encode()
        self._send("/storage/v1/b?project=p", data)

    def put(self, name: str, data: bytes, bucket: str = "bucket") -> Any:
        return self._send(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}", data)

    def _send(self, path: str, data: bytes) -> Any:
        headers = {"Content-Type": "application/json" if path.startswith("/storage") else "application/octet-stream"}
        return json.loads(self._net.http(self.endpoint + path, method="POST", data=data, headers=headers).read())


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    program = require_program("fake-gcs-server", package="scripts/runtimes stores")
    folder = tmp_path_factory.mktemp("fake-gcs")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-log-level",
             "error", "-public-host", f"127.0.0.1:{port}"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
        yield Emulator(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)
