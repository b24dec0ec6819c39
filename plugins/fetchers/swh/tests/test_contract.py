"""The contract of fetchers, over an archive on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_swh import ContentFetcher, SwhResolver, SwhTreeFetcher

NONE = "0" * 40


class _Archived:
    @pytest.fixture
    def place(self, archive: Any) -> Any:
        return archive

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.swh": {"server": place.url}}


class TestTree(_Archived, FetcherContract):
    fetcher = SwhTreeFetcher

    def put_tree(self, place: Any, files: Mapping[str, bytes]) -> Reference:
        return Reference(f"swh-tree:1:dir:{place.tree(files)}")

    def missing(self, place: Any) -> Reference:
        return Reference(f"swh-tree:1:dir:{NONE}")


class TestContent(_Archived, FetcherContract):
    fetcher = ContentFetcher

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(f"swh-content:1:cnt:{place.store('blob', data)}")

    def missing(self, place: Any) -> Reference:
        return Reference(f"swh-content:1:cnt:{NONE}")


class TestResolver(_Archived, FetcherContract):
    fetcher = SwhResolver
    others = (SwhTreeFetcher, ContentFetcher)

    def put(self, place: Any, data: bytes) -> Reference:
        return Reference(f"swh:1:cnt:{place.store('blob', data)};origin=https://example.org/x;path=/a/b.txt")

    def missing(self, place: Any) -> Reference:
        return Reference(f"swh:1:cnt:{NONE}")
