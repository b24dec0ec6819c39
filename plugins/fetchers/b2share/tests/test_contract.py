"""The contract of fetchers, over B2SHARE on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_b2share import B2shareResolver


class TestB2share(FetcherContract):
    fetcher = B2shareResolver

    @pytest.fixture
    def place(self, b2share: Any) -> Any:
        return b2share

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.b2share": {"server": place.url}}

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(place.record(f"abcde-{len(place.resources):05}", {"data.bin": data}))

    def missing(self, place: Any) -> Reference:
        return Reference("b2share:none0-00000")
