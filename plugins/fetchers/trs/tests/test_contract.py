"""The contract of fetchers, over a registry on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_trs import DockstoreResolver, TrsFetcher, WorkflowHubResolver


class TestTrs(FetcherContract):
    fetcher = TrsFetcher

    @pytest.fixture
    def place(self, registry: Any) -> Any:
        return registry

    def put_tree(self, place: Any, files: Mapping[str, bytes]) -> Reference:
        number = len(place.resources)
        ref = place.publish(f"wf/{number}", "v1", {f"wf/{path}": data for path, data in files.items()})
        return Reference(f"{ref.uri}#path=wf")

    def missing(self, place: Any) -> Reference:
        return Reference(f"trs://{place.host}/none/v1")


class TestDockstore(FetcherContract):
    fetcher = DockstoreResolver
    others = (TrsFetcher,)

    @pytest.fixture
    def place(self, registry: Any) -> Any:
        registry.base = "/api/ga4gh/trs/v2"
        return registry

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.trs": {"dockstore": f"{place.url}/api/ga4gh/trs/v2"}}

    def put(self, place: Any, data: bytes) -> Reference:
        number = len(place.resources)
        place.publish(f"#workflow/github.com/lab/repo/w{number}", "v1", {"main.cwl": data})
        return Reference(f"dockstore:github.com/lab/repo/w{number}:v1")

    def missing(self, place: Any) -> Reference:
        return Reference("dockstore:github.com/lab/repo/none")


class TestWorkflowHub(FetcherContract):
    fetcher = WorkflowHubResolver
    others = (TrsFetcher,)

    @pytest.fixture
    def place(self, registry: Any) -> Any:
        return registry

    @pytest.fixture(autouse=True)
    def site(self, place: Any, bench: FetchBench) -> None:
        bench.network["sections"] = {"fetcher.trs": {"workflowhub": place.url}}

    def put(self, place: Any, data: bytes) -> Reference:
        number = 100 + len(place.resources)
        place.add(f"/workflows/{number}/ro_crate?version=2", data, headers={"Content-Type": "application/zip"})
        return Reference(f"workflowhub:{number}@2")

    def missing(self, place: Any) -> Reference:
        return Reference("workflowhub:99@2")
