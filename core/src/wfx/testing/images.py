"""Container images made on the spot: tiny, the same bytes each time, and pulled from nowhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.images.layouts import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
# What a layer holds: a file's bytes or where it lies, a link's target; a name that ends with `/` is a folder.
Files = dict[str, bytes | Path | str]
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class MadeImage:
    """An image in memory: every blob by its digest."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    digest: str = ""
    """Of the manifest or index that stands for it."""
    media_type: str = OCI_MANIFEST

    def add(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Take in a blob; return its descriptor."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def add_json(self, value: object, media_type: str, **more: Any) -> dict[str, Any]:
        """Take in a JSON document; return its descriptor."""
        return self.add(json.dumps(value).encode(), media_type, **more)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest or index."""
        return json.loads(self.blobs[self.digest])  # type: ignore[no-any-return]

    @property
    def config_digest(self) -> str:
        """The digest of the configuration: the image id."""
        return str(self.manifest["config"]["digest"])

    @property
    def layers(self) -> list[str]:
        """Digests of the layers."""
        return [str(layer["digest"]) for layer in self.manifest["layers"]]

    def write_layout(self, folder: Path, name: str = "") -> Path:
        """Write it as an OCI layout; return the folder."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for digest, data in self.blobs.items():
            (blobs / digest[7:]).write_bytes(data)
        entry: dict[str, Any] = {
            "mediaType": self.media_type, "digest": self.digest, "size": len(self.blobs[self.digest]),
        }  # fmt: skip
        if name:
            entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return folder


def tar_of(files: Mapping[str, bytes | Path | str]) -> bytes:
    """Return a tar: bytes are a file, a Path a file of this machine, a text the target of a symbolic link.

    A name that ends with `/` is a folder, which everybody may write to if its text is `1777`.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode = 0o755
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
                info.mode = 0o1777 if content == "1777" else 0o755
                archive.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                data = content.read_bytes() if isinstance(content, Path) else content
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def make_image(
    layers: Sequence[Mapping[str, bytes | Path | str] | bytes] = (),
    *,
    platform: str = "linux/amd64",
    config: Mapping[str, Any] | None = None,
    created: str = "2024-05-01T12:00:00Z",
    compression: str = "gzip",
) -> MadeImage:
    """Make an image of layers, each given as files or as a tar. `compression`: `gzip`, `zstd` (the program) or empty."""
    image = MadeImage()
    system, architecture, *variant = platform.split("/")
    descriptors, diff_ids = [], []
    for layer in layers or [{"hello": b"hello\n"}]:
        tar = layer if isinstance(layer, bytes) else tar_of(layer)
        diff_ids.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
        descriptors.append(image.add(_packed(tar, compression), OCI_LAYER + (f"+{compression}" if compression else "")))
    value: dict[str, Any] = {
        "architecture": architecture, "os": system, **({"variant": variant[0]} if variant else {}), "created": created,
        "config": {"Env": [PATH], "Cmd": ["/bin/sh"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": created, "created_by": "wfx"} for _ in diff_ids],
    }  # fmt: skip
    configuration = image.add_json(value, OCI_CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": configuration, "layers": descriptors}
    image.digest = image.add_json(manifest, OCI_MANIFEST)["digest"]
    return image


def make_index(images: Mapping[str, MadeImage], *, attestation: bool = False) -> MadeImage:
    """Make an index of images by platform, with an attestation beside the first where that is wanted."""
    index = MadeImage(media_type=OCI_INDEX)
    entries = []
    for platform, image in images.items():
        index.blobs |= image.blobs
        system, architecture, *variant = platform.split("/")
        where = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        size = len(image.blobs[image.digest])
        entries.append({"mediaType": image.media_type, "digest": image.digest, "size": size, "platform": where})
    if attestation:
        statement = make_image([{"attestation": b"{}"}])
        index.blobs |= statement.blobs
        entries.insert(0, {
            "mediaType": OCI_MANIFEST, "digest": statement.digest, "size": len(statement.blobs[statement.digest]),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        })  # fmt: skip
    value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    index.digest = index.add_json(value, OCI_INDEX)["digest"]
    return index


def make_artifact(files: Mapping[str, bytes], media_type: str = "application/octet-stream") -> MadeImage:
    """Make an artifact as the oras program does: a layer a file, with its name as the title."""
    image = MadeImage()
    config = image.add(b"{}", "application/vnd.oci.empty.v1+json")
    layers = [
        image.add(data, media_type, **({"annotations": {"org.opencontainers.image.title": name}} if name else {}))
        for name, data in files.items()
    ]
    manifest = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.wfx.test",
        "config": config, "layers": layers,
    }  # fmt: skip
    image.digest = image.add_json(manifest, OCI_MANIFEST)["digest"]
    return image


def busybox_files() -> Files:
    """Return the files of a small system around the machine's static busybox (needs busybox-static)."""
    from wfx.testing.requirements import require_program

    program = Path(require_program("busybox", package="busybox-static"))
    files: Files = {f"{name}/": "" for name in ("proc", "sys", "dev", "root", "etc", "bin")}
    files |= {"tmp/": "1777", "var/tmp/": "1777", "usr/bin/env": "/bin/env", "bin/busybox": program}
    listing = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    files |= {f"bin/{name}": "busybox" for name in listing if name != "busybox"}
    files["etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\n"
    files["etc/group"] = b"root:x:0:\n"
    return files


def machine_platform() -> str:
    """Return the platform of images that run here."""
    from wfx.images import Platform

    return str(Platform.here())


def _packed(tar: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(tar, 6, mtime=0)
    if compression == "zstd":
        program = shutil.which("zstd") or os.devnull
        return subprocess.run([program, "-q", "-c"], input=tar, capture_output=True, check=True).stdout
    return tar
