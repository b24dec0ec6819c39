from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority
from wfx.testing.servers import FaultServer
from wfx_http import HttpFetcher


class TestHttp(FetcherContract):
    fetcher = HttpFetcher
    userinfo = True

    def put(self, place: FaultServer, data: bytes) -> Reference:
        return Reference(place.add(f"/file%20{len(place.resources)}?a=b", data))

    def missing(self, place: FaultServer) -> Reference:
        return Reference(place.url + "/nothing.txt")


class TestHttps(TestHttp):
    fetcher = HttpFetcher

    @pytest.fixture
    def place(self, authority: Authority) -> Iterator[FaultServer]:
        with FaultServer(tls=authority.server()) as server:
            yield server

    @pytest.fixture
    def bench(self, tmp_path: Path, machine: Path, authority: Authority) -> Iterator[FetchBench]:
        made = FetchBench(tmp_path / "bench", [HttpFetcher])
        made.settings, made.network = {"retries": 0}, {"ca_bundle": str(authority.bundle)}
        yield made
        made.close()
