"""The contract of fetchers, over OSF on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_osf import OsfResolver


class TestOsf(FetcherContract):
    fetcher = OsfResolver

    @pytest.fixture
    def place(self, osf: Any) -> Any:
        return osf

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.osf": {"api": f"{place.url}/v2"}}

    def put(self, place: Any, data: bytes) -> Reference:
        # By md5 alone: what is told by its sha256 is not asked for where the store has it.
        file = place.file("data.bin", data)
        del file["attributes"]["extra"]["hashes"]["sha256"]
        return Reference(place.project(f"n{len(place.resources):04}", {"data.bin": file}))

    def missing(self, place: Any) -> Reference:
        return Reference("osf:none0")
