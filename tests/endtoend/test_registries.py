"""Workflows of registries, inputs of data repositories and names of both: from the reference to the crate, and offline."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

WORDS = b"b\na\nb\n"
COUNTS = "      1 a\n      2 b\n"
TRS = "/ga4gh/trs/v2"
DRS = "/ga4gh/drs/v1/objects"


def put(server: FaultServer, path: str, answer: Any) -> None:
    server.add(path, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def publish(server: FaultServer, name: str, version: str, files: Mapping[str, str], *, base: str = TRS) -> None:
    """Put a version of a workflow, its first file the primary descriptor, as GA4GH's TRS 2.0.1 has it."""
    tool = f"{base}/tools/{quote(name, safe='')}"
    item = {"id": version, "name": version, "url": server.url, "descriptor_type": ["CWL"], "is_production": True}
    kind = {"id": "1", "name": "Workflow", "description": "Workflow"}
    put(server, tool, {"id": name, "url": server.url, "organization": "lab", "toolclass": kind, "versions": [item]})
    put(server, f"{tool}/versions/{version}", item)
    listed = []
    for number, (path, text) in enumerate(files.items()):
        digest = hashlib.sha256(text.encode()).hexdigest()
        role = "OTHER" if number else "PRIMARY_DESCRIPTOR"
        listed.append({"path": path, "file_type": role, "checksum": {"type": "sha-256", "checksum": digest}})
        place = quote(path, safe="" if ".." in path else "/")
        server.add(f"{tool}/versions/{version}/PLAIN_CWL/descriptor/{place}", text.encode())
    put(server, f"{tool}/versions/{version}/CWL/files", listed)


def deposit(server: FaultServer, identifier: str, data: bytes) -> str:
    """Put an object as GA4GH's DRS has it, whose bytes are behind an access; return its identifier."""
    checksums = [{"type": "sha-256", "checksum": hashlib.sha256(data).hexdigest()}]
    put(server, f"{DRS}/{identifier}", {
        "id": identifier, "self_uri": f"drs://x/{identifier}", "size": len(data), "created_time": "2024-05-06T07:08:09Z",
        "name": "words.txt", "checksums": checksums, "access_methods": [{"type": "https", "access_id": "1"}],
    })  # fmt: skip
    server.add(f"/signed/{identifier}?X-Signature=s3cr3t-of-the-server", data, authorization="Bearer of-the-server")
    put(server, f"{DRS}/{identifier}/access/1", {
        "url": f"{server.url}/signed/{identifier}?X-Signature=s3cr3t-of-the-server",
        "headers": ["Authorization: Bearer of-the-server"],
    })  # fmt: skip
    return f"drs://{server.url.partition('://')[2]}/{identifier}"


def crate_of(files: Mapping[str, str], main: str) -> bytes:
    """Return a Workflow RO-Crate as WorkflowHub makes them, zipped."""
    graph = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}]},
        {"@id": "./", "@type": "Dataset", "name": "Count words", "mainEntity": {"@id": main}, "license": "MIT",
         "hasPart": [{"@id": path} for path in files]},
        {"@id": main, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"], "name": "Count words",
         "programmingLanguage": {"@id": "#cwl"}, "creator": {"@id": "#ada"}},
        {"@id": "#cwl", "@type": "ComputerLanguage", "name": "Common Workflow Language",
         "identifier": {"@id": "https://w3id.org/cwl/v1.2/"}},
        {"@id": "#ada", "@type": "Person", "name": "Ada of the hub"},
        *({"@id": path, "@type": "File"} for path in files if path != main),
    ]  # fmt: skip
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        metadata = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}
        archive.writestr("ro-crate-metadata.json", json.dumps(metadata))
        for path, text in files.items():
            archive.writestr(path, text)
    return data.getvalue()


@pytest.fixture
def registry(wfx: Any, server: FaultServer) -> FaultServer:
    """A server that is all of them, and a configuration that says so."""
    base = server.url
    wfx.write(
        "home/config/config.toml",
        f'[fetcher.trs]\nworkflowhub = "{base}"\ndockstore = "{base}/api/ga4gh/trs/v2"\n'
        f'[fetcher.doi]\nresolver = "{base}"\ndatacite = "{base}"\nhandles = "{base}"\n',
    )
    return server


def counts(folder: Path) -> str:
    return (folder / "outputs/counts.txt").read_text()


def plan_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "plan.json").read_text())


def test_a_workflow_of_a_registry_runs_on_an_object_of_a_repository_and_again_offline(
    wfx: Any, registry: FaultServer
) -> None:
    publish(registry, "lab/count", "v1.0", {"count.cwl": wfx.flow, "sort.cwl": wfx.tool})
    data = deposit(registry, "314159", WORDS)
    workflow = f"trs://{registry.url.partition('://')[2]}/lab%2Fcount/v1.0"
    done = wfx("run", workflow, "-i", f"words=@{data}", "-o", "first", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "first") == COUNTS
    planned = plan_of(wfx.folder / "first")["workflow"]
    assert planned["reference"] == workflow
    assert planned["pinned"].startswith(f"{workflow}?type=CWL&sha256=")
    assert planned["revision"] == "v1.0"
    assert [document["path"] for document in planned["documents"]] == ["count.cwl", "sort.cwl"]
    everything = "".join(
        path.read_text("utf-8", "replace") for path in (wfx.folder / "first").rglob("*") if path.is_file()
    )
    assert "s3cr3t-of-the-server" not in everything
    assert "of-the-server" not in everything
    assert data in (wfx.folder / "first/ro-crate-metadata.json").read_text()
    before = len(registry.requests)
    again = wfx("run", workflow, "-i", f"words=@{data}", "-o", "again", "--offline", "--json")
    assert again.code == 0, again.err
    assert counts(wfx.folder / "again") == COUNTS
    assert again.json["identity"] == done.json["identity"]
    assert len(registry.requests) == before, "offline the registry was asked"


def test_a_workflow_is_inspected_and_fetched_as_a_folder(wfx: Any, registry: FaultServer) -> None:
    publish(registry, "count", "1", {"flow/count.cwl": wfx.flow, "flow/sort.cwl": wfx.tool})
    workflow = f"trs://{registry.url.partition('://')[2]}/count/1"
    done = wfx("inspect", workflow, "--json")
    assert done.code == 0, done.err
    assert done.json["kind"] == "workflow"
    assert [item["id"] for item in done.json["description"]["inputs"]] == ["words", "reverse"]
    assert wfx("fetch", workflow, "-o", "here").code == 0
    assert (wfx.folder / "here/flow/sort.cwl").read_text() == wfx.tool
    assert wfx("fetch", f"{workflow}#path=flow/sort.cwl", "-o", "tool.cwl").code == 0
    assert (wfx.folder / "tool.cwl").read_text() == wfx.tool


def test_imports_from_above_the_workflow_are_found(wfx: Any, registry: FaultServer) -> None:
    flow = wfx.flow.replace("run: sort.cwl", "run: ../tools/sort.cwl")
    publish(registry, "#workflow/github.com/lab/flows", "v1", {"count.cwl": flow, "../tools/sort.cwl": wfx.tool},
            base="/api/ga4gh/trs/v2")  # fmt: skip
    wfx.write("words.txt", WORDS)
    done = wfx("run", "dockstore:github.com/lab/flows:v1", "-i", "words=words.txt", "-o", "run", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "run") == COUNTS


@pytest.mark.parametrize("way", ["newest", "version", "doi"])
def test_a_workflow_of_workflowhub_runs_from_its_crate(wfx: Any, registry: FaultServer, way: str) -> None:
    files = {"workflow/count.cwl": wfx.flow, "workflow/sort.cwl": wfx.tool}
    versions = [{"id": "2", "url": registry.url}, {"id": "1", "url": registry.url}]
    kind = {"id": "1", "name": "Workflow", "description": "Workflow"}
    put(registry, f"{TRS}/tools/123", {
        "id": "123", "url": registry.url, "organization": "lab", "toolclass": kind, "versions": versions
    })  # fmt: skip
    registry.add("/workflows/123/ro_crate?version=2", crate_of(files, "workflow/count.cwl"),
                 headers={"Content-Type": "application/zip"})  # fmt: skip
    value = {
        "index": 1,
        "type": "URL",
        "data": {"format": "string", "value": "https://workflowhub.eu/workflows/123?version=2"},
    }
    put(
        registry,
        "/api/handles/10.48546/workflowhub.workflow.123.2",
        {"responseCode": 1, "handle": "x", "values": [value]},
    )
    reference = {
        "newest": "workflowhub:123", "version": "workflowhub:123@2", "doi": "https://doi.org/10.48546/workflowhub.workflow.123.2"
    }[way]  # fmt: skip
    wfx.write("words.txt", WORDS)
    done = wfx("run", reference, "-i", "words=words.txt", "-o", "run", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "run") == COUNTS
    planned = plan_of(wfx.folder / "run")["workflow"]
    assert planned["pinned"] == "workflowhub:123@2#path=workflow/count.cwl"
    assert planned["revision"] == "2"
    shown = wfx("inspect", reference, "--json").json
    assert shown["kind"] == "crate"
    assert shown["people"] == ["Ada of the hub"]
    again = wfx("run", reference, "-i", "words=words.txt", "-o", "again", "--offline", "--json")
    assert again.code == 0, again.err
    assert again.json["identity"] == done.json["identity"]


def test_a_registry_whose_files_are_a_crate_is_run_as_one(wfx: Any, registry: FaultServer) -> None:
    files = {"count.cwl": wfx.flow, "sort.cwl": wfx.tool}
    with zipfile.ZipFile(io.BytesIO(crate_of(files, "count.cwl"))) as archive:
        metadata = archive.read("ro-crate-metadata.json").decode()
    publish(registry, "7", "1", {**files, "ro-crate-metadata.json": metadata})
    workflow = f"trs://{registry.url.partition('://')[2]}/7/1"
    assert wfx("inspect", workflow, "--json").json["people"] == ["Ada of the hub"]
    wfx.write("words.txt", WORDS)
    done = wfx("run", workflow, "-i", "words=words.txt", "-o", "run", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "run") == COUNTS


def test_what_leads_to_no_workflow_is_refused_in_one_line(wfx: Any, registry: FaultServer) -> None:
    registry.add("/landing", b"<html>", headers={"Content-Type": "text/html"})
    value = {"index": 1, "type": "URL", "data": {"format": "string", "value": f"{registry.url}/landing"}}
    put(registry, "/api/handles/10.5072/page", {"responseCode": 1, "handle": "10.5072/page", "values": [value]})
    assert "a page for people" in wfx.refused(4, "run", "doi:10.5072/page")
    assert "the article 123 in PubMed" in wfx.refused(4, "run", "pmid:123")
    assert "no such version" in wfx.refused(4, "run", f"trs://{registry.url.partition('://')[2]}/none/1")
    assert "no such version" in wfx.refused(4, "run", "workflowhub:9@1")
    publish(registry, "count", "1", {"count.cwl": wfx.flow, "sort.cwl": wfx.tool})
    registry.resources[f"{TRS}/tools/count/versions/1/PLAIN_CWL/descriptor/sort.cwl"].body = b"other"
    assert "of sort.cwl is" in wfx.refused(5, "run", f"trs://{registry.url.partition('://')[2]}/count/1")
