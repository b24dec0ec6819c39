"""Layouts as the store keeps them, and the archives that are made of them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from wfx.errors import ContainerError, IntegrityError, WfxError
from wfx.images import docker_archive, image_facts, layout_view, oci_archive, read_layout
from wfx.testing.images import make_artifact, make_image, make_index

IMAGE = make_image([{"a": b"1" * 700}, {"b": b"2"}, {"a": b"1" * 700}], config={"Labels": {"licence": "MIT"}})


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return IMAGE.write_layout(tmp_path / "layout")


def entries(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        assert len(names) == len(set(names))
        return {name: archive.extractfile(name).read() for name in names}  # type: ignore[union-attr]


def test_the_facts_of_an_image_are_read(layout: Path) -> None:
    facts = image_facts(layout)
    assert (facts.digest, facts.image_id, facts.licence, facts.command) == (
        IMAGE.digest, IMAGE.config_digest, "MIT", ("/bin/sh",),
    )  # fmt: skip
    assert facts == image_facts(layout, IMAGE.digest)


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_date_that_says_nothing_is_none(tmp_path: Path, stamp: str) -> None:
    assert image_facts(make_image(created=stamp).write_layout(tmp_path / "x")).created == ""


def test_docker_s_archive_has_every_blob_once_and_the_layers_in_order(layout: Path) -> None:
    data = b"".join(docker_archive(read_layout(layout), ["wfx.local/x:1"]))
    files = entries(data)
    [listing] = json.loads(files["manifest.json"])
    assert listing["RepoTags"] == ["wfx.local/x:1"]
    assert [name.rpartition("/")[2] for name in listing["Layers"]] == [digest[7:] for digest in IMAGE.layers]
    assert hashlib.sha256(files[listing["Config"]]).hexdigest() == IMAGE.config_digest[7:]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    assert data == b"".join(docker_archive(read_layout(layout), ["wfx.local/x:1"]))


def test_the_oci_archive_is_the_layout_with_a_name(layout: Path) -> None:
    files = entries(b"".join(oci_archive(read_layout(layout), "wfx.local/x:1")))
    [entry] = json.loads(files["index.json"])["manifests"]
    assert entry["digest"] == IMAGE.digest
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "wfx.local/x:1"}
    assert {f"sha256:{name[13:]}" for name in files if name.startswith("blobs/")} == set(IMAGE.blobs)


def test_a_view_has_no_bytes_of_its_own(layout: Path, tmp_path: Path) -> None:
    view = layout_view(read_layout(layout), tmp_path / "view", "x")
    assert read_layout(view).manifest.digest == IMAGE.digest
    assert (view / "blobs").is_symlink()


def test_of_several_images_the_digest_chooses(tmp_path: Path) -> None:
    other = make_image([{"other": b"1"}])
    layout = IMAGE.write_layout(tmp_path / "layout")
    for digest, data in other.blobs.items():
        (layout / "blobs" / "sha256" / digest[7:]).write_bytes(data)
    index = json.loads((layout / "index.json").read_text())
    index["manifests"].append(
        {"mediaType": other.media_type, "digest": other.digest, "size": len(other.blobs[other.digest])}
    )
    (layout / "index.json").write_text(json.dumps(index))
    assert image_facts(layout, other.digest).image_id == other.config_digest
    with pytest.raises(ContainerError, match="2 images"):
        image_facts(layout)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="no OCI image layout"):
        read_layout(tmp_path)
    with pytest.raises(ContainerError, match="artifact"):
        read_layout(make_artifact({"a": b"1"}).write_layout(tmp_path / "artifact"))
    with pytest.raises(ContainerError, match="several platforms"):
        read_layout(make_index({"linux/amd64": IMAGE}).write_layout(tmp_path / "index"))
    with pytest.raises(ContainerError, match="no image sha256:00"):
        read_layout(IMAGE.write_layout(tmp_path / "layout"), "sha256:" + "00" * 32)


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
@pytest.mark.parametrize("fault", ["missing", "changed", "short"])
def test_a_damaged_blob_is_found(layout: Path, which: str, fault: str) -> None:
    digest = {"manifest": IMAGE.digest, "config": IMAGE.config_digest, "layer": IMAGE.layers[0]}[which]
    path = layout / "blobs" / "sha256" / digest[7:]
    data = bytearray(path.read_bytes())
    if fault == "missing":
        path.unlink()
    elif fault == "short":
        path.write_bytes(data[:-1])
    else:
        data[0] ^= 1
        path.write_bytes(data)
        if which == "layer":
            read_layout(layout)  # a layer's bytes are the runtime's to verify
            return
    with pytest.raises((ContainerError, IntegrityError)):
        read_layout(layout)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"manifests": 1}', '{"manifests": [{"digest": "sha256:../../etc"}]}', "[" * 9999]
)
def test_a_broken_index_is_an_error_in_one_line(layout: Path, text: str) -> None:
    (layout / "index.json").write_text(text)
    with pytest.raises(WfxError) as caught:
        read_layout(layout)
    assert caught.value.exit_code == 7
