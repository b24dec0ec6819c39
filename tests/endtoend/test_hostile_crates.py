"""Hostile crates: each is refused in one line with exit code 3 or 8, in little memory, and touches nothing outside.

How long each takes is measured by benchmarks/read_crate.py.
"""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

pytestmark = pytest.mark.real

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs: {text: {type: File, inputBinding: {}}}
outputs: {copy: stdout}
"""
MEMORY_KB = 300_000
Build = Callable[[Path], Path]
CRATES: dict[str, Build] = {}


def hostile(function: Build) -> Build:
    CRATES[function.__name__.replace("_", " ")] = function
    return function


def graph(*entities: Any, main: str = "w.cwl", text: str = "t.txt") -> bytes:
    """Return the metadata of a crate whose run took a file."""
    return json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "mainEntity": {"@id": main}},
        {"@id": main, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
         "programmingLanguage": {"@id": "#cwl"}, "input": {"@id": "#text"}},
        {"@id": "#cwl", "@type": "ComputerLanguage", "name": "CWL"},
        {"@id": "#text", "@type": "FormalParameter", "name": "text"},
        {"@id": "#run", "@type": "CreateAction", "instrument": {"@id": main}, "object": {"@id": text}},
        {"@id": text, "@type": "File", "exampleOfWork": {"@id": "#text"}},
        *entities,
    ]}).encode()  # fmt: skip


def folder(where: Path, metadata: bytes, **files: bytes) -> Path:
    crate = where / "crate"
    crate.mkdir()
    (crate / "ro-crate-metadata.json").write_bytes(metadata)
    (crate / "w.cwl").write_text(TOOL)
    for name, data in files.items():
        (crate / name.replace("__", ".")).write_bytes(data)
    return crate


def packed(where: Path, metadata: bytes, fill: Callable[[zipfile.ZipFile], None]) -> Path:
    place = where / "crate.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ro-crate-metadata.json", metadata)
        archive.writestr("w.cwl", TOOL)
        fill(archive)
    return place


def link(archive: zipfile.ZipFile, name: str, target: str) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, target)


@hostile
def an_input_above_the_crate(where: Path) -> Path:
    return folder(where, graph(text="../secret.txt"))


@hostile
def an_input_above_the_crate_in_disguise(where: Path) -> Path:
    return folder(where, graph(text="a/%2e%2e/%2E%2E/secret.txt"))


@hostile
def an_absolute_input(where: Path) -> Path:
    return folder(where, graph(text="/etc/passwd"))


@hostile
def an_input_that_is_a_file_of_this_machine(where: Path) -> Path:
    return folder(where, graph(text="file:///etc/passwd"))


@hostile
def an_input_with_backslashes(where: Path) -> Path:
    return folder(where, graph(text="..\\secret.txt"))


@hostile
def a_workflow_above_the_crate(where: Path) -> Path:
    (where / "w.cwl").write_text(TOOL)
    return folder(where, graph(main="../w.cwl"))


@hostile
def a_workflow_that_is_a_file_of_this_machine(where: Path) -> Path:
    (where / "w.cwl").write_text(TOOL)
    return folder(where, graph(main=(where / "w.cwl").as_uri()))


@hostile
def a_link_out_of_the_folder(where: Path) -> Path:
    crate = folder(where, graph())
    (crate / "t.txt").symlink_to(where / "secret.txt")
    return crate


@hostile
def a_link_in_a_zip(where: Path) -> Path:
    return packed(where, graph(), lambda archive: link(archive, "t.txt", "/etc/passwd"))


@hostile
def a_folder_in_a_zip_that_is_a_link(where: Path) -> Path:
    def fill(archive: zipfile.ZipFile) -> None:
        link(archive, "d", "/tmp")
        archive.writestr("d/planted.txt", "x")

    return packed(where, graph(text="d/planted.txt"), fill)


@hostile
def members_outside_of_the_zip(where: Path) -> Path:
    def fill(archive: zipfile.ZipFile) -> None:
        for name in ("../planted.txt", "/planted.txt", "a/../../planted.txt", "..\\planted.txt"):
            archive.writestr(name, "x")

    return packed(where, graph(text="../planted.txt"), fill)


@hostile
def a_bomb_of_one_file(where: Path) -> Path:
    return packed(where, graph(text="big"), lambda archive: archive.writestr("big", bytes(400_000_000)))


@hostile
def a_bomb_of_many_files(where: Path) -> Path:
    def fill(archive: zipfile.ZipFile) -> None:
        for number in range(400):
            archive.writestr(f"t{number}.txt", bytes(1_000_000))

    return packed(where, graph(text="t0.txt"), fill)


@hostile
def metadata_that_are_a_bomb(where: Path) -> Path:
    place = where / "crate.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ro-crate-metadata.json", b'{"@graph": [' + b"{}," * 8_000_000 + b"{}]}")
    return place


@hostile
def metadata_nested_beyond_measure(where: Path) -> Path:
    return folder(where, b'{"@graph": ' + b"[" * 200_000)


@hostile
def a_collection_within_itself(where: Path) -> Path:
    return folder(where, graph(
        {"@id": "#c", "@type": "Collection", "hasPart": [{"@id": "#d"}], "exampleOfWork": {"@id": "#text"}},
        {"@id": "#d", "@type": "Collection", "hasPart": [{"@id": "#c"}]}, text="#c",
    ))  # fmt: skip


@hostile
def values_that_double_at_every_level(where: Path) -> Path:
    nested = [
        {
            "@id": f"#v{n}",
            "@type": "PropertyValue",
            "value": [{"@id": f"#v{n + 1}"}] * 10,
            "exampleOfWork": {"@id": "#text"},
        }
        for n in range(40)
    ]
    return folder(where, graph(*nested, text="#v0"))


@hostile
def a_workflow_with_two_meanings(where: Path) -> Path:
    another = {"@id": "./w.cwl", "@type": ["File", "ComputationalWorkflow"], "name": "another"}
    return folder(where, graph(another), t__txt=b"x")


@hostile
def a_hundred_thousand_entities_and_no_workflow(where: Path) -> Path:
    many = [{"@id": f"#{n}", "@type": "Thing", "name": f"thing {n}"} for n in range(100_000)]
    document = json.loads(graph())["@graph"][:2]
    del document[1]["mainEntity"]
    return folder(where, json.dumps({"@graph": [*document, *many]}).encode())


@hostile
def a_zip_that_is_cut(where: Path) -> Path:
    place = packed(where, graph(), lambda archive: archive.writestr("t.txt", "x" * 10_000))
    place.write_bytes(place.read_bytes()[:-200])
    return place


@hostile
def a_zip_with_a_spoilt_member(where: Path) -> Path:
    place = packed(where, graph(), lambda archive: archive.writestr("t.txt", os.urandom(5000)))
    data = bytearray(place.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.getinfo("t.txt").header_offset
    data[start + 1000 : start + 1100] = bytes(100)
    place.write_bytes(data)
    return place


@hostile
def an_encrypted_member(where: Path) -> Path:
    place = packed(where, graph(), lambda archive: archive.writestr("t.txt", "x"))
    data = bytearray(place.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    place.write_bytes(data)
    return place


@hostile
def a_value_that_names_a_file_of_this_machine(where: Path) -> Path:
    value = {"@id": "#v", "@type": "PropertyValue", "value": "/etc/passwd", "exampleOfWork": {"@id": "#text"}}
    return folder(where, graph(value, text="#v"))


@hostile
def a_detached_crate_at_an_address_of_this_network(where: Path) -> Path:
    far = {"@id": "http://127.0.0.1:9/t.txt", "@type": "File", "exampleOfWork": {"@id": "#text"}}
    return folder(where, graph(far, text="http://127.0.0.1:9/t.txt"))


def tree(where: Path) -> set[str]:
    return {p.relative_to(where).as_posix() for p in where.rglob("*") if p.relative_to(where).parts[0] != "home"}


@pytest.mark.parametrize("name", CRATES)
def test_it_is_refused_in_one_line_and_touches_nothing(wfx, name: str) -> None:
    (wfx.folder / "secret.txt").write_text("secret\n")
    place = CRATES[name](wfx.folder)
    before, planted = tree(wfx.folder), Path("/tmp/planted.txt")
    assert not planted.exists()
    command = wfx.command("run", place, "-o", wfx.folder / "out" / "run")
    process = subprocess.Popen(command, cwd=wfx.folder, env=wfx.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    said = err.decode()
    assert process.returncode in (3, 8), said
    assert out == b""
    assert "Traceback" not in said
    assert "secret\n" not in said
    assert [line for line in said.splitlines() if line.startswith("wfx: ")] == said.splitlines()[-1:]
    assert tree(wfx.folder) == before
    assert not planted.exists()
    assert not Path("/planted.txt").exists()


ALL = """\
import json, sys
from wfx.cli.group import run_command
codes = {}
for place in sys.argv[1:]:
    for command in ("inspect", "check"):
        try:
            codes[f"{command} {place}"] = run_command([command, place, "-q"])
        except SystemExit as stop:
            codes[f"{command} {place}"] = stop.code
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([codes, int(peak)]))
"""


def test_inspecting_and_checking_all_of_them_takes_little_memory(wfx) -> None:
    places = []
    for name, build in CRATES.items():
        (wfx.folder / name).mkdir()
        places.append(build(wfx.folder / name))
    done = subprocess.run(
        [sys.executable, "-c", ALL, *places], cwd=wfx.folder, env=wfx.env, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    codes, peak = json.loads(done.stdout.splitlines()[-1])
    assert len(codes) == 2 * len(CRATES)
    assert set(codes.values()) <= {0, 3, 8}, codes
    # What is refused is one line of standard error each.
    assert len(done.stderr.splitlines()) <= len(codes), done.stderr
    assert peak < MEMORY_KB


def test_metadata_cut_at_every_hundredth_byte_cost_one_line(tmp_path: Path) -> None:
    wfx_run = WfxRun(tmp_path / "home", tmp_path)
    whole = graph(*({"@id": f"#{n}", "@type": "Thing", "name": "x" * 50} for n in range(40)))
    crate = folder(tmp_path, whole, t__txt=b"x")
    for at in range(0, len(whole), 100):
        (crate / "ro-crate-metadata.json").write_bytes(whole[:at])
        done = wfx_run.here("inspect", crate, check=3)
        assert len(done.stderr.splitlines()) == 1
        assert zlib.crc32(done.stdout.encode()) == 0
