"""The contract of fetchers, over an htsget server on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx_htsget import HtsgetFetcher


class TestHtsget(FetcherContract):
    fetcher = HtsgetFetcher

    @pytest.fixture
    def place(self, server: Any) -> Any:
        return server

    def put(self, place: Any, data: bytes) -> Reference:
        return place.publish(f"/reads/sample{len(place.resources)}", [place.Part(data)])

    def cut(self, place: Any, data: bytes) -> None:
        super().cut(place, data)
        for resource in self._resources(place, data):
            # Without a mark of what it is, a block does not go on where it was cut.
            resource.etag = None

    def missing(self, place: Any) -> Reference:
        return place.refuse("/reads/none", 404, "NotFound", "no such reads")
