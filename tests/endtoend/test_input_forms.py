"""Inputs as people write them: mirrors, members of archives, patterns, tables; staged, and what is said when they are wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import Ran, WfxRun
from wfx.testing.servers import FaultServer

TOOL = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: [cat]
inputs:
  many: {type: 'File[]?', inputBinding: {position: 1}}
  one: {type: File?, inputBinding: {position: 2}}
  folder: Directory?
  indexed: {type: File?, secondaryFiles: [{pattern: .idx, required: false}]}
outputs:
  out: stdout
stdout: out.txt
"""
MEMBERS = ("top/a_1.fastq.gz", "top/a_2.fastq.gz", "top/readme", "top/.hidden.fastq.gz")


def tarball() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in MEMBERS:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


ARCHIVE = tarball()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.add("/x.tar.gz", ARCHIVE)
        running.add("/b.bin", b"hello")
        running.add("/single.txt.gz", gzip.compress(b"single"))
        yield running


class Stage:
    """Stages a definition with some inputs, and says what lies in the run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wfx = WfxRun(folder / "home", folder)
        (folder / "wf.cwl").write_text(TOOL)
        (folder / "data").mkdir()
        for name in "abc":
            (folder / "data" / f"{name}.fq").write_text(name)

    def command(self, command: str, inputs: dict[str, Any], *more: str, check: int | None = 0) -> Ran:
        (self.folder / "def.yml").write_text(json.dumps({"wfx": 1, "workflow": "wf.cwl", "inputs": inputs}))
        return self.wfx.here(command, "def.yml", *more, check=check)

    def __call__(self, name: str = "run", **inputs: Any) -> dict[str, bytes]:
        self.command("stage", inputs, "-o", name)
        top = self.folder / name / "inputs"
        return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}

    def fails(self, code: int, **inputs: Any) -> str:
        done = self.command("stage", inputs, "-o", "failed", check=code)
        # A mirror that is tried is told too.
        assert sum(line.startswith("wfx: ") for line in done.stderr.splitlines()) == 1, done.stderr
        assert not (self.folder / "failed").exists()
        return done.stderr

    def lock(self, name: str = "run") -> list[dict[str, Any]]:
        return json.loads((self.folder / name / ".wfx" / "lock.json").read_text())["items"]

    def identity(self, name: str = "run") -> str:
        return json.loads((self.folder / name / ".wfx" / "lock.json").read_text())["identity"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


# -- archives


def test_a_member_of_an_archive_is_a_file_under_the_name_that_is_given(stage: Stage, server: FaultServer) -> None:
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    item = {"archive": server.url + "/x.tar.gz", "member": "./top/readme", "sha256": sha256, "size": len(ARCHIVE)}
    assert stage(one={**item, "as": "sub/dir/r.txt"}) == {"one/sub/dir/r.txt": b"top/readme"}
    [locked] = stage.lock()
    assert locked["origin"] == server.url + "/x.tar.gz#path=top/readme"
    assert stage("again", one=item) == {"one/readme": b"top/readme"}
    assert "its sha256 is" in stage.fails(5, one={**item, "sha256": "0" * 64})


def test_a_reference_with_path_is_the_same_member_on_every_way(stage: Stage, server: FaultServer) -> None:
    url = server.url + "/x.tar.gz#path=top/readme"
    assert stage(one={"file": url, "sha256": hashlib.sha256(b"top/readme").hexdigest()}) == {
        "one/readme": b"top/readme"
    }
    assert stage("form", one={"archive": server.url + "/x.tar.gz", "member": "top/readme"}) == {
        "one/readme": b"top/readme"
    }
    assert stage.identity() == stage.identity("form")
    (stage.folder / "x.tar.gz").write_bytes(ARCHIVE)
    assert stage("local", one={"archive": "x.tar.gz", "member": "top/readme"}) == {"one/readme": b"top/readme"}
    stage.wfx.here("fetch", url, "-o", "fetched")
    assert (stage.folder / "fetched").read_bytes() == b"top/readme"


def test_several_members_are_an_array_and_the_archive_comes_once(stage: Stage, server: FaultServer) -> None:
    url = server.url + "/x.tar.gz"
    reads = {"many/a_1.fastq.gz": b"top/a_1.fastq.gz", "many/a_2.fastq.gz": b"top/a_2.fastq.gz"}
    assert stage(many={"archive": url, "member": "*.fastq.gz"}) == reads
    assert stage("listed", many={"archive": url, "member": ["top/a_1.fastq.gz", "top/a_2.fastq.gz"]}) == reads
    assert stage("one", one={"archive": url, "member": "top/r*"}) == {"one/readme": b"top/readme"}
    assert stage("spliced", many=[{"archive": url, "member": "top/*_[2].fastq.gz"}, {"file": "data/a.fq"}]) == {
        "many/a_2.fastq.gz": b"top/a_2.fastq.gz", "many/a.fq": b"a",
    }  # fmt: skip
    assert stage.identity() == stage.identity("listed")
    (stage.folder / "x.tar.gz").write_bytes(ARCHIVE)
    assert stage("local", many={"archive": "x.tar.gz", "member": "*.fastq.gz"}) == reads


@pytest.mark.parametrize("form", [{}, {"directory": True}, {"directory": "top"}, {"member": "top/"}], ids=str)
def test_a_folder_is_the_whole_of_an_archive_or_a_part_of_it(
    stage: Stage, server: FaultServer, form: dict[str, Any]
) -> None:
    found = stage(folder={"archive": server.url + "/x.tar.gz", **form})
    top = "folder/x/top/" if form in ({}, {"directory": True}) else "folder/top/"
    assert found == {top + name.partition("/")[2]: name.encode() for name in MEMBERS}


def test_a_zip_and_a_single_packed_file_are_archives_too(stage: Stage, server: FaultServer) -> None:
    with zipfile.ZipFile(stage.folder / "z.zip", "w") as archive:
        archive.writestr("in/it.txt", b"zipped")
    assert stage(one={"archive": "z.zip", "member": "in/it.txt"}) == {"one/it.txt": b"zipped"}
    assert stage("single", one={"archive": server.url + "/single.txt.gz"}) == {"one/single.txt": b"single"}


def test_what_is_not_in_an_archive_is_said_with_what_is(stage: Stage, server: FaultServer) -> None:
    url = server.url + "/x.tar.gz"
    assert "there is no 'nope' in it: it has top/" in stage.fails(4, one={"archive": url, "member": "nope"})
    assert "no member of the archive fits *.bam" in stage.fails(3, many={"archive": url, "member": "*.bam"})
    assert "it is no archive" in stage.fails(3, one={"archive": server.url + "/b.bin", "member": "x"})
    assert "leads out" in stage.fails(3, one={"archive": url, "member": "../x"})


def test_a_workflow_is_taken_from_an_archive(stage: Stage, server: FaultServer) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        archive.add(stage.folder / "wf.cwl", "wf-1.0/main.cwl")
    url = server.add("/wf.tar.xz", buffer.getvalue())
    (stage.folder / "wf.tar.xz").write_bytes(buffer.getvalue())
    digests = set()
    for text in (url, url + "#path=wf-1.0/main.cwl", "wf.tar.xz", "wf.tar.xz#path=wf-1.0/main.cwl"):
        plan = stage.wfx.here("plan", text, "-i", "one=@data/a.fq", "--json").json
        assert plan["workflow"]["entry"] == "wf-1.0/main.cwl"
        digests.add(plan["workflow"]["digest"])
    assert len(digests) == 1
    offline = stage.wfx.here("plan", url + "#path=wf-1.0/main.cwl", "-i", "one=@data/a.fq", "--offline", "--json").json
    assert offline["workflow"]["digest"] in digests
    missing = stage.wfx.here("plan", url + "#path=main.cwl", check=4)
    assert "it has wf-1.0/main.cwl" in missing.stderr


def test_a_definition_may_lie_elsewhere(stage: Stage, server: FaultServer) -> None:
    inputs = {"one": {"file": "b.bin"}}
    server.add("/wf.cwl", TOOL.encode())
    url = server.add("/d.wfx.yml", json.dumps({"wfx": 1, "workflow": "wf.cwl", "inputs": inputs}).encode())
    stage.wfx.here("stage", url, "-o", "run", "--trust")
    [locked] = stage.lock()
    assert locked["origin"] == server.url + "/b.bin"
    stage.wfx.here("stage", url, "-o", "offline", "--trust", "--offline")
    for number, wrong in enumerate(
        (
            {"workflow": "file:///etc/wf.cwl"},
            {"workflow": "wf.cwl", "inputs": {"one": {"file": "file:///etc/hostname"}}},
        )
    ):
        bad = server.add(f"/{number}.yml", json.dumps({"wfx": 1, **wrong}).encode())
        done = stage.wfx.here("stage", bad, "-o", "failed", "--trust", check=8)
        assert "names a file of this machine" in done.stderr


# -- the plan


def test_a_plan_tells_bytes_hosts_licences_and_refusals_before_anything_comes(
    stage: Stage, server: FaultServer
) -> None:
    many = [{"archive": server.url + "/x.tar.gz", "member": name} for name in MEMBERS[:3]]
    secret = server.add("/secret", bytes(1000), authorization="Bearer not-given")
    one = {"file": server.url + "/b.bin", "licence": "CC0-1.0"}
    inputs = {"many": [*many, {"file": secret}, {"file": "data/a.fq"}], "one": one}
    told = stage.command("plan", inputs, "--json").json["to_fetch"]
    assert (told["files"], told["local"], told["stored"], told["references"]) == (6, 1, 0, 3)
    assert told["bytes"] == len(ARCHIVE) + 5, "an archive comes once"
    assert told["hosts"] == {"127.0.0.1": len(ARCHIVE) + 5}
    assert told["licences"] == {"": 5, "CC0-1.0": 1}
    assert told["refused"] == {secret: "access is refused (401), and no credential applies"}
    assert not any((stage.folder / "home" / "cache" / "v1" / "blobs").rglob("?" * 62)), "a byte was stored"
    text = stage.command("plan", inputs).stdout
    assert f"refused    {secret}: access is refused (401), and no credential applies" in text
    assert "licences   CC0-1.0 (1)" in text
    stage.command("stage", {"one": one}, "-o", "one")
    later = stage.command("plan", {"one": one}, "--json").json["to_fetch"]
    assert (later["stored"], later["references"], later["bytes"]) == (1, 0, 0)


# -- mirrors, checksums, names


@pytest.mark.parametrize("form", ["list", "alternates"])
def test_a_mirror_is_taken_where_the_first_place_fails(stage: Stage, server: FaultServer, form: str) -> None:
    gone, good = server.url + "/gone", server.url + "/b.bin"
    places = {"file": [gone, good]} if form == "list" else {"file": gone, "alternates": [good]}
    assert stage(one={**places, "md5": hashlib.md5(b"hello").hexdigest(), "name": "b"}) == {"one/b": b"hello"}
    [locked] = stage.lock()
    assert (locked["origin"], locked["pinned"]) == (gone, good)
    assert stage("plain", one={"file": good, "name": "b"}) == {"one/b": b"hello"}
    assert stage.identity() == stage.identity("plain"), "a mirror changes no result"


def test_a_mirror_with_other_bytes_is_not_taken(stage: Stage, server: FaultServer) -> None:
    bad = server.add("/bad", b"hullo", etag='"2"')
    sha1 = hashlib.sha1(b"hello").hexdigest()
    assert stage(one={"file": [bad, server.url + "/b.bin"], "sha1": sha1}) == {"one/bad": b"hello"}
    assert "its sha1 is" in stage.fails(5, one={"file": [bad, server.url + "/gone"], "sha1": sha1})


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha512", "sha3_256", "crc32c"])
def test_a_checksum_of_any_algorithm_is_held_when_it_comes_and_when_it_is_there(
    stage: Stage, server: FaultServer, algorithm: str
) -> None:
    from wfx import checksums

    digest = checksums.of_file(io.BytesIO(b"hello"), algorithm)  # type: ignore[arg-type]
    url = server.url + "/b.bin"
    wrong = f"{algorithm}:{'0' * len(digest)}"
    assert f"its {algorithm} is {digest}" in stage.fails(5, one={"file": url, "checksum": wrong})
    assert stage(one={"file": url, "checksum": [f"{algorithm}:{digest}"]}) == {"one/b.bin": b"hello"}
    assert f"its {algorithm} is {digest}" in stage.fails(5, one={"file": url, "checksum": wrong})
    done = stage.command("stage", {"one": {"file": url, "checksum": wrong}}, "-o", "failed", "--offline", check=5)
    assert f"its {algorithm} is {digest}" in done.stderr


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"file": "a", "checksum": "md5:12"}, "cannot be held"), ({"file": "a", "checksum": "nope:12"}, "cannot be held"),
        ({"file": "a", "sha256": "0" * 64, "checksum": "sha256:" + "1" * 64}, "differ"),
        ({"file": []}, "mirrors of it a list"), ({"file": "a", "name": "../x"}, "no path below"),
        ({"file": "a", "licence": 3}, "takes a text"), ({"file": "a", "cacheable": "no"}, "takes true or false"),
        ({"archive": "a", "member": "x", "directory": "y"}, "exclude"), ({"archive": "a", "member": []}, "takes a path"),
        ({"table": "a"}, "needs 'columns'"), ({"table": "a", "columns": ["x"], "header": False}, "are numbers"),
        ({"table": "a", "columns": [0], "delimiter": "||"}, "one character"), ({"file": "data/*.none"}, "no file fits"),
    ],
    ids=str,
)  # fmt: skip
def test_a_form_that_is_wrong_is_said_in_one_line(stage: Stage, item: dict[str, Any], said: str) -> None:
    assert said in stage.fails(3, one=item)


def test_files_get_names_and_folders_of_ones_choice(stage: Stage) -> None:
    given = [{"file": "data/a.fq", "name": "x/same.fq"}, {"file": "data/b.fq", "name": "y/z/same.fq"}]
    assert stage(many=given) == {"many/x/same.fq": b"a", "many/y/z/same.fq": b"b"}


def test_companions_are_given_with_a_file(stage: Stage, server: FaultServer) -> None:
    item = {"file": server.url + "/b.bin", "secondary": ["data/a.fq", {"file": "data/b.fq", "name": "b.bin.x"}]}
    assert stage(one=item) == {"one/b.bin": b"hello", "one/a.fq": b"a", "one/b.bin.x": b"b"}


def test_optional_companions_elsewhere_are_looked_for(stage: Stage, server: FaultServer) -> None:
    assert stage("without", indexed={"file": server.url + "/b.bin"}) == {"indexed/b.bin": b"hello"}
    server.add("/b.bin.idx", b"index")
    assert stage("with", indexed={"file": server.url + "/b.bin"}) == {
        "indexed/b.bin": b"hello", "indexed/b.bin.idx": b"index",
    }  # fmt: skip
    assert stage.identity("with") != stage.identity("without")


def test_licence_and_attribution_travel_to_the_lock_and_change_no_result(stage: Stage, server: FaultServer) -> None:
    item = {"file": server.url + "/b.bin"}
    stage("plain", one=item)
    stage(one={**item, "licence": ["CC-BY-4.0", "MIT"], "attribution": "The makers", "disclosable": False})
    [locked] = stage.lock()
    assert (locked["licence"], locked["attribution"]) == ("CC-BY-4.0 AND MIT", ["The makers"])
    assert stage.identity() == stage.identity("plain")
    stage("later", one=item)
    assert stage.lock("later")[0].get("licence") is None, "one definition's word is not the place's"


def test_licence_and_attribution_are_in_the_crate(stage: Stage, server: FaultServer) -> None:
    one = {
        "file": server.url + "/b.bin",
        "licence": ["CC-BY-4.0", "MIT"],
        "attribution": ["Ada", "https://ror.org/00x"],
    }
    local = {"file": "data/a.fq", "licence": "CC0-1.0", "attribution": "The lab"}
    (stage.folder / "def.yml").write_text(
        json.dumps({"wfx": 1, "workflow": "wf.cwl", "inputs": {"one": one, "many": [local]}})
    )
    stage.wfx("run", "def.yml", "-o", "ran")
    graph = json.loads((stage.folder / "ran" / "ro-crate-metadata.json").read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    spdx = "https://spdx.org/licenses/"
    assert entities["inputs/one/b.bin"]["license"] == [{"@id": spdx + "CC-BY-4.0"}, {"@id": spdx + "MIT"}]
    assert entities["inputs/one/b.bin"]["creditText"] == ["Ada", "https://ror.org/00x"]
    assert entities["inputs/many/a.fq"]["license"] == {"@id": spdx + "CC0-1.0"}
    assert entities["inputs/many/a.fq"]["creditText"] == "The lab"


def test_what_is_not_cacheable_does_not_stay_in_the_store(stage: Stage, server: FaultServer) -> None:
    assert stage(one={"file": server.url + "/b.bin", "cacheable": False}) == {"one/b.bin": b"hello"}
    done = stage.command("stage", {"one": {"file": server.url + "/b.bin"}}, "-o", "other", "--offline", check=4)
    assert "switched off" in done.stderr
    stage.wfx.here("cache", "verify")


# -- patterns


def test_a_pattern_is_the_files_that_fit_in_order(stage: Stage) -> None:
    assert stage(many={"file": "data/*.fq"}) == {f"many/{n}.fq": n.encode() for n in "abc"}
    assert stage("two", many=[{"file": "data/[ab].fq"}, {"directory": "data", "glob": "c*"}]) == {
        f"many/{n}.fq": n.encode() for n in "abc"
    }
    assert stage.identity() == stage.identity("two")
    (stage.folder / "data" / "[x]*.fq").write_text("a name")
    assert stage("name", many=[{"file": "data/[x]*.fq"}]) == {"many/[x]*.fq": b"a name"}
    assert "where File? is expected" in stage.fails(3, one={"file": "data/?.fq"})


# -- tables


def test_the_references_in_a_tables_columns_are_fetched_and_rewritten(stage: Stage, server: FaultServer) -> None:
    server.add("/r/b.bin", b"other")
    url = server.add("/t/s.csv", b'sample,r1,r2,note\r\nA,../b.bin,../r/b.bin,"x, y"\r\nB,../b.bin,,"say ""z"""\r\n')
    assert stage(one={"table": url, "columns": ["r1", "r2"]}) == {
        "one/b.bin": b"hello", "one/1_b.bin": b"other",
        "one/s.csv": b'sample,r1,r2,note\r\nA,b.bin,1_b.bin,"x, y"\r\nB,b.bin,,"say ""z"""\r\n',
    }  # fmt: skip
    table = next(item for item in stage.lock() if item["path"].endswith("s.csv"))
    assert table["sha256"] == hashlib.sha256((stage.folder / "run" / table["path"]).read_bytes()).hexdigest()
    assert "did you mean 'r1'" in stage.fails(3, one={"table": url, "columns": ["r_1"]})


def test_a_table_may_stand_in_the_definition(stage: Stage, server: FaultServer) -> None:
    text = f"x\tdata/a.fq\ny\t{server.url}/b.bin\n"
    found = stage(one={"table": "s.tsv", "contents": text, "columns": [1], "header": False})
    assert found == {"one/s.tsv": b"x\ta.fq\ny\tb.bin\n", "one/a.fq": b"a", "one/b.bin": b"hello"}


def test_a_table_from_elsewhere_names_no_file_of_this_machine(stage: Stage, server: FaultServer) -> None:
    url = server.add("/s.csv", b"f\nfile:///etc/hostname\n")
    assert "file of this machine" in stage.fails(8, one={"table": url, "columns": ["f"]})


# -- fetched alone


def test_forms_are_fetched_without_a_workflow(stage: Stage, server: FaultServer) -> None:
    url, wfx = server.url + "/x.tar.gz", stage.wfx

    def written(name: str) -> dict[str, bytes]:
        top = stage.folder / name
        return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}

    reads = {"a_1.fastq.gz": b"top/a_1.fastq.gz", "a_2.fastq.gz": b"top/a_2.fastq.gz"}
    wfx.here("fetch", url, "--member", "*.fastq.gz", "-o", "members")
    assert written("members") == reads
    wfx.here("fetch", json.dumps({"archive": url, "member": "*.fastq.gz"}), "-o", "form")
    assert written("form") == reads
    md5 = hashlib.md5(b"hello").hexdigest()
    wfx.here("fetch", server.url + "/gone", "--mirror", server.url + "/b.bin", "--checksum", f"md5:{md5}", "-o", "one")
    assert (stage.folder / "one").read_bytes() == b"hello"
    wfx.here("fetch", server.url + "/b.bin", "--checksum", "md5:" + "0" * 32, check=5)
    table = server.add("/t/s.csv", b"r\n../b.bin\n")
    wfx.here("fetch", json.dumps({"table": table, "columns": ["r"]}), "-o", "table")
    assert written("table") == {"s.csv": b"r\nb.bin\n", "b.bin": b"hello"}
    (stage.folder / "x.tar.gz").write_bytes(ARCHIVE)
    wfx.here("fetch", "x.tar.gz#path=top/readme", "-o", "readme")
    assert (stage.folder / "readme").read_bytes() == b"top/readme"
    assert "no form" in wfx.here("fetch", "{a: 1}", check=3).stderr
    assert "belong to one" in wfx.here("fetch", url, url, "--member", "x", check=2).stderr
