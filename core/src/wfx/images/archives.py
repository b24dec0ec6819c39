"""Images as one stream, for runtimes that load files: Docker's archive, and the OCI layout in a tar.

Layers are passed on as they are, compressed; nothing is unpacked and nothing is held in memory. The same image gives
the same bytes each time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from wfx.errors import ContainerError, MachineError
from wfx.images.layouts import LAYOUT, Descriptor, Image

BLOCK = 2**20
REF_NAME = "org.opencontainers.image.ref.name"


def docker_archive(image: Image, tags: Sequence[str], *, unpack_zstd: bool = True) -> Iterator[bytes]:
    """Yield what `docker load` reads: configuration and layers by digest, and `manifest.json` with the tags.

    The image id stays the configuration's digest. Docker unpacks gzip itself; zstd only from version 23 on, so with
    `unpack_zstd` such layers are unpacked here. The OCI layout's files are there too: Docker with containerd's store
    of images prefers them, and keeps the manifest's digest. Raises ContainerError, MachineError.
    """
    parts: list[tuple[str, Path]] = [(_name(image.config), image.blob(image.config.digest))]
    names: list[str] = []
    with tempfile.TemporaryDirectory(prefix="wfx-image-") as folder:
        for number, (layer, diff_id) in enumerate(zip(image.layers, image.diff_ids, strict=True)):
            path, name = image.blob(layer.digest), _name(layer)
            if unpack_zstd and layer.media_type.endswith("+zstd"):
                path, name = unpacked_zstd(path, Path(folder) / str(number)), f"blobs/sha256/{diff_id[7:]}"
            names.append(name)
            parts.append((name, path))
        untouched = names == [_name(layer) for layer in image.layers]
        seen: set[str] = set()
        for name, path in parts:
            if name not in seen:
                seen.add(name)
                yield from _file(name, path)
        if untouched:
            yield from _file(_name(image.manifest), image.blob(image.manifest.digest))
            yield from _bytes("oci-layout", LAYOUT)
            yield from _bytes("index.json", index_json(image.manifest, tags[0] if tags else ""))
        listing = [{"Config": _name(image.config), "RepoTags": list(tags) or None, "Layers": names}]
        yield from _bytes("manifest.json", json.dumps(listing).encode())
    yield bytes(2 * tarfile.BLOCKSIZE)


def oci_archive(image: Image, name: str = "") -> Iterator[bytes]:
    """Yield the layout of one image as a tar, its name as the annotation that podman and skopeo read."""
    yield from _bytes("oci-layout", LAYOUT)
    yield from _bytes("index.json", index_json(image.manifest, name))
    for descriptor in dict.fromkeys((image.manifest, image.config, *image.layers)):
        yield from _file(_name(descriptor), image.blob(descriptor.digest))
    yield bytes(2 * tarfile.BLOCKSIZE)


def layout_view(image: Image, into: Path, name: str = "") -> Path:
    """Make `into` a layout of this one image under this name, whose blobs are a link to the image's own; return it.

    For runtimes of this machine that read a layout in place: no byte is copied.
    """
    into.mkdir(parents=True, exist_ok=True)
    (into / "oci-layout").write_bytes(LAYOUT)
    (into / "index.json").write_bytes(index_json(image.manifest, name))
    (into / "blobs").symlink_to((image.layout / "blobs").resolve(), target_is_directory=True)
    return into


def index_json(manifest: Descriptor, name: str = "") -> bytes:
    """Return the `index.json` of a layout with one image; the same bytes for the same image and name."""
    entry: dict[str, object] = {
        "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size,
    }  # fmt: skip
    if manifest.platform is not None:
        platform = {"architecture": manifest.platform.architecture, "os": manifest.platform.os}
        if manifest.platform.variant:
            platform["variant"] = manifest.platform.variant
        entry["platform"] = platform
    if name:
        entry["annotations"] = {REF_NAME: name}
    return json.dumps({"schemaVersion": 2, "manifests": [entry]}, separators=(",", ":")).encode()


def _name(descriptor: Descriptor) -> str:
    return f"blobs/sha256/{descriptor.hex}"


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _bytes(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _file(name: str, path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            size = left = path.stat().st_size
            yield _header(name, size)
            while left:
                data = file.read(min(BLOCK, left))
                if not data:
                    raise ContainerError("a blob became shorter while it was read", where=str(path))
                left -= len(data)
                yield data
    except OSError as error:
        raise MachineError.of(error) from error
    yield bytes(-size % tarfile.BLOCKSIZE)


def unpacked_zstd(path: Path, into: Path) -> Path:
    """Unpack a zstd layer into the file `into`, with what this Python or this machine has for it; return that."""
    try:
        import zstandard

        with path.open("rb") as source, into.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target, write_size=BLOCK)
    except ImportError:
        program = shutil.which("zstd")
        if program is None:
            raise ContainerError(
                "a layer is packed with zstd, which this Docker does not unpack", where=str(path),
                remedy="install zstd (apt install zstd), or Docker 23 or newer",
            ) from None  # fmt: skip
        done = subprocess.run([program, "-dqfo", into, path], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ContainerError("a zstd layer cannot be unpacked", where=str(path), why=done.stderr.strip()) from None
    except OSError as error:
        raise MachineError.of(error) from error
    return into
