"""Zips: what Python's reader finds in them, whatever their size, and what happens when a file changes meanwhile."""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
from pathlib import Path

import pytest
from wfx import zips
from wfx.errors import MachineError
from wfx.packing import Member, copy_file, members_of, write_folder, write_zip


def written(folder: Path, files: dict[str, bytes]) -> list[Member]:
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return members_of(folder)


FILES = {
    "ro-crate-metadata.json": b"{}",
    "small.txt": b"abc" * 1000,
    "empty": b"",
    "é 🧬.txt": b"x",
    "large.bam": os.urandom(3 * 2**20 + 7),
    "large.txt": b"words and words\n" * 200_000,
    "noise.txt": os.urandom(2 * 2**20),
}


@pytest.mark.parametrize("limit", [0xFFFFFFFF, 1000], ids=["plain", "zip64"])
def test_a_reader_finds_every_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    # With a low limit every size and offset beyond it is written as those of a zip of many GB are.
    monkeypatch.setattr(zips, "LIMIT", limit)
    members = written(tmp_path / "crate", FILES)
    made = write_zip([*members, Member("folder/", b"", 0), Member("made.json", b"[]", 2)], tmp_path / "x.zip")
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            **FILES,
            "folder/": b"",
            "made.json": b"[]",
        }


def test_what_gains_nothing_by_compression_is_stored(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_zip(written(tmp_path / "crate", FILES), tmp_path / "x.zip")) as archive:
        stored = {i.filename for i in archive.infolist() if i.compress_type == zipfile.ZIP_STORED}
        assert stored == {"large.bam", "noise.txt"}
        assert archive.getinfo("large.txt").compress_size < len(FILES["large.txt"]) / 50


def test_a_file_that_is_longer_than_it_was_is_refused(tmp_path: Path) -> None:
    members = written(tmp_path / "crate", FILES)
    with (tmp_path / "crate/large.bam").open("ab") as file:
        file.write(b"more")
    with pytest.raises(MachineError, match="it changed while it was being packed"):
        write_zip(members, tmp_path / "x.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crate"]


def test_checksums_are_of_what_was_written(tmp_path: Path) -> None:
    """Whoever writes into a file while it is copied spoils its content, not the zip."""
    member = written(tmp_path / "crate", {"large.bam": os.urandom(16 * 2**20)})[0]
    stop = threading.Event()

    def scribble() -> None:
        with (tmp_path / "crate/large.bam").open("r+b") as file:
            while not stop.is_set():
                for place in range(0, member.size, 2**16):
                    file.seek(place)
                    file.write(os.urandom(16))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        made = write_zip([member], tmp_path / "x.zip")
        digest = hashlib.sha256()
        copy_file(member, tmp_path / "copy", digest.update)
    finally:
        stop.set()
        thread.join()
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
    assert hashlib.sha256((tmp_path / "copy").read_bytes()).hexdigest() == digest.hexdigest()


def test_a_folder_has_the_same_files(tmp_path: Path) -> None:
    members = written(tmp_path / "crate", FILES)
    (tmp_path / "crate/small.txt").chmod(0o755)
    made = write_folder([*members_of(tmp_path / "crate"), Member("empty folder/", b"", 0)], tmp_path / "made")
    assert {p.name: p.read_bytes() for p in made.iterdir() if p.is_file()} == FILES
    assert os.access(made / "small.txt", os.X_OK)
    assert (made / "empty folder").is_dir()
    assert members != []
