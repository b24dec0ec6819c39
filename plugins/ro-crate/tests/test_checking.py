"""Checks of anybody's crate: each fault has its finding, nothing outside the crate is reached."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crate_records import locked, two_steps, write
from wfx.exporting import Finding
from wfx.testing.crates import contexts_folder, seed
from wfx.testing.requirements import require
from wfx_ro_crate import RoCrateExporter, ZipExporter

CASES = next((p / "shared/cases/crates" for p in Path(__file__).parents if (p / "shared/cases/crates").is_dir()), None)


@pytest.fixture(autouse=True)
def no_contexts(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def check(crate: Path) -> list[Finding]:
    return RoCrateExporter().check(crate)


def codes(crate: Path, severity: str = "error") -> set[str]:
    return {f.code for f in check(crate) if f.severity == severity}


@pytest.fixture
def crate(tmp_path: Path, describe: Any) -> Path:
    describe(two_steps(tmp_path))
    return tmp_path


def edit(crate: Path, change: Callable[[dict[str, dict[str, Any]], list[dict[str, Any]]], None]) -> None:
    file = crate / "ro-crate-metadata.json"
    document = json.loads(file.read_text("utf-8"))
    change({e["@id"]: e for e in document["@graph"]}, document["@graph"])
    file.write_text(json.dumps(document), "utf-8")


def test_what_we_write_is_valid(crate: Path) -> None:
    assert [f for f in check(crate) if f.severity != "note"] == []


def test_without_contexts_the_validator_is_left_out_and_says_why(crate: Path) -> None:
    pytest.importorskip("rocrate_validator")
    (note,) = [f for f in check(crate) if f.code == "validator-left-out"]
    assert "no copy of https://w3id.org/ro/crate/1.1/context" in note.message
    assert "cache warm" in note.message


def test_with_contexts_the_validator_is_asked(crate: Path) -> None:
    contexts = contexts_folder()
    require(contexts is not None, "no JSON-LD contexts: set WFX_CONTEXTS")
    assert contexts is not None
    pytest.importorskip("rocrate_validator")
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "rocrate-validator"
    cache.mkdir()
    seed(cache / "http_cache", contexts)
    assert check(crate) == []
    edit(crate, lambda by, graph: by["#control/count"].pop("instrument") and None)
    found = [f for f in check(crate) if f.code.startswith("provenance-run-crate-0.5") and f.severity == "error"]
    assert found[0].clause.startswith("Provenance Run Crate 0.5, ")


def test_a_zip_of_it_is_as_valid(crate: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = ZipExporter().pack(crate, tmp_path_factory.mktemp("zip") / "x.zip")
    assert [f for f in check(made) if f.severity != "note"] == []


@pytest.mark.parametrize("prefix", ["repository-main/", "data/", "bag/data/"])
def test_a_zip_may_have_the_crate_a_folder_down(
    prefix: str, crate: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("zip") / "x.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for file in sorted(crate.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + str(file.relative_to(crate)))
    assert [f for f in check(place) if f.severity == "error"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda by, graph: graph.append(dict(by["#run"])), "crate-duplicate-id"),
        (lambda by, graph: graph.append({"@type": "File"}), "crate-entity-id"),
        (lambda by, graph: by["#run"].pop("@type"), "crate-entity-type"),
        (lambda by, graph: by["./"].update(author={"name": "nested"}), "crate-nested"),
        (lambda by, graph: graph.remove(by["ro-crate-metadata.json"]), "crate-descriptor"),
        (lambda by, graph: graph.remove(by["./"]), "crate-root"),
        (lambda by, graph: by["./"].pop("license"), "crate-root-license"),
        (lambda by, graph: by["./"].update(datePublished="yesterday"), "crate-root-datepublished"),
        (lambda by, graph: by["./"].pop("mainEntity"), "crate-main-entity"),
        (lambda by, graph: by["outputs/report.txt"].update(contentSize="3"), "crate-size"),
        (lambda by, graph: by["outputs/report.txt"].update(sha256="0" * 64), "crate-sha256"),
        (lambda by, graph: by["outputs/report.txt"].update({"@id": "outputs/gone.txt"}), "crate-missing"),
        (lambda by, graph: graph.append({"@id": "../evil.txt", "@type": "File"}), "crate-path"),
        (lambda by, graph: graph.append({"@id": "a/..%2f../evil", "@type": "File"}), "crate-path"),
        (lambda by, graph: graph.append({"@id": "/etc/passwd", "@type": "File"}), "crate-path"),
        (lambda by, graph: graph.append({"@id": ".wfx/run.json", "@type": "File"}), "crate-path"),
        (lambda by, graph: by["./"].update(hasPart=[]), "crate-not-listed"),
        (lambda by, graph: by["#run/count"].pop("instrument"), "crate-action-instrument"),
        (lambda by, graph: by["#run"].update(instrument={"@id": "#other"}), "crate-main-action"),
        (lambda by, graph: by["workflow/wf.cwl#inputs/reads"].pop("additionalType"), "crate-parameter-type"),
        (lambda by, graph: by["#run/count"].update(instrument={"@id": "#other"}), "crate-tool-action"),
        (lambda by, graph: by["workflow/wf.cwl#step/count"].pop("workExample"), "crate-step-tool"),
        (lambda by, graph: by["#engine/run"].pop("result"), "crate-control"),
    ],
)  # fmt: skip
def test_each_fault_has_its_finding_with_the_clause_it_breaks(change: Any, code: str, crate: Path) -> None:
    edit(crate, change)
    found = [finding for finding in check(crate) if finding.code == code]
    assert found
    assert all(re.match(r"(RO-Crate|Workflow|Process|Provenance)\b.* [01]\.[0-9]|.*terms", f.clause) for f in found), (
        found
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda by, graph: by["#run"].update(startTime="2026-11-24T10:00:00"), "crate-action-time"),
        (lambda by, graph: graph.append({"@id": "file:///etc/passwd", "@type": "File"}), "crate-local-path"),
        (lambda by, graph: by["#run"].update(actionStatus="Done"), "crate-action-status"),
        (lambda by, graph: by["#run"].update(error="x"), "crate-action-error"),
        (lambda by, graph: by["#run"].update(object={"@id": "#nothing"}), "crate-dangling"),
        (lambda by, graph: by["#run"].update(object=[{"@id": "#engine/run"}]), "crate-single-value"),
        (lambda by, graph: by["inputs/reads/reads.fq"].pop("exampleOfWork"), "crate-parameter-back"),
    ],
)  # fmt: skip
def test_each_missed_recommendation_has_its_finding(change: Any, code: str, crate: Path) -> None:
    edit(crate, change)
    assert code in codes(crate, "warning")
    assert codes(crate) == set()


def test_status_and_licence_may_be_written_otherwise(crate: Path) -> None:
    def change(by: Any, graph: Any) -> None:
        by["#run"]["actionStatus"] = {"@id": "http://schema.org/CompletedActionStatus"}
        by["./"]["license"] = "CC-BY-4.0"

    edit(crate, change)
    assert codes(crate) == set()


def test_a_file_that_nobody_mentions_is_a_note(crate: Path) -> None:
    (crate / "notes.txt").write_text("x")
    assert ("crate-unlisted", "notes.txt") in {(f.code, f.where) for f in check(crate)}


def test_a_link_out_of_the_crate_is_no_file_of_it(crate: Path) -> None:
    (crate / "outputs/report.txt").unlink()
    (crate / "outputs/report.txt").symlink_to("/etc/passwd")
    assert "crate-missing" in codes(crate)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "not JSON"), (b"\xff", "not UTF-8"), (b"[]", "no JSON object"), (b"[" * 100_000, "not JSON"),
        (b'{"@graph": 3}', "no @graph"), (b"{}", "no @graph"),
    ],
)  # fmt: skip
def test_broken_metadata_is_one_clear_error(text: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "ro-crate-metadata.json").write_bytes(text)
    assert any(said in f.message for f in check(tmp_path) if f.severity == "error")


def test_a_place_that_is_no_crate_is_an_error(tmp_path: Path) -> None:
    assert codes(tmp_path) == {"crate-unreadable"}
    (tmp_path / "x.zip").write_text("no zip")
    assert codes(tmp_path / "x.zip") == {"crate-unreadable"}


def test_a_zip_bomb_is_not_unpacked(crate: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("zip") / "bomb.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ro-crate-metadata.json", b" " * 300_000_000)
    (finding,) = check(place)
    assert "bytes" in finding.message


def test_ten_thousand_of_a_kind_are_told_in_brief(crate: Path) -> None:
    edit(crate, lambda by, graph: graph.extend({"@id": f"gone/{n}", "@type": "File"} for n in range(10_000)))
    found = [f for f in check(crate) if f.code == "crate-missing"]
    assert len(found) == 21
    assert found[-1].message == "and 9980 more of this kind"


@pytest.mark.parametrize(
    "name", ["nf-core-demo", "type-zoo-run-1-crate", "ruby-arcp", "ruby-crate-spec1.2", "five-safes/example-request"]
)
def test_public_crates_are_read(name: str) -> None:
    require(CASES is not None, "the public crates are not here (shared/cases/crates)")
    assert CASES is not None
    assert not {"crate-unreadable", "crate-descriptor", "crate-graph"} & codes(CASES / name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_graph", "crate-graph"), ("no_metadata_entity", "crate-descriptor"), ("no_root_entity", "crate-root"),
        ("not_json", "crate-unreadable"), ("missing_file", "crate-missing"), ("no_metadata_file", "crate-unreadable"),
    ],
)  # fmt: skip
def test_public_broken_crates_are_told_apart(name: str, code: str) -> None:
    require(CASES is not None, "the public crates are not here (shared/cases/crates)")
    assert CASES is not None
    assert code in codes(CASES / "broken" / name)


def test_a_failed_run_is_valid_too(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    failed = dataclasses.replace(base.events[0], state="failed", error="x", exit_code=1)
    describe(dataclasses.replace(base, status="failed", error="x", outputs={}, events=(failed,)))
    assert codes(tmp_path) == set()


def test_the_validator_cannot_see_names_that_are_no_unicode_and_is_not_believed(tmp_path: Path, describe: Any) -> None:
    contexts = contexts_folder()
    require(contexts is not None, "no JSON-LD contexts: set WFX_CONTEXTS")
    assert contexts is not None
    pytest.importorskip("rocrate_validator")
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "rocrate-validator"
    cache.mkdir()
    seed(cache / "http_cache", contexts)
    reads = write(tmp_path, "inputs/reads/" + os.fsdecode(b"caf\xe9.txt"))
    describe(two_steps(tmp_path, values={"reads": reads}, items=(locked(tmp_path, reads),)))
    assert codes(tmp_path) == set()
