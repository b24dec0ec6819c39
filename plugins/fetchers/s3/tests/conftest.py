"""Stores on loopback: the kit's web server as one that goes wrong, and versitygw as a real one."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Net
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer
from wfx_s3 import S3Fetcher, stores
from wfx_s3.signing import Keys, path_text, signed

REGION = "eu-north-1"
KEYS = Keys("AKIDTESTTEST", "canary-secret-key-9f3b")


class S3Bench(FetchBench):
    """A bench whose log-ins are keys for the bucket, and whose store is at an endpoint."""

    def at(self, endpoint: str, **more: Any) -> S3Bench:
        self.network = {"sections": {"fetcher.s3": {"endpoint": endpoint, **more}}}
        return self

    def login(self, origin: str, user: str, password: str) -> None:
        self.environment |= {"WFX_USER_BUCKET": user, "WFX_PASSWORD_BUCKET": password}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION",
                 "ENDPOINT_URL", "ENDPOINT_URL_S3", "CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):  # fmt: skip
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for known in (stores._regions, stores._clocks):
        known.clear()
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path) -> Iterator[S3Bench]:
    made = S3Bench(tmp_path / "bench", [S3Fetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def refusal() -> Callable[..., bytes]:
    def make(code: str, message: str = "No.", **more: str) -> bytes:
        rest = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
        return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>{rest}</Error>'.encode()

    return make


# -- the real one


class RealStore:
    """A running versitygw, and how things are put there."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self.keys, self.region = endpoint, KEYS, REGION
        self._net = Net()

    def put(self, path: str, data: bytes = b"", query: str = "", **headers: str) -> dict[str, str]:
        url = self.endpoint + path_text(path) + (f"?{query}" if query else "")
        proof = signed(
            url, headers, KEYS, REGION, datetime.now(UTC), method="PUT", payload=hashlib.sha256(data).hexdigest()
        )  # fmt: skip
        body = self._net.http(url, method="PUT", data=data, headers=proof, anonymous=True)
        body.read()
        return body.headers

    def open_to_all(self, bucket: str) -> None:
        allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
                   "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}  # fmt: skip
        self.put(f"/{bucket}", json.dumps({"Version": "2012-10-17", "Statement": [allowed]}).encode(), "policy=")


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStore]:
    program = require_program("versitygw", package="scripts/runtimes stores")
    folder = tmp_path_factory.mktemp("versitygw")
    for name in ("data", "versions", "sidecar"):
        (folder / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [program, "--port", f"127.0.0.1:{port}", "--access", KEYS.access_key, "--secret", KEYS.secret_key,
             "--region", REGION, "--keep-alive", "--quiet", "posix", "--sidecar", str(folder / "sidecar"),
             "--versioning-dir", str(folder / "versions"), str(folder / "data")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
        yield RealStore(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)
