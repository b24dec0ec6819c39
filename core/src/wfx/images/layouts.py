"""OCI image layouts: folders with `oci-layout`, `index.json` and blobs by digest (OCI image specification 1.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.errors import ContainerError, IntegrityError, MachineError
from wfx.images.names import DIGEST, Platform

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_INDEX)
CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
# Registries take no manifest above 4 MiB (distribution specification, "pushing manifests").
LARGEST_MANIFEST = 4 * 2**20
LICENCE_LABELS = ("org.opencontainers.image.licenses", "org.label-schema.license", "license", "licence")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    """Of a foreign layer: where its owner gives it out."""

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")

    @classmethod
    def read(cls, value: Any, where: str) -> Descriptor:
        """Read it from JSON. Raises ContainerError."""
        try:
            digest, size = value["digest"], value["size"]
            if not DIGEST.fullmatch(digest):
                raise ContainerError(f"a blob's digest is {digest!r}", where=where, why="only sha256 is known")
            if not isinstance(size, int) or size < 0:
                raise ContainerError(f"a blob's size is {size!r}", where=where)
            platform = value.get("platform")
            return cls(
                str(value.get("mediaType", "")), digest, size,
                {str(k): str(v) for k, v in (value.get("annotations") or {}).items()},
                _platform(platform) if platform else None, tuple(str(url) for url in value.get("urls") or ()),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise ContainerError("a blob's descriptor is broken", where=where, why=repr(error)) from error


def _platform(value: Mapping[str, Any]) -> Platform:
    return Platform(str(value.get("os", "")), str(value.get("architecture", "")), str(value.get("variant") or ""))


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is worth knowing of an image before it is run."""

    digest: str
    """Of its manifest."""
    image_id: str
    """Digest of its configuration: what Docker and Podman call the image id."""
    size: int
    """Bytes of configuration and layers as they are transferred: compressed."""
    platform: Platform
    layers: int
    created: str = ""
    """ISO 8601, as the image states it; empty where it does not."""
    licence: str = ""
    """As a label states it."""
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    folder: str = ""
    """Where its programs begin."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a layout, with its manifest and configuration verified."""

    layout: Path
    manifest: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    """Digests of the layers' uncompressed bytes, in the same order."""
    facts: ImageFacts

    def blob(self, digest: str) -> Path:
        """Return where a blob lies."""
        return _blob(self.layout, digest)


def image_facts(layout: Path, digest: str = "") -> ImageFacts:
    """Return what is worth knowing of the image in a layout; see `read_layout`."""
    return read_layout(layout, digest).facts


def read_layout(layout: Path, digest: str = "") -> Image:
    """Read the one image of a layout, or the one with the manifest `digest` of several.

    Manifest and configuration are held against their digests, layers against their sizes; their bytes are the
    runtime's to verify, and have been when they came into the store. Raises ContainerError for what is no layout or
    holds no such image, IntegrityError where bytes are not what their digest says, MachineError.
    """
    where = str(layout)
    index = _json(_read(layout / "index.json", LARGEST_MANIFEST), where)
    found = [Descriptor.read(item, where) for item in _list(index, "manifests", where)]
    chosen = [item for item in found if item.digest == digest] if digest else found
    if len(chosen) != 1:
        have = ", ".join(item.digest for item in found[:5]) or "none"
        wanted = f"no image {digest} is in the layout" if digest else f"the layout has {len(found)} images, not one"
        raise ContainerError(wanted, where=where, why=f"it has {have}", remedy="fetch the image again")
    manifest = chosen[0]
    if manifest.media_type in INDEXES:
        raise ContainerError("the layout holds an index of several platforms", where=where, remedy="name a platform")
    value = _json(_verified(layout, manifest), where)
    config, layers = manifest_parts(value, where)
    if config.media_type not in CONFIGS:
        raise ContainerError(
            f"it is an artifact of type {value.get('artifactType') or config.media_type}, and no container image",
            where=where,
        )
    facts, diff_ids = read_config(_verified(layout, config), manifest, config, layers, where)
    for layer in layers:
        try:
            size = _blob(layout, layer.digest).stat().st_size
        except FileNotFoundError:
            raise ContainerError(
                f"the layer {layer.digest} is not in the layout", where=where, remedy="fetch the image again"
            ) from None
        if size != layer.size:
            raise IntegrityError(f"the layer {layer.digest} has {size} bytes, not {layer.size}", where=where)
    return Image(layout, manifest, config, layers, diff_ids, facts)


def manifest_parts(manifest: Mapping[str, Any], where: str) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """Return a manifest's configuration and layers. Raises ContainerError."""
    if "config" not in manifest:
        raise ContainerError("the manifest names no configuration", where=where)
    layers = tuple(Descriptor.read(item, where) for item in _list(manifest, "layers", where))
    return Descriptor.read(manifest["config"], where), layers


def read_config(
    data: bytes, manifest: Descriptor, config: Descriptor, layers: tuple[Descriptor, ...], where: str
) -> tuple[ImageFacts, tuple[str, ...]]:
    """Read an image's configuration; return the facts and the digests of the unpacked layers. Raises ContainerError."""
    value = _json(data, where)
    run = value.get("config") or {}
    labels = {str(k): str(v) for k, v in (run.get("Labels") or {}).items()}
    rootfs = value.get("rootfs") or {}
    diff_ids = tuple(str(item) for item in rootfs.get("diff_ids") or ())
    if len(diff_ids) != len(layers):
        raise ContainerError(
            f"the manifest has {len(layers)} layers and the configuration {len(diff_ids)}", where=where
        )
    facts = ImageFacts(
        digest=manifest.digest,
        image_id=config.digest,
        size=config.size + sum(layer.size for layer in layers),
        platform=_platform(value),
        layers=len(layers),
        created=_created(str(value.get("created") or "")),
        licence=next((labels[name] for name in LICENCE_LABELS if labels.get(name)), ""),
        user=str(run.get("User") or ""),
        entrypoint=tuple(map(str, run.get("Entrypoint") or ())),
        command=tuple(map(str, run.get("Cmd") or ())),
        environment=dict(str(item).partition("=")[::2] for item in run.get("Env") or ()),
        folder=str(run.get("WorkingDir") or ""),
        labels=labels,
    )
    return facts, diff_ids


def _created(text: str) -> str:
    # Builders that want the same bytes each time write the epoch, which says nothing.
    return "" if text.startswith(("0001-01-01", "1970-01-01")) else text


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ContainerError("it is no OCI image layout", where=str(path.parent), why=f"no {path.name}") from None
    except OSError as error:
        raise MachineError.of(error) from error
    if len(data) > limit:
        raise ContainerError(f"it has more than {limit >> 20} MiB", where=str(path))
    return data


def _verified(layout: Path, descriptor: Descriptor) -> bytes:
    path = _blob(layout, descriptor.digest)
    data = _read(path, max(LARGEST_MANIFEST, descriptor.size))
    actual = hashlib.sha256(data).hexdigest()
    if actual != descriptor.hex:
        raise IntegrityError(
            f"its sha256 is {actual} where {descriptor.hex} is stated", where=str(path), remedy="fetch the image again"
        )
    return data


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContainerError("it is not valid JSON", where=where, why=str(error)) from error
    if not isinstance(value, dict):
        raise ContainerError("a JSON object is expected", where=where)
    return value


def _list(value: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise ContainerError(f"it has no list of {key}", where=where)
    return found
