"""Workflows on a real Galaxy: both forms, all kinds of inputs, and what the crate says of them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from wfx.records import decode
from wfx.running import RunRecord
from wfx.testing.crates import validate

pytestmark = pytest.mark.real


def record_of(directory: Path) -> RunRecord:
    return decode(RunRecord, json.loads((directory / ".wfx/record.json").read_bytes()))


def entities(directory: Path) -> dict[str, dict[str, Any]]:
    graph = json.loads((directory / "ro-crate-metadata.json").read_bytes())["@graph"]
    return {item["@id"]: item for item in graph}


def assert_good_crate(directory: Path) -> None:
    assert validate(directory, level="RECOMMENDED") == []


def test_a_gxformat2_workflow_runs_and_its_jobs_are_told(
    wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path
) -> None:
    done = wfx("run", workflow("count.gxwf.yml"), "-i", f"lines={lines}", "-i", "reverse=true", "-o", "out", "--json")
    out = tmp_path / "out"
    assert done.json["status"] == "completed"
    assert (out / "outputs/sorted.txt").read_text() == "quince\npear\napple\n"
    assert (out / "outputs/count.tabular").read_text() == "#lines\twords\tcharacters\n3\t3\t18\n"
    record = record_of(out)
    assert record.plan.needs == (site.url,)
    sort, count = record.events
    assert (sort.id, sort.tool, sort.state, sort.exit_code) == ("sort", "wfx_sort/1.0.0", "completed", 0)
    assert sort.inputs["reverse"] is True
    assert sort.inputs["input"]["location"] == "inputs/lines/lines.txt"  # type: ignore[index,call-overload]
    assert sort.outputs["out_file"]["location"] == "outputs/sorted.txt"  # type: ignore[index,call-overload]
    assert count.inputs["input1"] == sort.outputs["out_file"]
    assert "LC_ALL=C sort -r" in sort.command[-1]
    began, ended = (datetime.datetime.fromisoformat(text) for text in (record.started, record.ended))
    for event in record.events:
        first, last = (datetime.datetime.fromisoformat(text) for text in (event.started, event.ended))
        # The server tells whole seconds.
        assert began - datetime.timedelta(seconds=1) <= first <= last <= ended
    assert {contact.origin for contact in record.contacts} == {site.url}
    things = entities(out)
    value = next(v for v in things.values() if v.get("@type") == "PropertyValue" and v["name"] == "reverse")
    assert value["value"] == "True"
    assert things["outputs/sorted.txt"]["exampleOfWork"]
    assert site.key not in "".join(p.read_text("utf-8", "replace") for p in out.rglob("*") if p.is_file())
    assert_good_crate(out)
    again = wfx("run", "count.gxwf.yml", "-i", f"lines={lines}", "-i", "reverse=true", "-o", "out", "--json")
    assert again.json["reused"] is True


def test_a_native_workflow_gives_the_same_and_its_crate_is_run_again(
    wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path
) -> None:
    server = site.server
    content = {"class": "GalaxyWorkflow", "yaml_content": workflow("count.gxwf.yml").read_text()}
    made = server.make_post_request(f"{server.url}/workflows", payload={"workflow": content})
    native = server.get(f"workflows/{made['id']}/download", format="json-download")
    (tmp_path / "count.ga").write_text(json.dumps(native))
    wfx("run", "count.ga", "-i", f"lines={lines}", "-o", "out")
    out = tmp_path / "out"
    assert (out / "outputs/sorted.txt").read_text() == "apple\npear\nquince\n"
    assert [event.step for event in record_of(out).events] == ["sort", "count"]
    things = entities(out)
    forms = [item["@id"] for item in things["workflow/count.ga"]["subjectOf"]]
    assert forms == ["workflow/forms/count.gxwf.yml", "workflow/forms/count.abstract.cwl"]
    assert "class: GalaxyWorkflow" in (out / forms[0]).read_text()
    assert things[forms[1]]["@type"] == ["File", "SoftwareSourceCode", "HowTo"]
    assert_good_crate(out)
    again = wfx("rerun", out, "-o", "again")
    assert "reproduced, 2 of 2 outputs identical" in again.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "lines=2 end=head note=none\npear\napple\n"),
        (["-i", "number=1", "-i", "end=tail", "-i", "note=last one"], "lines=1 end=tail note=last one\nquince\n"),
    ],
    ids=["defaults", "given"],
)
def test_parameters_come_through(
    wfx: Any, workflow: Any, lines: Path, tmp_path: Path, given: list[str], expected: str
) -> None:
    wfx("run", workflow("parameters.gxwf.yml"), "-i", f"lines={lines}", *given, "-o", "out")
    assert (tmp_path / "out/outputs/picked.txt").read_text() == expected
    assert_good_crate(tmp_path / "out")


def test_an_optional_file_may_be_given(wfx: Any, workflow: Any, lines: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("more\n")
    wfx("run", workflow("parameters.gxwf.yml"), "-i", f"lines={lines}", "-i", "more=more.txt", "-o", "out")
    assert (tmp_path / "out/outputs/picked.txt").read_text() == "lines=2 end=head note=none\npear\napple\nmore\n"


JOB = """
files:
  class: Collection
  collection_type: list
  elements:
    - {class: File, identifier: first, path: a.txt}
    - {class: File, identifier: second, path: b.txt, filetype: txt}
pair: {forward: {file: a.txt}, reverse: {file: b.txt}}
pairs:
  - {identifier: p, forward: {file: a.txt}, reverse: {file: b.txt}}
  - {identifier: q, forward: {file: b.txt}, reverse: {file: a.txt}}
groups:
  - {identifier: x, elements: [{file: a.txt}, {file: b.txt}]}
  - {identifier: y, elements: [{file: b.txt}]}
"""


def test_collections_of_each_kind_go_up_and_come_back_as_folders(wfx: Any, workflow: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a2\na1\n")
    (tmp_path / "b.txt").write_text("b2\nb1\n")
    (tmp_path / "job.yml").write_text(JOB)
    wfx("run", workflow("collections.gxwf.yml"), "job.yml", "-o", "out")
    outputs = tmp_path / "out/outputs"
    found = {p.relative_to(outputs).as_posix(): p.read_text() for p in outputs.rglob("*") if p.is_file()}
    assert found == {
        "sorted/first.txt": "a1\na2\n",
        "sorted/second.txt": "b1\nb2\n",
        "joined.txt": "a1\na2\nb1\nb2\n",
        "woven.txt": "a2\nb2\na1\nb1\n",
        "all woven/p.txt": "a2\nb2\na1\nb1\n",
        "all woven/q.txt": "b2\na2\nb1\na1\n",
        "sorted groups/x/a.txt": "a1\na2\n",
        "sorted groups/x/b.txt": "b1\nb2\n",
        "sorted groups/y/b.txt": "b1\nb2\n",
    }
    events = record_of(tmp_path / "out").events
    assert sorted(e.id for e in events if e.step == "sort groups") == ["sort groups", "sort groups_2", "sort groups_3"]
    places = {e.outputs["out_file"]["location"] for e in events if e.step == "sort"}  # type: ignore[index,call-overload]
    assert places == {"outputs/sorted/first.txt", "outputs/sorted/second.txt"}
    assert_good_crate(tmp_path / "out")


def test_the_steps_of_a_subworkflow_belong_to_it(wfx: Any, workflow: Any, lines: Path, tmp_path: Path) -> None:
    wfx("run", workflow("nested.gxwf.yml"), "-i", f"lines={lines}", "-o", "out")
    assert (tmp_path / "out/outputs/result.txt").read_text() == "quince\npear\napple\n"
    record = record_of(tmp_path / "out")
    assert {e.id: e.parent for e in record.events} == {"inner/first": "inner", "inner/second": "inner", "inner": ""}
    assert_good_crate(tmp_path / "out")


def test_two_hundred_small_files_in_one_collection(wfx: Any, workflow: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.txt").write_text(f"{number}\n")
    (tmp_path / "many.gxwf.yml").write_text(
        "class: GalaxyWorkflow\nlabel: many\ninputs: {files: {type: collection, collection_type: list, format: txt}}\n"
        "outputs: {joined: {outputSource: join/out_file}}\n"
        "steps: {join: {tool_id: wfx_join, tool_version: 1.0.0, in: {input: files}}}\n"
    )
    (tmp_path / "many.yml").write_text(
        json.dumps({"files": [{"file": f"many/{number:03}.txt"} for number in range(200)]})
    )
    wfx("run", "many.gxwf.yml", "many.yml", "-o", "out")
    assert (tmp_path / "out/outputs/joined.txt").read_text() == "".join(f"{n}\n" for n in range(200))


def test_a_history_goes_when_the_site_says_so(wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path) -> None:
    site.configure(wfx, "tidy", history="purge")
    done = wfx("run", workflow("count.gxwf.yml"), "-i", f"lines={lines}", "-o", "out", "--site", "tidy")
    assert done.exit_code == 0
    journal = (tmp_path / "out/.wfx/journal.jsonl").read_text().splitlines()
    [*_, last] = [json.loads(line)["handle"] for line in journal if '"handle"' in line]
    history = site.server.get(f"histories/{last['history']}")
    assert history["purged"] is True


def test_large_outputs_may_stay_on_the_server(wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path) -> None:
    site.configure(wfx, "far", largest_output=20)
    wfx("run", workflow("count.gxwf.yml"), "-i", f"lines={lines}", "-o", "out", "--site", "far")
    outputs: Any = record_of(tmp_path / "out").outputs
    assert outputs["sorted"]["location"] == "outputs/sorted.txt"
    assert outputs["count"]["location"].startswith(f"{site.url}/api/datasets/")
    assert [path.name for path in (tmp_path / "out/outputs").rglob("*")] == ["sorted.txt"]
    assert_good_crate(tmp_path / "out")


def test_the_doctor_asks_the_server_who_it_is_and_who_the_user_is(wfx: Any, site: Any) -> None:
    findings = {item["subject"]: item for item in wfx("doctor", "--json", check=None).json["findings"]}
    assert findings["site lab"]["state"] == "ok"
    told = next(value for value in findings["site lab"].values() if site.url in str(value))
    assert told.startswith("Galaxy 26.")
    assert told.endswith("as wfx")
