"""Export: every part with and without, every form, what may not be disclosed, and runs that have not begun."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import bagit
import pytest
from wfx.testing.crates import validate
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

PERSON = """\
[person]
name = "Ada Lovelace"
orcid = "0000-0002-1825-0097"
affiliation = "Analytical Society"
affiliation_url = "https://society.example/"
[crate]
licence = "CC-BY-4.0"
publisher = "Analytical Society"
publisher_url = "https://society.example/"
[net]
allow_private_hosts = ["127.0.0.1"]
"""
# An input that comes out again as it is, one that a tool reads, and a folder.
PASSING = """\
cwlVersion: v1.2
class: Workflow
requirements: {StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {}}
inputs:
  patient: File
  reference: File
  scans: Directory
outputs:
  same: {type: File, outputSource: patient}
  sorted: {type: File, outputSource: sort/out}
  names: {type: File, outputSource: list/out}
steps:
  sort:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'echo reading $0 >&2; sort $0']
      inputs: {text: {type: File, inputBinding: {position: 1}}}
      outputs: {out: {type: stdout}}
      stdout: $(inputs.text.nameroot).sorted.txt
    in: {text: patient}
    out: [out]
  list:
    run:
      class: CommandLineTool
      baseCommand: [wc, -c]
      inputs: {folder: Directory, reference: {type: File, inputBinding: {position: 1}}}
      outputs: {out: {type: stdout}}
      stdout: count.txt
    in: {folder: scans, reference: reference}
    out: [out]
"""
FORMS = ("zip", "directory", "bagit", "bagit-zip")


def metadata(packed: Path) -> dict[str, dict[str, Any]]:
    """Return the entities of a packed crate."""
    return {entity["@id"]: entity for entity in json.loads(files(packed)["ro-crate-metadata.json"])["@graph"]}


def files(packed: Path) -> dict[str, bytes]:
    """Return the files of a crate in any form, by their path in it."""
    if packed.is_dir():
        top = packed / "data" if (packed / "bagit.txt").is_file() else packed
        return {p.relative_to(top).as_posix(): p.read_bytes() for p in top.rglob("*") if p.is_file()}
    with zipfile.ZipFile(packed) as archive:
        found = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    if not any(name.endswith("/bagit.txt") for name in found):
        return found
    return {name.partition("/data/")[2]: data for name, data in found.items() if "/data/" in name}


def left_out(packed: Path) -> dict[str, dict[str, Any]]:
    """Return the entities of what is not in a crate."""
    return {
        identifier.removeprefix("#left-out/"): entity
        for identifier, entity in metadata(packed).items() if identifier.startswith("#left-out/")
    }  # fmt: skip


def is_valid(packed: Path, profile: str = "provenance-run-crate") -> None:
    """Hold a crate to its profile by roc-validator, and to wfx's own rules."""
    assert validate(packed, profile, "RECOMMENDED") == []


@pytest.fixture(scope="module")
def machine(bench, tmp_path_factory):
    """A machine with three runs: of a fetched input, of inputs that may not be disclosed, and one that is staged."""
    wfx = bench(tmp_path_factory.mktemp("export"))
    wfx.write("home/config/config.toml", PERSON)
    wfx.workflow()
    with FaultServer() as server:
        wfx.write(
            "flow/far.yml", f"words: {{class: File, location: {server.add('/far/words.txt', b'b' + b'ab' * 9)}}}\n"
        )
        assert wfx("run", "flow/count.cwl", "flow/far.yml", "-o", "far", "-q").code == 0
    assert wfx("run", "flow/count.cwl", "flow/job.yml", "-o", "plain", "-q").code == 0
    assert wfx("stage", "flow/count.cwl", "flow/job.yml", "-o", "staged", "-q").code == 0
    wfx.write("passing.cwl", PASSING)
    wfx.write("private/MaryJones.txt", "x\nb\na\n")
    wfx.write("reference/hg38.fa", ">1\nACGT\n")
    wfx.write("scans/JohnSmith.dcm", "scan")
    wfx.write("closed.wfx.yml", """\
wfx: 1
workflow: passing.cwl
inputs:
  patient: {file: private/MaryJones.txt, disclosable: false}
  reference: {file: reference/hg38.fa, disclosable: name, attribution: The Genome Office}
  scans: {directory: scans, disclosable: false}
""")  # fmt: skip
    done = wfx("run", "closed.wfx.yml", "-o", "closed", "-q")
    assert done.code == 0, done.err
    return wfx


@pytest.fixture
def out(machine, tmp_path: Path):
    """Export a run into this test's folder; return where it is."""

    def export(run: str, *options: str, name: str = "crate") -> Path:
        folder = "directory" in options or "bagit" in options
        name += "" if folder else ".zip"
        done = machine("export", run, *options, "-o", tmp_path / name, "--json")
        assert done.code == 0, done.err
        return Path(done.json["path"])

    return export


# -- parts


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_every_file_and_is_valid(machine, out, form: str) -> None:
    packed = out("plain", "--form", form)
    run = machine.folder / "plain"
    wanted = {
        p.relative_to(run).as_posix(): p.read_bytes()
        for p in run.rglob("*") if p.is_file() and ".wfx" not in p.relative_to(run).parts
    }  # fmt: skip
    assert files(packed) == wanted
    done = machine("check", packed, "--json")
    assert done.code == 0, done.out
    if form in ("zip", "directory"):
        is_valid(packed)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_run_gives_the_same_bytes(machine, out, form: str) -> None:
    first, second = (out("plain", "--form", form, name=name) for name in "ab")
    if first.is_file():
        assert first.read_bytes() == second.read_bytes()
    else:
        done = subprocess.run(["diff", "-r", first, second], capture_output=True, text=True, check=False)
        assert done.stdout == ""


@pytest.mark.parametrize("parts", ["inputs", "outputs", "logs", "inputs,outputs,logs"])
def test_what_is_left_out_is_a_reference_and_the_crate_stays_valid(machine, out, parts: str) -> None:
    packed = out("plain", "--form", "directory", "--without", parts)
    gone = [
        p
        for p in (machine.folder / "plain").rglob("*")
        if p.is_file() and p.relative_to(machine.folder / "plain").parts[0] in parts
    ]
    assert not [name for name in files(packed) if name.split("/")[0] in parts.split(",")]
    found = left_out(packed)
    for path in gone:
        entity = found[path.relative_to(machine.folder / "plain").as_posix()]
        assert entity["contentSize"] == str(path.stat().st_size)
        assert len(entity["sha256"]) == 64
        assert "left out when the crate was exported" in entity["description"]
    is_valid(packed)
    assert machine("check", packed).code == 0
    page = (packed / "ro-crate-preview.html").read_text()
    assert ("(left out of this crate)" in page) == (parts != "logs")


def test_the_more_particular_word_counts(machine, out) -> None:
    packed = out("plain", "--without", "inputs, outputs", "--with", "outputs/result")
    assert "outputs/counts.txt" in files(packed)
    assert [*left_out(packed)] == ["inputs/words/words.txt"]


def test_an_input_that_everybody_can_have_is_named_by_its_address(machine, out) -> None:
    [entity] = left_out(out("far", "--without", "inputs")).values()
    assert entity["contentUrl"].endswith("/far/words.txt")


def test_what_was_left_out_is_fetched_again_where_the_crate_is_run(machine, tmp_path: Path) -> None:
    with FaultServer() as server:
        place = server.add("/far/words.txt", b"b\na\nb\n")
        machine.write("flow/there.yml", f"words: {{class: File, location: {place}}}\n")
        assert machine("run", "flow/count.cwl", "flow/there.yml", "-o", "there", "-q").code == 0
        packed = tmp_path / "crate.zip"
        assert machine("export", "there", "--without", "inputs,outputs", "-o", packed, "-q").code == 0
        homes = [tmp_path / "home", tmp_path / "another"]
        for each in homes:
            (each / "config").mkdir(parents=True)
            (each / "config/config.toml").write_text(PERSON)
        # Without the outputs too: their digests stand for them.
        done = machine("rerun", packed, "-o", tmp_path / "again", env={"WFX_HOME": str(homes[0])})
        assert done.code == 0, done.err
        assert "reproduced, 1 of 1 outputs identical" in done.out
        # Other bytes at that address are not what was run.
        server.add("/far/words.txt", b"x\n")
        line = machine.refused(5, "rerun", packed, "-o", tmp_path / "third", env={"WFX_HOME": str(homes[1])})
        assert "words.txt" in line


def test_sizes_are_told_before_and_nothing_is_written_with_dry_run(machine) -> None:
    done = machine("export", "plain", "--without", "outputs", "--dry-run", "-o", "nothing.zip")
    assert done.code == 0
    assert done.out.startswith("packing ")
    assert "left out, 20 B: outputs/counts.txt. It was left out when the crate was exported." in done.out
    assert not (machine.folder / "nothing.zip").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--without", "input"), "did you mean inputs?"),
        (("--with", "plan.json"), "the parts are"),
        (("--without", "inputs/word"), "did you mean inputs/words?"),
        (("--without", "inputs", "--with", "inputs"), "stands under --with and under --without"),
        (("--form", "zi"), "zip"),
    ],
    ids=["part", "no part", "input", "both", "form"],
)
def test_a_slip_is_told_with_what_was_meant(machine, options: tuple[str, ...], said: str) -> None:
    done = machine("export", "plain", "-o", "never", *options)
    assert done.code in (2, 6)
    assert said in done.last
    assert not (machine.folder / "never").exists()


# -- what may not be disclosed


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_what_may_not_be_disclosed_leaves(out, form: str) -> None:
    packed = out("closed", "--form", form)
    found = files(packed)
    for name, data in found.items():
        for secret in (b"MaryJones", b"JohnSmith", b"private", b"scan\n", b"x\nb\na\n", b"ACGT", b"Genome Office"):
            assert secret not in data, name
            assert secret.decode() not in name
    entities = left_out(packed)
    assert [*entities] == [
        "inputs/patient/withheld-1.txt", "inputs/reference/hg38.fa", "inputs/scans/withheld-2/", "outputs/withheld-1.txt",
    ]  # fmt: skip
    assert entities["inputs/patient/withheld-1.txt"]["contentSize"] == "6"
    assert all("not let it be disclosed" in entity["description"] for entity in entities.values())
    # The result that was called after it is there, under another name.
    assert found["outputs/withheld-1.sorted.txt"] == b"a\nb\nx\n"


def test_a_crate_without_what_may_not_be_disclosed_is_valid(machine, out) -> None:
    packed = out("closed", "--form", "directory")
    is_valid(packed)
    done = machine("check", packed, "--json")
    assert done.code == 0, done.out


@pytest.mark.parametrize("asked", ["inputs", "inputs/patient", "outputs/same", "inputs/scans"])
def test_who_asks_for_it_is_refused(machine, asked: str) -> None:
    line = machine.refused(8, "export", "closed", "--with", asked, "-o", "never.zip")
    assert "be disclosed" in line
    assert not (machine.folder / "never.zip").exists()


def test_a_later_word_holds_for_the_finished_run(machine, tmp_path: Path) -> None:
    text = (machine.folder / "closed.wfx.yml").read_text().replace(", disclosable: name", "")
    machine.write("later.wfx.yml", text.replace("disclosable: false", "disclosable: true"))
    shutil.copytree(machine.folder / "closed", machine.folder / "later", symlinks=True)
    done = machine("run", "later.wfx.yml", "-o", "later", "--json")
    assert done.json["reused"]
    done = machine("export", "later", "--json", "-o", tmp_path / "x.zip")
    assert done.json["left_out"] == []


def test_what_is_run_again_is_held_to_the_same_policy(machine, tmp_path: Path) -> None:
    done = machine("run", "closed", "-o", "again", "--json")
    assert done.code == 0, done.err
    done = machine("export", "again", "--json", "-o", tmp_path / "x.zip")
    assert len(done.json["left_out"]) == 4


# -- runs that have not begun


@pytest.mark.parametrize("form", ["directory", "zip"])
def test_a_staged_run_is_a_crate_to_be_run(machine, out, form: str) -> None:
    packed = out("staged", "--form", form)
    assert validate(packed, "workflow-ro-crate", "RECOMMENDED") == []
    assert machine("check", packed).code == 0
    told = machine("inspect", packed, "--json").json
    assert [i["name"] for i in told["inputs"]] == ["words", "reverse"]
    assert told["runs"] == []
    done = machine("run", packed, "-o", packed.with_name("run"), "--json")
    assert done.code == 0, done.err
    assert json.loads((machine.folder / "plain/lock.json").read_text())["identity"] == done.json["identity"]


def test_a_staged_run_without_inputs_says_what_it_needs(machine, out) -> None:
    packed = out("staged", "--without", "inputs", "--form", "directory")
    assert validate(packed, "workflow-ro-crate", "RECOMMENDED") == []
    line = machine.refused(3, "run", packed, "-o", "never")
    assert "words.txt" in line
    done = machine("run", packed, "-i", "words=@flow/words.txt", "-o", packed.with_name("run"), "--json")
    assert done.code == 0, done.err


# -- bags


@pytest.mark.parametrize("without", ["logs", "inputs,outputs"])
def test_bags_are_valid_for_the_library(out, tmp_path: Path, without: str) -> None:
    folder = out("plain", "--form", "bagit", "--without", without)
    assert bagit.Bag(str(folder)).validate()
    packed = out("plain", "--form", "bagit-zip", "--without", without, name="packed.bag")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    [top] = (tmp_path / "unpacked").iterdir()
    assert bagit.Bag(str(top)).validate()


@pytest.mark.parametrize("form", ["bagit", "bagit-zip"])
def test_a_bag_is_taken_back(machine, out, tmp_path: Path, form: str) -> None:
    packed = out("plain", "--form", form, name="x.bag")
    assert machine("inspect", packed, "--json").json["workflow"] == "workflow/count.cwl"
    assert machine("run", packed, "-o", tmp_path / "run", "-q").code == 0
    done = machine("rerun", packed, "-o", tmp_path / "rerun")
    assert done.code == 0, done.err
    assert "reproduced, 1 of 1 outputs identical" in done.out


# -- failures


def test_a_run_without_a_crate_is_told_so(machine, tmp_path: Path) -> None:
    shutil.copytree(machine.folder / "plain", machine.folder / "torn")
    (machine.folder / "torn/ro-crate-metadata.json").unlink()
    assert "there is no crate here" in machine.refused(3, "export", "torn", "-o", tmp_path / "x.zip")


def test_a_full_disk_leaves_nothing(machine, tmp_path: Path) -> None:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for form in FORMS:
        target = tmp_path / form
        done = subprocess.run(
            machine.command("export", "plain", "--form", form, "-o", target / "x"), cwd=machine.folder, env=machine.env,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit)), capture_output=True, text=True,
            check=False,
        ) if not target.mkdir() else None  # fmt: skip
        assert done is not None
        assert done.returncode == 9, done.stderr
        assert os.listdir(target) == []
