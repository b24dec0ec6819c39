"""What a definition expects of the outputs: told after the run, and kept out of what is handed on."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import validate

pytestmark = pytest.mark.real

# Two files, one called after a word of the crate's own vocabulary, and a folder.
FLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {}
outputs:
  secret: {type: File, outputSource: make/secret}
  plain: {type: File, outputSource: make/plain, secondaryFiles: [.idx]}
  scans: {type: Directory, outputSource: make/scans}
steps:
  make:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c]
      arguments:
        - >-
          mkdir scans; echo one >scans/JohnSmith.dcm; echo two >result.txt; echo three >plain.txt; echo four >plain.txt.idx
      inputs: {}
      outputs:
        secret: {type: File, outputBinding: {glob: result.txt}}
        plain: {type: File, secondaryFiles: [.idx], outputBinding: {glob: plain.txt}}
        scans: {type: Directory, outputBinding: {glob: scans}}
    in: {}
    out: [secret, plain, scans]
"""
CLOSED = """\
wfx: 1
workflow: flow.cwl
outputs:
  secret: {disclosable: name}
  scans: {disclosable: false}
  index: {glob: "*.idx", disclosable: name}
"""


@pytest.fixture(scope="module")
def machine(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A machine with a run whose outputs may not all be disclosed."""
    wfx = bench(tmp_path_factory.mktemp("expected"))
    config = '[person]\nname = "Ada Lovelace"\norcid = "0000-0002-1825-0097"\naffiliation = "Analytical Society"\n'
    config += 'affiliation_url = "https://society.example/"\n[crate]\nlicence = "CC-BY-4.0"\n'
    config += 'publisher = "Analytical Society"\npublisher_url = "https://society.example/"\n'
    wfx.write("home/config/config.toml", config)
    wfx.write("flow.cwl", FLOW)
    wfx.write("closed.wfx.yml", CLOSED)
    done = wfx("run", "closed.wfx.yml", "-o", "closed", "-q")
    assert done.code == 0, done.err
    return wfx


def test_what_is_not_met_is_told_and_the_run_stays_completed(machine: Any) -> None:
    text = (
        "wfx: 1\nworkflow: flow.cwl\noutputs:\n  plain: {cardinality: 2}\n  tables: {glob: '*.csv', cardinality: +}\n"
    )
    machine.write("expecting.wfx.yml", text)
    done = machine("run", "expecting.wfx.yml", "-o", "expecting", "--json")
    assert done.code == 0
    assert done.json["status"] == "completed"
    said = [
        "the output 'plain' has 1 file, expected: 2",
        "the output 'tables' has no file that fit *.csv, expected: 1 or more",
    ]
    assert done.json["warnings"] == said
    assert json.loads((machine.folder / "expecting/.wfx/record.json").read_text())["warnings"] == said
    assert all(line in done.err for line in said)
    # Another expectation is no other run, and is compared with its files.
    machine.write("expecting.wfx.yml", text.replace("cardinality: 2", "cardinality: 1"))
    again = machine("run", "expecting.wfx.yml", "-o", "expecting", "--json")
    assert again.json["reused"]
    assert again.json["identity"] == done.json["identity"]
    assert again.json["warnings"] == said[1:]
    assert said[1] in again.err


def test_an_output_that_the_workflow_lacks_is_refused_before_it_runs(machine: Any) -> None:
    machine.write("wrong.wfx.yml", "wfx: 1\nworkflow: flow.cwl\noutputs:\n  plan: {cardinality: 1}\n")
    line = machine.refused(3, "run", "wrong.wfx.yml", "-o", "wrong")
    assert "wrong.wfx.yml:4: the workflow has no output 'plan'" in line
    assert "the workflow's outputs are secret, plain, scans" in line
    assert "did you mean plain" in line
    assert not (machine.folder / "wrong").exists()


def files(packed: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(packed) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def test_outputs_that_may_not_be_disclosed_stay_behind(machine: Any, tmp_path: Path) -> None:
    done = machine("export", "closed", "-o", tmp_path / "x.zip", "--json")
    assert done.code == 0, done.err
    left = {each["path"]: each for each in done.json["left_out"]}
    assert [*left] == ["outputs/plain.txt.idx", "outputs/result.txt", "outputs/scans/JohnSmith.dcm"]
    assert all("not let it be disclosed" in each["why"] for each in left.values())
    found = files(tmp_path / "x.zip")
    assert [name for name in found if name.startswith("outputs/")] == ["outputs/plain.txt"]
    for name, data in found.items():
        if not name.startswith("workflow/"):
            assert b"JohnSmith" not in data, name
    graph = json.loads(found["ro-crate-metadata.json"])["@graph"]
    kept = {e["@id"]: e for e in graph if str(e["@id"]).startswith("#left-out/")}
    assert kept["#left-out/outputs/result.txt"]["contentSize"] == "4"
    assert len(kept["#left-out/outputs/result.txt"]["sha256"]) == 64


def test_the_crate_without_them_is_valid(machine: Any, tmp_path: Path) -> None:
    assert machine("export", "closed", "-o", tmp_path / "x", "--form", "directory", "-q").code == 0
    assert validate(tmp_path / "x", "provenance-run-crate", "RECOMMENDED") == []
    assert machine("check", tmp_path / "x").code == 0


def test_a_name_that_is_a_word_of_the_metadata_breaks_nothing(machine: Any, tmp_path: Path) -> None:
    machine.write("named.wfx.yml", "wfx: 1\nworkflow: flow.cwl\noutputs: {secret: {disclosable: false}}\n")
    assert machine("run", "named.wfx.yml", "-o", "named", "-q").code == 0
    assert machine("export", "named", "-o", tmp_path / "x", "--form", "directory", "-q").code == 0
    assert b"result.txt" not in (tmp_path / "x/ro-crate-metadata.json").read_bytes()
    assert validate(tmp_path / "x", "provenance-run-crate", "RECOMMENDED") == []


@pytest.mark.parametrize("asked", ["outputs", "outputs/secret", "outputs/scans", "outputs/index"])
def test_who_asks_for_them_is_refused(machine: Any, asked: str, tmp_path: Path) -> None:
    line = machine.refused(8, "export", "closed", "--with", asked, "-o", tmp_path / "never.zip")
    assert "the definition does not let the output '" in line


def test_the_rest_of_the_outputs_may_be_asked_for(machine: Any, tmp_path: Path) -> None:
    done = machine("export", "closed", "--without", "outputs/plain", "-o", tmp_path / "x.zip", "--json")
    assert done.code == 0, done.err
    assert not [name for name in files(tmp_path / "x.zip") if name.startswith("outputs/")]


def test_what_is_run_again_is_held_to_the_same(machine: Any, tmp_path: Path) -> None:
    done = machine("run", "closed", "-o", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    done = machine("export", tmp_path / "again", "-o", tmp_path / "x.zip", "--json")
    assert len(done.json["left_out"]) == 3
