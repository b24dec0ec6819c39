from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority, make_authority
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer
from wfx_http import HttpFetcher


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), "data.example.org")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def secure(authority: Authority) -> Iterator[FaultServer]:
    with FaultServer(tls=authority.server()) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path, [HttpFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()
