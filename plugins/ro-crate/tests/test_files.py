"""Files and folders of a crate: names, digests, what is read and how often, and what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from crate_records import (
    FILE,
    array,
    event,
    locked,
    meanwhile,
    scattered,
    two_steps,
    write,
)  # fmt: skip
from wfx.testing.crates import validate
from wfx.values import Parameter, ValueType

PROVENANCE, WORKFLOW = "provenance-run-crate", "workflow-run-crate"


def clean(crate: Path, profile: str = PROVENANCE) -> None:
    assert validate(crate, profile, "RECOMMENDED") == []


@pytest.mark.parametrize(
    "name",
    [
        "-v.txt",
        "a b.txt",
        "é.txt",
        "🧬.fa",
        "a#b?c%20.txt",
        "semi;colon:x.txt",
        "new\nline.txt",
        "q'\"<b>.txt",
        "back\\slash",
    ],
)
def test_odd_names_are_encoded_and_found(name: str, tmp_path: Path, describe: Any) -> None:
    reads = write(tmp_path, f"inputs/reads/{name}")
    crate = describe(two_steps(tmp_path, values={"reads": reads}, items=(locked(tmp_path, reads),), events=(
        event("count", "count", inputs={"reads": reads}, outputs={"out": meanwhile(name, b"n")}),
    )))  # fmt: skip
    assert validate(tmp_path, PROVENANCE, "REQUIRED") == []
    assert any(e.get("name") == name and not e["@id"].startswith("#") for e in crate.of("File"))


def test_a_name_that_is_no_unicode_survives_in_its_id(tmp_path: Path, describe: Any) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    reads = write(tmp_path, f"inputs/reads/{name}")
    crate = describe(two_steps(tmp_path, values={"reads": reads}, items=(locked(tmp_path, reads),)))
    assert "inputs/reads/caf%E9.txt" in crate.entities
    assert crate["inputs/reads/caf%E9.txt"]["name"] == "caf�.txt"


def test_ids_are_unique_and_lists_of_one_are_values(tmp_path: Path, describe: Any) -> None:
    crate = describe(scattered(tmp_path))
    ids = [e["@id"] for e in crate.document["@graph"]]
    assert len(ids) == len(set(ids))
    assert not [
        (e["@id"], k) for e in crate.document["@graph"] for k, v in e.items() if isinstance(v, list) and len(v) < 2
    ]


def test_describing_twice_gives_the_same_bytes(tmp_path: Path, describe: Any) -> None:
    run = scattered(tmp_path)
    first, second = describe(run), describe(run)
    assert (first.text, first.page) == (second.text, second.page)


def test_ten_thousand_inputs_are_linear_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from wfx_ro_crate.describing import describe as build

    def calls(count: int) -> int:
        directory = tmp_path / str(count)
        values = [write(directory, f"inputs/reads/f{n}", b"%d" % n) for n in range(count)]
        run = two_steps(
            directory, inputs=(Parameter("reads", array(FILE)),), values={"reads": values},
            items=tuple(locked(directory, v) for v in values), events=(event("count", "count", inputs={"reads": values}),),
        )  # fmt: skip
        made = 0

        def count_call(frame: Any, what: str, argument: Any) -> None:
            nonlocal made
            made += what == "call"

        sys.setprofile(count_call)
        try:
            build(run, directory)
        finally:
            sys.setprofile(None)
        return made

    calls(1)  # imports
    assert calls(2000) < 11 * calls(200)


def test_what_is_locked_is_not_read_again(tmp_path: Path, describe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = two_steps(tmp_path)
    (tmp_path / "inputs/reads/reads.fq").chmod(0)
    from wfx_ro_crate.files import Files

    hashed: list[str] = []
    original = Files._hash
    monkeypatch.setattr(Files, "_hash", lambda self, path: hashed.append(path) or original(self, path))
    describe(run)
    assert sorted(hashed) == ["inputs.json", "lock.json", "outputs/report.txt", "plan.json"]


def test_an_interrupted_write_leaves_the_old_files(
    tmp_path: Path, describe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = describe(two_steps(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    from wfx.errors import MachineError

    with pytest.raises(MachineError, match="No space left"):
        describe(two_steps(tmp_path, name="another"))
    assert (tmp_path / "ro-crate-metadata.json").read_text("utf-8") == before.text
    assert not list(tmp_path.glob(".wfx-*"))


def test_a_path_out_of_the_crate_is_never_a_file_of_it(tmp_path: Path, describe: Any) -> None:
    (tmp_path.parent / "outside.txt").write_text("secret")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/link.txt").symlink_to(tmp_path.parent / "outside.txt")
    values = [
        {"class": "File", "location": place, "basename": "x.txt", "size": 6}
        for place in ("../outside.txt", str(tmp_path.parent / "outside.txt"), "outputs/link.txt", ".wfx/run.json")
    ]
    crate = describe(
        two_steps(tmp_path, outputs={"report": values}, output_parameters=(Parameter("report", array(FILE)),))
    )
    assert not [i for i in crate.entities if "outside" in i or "link.txt" in i or ".wfx" in i]


def test_a_folder_among_the_outputs_is_listed(tmp_path: Path, describe: Any) -> None:
    write(tmp_path, "outputs/plots/a b/one.png", b"1")
    write(tmp_path, "outputs/plots/two.svg", b"<svg/>")
    folder = {"class": "Directory", "location": "outputs/plots", "basename": "plots"}
    crate = describe(
        two_steps(tmp_path, output_parameters=(Parameter("plots", ValueType("Directory")),), outputs={"plots": folder})
    )
    clean(tmp_path)
    assert [p["@id"] for p in crate["outputs/plots/"]["hasPart"]] == [
        "outputs/plots/two.svg",
        "outputs/plots/a%20b/one.png",
    ]
    assert 'src="outputs/plots/a%20b/one.png"' in crate.page
