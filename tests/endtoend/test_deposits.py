"""Records of repositories for data: fetched, as inputs that a DOI leads to, as crates and as workflows, and offline."""

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


def put(server: FaultServer, path: str, answer: Any) -> None:
    server.add(path, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def deposit(server: FaultServer, number: int, files: Mapping[str, bytes], *, concept: int) -> None:
    """Publish a version of a record as Zenodo has it, the newest of its concept, with a DOI for each of both."""
    base = f"/api/records/{number}"
    listed = []
    for key, data in files.items():
        place = f"{base}/files/{quote(key)}/content"
        server.add(place, data)
        checksum = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
        links = {"self": f"https://zenodo.org{place}"}
        listed.append({"id": f"f{len(listed)}", "key": key, "size": len(data), "checksum": checksum, "links": links})
    put(server, base, {
        "id": number, "recid": str(number), "conceptrecid": str(concept), "files": listed, "state": "done", "links": {},
        "metadata": {"title": "Words", "access_right": "open", "license": {"id": "cc-by-4.0"}, "publication_date": "2024-05-06",
                     "creators": [{"name": "Ada of the lab"}]},
    })  # fmt: skip
    server.redirect(f"/api/records/{concept}", base, status=301)
    for name in (number, concept):
        value = {
            "index": 1,
            "type": "URL",
            "data": {"format": "string", "value": f"https://zenodo.org/doi/10.5281/zenodo.{name}"},
        }
        put(server, f"/api/handles/10.5281/zenodo.{name}", {"responseCode": 1, "handle": "x", "values": [value]})


def zipped(files: Mapping[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return data.getvalue()


@pytest.fixture
def repository(wfx: Any, server: FaultServer) -> FaultServer:
    """A server that is Zenodo and the handle system, and a configuration that says so."""
    base = server.url
    wfx.write(
        "home/config/config.toml",
        # What a document names is on this machine here, and never in earnest.
        f'[net]\nallow_private_hosts = ["127.0.0.1"]\n[fetcher.zenodo]\nserver = "{base}"\n'
        f'[fetcher.doi]\nresolver = "{base}"\ndatacite = "{base}"\nhandles = "{base}"\n',
    )
    return server


def counts(folder: Path) -> str:
    return (folder / "outputs/counts.txt").read_text()


def test_an_input_by_a_doi_comes_from_its_record_and_again_offline(wfx: Any, repository: FaultServer) -> None:
    deposit(repository, 1235, {"words.txt": WORDS, "more/other.txt": b"c\n"}, concept=1234)
    assert wfx("fetch", "zenodo:1234", "-o", "all").code == 0
    assert (wfx.folder / "all/more/other.txt").read_bytes() == b"c\n"
    wfx.write("count.cwl", wfx.flow)
    wfx.write("sort.cwl", wfx.tool)
    data = "doi:10.5281/zenodo.1234#path=words.txt"
    done = wfx("run", "count.cwl", "-i", f"words=@{data}", "-o", "first", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "first") == COUNTS
    [item] = json.loads((wfx.folder / "first/lock.json").read_text())["items"]
    assert (item["origin"], item["pinned"]) == (data, "zenodo:1235#path=words.txt")
    assert (item["revision"], item["licence"]) == ("1235", "CC-BY-4.0")
    assert data in (wfx.folder / "first/ro-crate-metadata.json").read_text()
    before = len(repository.requests)
    again = wfx("run", "count.cwl", "-i", f"words=@{data}", "-o", "again", "--offline", "--json")
    assert again.code == 0, again.err
    assert counts(wfx.folder / "again") == COUNTS
    assert again.json["identity"] == done.json["identity"]
    assert len(repository.requests) == before, "offline somebody was asked"


@pytest.mark.parametrize("kind", ["files", "github", "named"])
def test_a_workflow_in_a_record_runs(wfx: Any, repository: FaultServer, kind: str) -> None:
    files = {"count.cwl": wfx.flow, "sort.cwl": wfx.tool}
    if kind == "files":
        deposit(repository, 1235, {path: text.encode() for path, text in files.items()}, concept=1234)
        reference = "zenodo:1235/count.cwl"
    else:
        archive = zipped({f"lab-flow-c0ffee/{path}": text for path, text in files.items()})
        deposit(repository, 1235, {"lab/flow-v1.0.zip": archive}, concept=1234)
        name = "zenodo:1234" if kind == "github" else "zenodo:1235/lab/flow-v1.0.zip"
        reference = f"{name}#path=lab-flow-c0ffee/count.cwl"
    wfx.write("words.txt", WORDS)
    done = wfx("run", reference, "-i", "words=words.txt", "-o", "run", "--json")
    assert done.code == 0, done.err
    assert counts(wfx.folder / "run") == COUNTS
    again = wfx("run", reference, "-i", "words=words.txt", "-o", "again", "--offline", "--json")
    assert again.code == 0, again.err
    assert again.json["identity"] == done.json["identity"]


@pytest.mark.parametrize("kind", ["zip", "files"])
def test_a_record_that_is_a_crate_is_inspected_and_run(wfx: Any, repository: FaultServer, kind: str) -> None:
    graph = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}]},
        {"@id": "./", "@type": "Dataset", "name": "Count words", "mainEntity": {"@id": "count.cwl"}, "license": "MIT",
         "hasPart": [{"@id": "count.cwl"}, {"@id": "sort.cwl"}]},
        {"@id": "count.cwl", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"], "name": "Count words",
         "programmingLanguage": {"@id": "#cwl"}, "creator": {"@id": "#ada"}},
        {"@id": "sort.cwl", "@type": "File"},
        {"@id": "#cwl", "@type": "ComputerLanguage", "name": "Common Workflow Language",
         "identifier": {"@id": "https://w3id.org/cwl/v1.2/"}},
        {"@id": "#ada", "@type": "Person", "name": "Ada of the lab"},
    ]  # fmt: skip
    metadata = json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph})
    files = {"ro-crate-metadata.json": metadata, "count.cwl": wfx.flow, "sort.cwl": wfx.tool}
    whole = (
        {"flow.crate.zip": zipped(files)} if kind == "zip" else {path: text.encode() for path, text in files.items()}
    )
    deposit(repository, 1235, whole, concept=1234)
    shown = wfx("inspect", "zenodo:1234", "--json").json
    assert (shown["kind"], shown["people"]) == ("crate", ["Ada of the lab"])
    wfx.write("words.txt", WORDS)
    for reference in ("zenodo:1234", "doi:10.5281/zenodo.1235"):
        done = wfx("run", reference, "-i", "words=words.txt", "-o", f"run {reference[:3]}", "--json")
        assert done.code == 0, done.err
        assert counts(wfx.folder / f"run {reference[:3]}") == COUNTS


def test_a_record_that_is_not_for_everybody_is_refused_in_one_line(wfx: Any, repository: FaultServer) -> None:
    put(repository, "/api/records/9", {"id": 9, "conceptrecid": "8", "files": [], "metadata": {
        "access_right": "embargoed", "embargo_date": "2999-01-02"}})  # fmt: skip
    assert "the embargo ends on 2999-01-02" in wfx.refused(4, "run", "zenodo:9")
    assert "there is no such record" in wfx.refused(4, "fetch", "zenodo:7")
