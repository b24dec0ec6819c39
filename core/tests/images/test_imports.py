from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from wfx.errors import ContainerError, IntegrityError
from wfx.images import Platform, docker_archive, oci_archive, read_layout
from wfx.images.imports import import_archive, import_file_system, is_sif
from wfx.testing.images import MadeImage, make_image, make_index, tar_of

HERE = str(Platform.here())


@pytest.fixture
def made() -> MadeImage:
    return make_image([{"a": b"1"}, {"b": b"2"}], platform=HERE)


@pytest.fixture
def layout(made: MadeImage, tmp_path: Path) -> Path:
    return made.write_layout(tmp_path / "layout")


def write(path: Path, blocks) -> Path:
    path.write_bytes(b"".join(blocks))
    return path


def test_an_oci_archive_keeps_its_digest(made, layout: Path, tmp_path: Path) -> None:
    archive = write(tmp_path / "x.tar", oci_archive(read_layout(layout), "wfx/x:1"))
    assert import_archive(archive, tmp_path / "out") == made.digest
    assert read_layout(tmp_path / "out").facts.image_id == made.config_digest


def test_a_packed_archive_is_read_too(made, layout: Path, tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(gzip.compress(b"".join(oci_archive(read_layout(layout)))))
    assert import_archive(archive, tmp_path / "out") == made.digest


def old_docker(image: MadeImage, path: Path, tags: list[str], *, broken: bool = False) -> Path:
    """Write what `docker save` wrote before version 25: unpacked layers in folders, one a link to another."""
    with tarfile.open(path, "w") as archive:

        def put(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

        layers = []
        for number, digest in enumerate(image.layers):
            data = gzip.decompress(image.blobs[digest])
            put(f"{number}/layer.tar", data + (b"x" if broken else b""))
            layers.append(f"{number}/layer.tar")
        link = tarfile.TarInfo("link/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../1/layer.tar"
        archive.addfile(link)
        layers[1] = "link/layer.tar"
        put("config.json", image.blobs[image.config_digest])
        put("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": tags, "Layers": layers}]).encode())
    return path


def test_docker_s_old_archive_becomes_the_same_image_each_time(made, tmp_path: Path) -> None:
    archive = old_docker(made, tmp_path / "x.tar", ["x:1"])
    digest = import_archive(archive, tmp_path / "out")
    assert import_archive(archive, tmp_path / "again") == digest
    image = read_layout(tmp_path / "out", digest)
    assert image.facts.image_id == made.config_digest
    assert [layer.digest for layer in image.layers] == list(image.diff_ids)


def test_a_docker_archive_of_ours_is_read(made, layout: Path, tmp_path: Path) -> None:
    archive = write(tmp_path / "x.tar", docker_archive(read_layout(layout), ["x:1"]))
    assert import_archive(archive, tmp_path / "out") == made.digest


def test_a_layer_that_is_not_the_stated_one_is_refused(made, tmp_path: Path) -> None:
    archive = old_docker(made, tmp_path / "x.tar", ["x:1"], broken=True)
    with pytest.raises(IntegrityError, match="layer 1"):
        import_archive(archive, tmp_path / "out")


def test_a_changed_blob_is_refused(made, tmp_path: Path) -> None:
    made.blobs[made.layers[0]] = b"other"
    layout = made.write_layout(tmp_path / "layout")
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(layout, ".")
    with pytest.raises(IntegrityError, match="digest"):
        import_archive(archive, tmp_path / "out")


def test_of_several_images_one_is_chosen_by_name_or_platform(made, tmp_path: Path) -> None:
    other = make_image([{"c": b"3"}], platform="linux/s390x" if "s390x" not in HERE else "linux/amd64")
    index = make_index({HERE: made, str(other.manifest and "linux/s390x"): other})
    layout = index.write_layout(tmp_path / "layout")
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(layout, ".")
    assert import_archive(archive, tmp_path / "out") == made.digest
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    for name in ("one", "two"):
        entries.append({"mediaType": made.media_type, "digest": made.digest, "size": len(made.blobs[made.digest]),
                        "annotations": {"org.opencontainers.image.ref.name": name}})  # fmt: skip
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries[1:]}))
    with tarfile.open(archive, "w") as tar:
        tar.add(layout, ".")
    assert import_archive(archive, tmp_path / "named", name="two") == made.digest
    with pytest.raises(ContainerError, match=r"one.*two"):
        import_archive(archive, tmp_path / "neither")


@pytest.mark.parametrize("data", [b"", b"nothing of the kind" * 100, gzip.compress(b"no tar" * 1000, mtime=0)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(ContainerError, match="no image archive"):
        import_archive(path, tmp_path / "out")
    with pytest.raises(ContainerError, match="no tar"):
        import_file_system(path, tmp_path / "out2")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_system_becomes_an_image_of_one_layer(tmp_path: Path, packed: bool) -> None:
    tar = tar_of({"bin/x": b"1"})
    path = tmp_path / "x.tar"
    path.write_bytes(gzip.compress(tar, mtime=0) if packed else tar)
    digest = import_file_system(path, tmp_path / "out")
    image = read_layout(tmp_path / "out", digest)
    assert image.diff_ids == (f"sha256:{hashlib.sha256(tar).hexdigest()}",)
    assert str(image.facts.platform) == HERE
    assert import_file_system(path, tmp_path / "again") == digest


def test_a_sif_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(32) + b"SIF_MAGIC\0")
    assert is_sif(path)
    path.write_bytes(b"no")
    assert not is_sif(path)
