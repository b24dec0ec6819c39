"""An image as one folder of files, whoever made it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from wfx.errors import ContainerError, IntegrityError, PolicyError
from wfx.images import read_layout, unpack_image
from wfx.testing.images import MadeImage, make_image


def unpacked(made: MadeImage, tmp_path: Path) -> Path:
    return unpack_image(read_layout(made.write_layout(tmp_path / "layout")), tmp_path / "root")


def tar(*members: tuple[str, dict, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, more, data in members:
            info = tarfile.TarInfo(name)
            info.mode, info.size = 0o644, len(data)
            for key, value in more.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


LINK, HARD, FOLDER = {"type": tarfile.SYMTYPE}, {"type": tarfile.LNKTYPE}, {"type": tarfile.DIRTYPE, "mode": 0o755}


@pytest.mark.parametrize("compression", ["gzip", "", "zstd"])
def test_layers_lie_over_each_other_and_take_away_what_they_mark(tmp_path: Path, compression: str) -> None:
    if compression == "zstd" and shutil.which("zstd") is None:
        pytest.skip("zstd is not installed (apt install zstd)")
    made = make_image(
        [
            {"etc/": "", "etc/a": b"1", "etc/b": b"1", "old/": "", "old/x": b"1", "gone/": "", "gone/y": b"1"},
            {"etc/a": b"2", "etc/.wh.b": b"", ".wh.gone": b"", "old/new": b"2", "old/.wh..wh..opq": b""},
        ],
        compression=compression,
    )
    root = unpacked(made, tmp_path)
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert found == {"etc/a": b"2", "old/new": b"2"}
    assert not (root / "gone").exists()


def test_links_and_modes_are_kept_and_what_gives_rights_is_not(tmp_path: Path) -> None:
    layer = tar(
        ("bin", {**FOLDER, "mode": 0o555}, b""),
        ("bin/tool", {"mode": 0o4755}, b"#!/bin/sh\n"),
        ("bin/same", {**HARD, "linkname": "bin/tool"}, b""),
        ("bin/link", {**LINK, "linkname": "/bin/tool"}, b""),
        ("secret", {"mode": 0o000}, b"x"),
        ("tmp", {**FOLDER, "mode": 0o1777}, b""),
        ("dev/null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b""),
    )
    root = unpacked(make_image([layer]), tmp_path)
    modes = {name: stat.S_IMODE((root / name).lstat().st_mode) for name in ("bin", "bin/tool", "secret", "tmp")}
    assert modes == {"bin": 0o755, "bin/tool": 0o755, "secret": 0o600, "tmp": 0o1777}
    assert (root / "bin/same").samefile(root / "bin/tool")
    assert os.readlink(root / "bin/link") == "/bin/tool"
    assert list((root / "dev").iterdir()) == []
    assert (root / "bin/tool").stat().st_uid == os.geteuid()


def test_a_folder_behind_a_link_is_the_images_own(tmp_path: Path) -> None:
    layers = [
        tar(("usr/lib", FOLDER, b""), ("lib", {**LINK, "linkname": "usr/lib"}, b""),
            ("up", {**LINK, "linkname": "../../../../usr/lib"}, b""), ("abs", {**LINK, "linkname": "/usr"}, b"")),
        tar(("lib/a.so", {}, b"a"), ("up/b.so", {}, b"b"), ("abs/lib/c.so", {}, b"c")),
    ]  # fmt: skip
    root = unpacked(make_image(layers), tmp_path)
    assert sorted(p.name for p in (root / "usr/lib").iterdir()) == ["a.so", "b.so", "c.so"]
    assert (root / "lib").is_symlink()


def test_a_file_may_take_the_place_of_a_folder_and_a_folder_that_of_a_link(tmp_path: Path) -> None:
    layers = [
        tar(("a/b/c", {}, b"1"), ("l", {**LINK, "linkname": "a"}, b"")),
        tar(("a", {}, b"file"), ("l", FOLDER, b""), ("l/x", {}, b"x")),
    ]
    root = unpacked(make_image(layers), tmp_path)
    assert (root / "a").read_bytes() == b"file"
    assert not (root / "l").is_symlink()


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(("../evil", {}, b"x"), id="a path that leads out"),
        pytest.param(("a/../../evil", {}, b"x"), id="a path that goes in and out"),
        pytest.param(("evil", {**HARD, "linkname": "../../outside"}, b""), id="a hard link to the machine"),
        pytest.param((".wh...", {}, b""), id="a mark that takes the folder above away"),
        pytest.param(("a/.wh..", {}, b""), id="a mark that takes its own folder away"),
    ],
)
def test_what_leads_out_of_an_image_is_refused(tmp_path: Path, member: tuple[str, dict, bytes]) -> None:
    (tmp_path / "outside").write_text("the machine's")
    with pytest.raises(PolicyError):
        unpacked(make_image([tar(member)]), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["layout", "outside", "root"]
    assert not (tmp_path / "root" / "evil").exists()


def test_writing_through_a_link_stays_in_the_image(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    layers = [
        tar(("door", {**LINK, "linkname": str(outside)}, b""), ("file", {**LINK, "linkname": str(outside / "f")}, b"")),
        tar(("door/in", {}, b"x"), ("file", {}, b"y"), ("door/.wh.kept", {}, b"")),
    ]
    (outside / "kept").write_text("kept")
    root = unpacked(make_image(layers), tmp_path)
    assert sorted(p.name for p in outside.iterdir()) == ["kept"]
    assert (root / str(outside).lstrip("/") / "in").read_bytes() == b"x"
    assert (root / "file").read_bytes() == b"y"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    layer = tar(("a", {**LINK, "linkname": "b"}, b""), ("b", {**LINK, "linkname": "a"}, b""), ("a/x", {}, b""))
    with pytest.raises(PolicyError, match="lead to each other"):
        unpacked(make_image([layer]), tmp_path)


def test_a_layer_that_was_changed_is_refused(tmp_path: Path) -> None:
    made = make_image([{"a": b"1" * 1000}])
    layout = made.write_layout(tmp_path / "layout")
    blob = layout / "blobs" / "sha256" / made.layers[0][7:]
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    with pytest.raises(IntegrityError):
        unpack_image(read_layout(layout), tmp_path / "root")


def test_a_layer_whose_files_are_not_what_the_image_states_is_refused(tmp_path: Path) -> None:
    made, other = make_image([tar(("a", {}, b"1"))]), make_image([tar(("a", {}, b"2"))])
    # The manifest is honest of the packed bytes and not of what they become.
    layer = made.layers[0]
    data = gzip.compress(gzip.decompress(other.blobs[other.layers[0]]), 6, mtime=0)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    manifest = made.blobs[made.digest].replace(layer.encode(), digest.encode())
    manifest = manifest.replace(f'"size": {len(made.blobs[layer])}'.encode(), f'"size": {len(data)}'.encode())
    made.blobs[digest] = data
    made.digest = made.add(manifest, made.media_type)["digest"]
    with pytest.raises(IntegrityError, match="files are"):
        unpacked(made, tmp_path)


def test_a_layer_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfx.images.unpacking.ALWAYS_UNPACKED", 100_000)
    with pytest.raises(PolicyError, match="fill the disk"):
        unpacked(make_image([{"zeros": bytes(2_000_000)}]), tmp_path)


def test_what_is_no_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="cannot be unpacked"):
        unpacked(make_image([b"not a tar at all" * 100]), tmp_path)
