"""The contract of fetchers, over Zenodo on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_zenodo import ZenodoResolver


class TestZenodo(FetcherContract):
    fetcher = ZenodoResolver

    @pytest.fixture
    def place(self, zenodo: Any) -> Any:
        return zenodo

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.zenodo": {"server": place.url}}

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(place.record(1000 + 2 * len(place.resources), {"data.bin": data}))

    def missing(self, place: Any) -> Reference:
        return Reference("zenodo:404")
