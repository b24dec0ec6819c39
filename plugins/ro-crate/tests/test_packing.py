"""Zips of crates: whole, the same each time, and nothing that is not the crate's."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from wfx.errors import DefinitionError, MachineError
from wfx_ro_crate import ZipExporter


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    folder = tmp_path / "crate"
    for name in (
        "ro-crate-metadata.json",
        "ro-crate-preview.html",
        "outputs/b.txt",
        "outputs/é 🧬.txt",
        "a.gz",
        ".wfx/run.json",
    ):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(name)
    (folder / "inputs/empty").mkdir(parents=True)
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    return folder


def test_a_zip_has_the_crate_without_state(crate: Path, tmp_path: Path) -> None:
    made = ZipExporter().pack(crate, tmp_path / "x.zip")
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("outputs/é 🧬.txt").decode() == "outputs/é 🧬.txt"
        assert archive.getinfo("tool.sh").external_attr >> 16 & 0o111
    assert names[:2] == ["ro-crate-metadata.json", "ro-crate-preview.html"]
    assert not [name for name in names if ".wfx" in name]
    assert "inputs/empty/" in names


def test_the_same_crate_gives_the_same_bytes(crate: Path, tmp_path: Path) -> None:
    first = ZipExporter().pack(crate, tmp_path / "1.zip").read_bytes()
    for parent, _, files in os.walk(crate):
        for name in files:
            os.utime(Path(parent) / name, (1, 1))
    assert ZipExporter().pack(crate, tmp_path / "2.zip").read_bytes() == first


def test_links_lead_nowhere_outside(crate: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (crate / "out").symlink_to(tmp_path / "secret")
    (crate / "folder").symlink_to(tmp_path)
    (crate / "state").symlink_to(crate / ".wfx/run.json")
    (crate / "broken").symlink_to("nowhere")
    (crate / "inside").symlink_to("outputs/b.txt")
    os.mkfifo(crate / "pipe")
    with zipfile.ZipFile(ZipExporter().pack(crate, tmp_path / "x.zip")) as archive:
        assert not {"out", "folder/", "state", "broken", "pipe"} & set(archive.namelist())
        assert archive.read("inside") == b"outputs/b.txt"


def test_a_failure_leaves_nothing(crate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="No space left"):
        ZipExporter().pack(crate, tmp_path / "x.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crate"]


def test_what_is_there_is_not_overwritten(crate: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("mine")
    with pytest.raises(MachineError):
        ZipExporter().pack(crate, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_text() == "mine"


def test_a_zip_beside_or_within_the_crate_does_not_hold_itself(crate: Path) -> None:
    made = ZipExporter().pack(crate, crate / "x.zip")
    with zipfile.ZipFile(made) as archive:
        assert not [name for name in archive.namelist() if name.startswith((".wfx", "x.zip"))]


def test_more_than_65535_members_make_a_zip64(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "ro-crate-metadata.json").write_text("{}")
    for number in range(65_540):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
    with zipfile.ZipFile(ZipExporter().pack(folder, tmp_path / "x.zip")) as archive:
        assert len(archive.namelist()) == 65_541


def test_a_name_that_a_zip_cannot_hold_is_refused(crate: Path, tmp_path: Path) -> None:
    (crate / os.fsdecode(b"caf\xe9")).write_text("x")
    with pytest.raises(DefinitionError, match="no UTF-8"):
        ZipExporter().pack(crate, tmp_path / "x.zip")
    assert not list(tmp_path.glob("*.zip"))
