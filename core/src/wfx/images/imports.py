"""Images that come as a file: what `docker save`, skopeo and podman write, and root file systems, as an OCI layout.

Nothing is unpacked: blobs are copied under their digests, and held against what the archive itself states of them.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from wfx.errors import ContainerError, IntegrityError, MachineError
from wfx.images.archives import BLOCK, REF_NAME, index_json
from wfx.images.layouts import (
    INDEXES,
    LARGEST_MANIFEST,
    LAYOUT,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    manifest_parts,
)
from wfx.images.names import Platform

LAYER = "application/vnd.oci.image.layer.v1.tar"
GZIP = b"\x1f\x8b"
# Of the header of a SIF, after the line that a kernel would start it by (SIF specification, global header).
SIF_MAGIC, SIF_AT = b"SIF_MAGIC", 32


def is_sif(path: Path) -> bool:
    """Say whether a file is a Singularity image."""
    try:
        with path.open("rb") as file:
            return file.read(SIF_AT + len(SIF_MAGIC))[SIF_AT:] == SIF_MAGIC
    except OSError as error:
        raise MachineError.of(error) from error


def import_archive(path: Path, into: Path, *, name: str = "", where: str = "") -> str:
    """Write the image of an archive as an OCI layout into the empty folder `into`; return its manifest's digest.

    Reads Docker's archive and the OCI layout in a tar, compressed or not. `name` chooses among several. The same
    archive gives the same digest. Raises ContainerError, IntegrityError, MachineError.
    """
    where = where or str(path)
    try:
        with tarfile.open(path) as archive:
            members = {posixpath.normpath(member.name): member for member in archive}
            source = _Archive(archive, members, where)
            layout = _Layout(into)
            if "index.json" in members and "oci-layout" in members:
                return _from_layout(source, layout, name)
            if "manifest.json" in members:
                return _from_docker(source, layout, name)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ContainerError("it is no image archive", where=where, why=str(error)) from error
    except OSError as error:
        raise MachineError.of(error) from error
    raise ContainerError(
        "it is no image archive", where=where, why="it has neither index.json nor manifest.json",
        remedy="make one with `docker save`, `podman save` or `skopeo copy`",
    )  # fmt: skip


def import_file_system(path: Path, into: Path, *, where: str = "") -> str:
    """Write a tar of a root file system as an image of one layer, as `docker import` does; return its digest.

    What it does not say is left out, so that the same tar is the same image. Raises ContainerError, MachineError.
    """
    where = where or str(path)
    try:
        if not tarfile.is_tarfile(path):
            raise ContainerError("it is no tar of a file system", where=where)
        layout = _Layout(into)
        with path.open("rb") as head:
            start = head.read(6)
        with _unpacked(path, start) as file:
            layer, diff_id = layout.layer(file)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise ContainerError("it is no tar of a file system", where=where, why=str(error)) from error
    except OSError as error:
        raise MachineError.of(error) from error
    here = Platform.here()
    config: dict[str, Any] = {"architecture": here.architecture, "os": here.os, "config": {},
                              "rootfs": {"type": "layers", "diff_ids": [diff_id]}}  # fmt: skip
    if here.variant:
        config["variant"] = here.variant
    return layout.finish(_json_bytes(config), [layer], here)


def _unpacked(path: Path, start: bytes) -> IO[bytes]:
    """Open a tar; of the ways to pack one, images know gzip alone."""
    if start.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.open(path, "rb"))
    if start.startswith(b"\xfd7z"):
        return cast("IO[bytes]", lzma.open(path, "rb"))
    return path.open("rb")


class _Archive:
    """A tar whose members are looked up by name."""

    def __init__(self, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], where: str) -> None:
        self._archive, self._members, self.where = archive, members, where

    def open(self, name: str) -> IO[bytes]:
        """Open a member; links within the archive are followed (older Docker shares layers by them)."""
        member = self._members.get(posixpath.normpath(name))
        try:
            file = self._archive.extractfile(member) if member is not None else None
        except KeyError:
            file = None
        if file is None:
            raise ContainerError(f"the archive has no {name}", where=self.where, remedy="make the archive anew")
        return file

    def small(self, name: str) -> bytes:
        """Return a small member's bytes."""
        with self.open(name) as file:
            data = file.read(LARGEST_MANIFEST + 1)
        if len(data) > LARGEST_MANIFEST:
            raise ContainerError(f"{name} has more than {LARGEST_MANIFEST >> 20} MiB", where=self.where)
        return data

    def json(self, name: str) -> Any:
        """Return a small member's JSON."""
        return self.parse(self.small(name), name)

    def parse(self, data: bytes, name: str) -> Any:
        """Read JSON."""
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ContainerError(f"{name} is not valid JSON", where=self.where, why=str(error)) from error


class _Layout:
    """The layout that is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes) -> str:
        """Write a small blob; return its digest."""
        sha256 = hashlib.sha256(data).hexdigest()
        (self.blobs / sha256).write_bytes(data)
        return f"sha256:{sha256}"

    def copy(self, source: IO[bytes], also: Any = None) -> Descriptor:
        """Write a large blob; `also` is fed with the same bytes."""
        hashed, size = hashlib.sha256(), 0
        temporary = self.blobs / "new"
        with temporary.open("wb") as target:
            while data := source.read(BLOCK):
                hashed.update(data)
                if also is not None:
                    also(data)
                size += len(data)
                target.write(data)
        temporary.replace(self.blobs / hashed.hexdigest())
        return Descriptor("", f"sha256:{hashed.hexdigest()}", size)

    def layer(self, source: IO[bytes]) -> tuple[Descriptor, str]:
        """Write a layer as it is, packed with gzip or not at all; return it and the digest of its unpacked bytes."""
        copied = self.copy(source)
        path = self.blobs / copied.hex
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        if not packed:
            return Descriptor(LAYER, copied.digest, copied.size), copied.digest
        hashed = hashlib.sha256()
        with gzip.open(path) as unpacked:
            while data := unpacked.read(BLOCK):
                hashed.update(data)
        return Descriptor(f"{LAYER}+gzip", copied.digest, copied.size), f"sha256:{hashed.hexdigest()}"

    def finish(self, config: bytes, layers: list[Descriptor], platform: Platform | None = None) -> str:
        """Write configuration and manifest, and the index that names it; return the manifest's digest."""
        manifest = _json_bytes({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": self.add(config), "size": len(config)},
            "layers": [{"mediaType": item.media_type, "digest": item.digest, "size": item.size} for item in layers],
        })  # fmt: skip
        self.index(Descriptor(OCI_MANIFEST, self.add(manifest), len(manifest), platform=platform))
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def index(self, manifest: Descriptor) -> None:
        """Write what makes the folder a layout."""
        (self.folder / "oci-layout").write_bytes(LAYOUT)
        (self.folder / "index.json").write_bytes(index_json(manifest))


def _from_docker(source: _Archive, layout: _Layout, name: str) -> str:
    found = source.json("manifest.json")
    images = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    if len(images) > 1 and name:
        images = [item for item in images if name in (item.get("RepoTags") or ())]
    if len(images) != 1:
        names = ", ".join(str(tag) for item in found for tag in item.get("RepoTags") or ()) or "none that it names"
        raise _several(source.where, names)
    config = source.small(str(images[0].get("Config")))
    stated = list((source.parse(config, "the configuration").get("rootfs") or {}).get("diff_ids") or ())
    layers = []
    for number, member in enumerate(images[0].get("Layers") or ()):
        with source.open(str(member)) as file:
            layer, diff_id = layout.layer(file)
        if number >= len(stated) or diff_id != stated[number]:
            raise IntegrityError(f"its layer {number + 1} is {diff_id}", where=source.where,
                                 why="the image's configuration states another", remedy="make the archive anew")  # fmt: skip
        layers.append(layer)
    if len(layers) != len(stated):
        raise ContainerError(f"it has {len(layers)} layers of {len(stated)}", where=source.where)
    return layout.finish(config, layers)


def _from_layout(source: _Archive, layout: _Layout, name: str) -> str:
    entries = [Descriptor.read(item, source.where) for item in source.json("index.json").get("manifests") or ()]
    for _ in range(3):
        named = [item for item in entries if item.annotations.get(REF_NAME) == name]
        chosen = named if name and named else entries
        if len(chosen) > 1:
            here = Platform.here()
            chosen = [item for item in chosen if item.platform is not None and here.fit(item.platform) is not None]
        if len(chosen) != 1:
            names = ", ".join(f"{item.annotations.get(REF_NAME, item.digest[:19])} {item.platform or ''}".strip()
                              for item in entries)  # fmt: skip
            raise _several(source.where, names or "none")
        data = _blob(source, chosen[0])
        manifest = source.parse(data, "the manifest")
        if chosen[0].media_type not in INDEXES and "manifests" not in manifest:
            break
        entries = [Descriptor.read(item, source.where) for item in manifest.get("manifests") or ()]
    else:
        raise ContainerError("the archive's index names indexes without end", where=source.where)
    config, layers = manifest_parts(manifest, source.where)
    layout.add(data)
    layout.add(_blob(source, config))
    for layer in {item.digest: item for item in layers}.values():
        with source.open(f"blobs/sha256/{layer.hex}") as file:
            copied = layout.copy(file)
        _held(copied.digest, layer, source.where)
    kind = chosen[0].media_type or OCI_MANIFEST
    layout.index(Descriptor(kind, chosen[0].digest, len(data), platform=chosen[0].platform))
    return chosen[0].digest


def _blob(source: _Archive, descriptor: Descriptor) -> bytes:
    data = source.small(f"blobs/sha256/{descriptor.hex}")
    _held(f"sha256:{hashlib.sha256(data).hexdigest()}", descriptor, source.where)
    return data


def _held(actual: str, descriptor: Descriptor, where: str) -> None:
    if actual != descriptor.digest:
        raise IntegrityError(
            f"a blob's digest is {actual} where {descriptor.digest} is stated", where=where,
            remedy="make the archive anew",
        )  # fmt: skip


def _several(where: str, names: str) -> ContainerError:
    return ContainerError(
        "the archive does not hold just one image for this machine", where=where, why=f"it has {names}",
        remedy="name one of them (dockerImageId), or save one alone",
    )  # fmt: skip


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
