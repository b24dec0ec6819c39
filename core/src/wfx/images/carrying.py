"""Copies of images that go with a crate: written from the store, and read back where no registry answers.

An image is carried as a file of its own, `NAME-DIGEST.tar` or `NAME-DIGEST.sif`. The tar is an OCI layout with what
`docker load` reads beside it, so Docker, Podman, skopeo and Apptainer take it as it is; it keeps the digest of the
manifest, and the same image gives the same bytes. A SIF is the file itself. What is read back is held against the digest
that the plan states: whoever wrote the crate is not believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wfx.errors import ContainerError, DefinitionError, IntegrityError, MachineError
from wfx.imageneeds import ARCHIVES, SIFS
from wfx.images.archives import docker_archive
from wfx.images.imports import import_archive, is_sif
from wfx.images.layouts import LARGEST_MANIFEST, read_layout
from wfx.images.names import DIGEST, ImageName
from wfx.treepaths import safe_name

if TYPE_CHECKING:
    from wfx.staging import StagedImage
    from wfx.store import Store

FOLDER = "images"
"""Where a crate has them."""
MEDIA_TYPES = {"oci": "application/x-tar", "sif": "application/vnd.sylabs.sif.layer.v1.sif"}
SUFFIXES = {"oci": ".tar", "sif": ".sif"}
SHOWN = 12
LONGEST = 100


@dataclass(frozen=True, slots=True)
class CarriedImage:
    """A copy of an image, as it was written."""

    image: str
    """As the workflow writes it; several images of a workflow may be one file."""
    digest: str
    """Of the manifest, `sha256:…`, as in plan and lock; of a SIF that of the file."""
    format: Literal["oci", "sif"]
    path: str
    """Name of the file in the folder."""
    sha256: str
    """Of the file."""
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class BroughtImage:
    """An image that was read back, and is in the store now."""

    digest: str
    format: Literal["oci", "sif"]
    stored: str
    """What `StagedImage.sha256` has: of the layout's manifest in the store, or of the SIF."""
    size: int
    path: Path
    """The file it came from."""


def carried_name(image: StagedImage) -> str:
    """Return the file's name for an image: for people its name, and for certain its digest."""
    name = Path(image.image.partition("?")[0]).name
    if not name.lower().endswith((*SIFS, *ARCHIVES)):
        with contextlib.suppress(DefinitionError):
            parsed = ImageName.parse(image.image)
            name = "-".join(filter(None, (parsed.repository.rpartition("/")[2], parsed.tag or image.label)))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(SUFFIXES[image.format])).strip("-.") or "image"
    return safe_name(f"{name[:LONGEST]}-{image.digest.partition(':')[2][:SHOWN]}{SUFFIXES[image.format]}")


def carry_out(images: Iterable[StagedImage], store: Store, into: Path) -> tuple[CarriedImage, ...]:
    """Write a copy of each image of a lock (`Lock.images`) from the store to the folder `into`, which is made.

    Each file appears whole or not at all, in place of one that is there. An image that the workflow names twice is one
    file with two entries. Raises IntegrityError for what the store has no more, MachineError.
    """
    into.mkdir(parents=True, exist_ok=True)
    written: dict[str, tuple[str, int]] = {}
    entries = []
    for image in images:
        name = carried_name(image)
        if name not in written:
            written[name] = _write_sif(image, store, into / name) if image.format == "sif" else _write_archive(
                image, store, into / name
            )  # fmt: skip
        form: Literal["oci", "sif"] = "sif" if image.format == "sif" else "oci"
        entries.append(CarriedImage(image.image, image.digest, form, name, *written[name], MEDIA_TYPES[form]))
    return tuple(entries)


def _write_archive(image: StagedImage, store: Store, target: Path) -> tuple[str, int]:
    if not store.has_tree(image.sha256):
        raise _lost(image)
    layout = store.temporary()
    try:
        store.place_tree(image.sha256, layout, link=True)
        read = read_layout(layout, image.digest)
        # Layers stay as they are packed: only so does the manifest keep its digest.
        return _write(docker_archive(read, _tags(image), unpack_zstd=False), target)
    finally:
        shutil.rmtree(layout, ignore_errors=True)


def _tags(image: StagedImage) -> tuple[str, ...]:
    try:
        parsed = ImageName.parse(image.image)
    except DefinitionError:
        return ()
    return (f"{parsed.registry}/{parsed.repository}:{parsed.tag}",) if parsed.tag else ()


def _write_sif(image: StagedImage, store: Store, target: Path) -> tuple[str, int]:
    blob = store.blob(image.sha256)
    if blob is None:
        raise _lost(image)
    return _write(_blocks(blob), target)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


def _write(blocks: Iterator[bytes], target: Path) -> tuple[str, int]:
    hashed, size = hashlib.sha256(), 0
    temporary = target.with_name(f".{target.name}.new")
    try:
        with temporary.open("wb") as file:
            for block in blocks:
                hashed.update(block)
                size += len(block)
                file.write(block)
        temporary.replace(target)
    except OSError as error:
        raise MachineError.of(error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return hashed.hexdigest(), size


def _lost(image: StagedImage) -> IntegrityError:
    return IntegrityError(
        f"the image {image.image} is no longer in the store", remedy="run it anew with `wfx run`, and export that"
    )


# -- and back


def bring_in(folder: Path, store: Store, wanted: Collection[str] | None = None) -> dict[str, BroughtImage]:
    """Read the images in `folder` into the store; return them by digest.

    With `wanted`, digests as plan and lock have them, nothing else is read. What an archive states of itself is held
    against its bytes, blob by blob; links and files of another form are passed over. A folder that is not there is an
    empty one. Raises IntegrityError for a file whose bytes are not what its digest says, ContainerError for one that is
    broken, MachineError.
    """
    found: dict[str, BroughtImage] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if not path.is_symlink() and path.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise MachineError.of(error) from error
    for path in paths:
        image = _bring_sif(path, store, wanted) if is_sif(path) else _bring_archive(path, store, wanted)
        if image is not None:
            found.setdefault(image.digest, image)
    return found


def _bring_sif(path: Path, store: Store, wanted: Collection[str] | None) -> BroughtImage | None:
    sha256, size = store.hash_file(path)
    digest = f"sha256:{sha256}"
    if wanted is not None and digest not in wanted:
        claimed = path.stem.rpartition("-")[2]
        meant = next((d for d in wanted if len(claimed) == SHOWN and d[7:].startswith(claimed)), "")
        if meant:
            raise IntegrityError(
                f"its sha256 is {sha256} where {meant[7:]} is stated", where=str(path), remedy="take the crate anew"
            )
        return None
    if not store.has(sha256):
        temporary = store.temporary()
        store.copy_file(path, temporary)
        store.commit(temporary, *store.hash_file(temporary))
        store.flush()
        if not store.has(sha256):
            raise IntegrityError("it changed while it was being read", where=str(path), remedy="run again")
    return BroughtImage(digest, "sif", sha256, size, path)


def _bring_archive(path: Path, store: Store, wanted: Collection[str] | None) -> BroughtImage | None:
    digest = _stated(path)
    if digest is None or (wanted is not None and digest not in wanted):
        return None
    # Which tree of the store an image is follows from its digest alone, whoever brought it.
    tree = store.fact("image-carried", digest)
    if not isinstance(tree, str) or not store.has_tree(tree):
        layout = store.temporary()
        try:
            layout.mkdir()
            actual = import_archive(path, layout)
            if actual != digest:
                raise IntegrityError(f"its digest is {actual} where {digest} is stated", where=str(path))
            read_layout(layout, digest)
            tree = store.add_tree(layout)
            store.flush()
        finally:
            shutil.rmtree(layout, ignore_errors=True)
        store.set_fact("image-carried", digest, tree)
    return BroughtImage(digest, "oci", tree, store.manifest(tree).size, path)


def _stated(path: Path) -> str | None:
    """Return the digest of the one image that an archive states; None where it is no archive as `carry_out` writes it."""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.name in ("index.json", "./index.json") and member.isfile():
                    if member.size > LARGEST_MANIFEST:
                        raise ContainerError(f"its index has more than {LARGEST_MANIFEST >> 20} MiB", where=str(path))
                    file = archive.extractfile(member)
                    entries = json.loads(file.read())["manifests"] if file is not None else []
                    digest = entries[0]["digest"] if len(entries) == 1 else None
                    return digest if isinstance(digest, str) and DIGEST.fullmatch(digest) else None
    except (tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError, KeyError, TypeError, IndexError):
        return None
    except OSError as error:
        raise MachineError.of(error) from error
    return None
