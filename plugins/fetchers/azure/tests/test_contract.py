"""The contract of fetchers, against a store that goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.servers import FaultServer
from wfx_azure import AzureFetcher


class TestAzure(FetcherContract):
    fetcher = AzureFetcher

    @pytest.fixture
    def bench(self, tmp_path: Path, bench: Any, place: FaultServer) -> Any:
        return bench.at(f"{place.url}/account")

    def put(self, place: FaultServer, data: bytes) -> Reference:
        name = f"runs/{len(place.resources)}%20a%2Bb.bin"
        place.add(f"/account/container/{name}", data)
        return Reference(f"az://container/{name}")

    def missing(self, place: FaultServer) -> Reference:
        return Reference("az://container/none.bin")

    def guard(self, place: FaultServer, user: str, password: str) -> None:
        for resource in place.resources.values():
            resource.authorization = f"Bearer {password}"
