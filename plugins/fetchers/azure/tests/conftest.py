"""Stores on loopback: the kit's web server as one that goes wrong, and Azurite, the emulator that is in use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from wfx.fetching import Net
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer
from wfx_azure import AzureFetcher
from wfx_azure.proofs import VERSION

# What every Azurite has, by its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzureBench(FetchBench):
    """A bench whose log-in is for the container, and whose account is at an endpoint."""

    def at(self, endpoint: str, **more: Any) -> AzureBench:
        self.network = {"sections": {"fetcher.azure": {"endpoint": endpoint, "account": ACCOUNT, **more}}}
        return self

    def login(self, origin: str, user: str, password: str) -> None:
        self.environment["WFX_TOKEN_CONTAINER"] = password


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path) -> Iterator[AzureBench]:
    made = AzureBench(tmp_path / "bench", [AzureFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


class Emulator:
    """A running Azurite, and how things are put there: with Shared Key, which the fetcher does not use."""

    def __init__(self, port: int) -> None:
        self.endpoint, self.key = f"http://127.0.0.1:{port}/{ACCOUNT}", KEY
        self._net = Net()

    def container(self, name: str, *, public: bool = False) -> None:
        self._put(
            f"{self.endpoint}/{name}?restype=container", {"x-ms-blob-public-access": "container"} if public else {}
        )

    def put(self, name: str, data: bytes, container: str = "container") -> None:
        self._put(f"{self.endpoint}/{container}/{quote(name)}", {"x-ms-blob-type": "BlockBlob"}, data)

    def snapshot(self, name: str, container: str = "container") -> str:
        url = f"{self.endpoint}/{container}/{quote(name)}?comp=snapshot"
        return str(self._put(url, {})["x-ms-snapshot"])

    def _put(self, url: str, headers: dict[str, str], data: bytes = b"") -> dict[str, str]:
        """https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
        parts = urlsplit(url)
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {**headers, "x-ms-date": now, "x-ms-version": VERSION, "Content-Type": "application/octet-stream"}
        mine = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith("x-ms-"))
        query = "".join(f"\n{name}:{value}" for name, value in sorted(parse_qsl(parts.query)))
        length = str(len(data)) if data else ""
        text = f"PUT\n\n\n{length}\n\napplication/octet-stream\n\n\n\n\n\n\n{mine}/{ACCOUNT}{parts.path}{query}"
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        proof = {"Authorization": f"SharedKey {ACCOUNT}:{signature}"}
        body = self._net.http(url, method="PUT", data=data, headers={**headers, **proof}, anonymous=True)
        body.read()
        return body.headers


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    program = require_program("azurite-blob", package="scripts/runtimes stores")
    folder = tmp_path_factory.mktemp("azurite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--inMemoryPersistence",
             "--disableTelemetry", "--disableProductStyleUrl"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
        yield Emulator(port)
    finally:
        process.terminate()
        process.wait(20)
