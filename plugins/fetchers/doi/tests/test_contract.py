"""The contract of fetchers, over the resolvers on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_doi import CurieResolver, HandleResolver


class Resolvers(FetcherContract):
    fetcher = HandleResolver

    @pytest.fixture
    def place(self, services: Any) -> Any:
        return services

    @pytest.fixture(autouse=True)
    def resolver(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = place.sections


class TestDoi(Resolvers):
    fetcher = HandleResolver

    def put(self, place: Any, data: bytes) -> Reference:
        name = f"10.5072/x.{len(place.resources)}"
        place.handle(name, ("URL", place.add(f"/files/{len(place.resources)}", data)))
        return Reference(f"doi:{name}")

    def missing(self, place: Any) -> Reference:
        return Reference("doi:10.5072/none")


class TestHandle(Resolvers):
    fetcher = HandleResolver

    def put(self, place: Any, data: bytes) -> Reference:
        name = f"20.500.12345/{len(place.resources)}"
        place.handle(name, ("URL", place.add(f"/files/{len(place.resources)}", data)))
        return Reference(f"hdl:{name}")

    def missing(self, place: Any) -> Reference:
        return Reference("hdl:20.500.12345/none")


class TestCurie(Resolvers):
    fetcher = CurieResolver

    def put(self, place: Any, data: bytes) -> Reference:
        number = len(place.resources)
        place.prefix(f"lab:{number}", [place.add(f"/files/{number}", data)])
        return Reference(f"curie:lab:{number}")

    def missing(self, place: Any) -> Reference:
        return Reference("curie:lab:none")


del Resolvers
