"""The contract of fetchers, over a data repository on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx_drs import DrsResolver, ObjectFetcher


class TestIdentifiers(FetcherContract):
    fetcher = DrsResolver
    others = (ObjectFetcher,)

    @pytest.fixture
    def place(self, repository: Any) -> Any:
        return repository

    def put(self, place: Any, data: bytes) -> Reference:
        return place.put(f"object/{len(place.resources)}", data)

    def missing(self, place: Any) -> Reference:
        return Reference(f"drs://{place.host}/none")


class TestObjects(FetcherContract):
    fetcher = ObjectFetcher

    @pytest.fixture
    def place(self, repository: Any) -> Any:
        return repository

    def put(self, place: Any, data: bytes) -> Reference:
        identifier = f"object{len(place.resources)}"
        place.put(identifier, data)
        return Reference(f"drs-object+{place.url}{place.path(identifier)}")

    def missing(self, place: Any) -> Reference:
        return Reference(f"drs-object+{place.url}{place.path('none')}")
