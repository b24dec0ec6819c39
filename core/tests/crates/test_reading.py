"""Reading anybody's crate: every form is found, nothing outside is reached, and hostile ones cost little."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crate_texts import graph_of, write_crate
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.crates import read
from wfx.crates.contents import contents, data_problem, main_workflow
from wfx.crates.images import RecordedImages
from wfx.crates.payloads import FolderPayload, confined
from wfx.crates.reading import load, normal, path_of
from wfx.errors import DefinitionError, PolicyError, WfxError

WORKFLOW = {"@id": "w.cwl", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"]}
MAIN = {"mainEntity": {"@id": "w.cwl"}}


def zipped(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return path


def metadata(*entities: dict[str, Any], **root: Any) -> bytes:
    return json.dumps(graph_of(*entities, root=root)).encode()


@pytest.mark.parametrize("prefix", ["", "data/", "top/", "top/data/"])
@pytest.mark.parametrize("name", ["ro-crate-metadata.json", "ro-crate-metadata.jsonld"])
def test_a_zip_is_found_however_deep_it_is_packed(tmp_path: Path, prefix: str, name: str) -> None:
    place = zipped(tmp_path / "c.zip", {f"{prefix}{name}": metadata(WORKFLOW, **MAIN), f"{prefix}w.cwl": b"x"})
    crate = read(place)
    assert crate.payload.size("w.cwl") == 1
    assert main_workflow(crate)["@id"] == "w.cwl"
    assert data_problem(crate, WORKFLOW) == ""


def test_folders_bags_and_metadata_files_are_found(tmp_path: Path) -> None:
    folder = write_crate(tmp_path / "a", WORKFLOW, root=MAIN)
    assert main_workflow(read(folder)) == main_workflow(read(folder / "ro-crate-metadata.json"))
    write_crate(tmp_path / "bag/data", WORKFLOW, root=MAIN)
    (tmp_path / "bag/bagit.txt").write_text("BagIt-Version: 1.0\n")
    assert main_workflow(read(tmp_path / "bag")) is not None
    detached = tmp_path / "d/x-ro-crate-metadata.json"
    detached.parent.mkdir()
    detached.write_bytes(metadata(WORKFLOW, **MAIN))
    assert read(detached).detached
    assert read(detached.parent).detached


def test_every_public_crate_is_read_or_refused_in_one_line(cases: Path) -> None:
    read_well, refused = 0, []
    for place in sorted([*cases.rglob("*ro-crate-metadata.json*"), *cases.rglob("*.zip")]):
        try:
            contents(read(place))
            read_well += 1
        except WfxError as error:
            assert error.exit_code in (3, 8)
            assert "\n" not in str(error)
            refused.append(place)
    assert read_well > 400
    assert len(refused) == 4  # those that are no JSON


@pytest.mark.parametrize(
    "identifier", ["../evil", "a/../../evil", "/etc/passwd", "a\\..\\b", ".wfx/run.json", "%2e%2e/x", "x\0y"]
)
def test_no_id_leads_out(tmp_path: Path, identifier: str) -> None:
    (tmp_path / "evil").write_text("secret")
    entity = {"@id": identifier, "@type": "File"}
    crate = read(write_crate(tmp_path / "c", entity))
    path = path_of(identifier)
    assert path is not None
    assert crate.payload.size(path) is None
    assert not crate.payload.is_folder(path)
    assert data_problem(crate, entity) == "it leads out of the crate"


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = write_crate(tmp_path / "c", {"@id": "a", "@type": "File"})
    (folder / "a").symlink_to(tmp_path / "secret")
    (folder / "d").symlink_to(tmp_path)
    crate = read(folder)
    assert crate.payload.size("a") is None
    assert crate.payload.size("d/secret") is None
    assert crate.payload.is_link("a")
    assert crate.payload.is_link("d/secret")
    assert data_problem(crate, crate.get("a")) == "it is a symbolic link that is not followed"


def test_links_in_a_zip_are_neither_followed_nor_made(tmp_path: Path) -> None:
    place = zipped(
        tmp_path / "c.zip", {"ro-crate-metadata.json": metadata(), "d/x": b"1"}, {"a": "/etc/passwd", "d": "/tmp"}
    )
    crate = read(place)
    assert crate.payload.size("a") is None
    assert crate.payload.is_link("d/x")
    into = crate.payload.unpack(tmp_path / "out")
    assert sorted(p.name for p in into.rglob("*")) == ["ro-crate-metadata.json"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..", "a\\b", ".wfx/run.json", "a//b", "./x", "n" * 300])
def test_members_of_a_zip_stay_below(tmp_path: Path, name: str) -> None:
    place = zipped(tmp_path / "c.zip", {"ro-crate-metadata.json": metadata(), name: b"evil"})
    into = tmp_path / "deep/er/out"
    read(place).payload.unpack(into)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(p.read_bytes() == b"evil" for p in tmp_path.rglob("*") if p.is_file())


def test_bombs_are_refused(tmp_path: Path) -> None:
    place = zipped(tmp_path / "c.zip", {"ro-crate-metadata.json": metadata(), "a": b"\0" * 300_000_000})
    began = time.monotonic()
    crate = read(place)
    with pytest.raises(PolicyError, match="zip bomb"):
        crate.payload.unpack(tmp_path / "out")
    assert time.monotonic() - began < 1
    big = zipped(tmp_path / "m.zip", {"ro-crate-metadata.json": b" " * 300_000_000})
    with pytest.raises(DefinitionError, match="bytes"):
        read(big)


def test_a_member_that_lies_about_its_size_is_caught(tmp_path: Path) -> None:
    place = zipped(tmp_path / "c.zip", {"ro-crate-metadata.json": metadata(), "a": b"x" * 5000})
    data = place.read_bytes()
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02") + 4)
    place.write_bytes(data[: at + 24] + (10).to_bytes(4, "little") + data[at + 28 :])
    crate = read(place)
    with pytest.raises((DefinitionError, PolicyError)):
        crate.payload.unpack(tmp_path / "out")


def test_two_entities_with_one_id_are_told_and_the_first_counts(tmp_path: Path) -> None:
    crate = read(
        write_crate(tmp_path / "c", {"@id": "#a", "@type": "Person", "name": "Ann"}, {"@id": "#a", "@type": "Person"})
    )
    assert crate.get("#a")["name"] == "Ann"
    assert crate.ambiguous == {"#a"}
    assert any(n.matters for n in crate.notes)


def test_cycles_end(tmp_path: Path) -> None:
    value = {"@id": "#v", "@type": "PropertyValue", "value": [{"@id": "#v"}], "exampleOfWork": {"@id": "#p"}}
    crate = read(
        write_crate(
            tmp_path / "c",
            {**WORKFLOW, "input": {"@id": "#p"}, "hasPart": {"@id": "w.cwl"}},
            {"@id": "#p", "@type": "FormalParameter", "name": "p"},
            {"@id": "#run", "@type": "CreateAction", "instrument": {"@id": "w.cwl"}, "object": {"@id": "#v"}},
            value,
            root={**MAIN, "hasPart": [{"@id": "./"}, {"@id": "w.cwl"}]},
        )
    )
    assert contents(crate).inputs[0].name == "p"


def cut(data: bytes) -> Iterator[bytes]:
    yield from (data[:at] for at in range(0, len(data), 100))


def test_metadata_cut_anywhere_is_refused_in_one_line(tmp_path: Path, cases: Path) -> None:
    whole = (cases / "type-zoo-run-1-crate/ro-crate-metadata.json").read_bytes()
    nowhere = FolderPayload(tmp_path)
    for part in cut(whole.rstrip()):
        with pytest.raises(DefinitionError) as error:
            load(part, "ro-crate-metadata.json", nowhere)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [
    b"", b"[]", b"null", b"1", b'"x"', b"{}", b'{"@graph": 1}', b'{"@graph": [1, null, [], {}]}', b"[" * 200_000,
    b'{"@graph":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"@graph": [{"@id": NaN}]}', b'{"@graph": [' + b"9" * 9000 + b"]}",
    "{}".encode("utf-16"), b"\xff\xfe{", b'{"@graph": [{"@id": "\\ud800", "@type": "File"}]}',
])  # fmt: skip
def test_what_is_no_graph_is_refused_or_empty(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ro-crate-metadata.json").write_bytes(data)
    try:
        found = contents(read(tmp_path))
        json.dumps([n.where for n in found.notes], ensure_ascii=False).encode()
        assert any(n.matters for n in found.notes)
    except WfxError as error:
        assert error.exit_code in (3, 8)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["./", "ro-crate-metadata.json", "w.cwl", "#p", "#a", "../x", "file:///x"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from([
            "@id", "@type", "@value", "about", "mainEntity", "hasPart", "input", "object", "result", "instrument", "name",
            "value", "exampleOfWork", "workExample", "programmingLanguage", "license", "conformsTo", "step", "actionStatus",
            "additionalType", "containerImage", "agent",
        ]), inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip
ENTITY = st.fixed_dictionaries(
    {"@id": st.sampled_from(["w.cwl", "#p", "#a", "#v", "./"]),
     "@type": st.sampled_from(["File", "CreateAction", "FormalParameter", "PropertyValue", "ComputationalWorkflow", "Person",
                               ["File", "ComputationalWorkflow"], "Dataset", "ContainerImage", "OrganizeAction"])},
    optional=dict.fromkeys(("name", "object", "result", "input", "instrument", "value", "exampleOfWork", "workExample", "programmingLanguage", "license", "step", "about", "mainEntity", "actionStatus", "additionalType", "agent", "tag", "sha256", "softwareVersion"), JSON),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ENTITY | JSON, max_size=8), JSON)
def test_no_graph_breaks_the_reader(graph: list[Any], main: Any) -> None:
    document = graph_of(*[e for e in graph if isinstance(e, dict)], root={"mainEntity": main, "license": main})
    document["@graph"] += [e for e in graph if not isinstance(e, dict)]
    crate = load(json.dumps(document).encode(), "ro-crate-metadata.json", FolderPayload(Path("/nonexistent")))
    found = contents(crate)
    for value in (*found.inputs, *found.outputs):
        assert all(isinstance(v, str) for v in value.values)
    RecordedImages(crate).pinned("lab/tool:1")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="./a%2eE:#?~\\\0é ", max_size=20))
def test_a_path_that_is_confined_stays_below(identifier: str) -> None:
    path = path_of(identifier)
    assert normal(normal(identifier)) == normal(identifier)
    if path is not None and confined(path):
        assert (Path("/folder/of/crate") / path).is_relative_to("/folder/of/crate")
        assert ".." not in (Path("/folder/of/crate") / path).parts


def test_a_hundred_thousand_entities_take_three_seconds(tmp_path: Path) -> None:
    files = [
        {"@id": f"data/{n}.txt", "@type": "File", "name": f"file {n}", "contentSize": "12"} for n in range(100_000)
    ]
    write_crate(tmp_path, WORKFLOW, *files, root={**MAIN, "hasPart": [{"@id": f["@id"]} for f in files]})
    began = time.process_time()
    found = contents(read(tmp_path))
    took = time.process_time() - began
    assert found.files == 100_001
    assert took < 3, took


def test_small_hostile_crates_take_little_memory(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ro-crate-metadata.json", b'{"@graph": [' + b"{}," * 8_000_000 + b"{}]}")
    place = tmp_path / "c.zip"
    place.write_bytes(buffer.getvalue())
    program = (
        "import sys; from pathlib import Path; from wfx.crates import read; from wfx.errors import WfxError\n"
        "try: read(Path(sys.argv[1]))\nexcept WfxError as e: print(e.exit_code)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, place], capture_output=True, text=True, check=True)
    code, memory = done.stdout.split()
    assert code in ("3", "8")
    assert int(memory) < 300_000, memory
    assert time.monotonic() - began < 2
