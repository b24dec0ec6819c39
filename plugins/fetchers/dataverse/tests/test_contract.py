"""The contract of fetchers, over an installation on loopback."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx_dataverse import DataverseResolver


class TestDataverse(FetcherContract):
    fetcher = DataverseResolver

    @pytest.fixture
    def place(self, dataverse: Any) -> Any:
        return dataverse

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(place.dataset({"data.bin": data}, pid=f"doi:10.7910/DVN/N{len(place.resources)}"))

    def missing(self, place: Any) -> Reference:
        return Reference(place.where("doi:10.7910/DVN/NONE"))
