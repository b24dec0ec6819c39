"""Workflows by the addresses that people copy from a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.fetching import Reference
from wfx.testing import FetcherContract
from wfx.testing.servers import FaultServer
from wfx_galaxy import GalaxyWorkflowResolver
from wfx_galaxy.pages import document_of


class TestPages(FetcherContract):
    fetcher = GalaxyWorkflowResolver

    @pytest.fixture
    def place(self) -> Iterator[FaultServer]:
        with FaultServer() as server:
            yield server

    def put(self, place: FaultServer, data: bytes) -> Reference:
        number = f"{len(place.resources):016x}"
        place.add(f"/api/workflows/{number}/download?format=json-download", data)
        return Reference(f"galaxy+{place.url}/api/workflows/{number}")

    def missing(self, place: FaultServer) -> Reference:
        return Reference(f"galaxy+{place.url}/api/workflows/ffff")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://usegalaxy.eu/api/workflows/0a1b",
            "https://usegalaxy.eu/api/workflows/0a1b/download?format=json-download",
        ),
        (
            "https://x.org/g/api/workflows/0a1b/download?format=json-download",
            "https://x.org/g/api/workflows/0a1b/download?format=json-download",
        ),
        (
            "https://usegalaxy.org/published/workflow?id=0a1b",
            "https://usegalaxy.org/api/workflows/0a1b/download?format=json-download",
        ),
        (
            "https://usegalaxy.org/workflows/run?id=0a1b",
            "https://usegalaxy.org/api/workflows/0a1b/download?format=json-download",
        ),
        ("https://usegalaxy.eu/u/ada/w/count-lines", "https://usegalaxy.eu/u/ada/w/count-lines/json"),
        ("https://usegalaxy.eu/u/ada/h/some-history", None),
        ("https://usegalaxy.eu/published/workflow?id=../../x", None),
    ],
    ids=["interface", "document", "published", "run", "named", "history", "no id"],
)
def test_pages_lead_to_the_document(url: str, expected: str | None) -> None:
    found = document_of(url)
    assert (found[0] if found else None) == expected


@pytest.mark.real
def test_a_workflow_is_run_from_its_page_on_the_server(
    wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path
) -> None:
    server = site.server
    content = {"class": "GalaxyWorkflow", "yaml_content": workflow("count.gxwf.yml").read_text()}
    made = server.make_post_request(f"{server.url}/workflows", payload={"workflow": content})
    done = wfx("run", f"galaxy+{site.url}/api/workflows/{made['id']}", "-i", f"lines={lines}", "-o", "out", "--json")
    assert done.json["status"] == "completed"
    assert (tmp_path / "out/outputs/sorted.txt").read_text() == "apple\npear\nquince\n"
    plan = json.loads((tmp_path / "out/plan.json").read_bytes())
    assert plan["workflow"]["entry"].startswith(made["id"])
