"""Crates in: anybody's crate is inspected and run, ours exactly; hostile ones are refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [cat]
inputs:
  text: {type: File, inputBinding: {position: 1}}
  n: {type: int, default: 1}
outputs: {copy: stdout}
stdout: copy.txt
"""


@pytest.fixture
def ours(wfx) -> Path:
    """A crate of ours, with a file of the workflow's own as default."""
    wfx.workflow()
    text = wfx.flow.replace(
        "  words: File\n", "  words: File\n  more: {type: File, default: {class: File, location: words.txt}}\n", 1
    )
    wfx.write("flow/count.cwl", text)
    done = wfx("run", "flow/count.cwl", "flow/job.yml", "-o", "first", "--json")
    assert done.code == 0, done.err
    return wfx.folder / "first"


def pack(crate: Path, target: Path, prefix: str = "", *, bag: bool = False) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        if bag:
            archive.writestr(f"{prefix}bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        for path in sorted(crate.rglob("*")):
            name = path.relative_to(crate)
            if path.is_file() and name.parts[0] != ".wfx":
                archive.write(path, f"{prefix}{'data/' if bag else ''}{name}")
    return target


def forms(crate: Path, folder: Path) -> dict[str, Path]:
    """The same crate as a folder without wfx's state, as zips of several forms, and as a bag."""
    bare = folder / "bare"
    shutil.copytree(crate, bare, ignore=shutil.ignore_patterns(".wfx"))
    bag = folder / "bag"
    shutil.copytree(bare, bag / "data")
    (bag / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    return {
        "folder": bare, "metadata": bare / "ro-crate-metadata.json", "zip": pack(crate, folder / "a.zip"),
        "deeper": pack(crate, folder / "b.zip", "top/"), "bag": bag, "packed bag": pack(crate, folder / "c.zip", "x/", bag=True),
    }  # fmt: skip


def test_our_crate_is_the_same_run_from_every_form(wfx, ours: Path) -> None:
    wanted = json.loads((ours / "lock.json").read_text())["identity"]
    for number, (name, place) in enumerate(forms(ours, wfx.folder).items()):
        wfx.env["WFX_HOME"] = str(wfx.folder / f"home{number}")
        done = wfx("run", place, "-o", f"again {name}", "--json")
        assert done.code == 0, done.err
        assert done.json["identity"] == wanted, name
        assert (wfx.folder / f"again {name}/outputs/counts.txt").read_text() == (
            ours / "outputs/counts.txt"
        ).read_text()


def test_our_crate_is_run_from_the_web(wfx, ours: Path, server: FaultServer) -> None:
    server.add("/c/one.crate.zip", pack(ours, wfx.folder / "one.zip").read_bytes())
    for path in ours.rglob("*"):
        if path.is_file() and ".wfx" not in path.parts:
            server.add(f"/d/{path.relative_to(ours).as_posix()}", path.read_bytes())
    wanted = json.loads((ours / "lock.json").read_text())["identity"]
    for number, url in enumerate((f"{server.url}/c/one.crate.zip", f"{server.url}/d/ro-crate-metadata.json")):
        wfx.env["WFX_HOME"] = str(wfx.folder / f"home{number}")
        done = wfx("run", url, "-o", f"again{number}", "--json")
        assert done.code == 0, done.err
        assert done.json["identity"] == wanted


def test_what_the_user_gives_goes_before_what_the_crate_has(wfx, ours: Path) -> None:
    done = wfx("run", ours, "-i", "reverse=true", "-o", "again", "--json")
    assert done.code == 0, done.err
    assert (wfx.folder / "again/outputs/counts.txt").read_text() == "      2 b\n      1 a\n"


def test_a_changed_crate_of_ours_is_refused(wfx, ours: Path) -> None:
    bare = forms(ours, wfx.folder)["folder"]
    (bare / "inputs/words/words.txt").write_text("x\n")
    assert "words.txt" in wfx.refused(5, "run", bare, "-o", "again")
    (bare / "workflow/sort.cwl").write_text(wfx.tool.replace("[sort]", "[sort, -u]"))
    assert "it is not what was run" in wfx.refused(5, "run", bare, "-o", "again")


def foreign(folder: Path, *entities: dict[str, Any], tool: str = TOOL, **main: Any) -> Path:
    """A crate that was made by another program, of a run of `cat`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "w.cwl").write_text(tool)
    graph = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "mainEntity": {"@id": "w.cwl"}},
        {"@id": "w.cwl", "@type": ["File", "ComputationalWorkflow"], "programmingLanguage": {"@id": "#cwl"},
         "input": [{"@id": "#text"}, {"@id": "#n"}], **main},
        {"@id": "#cwl", "@type": "ComputerLanguage", "name": "CWL"},
        {"@id": "#text", "@type": "FormalParameter", "name": "text"}, {"@id": "#n", "@type": "FormalParameter", "name": "n"},
        *entities,
    ]  # fmt: skip
    (folder / "ro-crate-metadata.json").write_text(json.dumps({"@graph": graph}))
    return folder


def action(*objects: str, **more: Any) -> dict[str, Any]:
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "instrument": {"@id": "w.cwl"},
        "object": [{"@id": o} for o in objects],
        **more,
    }


def data(identifier: str, **more: Any) -> dict[str, Any]:
    return {"@id": identifier, "@type": "File", "exampleOfWork": {"@id": "#text"}, **more}


def test_missing_parts_come_from_where_the_crate_says_held_to_its_checksum(wfx, server: FaultServer) -> None:
    url = server.add("/t.txt", b"far\n")
    wfx.write("home/config/config.toml", '[net]\nallow_private_hosts = ["127.0.0.1"]\n')
    good = hashlib.sha256(b"far\n").hexdigest()
    crate = foreign(wfx.folder / "c", action("t.txt"), data("t.txt", contentUrl=url, sha256=good))
    done = wfx("run", crate, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert (wfx.folder / "out/outputs/copy.txt").read_text() == "far\n"
    crate = foreign(wfx.folder / "d", action("t.txt"), data("t.txt", contentUrl=url, sha256="0" * 64))
    wfx.refused(5, "run", crate, "-o", "out2")


def test_a_crate_leads_into_no_private_network(wfx, server: FaultServer) -> None:
    url = server.add("/t.txt", b"far\n")
    crate = foreign(wfx.folder / "c", action("t.txt"), data("t.txt", contentUrl=url))
    before = server.connections
    wfx.refused(8, "run", crate, "-o", "out")
    assert server.connections == before


def test_what_is_missing_is_told_all_at_once(wfx) -> None:
    crate = foreign(
        wfx.folder / "c", action("gone.txt", "#n1"), data("gone.txt"),
        {"@id": "#n1", "@type": "PropertyValue", "value": "many", "exampleOfWork": {"@id": "#n"}},
    )  # fmt: skip
    line = wfx.refused(3, "plan", crate)
    assert "gone.txt is not in the crate" in line
    assert "'many' where int is expected" in line
    assert "-i NAME=@FILE" in line
    wfx.write("mine.txt", "mine\n")
    done = wfx("run", crate, "-i", "text=@mine.txt", "-i", "n=2", "-o", "out", "--json")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "identifier", ["../secret", "/etc/passwd", "file:///etc/passwd", "%2e%2e/secret", "a/../../secret", "link"]
)
def test_no_id_leads_out_of_a_crate(wfx, identifier: str) -> None:
    wfx.write("secret", "secret\n")
    crate = foreign(wfx.folder / "c", action(identifier), data(identifier))
    (crate / "link").symlink_to("/etc/passwd")
    wfx.refused(8, "run", crate, "-o", "out")
    assert not (wfx.folder / "out").exists()
    assert wfx("inspect", crate).code == 0


def test_a_workflow_in_a_crate_reads_nothing_outside_of_it(wfx) -> None:
    wfx.write("secret", "secret\n")
    for location in ("../secret", "/etc/passwd", "file:///etc/passwd"):
        tool = TOOL.replace(
            "text: {type: File,", f"text: {{type: File, default: {{class: File, location: '{location}'}},"
        )
        crate = foreign(wfx.folder / "c", tool=tool)
        wfx.refused(8, "run", crate, "-o", "out")


def test_links_and_bombs_in_zips_are_refused(wfx) -> None:
    crate = foreign(wfx.folder / "c", action("link"), data("link"))
    place = pack(crate, wfx.folder / "link.zip")
    with zipfile.ZipFile(place, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "symbolic link" in wfx.refused(8, "run", place, "-o", "out")
    place = pack(crate, wfx.folder / "bomb.zip")
    with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", b"\0" * 300_000_000)
    assert "zip bomb" in wfx.refused(8, "run", place, "-o", "out")


def test_two_entities_with_the_workflows_id_are_refused(wfx) -> None:
    crate = foreign(wfx.folder / "c", {"@id": "w.cwl", "@type": ["File", "ComputationalWorkflow"], "name": "another"})
    assert "differ" in wfx.refused(3, "run", crate, "-o", "out")


def test_a_run_is_chosen_with_action(wfx) -> None:
    crate = foreign(
        wfx.folder / "c", action("a.txt", name="one"), data("a.txt"), data("b.txt"),
        {**action("b.txt", name="two"), "@id": "#other"},
    )  # fmt: skip
    (crate / "a.txt").write_text("a\n")
    (crate / "b.txt").write_text("b\n")
    for chosen, said in (("1", "a\n"), ("two", "b\n"), ("#other", "b\n")):
        assert wfx("run", crate, "--action", chosen, "-o", f"out{chosen}", "--json").code == 0
        assert (wfx.folder / f"out{chosen}/outputs/copy.txt").read_text() == said
    assert "its runs: 1 (#run), 2 (#other)" in wfx.refused(2, "plan", crate, "--action", "9")
    assert len(wfx("inspect", crate, "--json").json["runs"]) == 2


def test_a_crate_of_a_language_without_an_engine_says_what_is_missing(wfx) -> None:
    crate = foreign(wfx.folder / "c", programmingLanguage="WDL")
    assert "written in WDL" in wfx.refused(6, "plan", crate)


def test_metadata_cut_anywhere_cost_one_line(wfx) -> None:
    crate = foreign(wfx.folder / "c", action("a.txt"), data("a.txt"))
    whole = (crate / "ro-crate-metadata.json").read_bytes()
    for at in range(0, len(whole), 400):
        (crate / "ro-crate-metadata.json").write_bytes(whole[:at])
        wfx.refused(3, "inspect", crate)


def test_inspect_says_what_a_workflow_is(wfx) -> None:
    done = wfx("inspect", wfx.workflow())
    assert done.code == 0, done.err
    assert "input      words: File, required" in done.out
    assert wfx("inspect", "flow/count.cwl", "--json").json["kind"] == "workflow"


def test_compare_says_identical_equivalent_and_different(wfx, ours: Path) -> None:
    packed = pack(ours, wfx.folder / "first.zip")
    same = wfx("compare", ours, packed)
    assert (same.code, same.out) == (0, "reproduced, 1 of 1 outputs identical\n")
    assert wfx("run", ours, "-i", "reverse=true", "-o", "second").code == 0
    differs = wfx("compare", ours, "second", "--html", "report.html", "--json")
    assert differs.code == 10
    assert differs.json["reproduced"] is False
    [output] = differs.json["outputs"]
    assert (output["verdict"], output["by"]) == ("different", "text")
    assert "2 of 2 differ; first at line 1" in output["detail"]
    assert [(c["kind"], c["name"]) for c in differs.json["circumstances"]] == [("input", "reverse")]
    assert "<script" not in (wfx.folder / "report.html").read_text()
    unordered = wfx("compare", ours, "second", "--as", "result=unordered")
    assert unordered.code == 0
    assert "equivalent  unordered" in unordered.out
    assert "there is no output 'x'" in wfx.refused(2, "compare", ours, "second", "--as", "x=text")
    assert "no run" in wfx.refused(2, "compare", ours, "nothing")


def test_rerun_reproduces_our_crate_from_every_form_on_an_empty_store(wfx, ours: Path, server: FaultServer) -> None:
    places: dict[str, Path | str] = {"run": ours, **forms(ours, wfx.folder)}
    places["web"] = server.add("/first.crate.zip", (wfx.folder / "a.zip").read_bytes())
    for number, (name, place) in enumerate(places.items()):
        wfx.env["WFX_HOME"] = str(wfx.folder / f"home{number}")
        done = wfx("rerun", place, "-o", f"again {name}", "-q")
        assert (done.code, done.out) == (0, "reproduced, 1 of 1 outputs identical\n"), (name, done.err)


def test_the_new_crate_records_the_comparison_and_names_the_original(wfx, ours: Path) -> None:
    done = wfx("rerun", ours, "--json")
    assert done.code == 0, done.err
    assert done.json["comparison"]["summary"] == "reproduced, 1 of 1 outputs identical"
    crate = wfx.folder / "wfx-runs/count-again"
    assert Path(done.json["directory"]) == crate
    entities = {e["@id"]: e for e in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
    original = json.loads((ours / "ro-crate-metadata.json").read_text())["@graph"]
    identifier = next(e["identifier"] for e in original if e["@id"] == "./")
    action = entities["#comparison"]
    assert action["@type"] == "AssessAction"
    assert action["description"] == "reproduced, 1 of 1 outputs identical"
    assert {"@id": identifier} in action["object"]
    assert action["result"] == {"@id": "comparison.json"}
    assert entities["./"]["isBasedOn"] == {"@id": identifier}
    assert str(wfx.folder) not in (crate / "comparison.json").read_text()
    assert wfx("check", crate).code == 0
    assert wfx("rerun", crate, "-q").out == "reproduced, 1 of 1 outputs identical\n"
    assert (wfx.folder / "wfx-runs/count-again-2").is_dir()


def test_what_is_not_reproduced_is_said_with_exit_code_10(wfx) -> None:
    tool = TOOL.replace("baseCommand: [cat]", "baseCommand: [sh, -c, 'cat /proc/sys/kernel/random/uuid']")
    tool = tool.replace("{position: 1}", "{position: 9}")
    wfx.write("w.cwl", tool)
    wfx.write("t.txt", "x\n")
    assert wfx("run", "w.cwl", "-i", "text=@t.txt", "-o", "first").code == 0
    done = wfx("rerun", "first")
    assert done.code == 10, done.err
    assert "copy: copy.txt  different  text  1 of 1 differ; first at line 1" in done.out
    assert "not reproduced, of 1 outputs 1 different" in done.out


def test_another_version_of_the_engine_has_to_be_allowed(wfx, ours: Path) -> None:
    bare = forms(ours, wfx.folder)["folder"]
    plan = json.loads((bare / "plan.json").read_text())
    plan["description"]["engine_version"] = "1.0"
    (bare / "plan.json").write_text(json.dumps(plan))
    line = wfx.refused(6, "rerun", bare)
    assert "made with cwltool 1.0: cwltool 1.0 cannot be driven" in line
    assert "--engine-version current" in line
    done = wfx("rerun", bare, "--engine-version", "current")
    assert done.code == 0, done.err
    assert "engine version: cwltool 1.0 →" in done.out


def test_rerun_writes_over_nothing(wfx, ours: Path) -> None:
    before = (ours / "outputs/counts.txt").read_text()
    assert "something already" in wfx.refused(2, "rerun", ours, "-o", ours)
    assert "something already" in wfx.refused(2, "rerun", pack(ours, wfx.folder / "a.zip"), "-o", ours)
    assert (ours / "outputs/counts.txt").read_text() == before
    assert "records no run" in wfx.refused(3, "rerun", foreign(wfx.folder / "c"))


@pytest.mark.parametrize("said", [
    "/etc/passwd", "file:///etc/passwd", "../secret", '{"class": "File", "path": "/etc/passwd"}',
    '{"class": "File", "location": "file:/etc/passwd"}',
])  # fmt: skip
def test_a_value_that_is_a_path_means_no_file_of_this_machine(wfx, said: str) -> None:
    wfx.write("secret", "secret\n")
    value = {"@id": "#v", "@type": "PropertyValue", "value": said, "exampleOfWork": {"@id": "#text"}}
    crate = foreign(wfx.folder / "c", action("#v"), value)
    wfx.refused(8, "run", crate, "-o", "out")


@pytest.mark.parametrize("value", [
    {"class": "File", "location": "file:///etc/passwd"}, {"class": "File", "path": "/etc/passwd"},
    {"class": "File", "location": "../../etc/passwd"}, {"class": "File", "location": "/etc/passwd"},
    {"class": "Directory", "listing": [{"class": "File", "path": "/etc/passwd"}], "basename": "d"},
])  # fmt: skip
def test_a_forged_plan_reads_no_file_of_this_machine(wfx, ours: Path, value: dict[str, Any]) -> None:
    bare = forms(ours, wfx.folder)["folder"]
    plan = json.loads((bare / "plan.json").read_text())
    plan["inputs"]["words"] = value
    (bare / "plan.json").write_text(json.dumps(plan))
    line = wfx.refused(8, "run", bare, "-o", "out")
    assert "leads out of the crate" in line


@pytest.mark.parametrize("location", ["/etc/passwd", "file:///etc/passwd", "../../secret"])
def test_a_forged_plan_hides_no_document_that_names_one(wfx, ours: Path, location: str) -> None:
    bare = forms(ours, wfx.folder)["folder"]
    tool = wfx.tool.replace(
        "words: {type: File,", f"words: {{type: File, default: {{class: File, location: '{location}'}},"
    )
    (bare / "workflow/sort.cwl").write_text(tool)
    plan = json.loads((bare / "plan.json").read_text())
    for document in plan["workflow"]["documents"]:
        if document["path"] == "sort.cwl":
            document["sha256"], document["size"] = hashlib.sha256(tool.encode()).hexdigest(), len(tool)
    (bare / "plan.json").write_text(json.dumps(plan))
    assert "names a file of this machine" in wfx.refused(8, "run", bare, "-o", "out")
    plan["workflow"]["aliases"] = {"https://example.org/x": "../../../etc/passwd"}
    (bare / "workflow/sort.cwl").write_text(wfx.tool)
    for document in plan["workflow"]["documents"]:
        if document["path"] == "sort.cwl":
            document["sha256"], document["size"] = hashlib.sha256(wfx.tool.encode()).hexdigest(), len(wfx.tool)
    (bare / "plan.json").write_text(json.dumps(plan))
    assert "a place outside of the workflow" in wfx.refused(8, "run", bare, "-o", "out")
