"""The contract of fetchers, over figshare on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_figshare import FigshareResolver


class TestFigshare(FetcherContract):
    fetcher = FigshareResolver

    @pytest.fixture
    def place(self, figshare: Any) -> Any:
        return figshare

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.figshare": {"api": f"{place.url}/v2"}}

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(place.item(10_000 + len(place.resources), {"data.bin": data}))

    def missing(self, place: Any) -> Reference:
        return Reference("figshare:404")
