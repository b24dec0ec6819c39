"""The contract of fetchers, against a store that goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.servers import FaultServer
from wfx_gs import GsFetcher


class TestGs(FetcherContract):
    fetcher = GsFetcher

    @pytest.fixture(autouse=True)
    def paths(self, path_of: Callable[..., str]) -> None:
        self.path_of = path_of

    @pytest.fixture
    def bench(self, tmp_path: Path, bench: Any, place: FaultServer) -> Any:
        return bench.at(place.url)

    def put(self, place: FaultServer, data: bytes) -> Reference:
        name = f"runs/{len(place.resources)} a+b.bin"
        place.add(self.path_of(name), data)
        return Reference(f"gs://bucket/{name.replace(' ', '%20')}")

    def missing(self, place: FaultServer) -> Reference:
        return Reference("gs://bucket/none.bin")

    def guard(self, place: FaultServer, user: str, password: str) -> None:
        for resource in place.resources.values():
            resource.authorization = f"Bearer {password}"
