"""Dockstore and WorkflowHub: their names, their pages, and what they serve."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx_trs import DockstoreResolver, WorkflowHubResolver

DOCKSTORE = "trs://dockstore.org/"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("dockstore:github.com/org/repo/name:v1.0", "%23workflow%2Fgithub.com%2Forg%2Frepo%2Fname/v1.0"),
        ("dockstore:github.com/org/repo@feature/x", "%23workflow%2Fgithub.com%2Forg%2Frepo/feature%2Fx"),
        ("dockstore:github.com/org/repo", "%23workflow%2Fgithub.com%2Forg%2Frepo"),
        ("dockstore:%23workflow/github.com/org/repo:v1", "%23workflow%2Fgithub.com%2Forg%2Frepo/v1"),
        ("dockstore:#workflow/github.com/org/repo:v1", "%23workflow%2Fgithub.com%2Forg%2Frepo/v1"),
        ("dockstore:%23notebook%2Fgithub.com%2Forg%2Frepo:v1", "%23notebook%2Fgithub.com%2Forg%2Frepo/v1"),
        ("dockstore:quay.io/org/tool:1.0", "quay.io%2Forg%2Ftool/1.0"),
        ("dockstore:registry.hub.docker.com/org/tool/x:1", "registry.hub.docker.com%2Forg%2Ftool%2Fx/1"),
        ("https://dockstore.org/workflows/github.com/org/repo/name:v1?tab=info", "%23workflow%2Fgithub.com%2Forg%2Frepo%2Fname/v1"),
        ("https://dockstore.org/workflows/github.com/org/repo", "%23workflow%2Fgithub.com%2Forg%2Frepo"),
        ("https://dockstore.org/containers/quay.io/org/tool:1.0", "quay.io%2Forg%2Ftool/1.0"),
        ("https://dockstore.org/notebooks/github.com/org/repo:1", "%23notebook%2Fgithub.com%2Forg%2Frepo/1"),
    ],
)  # fmt: skip
def test_a_name_or_page_of_dockstore_leads_to_its_registry(name: str, target: str) -> None:
    assert DockstoreResolver().resolve(Reference(name), Net(offline=True)) == [Source(Reference(DOCKSTORE + target))]


@pytest.mark.parametrize(
    "page",
    ["https://dockstore.org/", "https://dockstore.org/search?q=x", "https://dockstore.org/organizations/bdcatalyst",
     "https://dockstore.org/api/ga4gh/trs/v2/tools/x/versions/1/PLAIN_CWL/descriptor"],
)  # fmt: skip
def test_another_page_of_dockstore_is_left_to_the_web(page: str) -> None:
    assert DockstoreResolver().resolve(Reference(page), Net(offline=True)) == [Source(Reference(page))]


@pytest.mark.parametrize("name", ["dockstore:", "dockstore:x", "dockstore:github.com/org", "dockstore:#main"])
def test_what_is_no_name_of_dockstore_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="not the name of a workflow in Dockstore"):
        DockstoreResolver().resolve(Reference(name), Net(offline=True))


def test_a_workflow_of_dockstore_comes_with_its_files(registry: Any, bench: FetchBench) -> None:
    registry.base = "/api/ga4gh/trs/v2"
    name = "#workflow/github.com/org/repo/name"
    registry.publish(name, "v1.0", {"main.cwl": b"m", "tools/a.cwl": b"a"}, said=f"{name}:v1.0")
    registry.versions_of(name, {f"{name}:v1.0": {"name": "v1.0", "is_production": True}})
    for ref in ("dockstore:github.com/org/repo/name:v1.0", "dockstore:github.com/org/repo/name"):
        answer = bench.one(Reference(ref))
        assert (answer.entry, bench.bytes_of(answer), answer.revision) == ("main.cwl", b"m", "v1.0")
        assert answer.pinned is not None
        assert "/tools/%23workflow%2Fgithub.com%2Forg%2Frepo%2Fname/versions/v1.0?" in answer.pinned.uri


# -- WorkflowHub


def test_a_workflow_of_workflowhub_is_its_crate(registry: Any, bench: FetchBench) -> None:
    registry.crate(123, 2, {"ro-crate-metadata.json": b"{}", "main.cwl": b"m"})
    answer = bench.one(Reference("workflowhub:123@2"))
    assert bench.bytes_of(answer)[:2] == b"PK"
    assert (answer.name, answer.revision) == ("workflow-123-2.crate.zip", "2")
    assert str(answer.pinned) == "workflowhub:123@2"
    before = len(registry.requests)
    assert bench.one(Reference("workflowhub:123@2")).from_store, "a version does not change"
    assert len(registry.requests) == before


def test_without_a_version_it_is_the_newest(registry: Any, bench: FetchBench) -> None:
    registry.versions_of("123", {str(number): {} for number in (9, 10, 2)})
    registry.crate(123, 10, {"ro-crate-metadata.json": b"{}"})
    answer = bench.one(Reference("workflowhub:123"))
    assert str(answer.pinned) == "workflowhub:123@10"
    offline = bench.one(Reference("workflowhub:123"), net=bench.net(offline=True))
    assert (offline.sha256, offline.revision) == (answer.sha256, "10")


def test_where_there_is_no_crate_the_registrys_files_are_taken(registry: Any, bench: FetchBench) -> None:
    registry.publish("123", "2", {"workflow/main.cwl": b"m", "workflow/a.cwl": b"a"}, production=None, checksums="")
    answer = bench.one(Reference("workflowhub:123@2"))
    assert (answer.entry, bench.bytes_of(answer)) == ("workflow/main.cwl", b"m")


def test_a_crate_that_is_refused_is_not_passed_over(registry: Any, bench: FetchBench) -> None:
    registry.publish("123", "2", {"main.cwl": b"m"})
    for status, kind in ((401, AccessDenied), (403, AccessDenied), (503, FetchError)):
        registry.add("/workflows/123/ro_crate?version=2", status=status)
        with pytest.raises(kind, match=str(status)):
            bench.one(Reference("workflowhub:123@2"))


@pytest.mark.parametrize(
    ("page", "pinned"),
    [
        ("https://workflowhub.eu/workflows/123?version=2", "workflowhub:123@2"),
        ("https://workflowhub.eu/workflows/123/?version=2#files", "workflowhub:123@2"),
        ("workflowhub:123@2", "workflowhub:123@2"),
        ("workflowhub://123@2", "workflowhub:123@2"),
    ],
)
def test_a_page_is_the_workflow(page: str, pinned: str) -> None:
    found = WorkflowHubResolver().pin(Reference(page), Net(offline=True))
    assert found is not None
    assert (str(found.reference), found.revision) == (pinned, "2")


@pytest.mark.parametrize("page", ["https://workflowhub.eu/", "https://workflowhub.eu/workflows/123/ro_crate?version=2"])
def test_another_address_of_the_site_is_left_to_the_web(page: str) -> None:
    resolver, net = WorkflowHubResolver(), Net(offline=True)
    assert resolver.pin(Reference(page), net) is None
    assert resolver.resolve(Reference(page), net) == [Source(Reference(page))]
    assert not WorkflowHubResolver.never_changes(Reference(page))


@pytest.mark.parametrize(
    "name", ["workflowhub:", "workflowhub:x", "workflowhub:1@", "workflowhub:1@x", "workflowhub:-1"]
)
def test_what_is_no_workflow_of_the_site_is_refused(name: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="not a workflow of WorkflowHub"):
        bench.one(Reference(name))


def test_a_workflow_that_is_not_there_is_named(bench: FetchBench) -> None:
    for name in ("workflowhub:99@2", "workflowhub:99"):
        with pytest.raises(ReferenceNotFound, match=f"^{name}: "):
            bench.one(Reference(name))
