"""Copies of images beside a crate: written from the store, and read back by digest."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.errors import ContainerError, IntegrityError
from wfx.images import read_layout
from wfx.images.carrying import bring_in, carried_name, carry_out
from wfx.staging import StagedImage
from wfx.store import Store
from wfx.testing.images import MadeImage, make_image

SIF = b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\x0001\0" + b"squashed" * 100


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "other") as store:
        yield store


@pytest.fixture
def made() -> MadeImage:
    return make_image([{"a": b"1" * 5000}, {"b": b"2"}])


def stored(store: Store, made: MadeImage, name: str, tmp_path: Path) -> StagedImage:
    layout = made.write_layout(tmp_path / f"layout-{len(list(tmp_path.iterdir()))}", "whatever")
    return StagedImage(name, made.digest, store.add_tree(layout), 1)


def stored_sif(store: Store, name: str = "tools.sif") -> StagedImage:
    sha256 = store.add_bytes(SIF)
    return StagedImage(name, f"sha256:{sha256}", sha256, len(SIF), format="sif")


def test_an_image_comes_back_by_its_digest_in_a_store_that_never_saw_it(store, other, made, tmp_path: Path) -> None:
    image = stored(store, made, "quay.io/tools/hello:1.0", tmp_path)
    [entry] = carry_out([image], store, tmp_path / "images")
    assert (entry.image, entry.digest, entry.format) == ("quay.io/tools/hello:1.0", made.digest, "oci")
    written = tmp_path / "images" / entry.path
    assert (hashlib.sha256(written.read_bytes()).hexdigest(), written.stat().st_size) == (entry.sha256, entry.size)
    back = bring_in(tmp_path / "images", other)[made.digest]
    other.place_tree(back.stored, tmp_path / "back")
    assert read_layout(tmp_path / "back", made.digest).facts.image_id == made.config_digest
    for digest, data in made.blobs.items():
        assert (tmp_path / "back" / "blobs" / "sha256" / digest[7:]).read_bytes() == data


def test_the_same_image_is_written_with_the_same_bytes(store, made, tmp_path: Path) -> None:
    image = stored(store, made, "tools/hello:1.0", tmp_path)
    first, second = (carry_out([image], store, tmp_path / name) for name in ("one", "two"))
    assert first == second


def test_an_image_with_two_names_is_one_file(store, made, tmp_path: Path) -> None:
    image = stored(store, made, "tools/hello:1.0", tmp_path)
    again = StagedImage(f"tools/hello:1.0@{made.digest}", image.digest, image.sha256, 1, label="1.0")
    entries = carry_out([image, again], store, tmp_path / "images")
    assert [entry.image for entry in entries] == [image.image, again.image]
    assert {entry.path for entry in entries} == {path.name for path in (tmp_path / "images").iterdir()}
    assert len({entry.path for entry in entries}) == 1


def test_a_sif_is_carried_as_it_is(store, other, tmp_path: Path) -> None:
    [entry] = carry_out([stored_sif(store)], store, tmp_path / "images")
    assert (tmp_path / "images" / entry.path).read_bytes() == SIF
    assert entry.path.startswith("tools-")
    back = bring_in(tmp_path / "images", other)[entry.digest]
    assert (back.format, back.size) == ("sif", len(SIF))
    path = other.blob(back.stored)
    assert path is not None
    assert path.read_bytes() == SIF


@pytest.mark.parametrize(
    ("image", "starts"),
    [
        ("quay.io/biocontainers/samtools:1.19--h50ea8bc_0", "samtools-1.19--h50ea8bc_0-"),
        ("docker://alpine", "alpine-latest-"),
        ("library://lolcow", "lolcow-"),
        ("../weird name/ü?x=1", "image-"),
        ("images/old tools.tar.gz", "old-tools.tar.gz-"),
        ("-rf", "rf-"),
        ("oras://ghcr.io/a/b@sha256:" + "1" * 64, "b-"),
    ],
)
def test_a_file_s_name_is_plain(image: str, starts: str) -> None:
    name = carried_name(StagedImage(image, "sha256:" + "ab" * 32, "0" * 64, 1))
    assert name.startswith(starts)
    assert name.endswith("-abababababab.tar")


def test_only_what_is_wanted_is_read(store, other, made, tmp_path: Path) -> None:
    image = stored(store, made, "tools/hello:1.0", tmp_path)
    carry_out([image, stored_sif(store)], store, tmp_path / "images")
    assert bring_in(tmp_path / "images", other, {"sha256:" + "0" * 64}) == {}
    assert list(other.blobs()) == []
    assert set(bring_in(tmp_path / "images", other, {image.digest})) == {image.digest}


def test_a_folder_without_images_brings_none(store, tmp_path: Path) -> None:
    assert bring_in(tmp_path / "none", store) == {}
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "README.md").write_text("nothing")
    with tarfile.open(tmp_path / "images" / "x.tar", "w") as archive:
        archive.add(tmp_path / "images" / "README.md", "README.md")
    assert bring_in(tmp_path / "images", store) == {}


def test_a_link_is_not_followed(store, other, made, tmp_path: Path) -> None:
    [entry] = carry_out([stored(store, made, "tools/hello:1.0", tmp_path)], store, tmp_path / "away")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / entry.path).symlink_to(tmp_path / "away" / entry.path)
    assert bring_in(tmp_path / "images", other) == {}


def test_a_copy_with_another_layer_is_refused(store, other, made, tmp_path: Path) -> None:
    [entry] = carry_out([stored(store, made, "tools/hello:1.0", tmp_path)], store, tmp_path / "images")
    path = tmp_path / "images" / entry.path
    data = bytearray(path.read_bytes())
    layer = made.blobs[made.layers[0]]
    at = data.find(layer)
    data[at + len(layer) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        bring_in(tmp_path / "images", other, {made.digest})
    assert not other.has(made.layers[0][7:])


def test_a_copy_that_claims_the_digest_of_another_image_is_refused(store, other, made, tmp_path: Path) -> None:
    [entry] = carry_out([stored(store, made, "tools/hello:1.0", tmp_path)], store, tmp_path / "images")
    evil = make_image([{"a": b"evil"}])
    layout = evil.write_layout(tmp_path / "evil")
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0]["digest"] = made.digest
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "blobs" / "sha256" / evil.digest[7:]).rename(layout / "blobs" / "sha256" / made.digest[7:])
    with tarfile.open(tmp_path / "images" / entry.path, "w") as archive:
        archive.add(layout, ".")
    with pytest.raises(IntegrityError):
        bring_in(tmp_path / "images", other, {made.digest})
    with pytest.raises(IntegrityError):
        bring_in(tmp_path / "images", other)


def test_a_sif_that_was_changed_is_refused(store, other, tmp_path: Path) -> None:
    image = stored_sif(store)
    [entry] = carry_out([image], store, tmp_path / "images")
    (tmp_path / "images" / entry.path).write_bytes(SIF + b"x")
    with pytest.raises(IntegrityError, match=image.sha256):
        bring_in(tmp_path / "images", other, {image.digest})
    assert list(other.blobs()) == []


def test_an_image_that_the_store_has_lost_is_said_with_its_name(store, made, tmp_path: Path) -> None:
    image = stored(store, made, "tools/hello:1.0", tmp_path)
    store.path_of(made.layers[0][7:]).unlink()
    with pytest.raises(IntegrityError, match=r"tools/hello:1\.0"):
        carry_out([image], store, tmp_path / "images")
    assert list((tmp_path / "images").iterdir()) == []


def test_a_cut_copy_is_an_error_and_brings_nothing(store, other, made, tmp_path: Path) -> None:
    [entry] = carry_out([stored(store, made, "tools/hello:1.0", tmp_path)], store, tmp_path / "images")
    path = tmp_path / "images" / entry.path
    with tarfile.open(path) as archive:
        member = archive.getmember(f"blobs/sha256/{made.layers[0][7:]}")
    data = path.read_bytes()
    # A member that the index names is gone.
    path.write_bytes(data[: member.offset] + data[member.offset_data + -(-member.size // 512) * 512 :])
    with pytest.raises((ContainerError, IntegrityError)):
        bring_in(tmp_path / "images", other, {made.digest})
    assert list((other.root / "tmp").iterdir()) == []


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_reads_both_forms_of_the_copy(store, made, tmp_path: Path) -> None:
    [entry] = carry_out([stored(store, made, "tools/hello:1.0", tmp_path)], store, tmp_path / "images")
    path = tmp_path / "images" / entry.path
    for transport in ("oci-archive", "docker-archive"):
        command = ["skopeo", "inspect", "--config", "--raw", f"{transport}:{path}"]
        done = subprocess.run(command, capture_output=True, check=True)
        assert f"sha256:{hashlib.sha256(done.stdout).hexdigest()}" == made.config_digest
