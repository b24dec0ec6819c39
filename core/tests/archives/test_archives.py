"""The extractor: what it takes, what it refuses, and that nothing gets outside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfx.archives import Entry, Limits, extract, kind_of, list_entries, unpack_file
from wfx.crates.payloads import open_zip
from wfx.errors import InputError, MachineError, PolicyError, WfxError
from wfx.testing.archives import HOSTILE, HostileArchive

BROKEN = {"truncated.tar", "size-lie.zip", "zip64-lie.zip"}
HARMLESS = {"nested.zip"}  # what is in it is a file like any other: nothing is unpacked twice
LONG = "n" * 200
FILES = {
    "a.txt": b"plain", f"deep/{LONG}/{LONG}/b.txt": b"long name", "sp ace/ü\n.txt": b"strange",
    "empty": b"", "big": bytes(range(256)) * 5000, "deep/\udcff": b"no UTF-8",
}  # fmt: skip


def inside(folder: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def tar(path: Path, mode: str = "w", files: dict[str, bytes] = FILES, **options: object) -> Path:
    with tarfile.open(path, mode, **options) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755 if name == "a.txt" else 0o600
            archive.addfile(info, io.BytesIO(data))
        for name, kind, target in (("to-a", tarfile.SYMTYPE, "deep/../a.txt"), ("hard", tarfile.LNKTYPE, "big")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo("hollow")
        info.type, info.mode = tarfile.DIRTYPE, 0o2775
        archive.addfile(info)
    return path


@pytest.mark.parametrize("archive", HOSTILE, ids=str)
def test_a_hostile_archive_is_refused_and_leaves_nothing(archive: HostileArchive, tmp_path: Path) -> None:
    path, into = archive.write(tmp_path), tmp_path / "into"
    if str(archive) in HARMLESS:
        assert [entry.path for entry in extract(path, into)] == ["level11.zip"]
    else:
        with pytest.raises(InputError if str(archive) in BROKEN else PolicyError) as caught:
            extract(path, into, where="strange.archive", limits=Limits(entries=2000))
        assert caught.value.exit_code in (3, 8)
        assert str(caught.value).startswith("strange.archive: ")
        assert "\n" not in str(caught.value)
        assert list(into.iterdir()) == []
        if str(archive) != "size-lie.zip":  # only unpacking tells
            with pytest.raises(type(caught.value)):
                list_entries(path)
    assert archive.escaped(tmp_path, into, path.parent) == []


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz", "zst"])
def test_a_tar_is_unpacked_whatever_its_form_and_packing(form: int, packing: str, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    options = {"format": form, "errors": "surrogateescape"}
    # The oldest form has no room for it.
    names = {name: data for name, data in FILES.items() if form != tarfile.USTAR_FORMAT or LONG not in name}
    if packing == "zst":
        zstandard = pytest.importorskip("zstandard")
        data = tar(tmp_path / "plain", files=names, **options).read_bytes()
        half, packer = len(data) // 2, zstandard.ZstdCompressor()
        path.write_bytes(packer.compress(data[:half]) + packer.compress(data[half:]))
    else:
        tar(path, f"w:{packing}", names, **options)
    into = tmp_path / "into"
    entries = extract(path, into)
    assert inside(into) == {**names, "to-a": "deep/../a.txt", "hard": names["big"]}
    assert (into / "hollow").is_dir()
    assert [os.access(into / name, os.X_OK) for name in ("a.txt", "big")] == [True, False] or os.geteuid() == 0
    assert {e.path: e.size for e in entries if e.kind == "file"} == {
        n: len(d) for n, d in {**names, "hard": names["big"]}.items()
    }
    assert Entry("a.txt", "file", 5, executable=True) in entries
    assert os.stat(into / "hard").st_nlink == 1
    assert entries == list_entries(path)


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_a_zip_is_unpacked_whatever_its_method(method: int, tmp_path: Path) -> None:
    path, into = tmp_path / "a.zip", tmp_path / "into"
    names = {name: data for name, data in FILES.items() if "\udcff" not in name}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
        archive.writestr("hollow/", b"")
        info = zipfile.ZipInfo("to-a")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "./a.txt")
    entries = extract(path, into)
    assert inside(into) == {**names, "to-a": "./a.txt"}
    assert (into / "hollow").is_dir()
    assert entries == list_entries(path)
    assert [e.path for e in extract(path, tmp_path / "some", select=lambda name: name == "big")] == ["big"]
    assert inside(tmp_path / "some") == {"big": FILES["big"]}


def test_what_is_not_selected_is_not_written_but_judged(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", "w:gz")
    entries = extract(path, tmp_path / "some", select=lambda name: name in ("hard", "to-a"))
    assert [(e.path, e.kind, e.size) for e in entries] == [("hard", "file", len(FILES["big"])), ("to-a", "link", 0)]
    assert inside(tmp_path / "some") == {"hard": FILES["big"], "to-a": "deep/../a.txt"}
    [hostile] = [each for each in HOSTILE if each.rule == "parent" and each.suffix == ".zip"]
    with pytest.raises(PolicyError):
        extract(hostile.write(tmp_path), tmp_path / "none", select=lambda name: False)


def test_an_empty_archive_is_no_fault(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert extract(tmp_path / "a.zip", tmp_path / "into") == []


@pytest.mark.parametrize(
    "data", [b"", b"no archive", bytes(10_000), b"\x1f\x8b broken", gzip.compress(b"text")], ids=range(5)
)
def test_what_is_no_archive_is_said_to_be_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"is no archive|no whole"):
        extract(path, tmp_path / "into")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "a.txt").write_bytes(b"mine")
    with pytest.raises(MachineError, match="not empty"):
        extract(tar(tmp_path / "a.tar"), tmp_path / "into")
    assert inside(tmp_path / "into") == {"a.txt": b"mine"}


def test_limits_hold_for_entries_bytes_and_ratio(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.xz", "w:xz")
    for limits, text in (
        (Limits(entries=5), "archive.max_entries"), (Limits(bytes=10**6), "archive.max_bytes"),
        (Limits(ratio=2, unpacked_always=0), "archive.max_ratio"),
    ):  # fmt: skip
        with pytest.raises(PolicyError, match=text):
            extract(path, tmp_path / "into", limits=limits)
    assert extract(path, tmp_path / "into", limits=Limits(ratio=0))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_single_packed_file_is_unpacked_whole_or_not_at_all(suffix: str, tmp_path: Path) -> None:
    text = os.urandom(50_000) + b"a" * 50_000
    path, target = tmp_path / f"reads.fq{suffix}", tmp_path / "reads.fq"
    if suffix == ".zst":
        data = pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(text)
    else:
        data = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix](text)
    path.write_bytes(data)
    assert kind_of(path).bare_name(path.name) == "reads.fq"
    assert unpack_file(path, target) == len(text)
    assert target.read_bytes() == text
    target.unlink()
    for size in (5, 20, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match="no whole|not packed"):
            unpack_file(path, target)
        assert not target.exists()
    path.write_bytes(data)
    with pytest.raises(PolicyError, match="fill the disk"):
        unpack_file(path, target, limits=Limits(ratio=1, unpacked_always=60_000))
    assert not target.exists()


def test_a_tar_that_ends_between_two_files_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar")
    data = path.read_bytes()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    for size in (512, 1024, end):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match="no whole tar"):
            extract(path, tmp_path / "into")
    path.write_bytes(data[: end + 512])
    assert extract(path, tmp_path / "whole")
    damaged = bytearray(data)
    damaged[1024 + 100] ^= 1  # in the second header
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="no whole tar"):
        extract(path, tmp_path / "into")


def test_a_header_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "c" * (2**20 + 1)}
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    with pytest.raises(PolicyError, match="a header of more than"):
        extract(path, tmp_path / "into")


def test_a_crate_whose_members_share_bytes_is_refused(tmp_path: Path) -> None:
    [overlap] = [each for each in HOSTILE if each.rule == "overlap"]
    with pytest.raises(PolicyError, match="share bytes"):
        open_zip(overlap.write(tmp_path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["w", "w:gz", "zip"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    st.floats(0.2, 1),
)
def test_damage_of_any_kind_is_said_in_one_line(
    tmp_path: Path, mode: str, damage: list[tuple[float, int]], kept: float
) -> None:
    path, into = tmp_path / "archive", tmp_path / "into"
    if mode == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(4):
                archive.writestr(f"d/{number}", b"text" * 100)
    else:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for number in range(4):
                info = tarfile.TarInfo(f"d/{number}")
                info.size = 400
                archive.addfile(info, io.BytesIO(b"text" * 100))
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[int(place * len(data))] = value
    path.write_bytes(data[: int(len(data) * kept)])
    try:
        extract(path, into, limits=Limits(entries=1000, bytes=10**7))
    except WfxError as error:
        assert error.exit_code in (3, 8)
        assert list(into.iterdir()) == []
    finally:
        for leftover in sorted(into.rglob("*"), reverse=True):
            leftover.rmdir() if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
