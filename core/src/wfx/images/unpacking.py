"""The layers of an image as one folder of files: for runtimes that start programs in a folder.

Whoever made the image is not trusted: nothing is written outside of the folder, no device is made, nothing gets an owner
or a bit that gives rights (setuid), and each layer is what its digest says, packed and unpacked.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import posixpath
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from wfx.errors import ContainerError, IntegrityError, MachineError, PolicyError
from wfx.images.archives import unpacked_zstd
from wfx.images.layouts import Descriptor, Image

# OCI image specification, "Layer Filesystem Changeset".
GONE = ".wh."
EMPTIED = ".wh..wh..opq"
# A layer of text is packed 10 : 1; far beyond it is made to fill disks.
MOST_RATIO = 200
ALWAYS_UNPACKED = 2**30
MOST_LINKS = 40
FILLING = "a layer is far larger than it is packed, as if to fill the disk"


def unpack_image(image: Image, into: Path) -> Path:
    """Write the files of an image into the empty folder `into`, which is made; return it.

    Files belong to whoever unpacks; their mode is the image's, but for setuid, setgid and what would keep the owner out.
    Raises IntegrityError for a layer that is not what it says, PolicyError for one that would fill the disk,
    ContainerError, MachineError.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        root = into.resolve()
        for layer, diff_id in zip(image.layers, image.diff_ids, strict=True):
            _unpack_layer(image.blob(layer.digest), layer, diff_id, root)
    except OSError as error:
        raise MachineError.of(error) from error
    return into


def _unpack_layer(path: Path, layer: Descriptor, diff_id: str, root: Path) -> None:
    where = layer.digest
    if f"sha256:{_sha256(path)}" != layer.digest:
        raise IntegrityError("a layer is not what its digest says", where=where, remedy="fetch the image again")
    with tempfile.TemporaryDirectory(prefix="wfx-layer-") as folder:
        if layer.media_type.endswith("+zstd"):
            path = unpacked_zstd(path, Path(folder) / "layer")
        try:
            with _open(path) as file:
                most = max(ALWAYS_UNPACKED, MOST_RATIO * layer.size)
                counted = _Counted(file, most, where)
                with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|") as archive:
                    _Unpacking(root, where, most).take(archive)
                counted.drain()
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ContainerError("a layer cannot be unpacked", where=where, why=str(error)) from error
    if counted.digest != diff_id:
        raise IntegrityError(f"a layer's files are {counted.digest}", where=where, why=f"the image states {diff_id}")


def _sha256(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


class _Counted:
    """A stream that is hashed and limited on its way."""

    def __init__(self, file: IO[bytes], most: int, where: str) -> None:
        self._file, self._left, self._where = file, most, where
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise PolicyError(FILLING, where=self._where)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read on to the end: the digest is of what lies behind the archive's own end too."""
        while self.read(1 << 20):
            pass

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Unpacking:
    """One layer on its way into the folder."""

    def __init__(self, root: Path, where: str, most: int) -> None:
        self.root, self.where, self.left = root, where, most
        self.own: set[str] = set()
        """What this layer has brought, which its own marks do not take away."""
        self.modes: list[tuple[Path, int]] = []

    def take(self, archive: tarfile.TarFile) -> None:
        for member in archive:
            # A sparse file is more than its bytes in the archive.
            self.left -= member.size
            if self.left < 0:
                raise PolicyError(FILLING, where=self.where)
            path = posixpath.normpath(member.name.lstrip("/"))
            if path == ".":
                continue
            if path.startswith("../") or path == ".." or "\0" in path:
                raise PolicyError(f"a layer of the image leads out of it: {member.name}", where=self.where)
            folder, _, name = path.rpartition("/")
            parent = self._folder(folder)
            if name == EMPTIED:
                for entry in list(parent.iterdir()):
                    if (f"{folder}/{entry.name}" if folder else entry.name) not in self.own:
                        _remove(entry)
            elif name.startswith(GONE):
                if name.removeprefix(GONE) in ("", ".", ".."):
                    raise PolicyError(f"a layer of the image removes what is not its own: {path}", where=self.where)
                _remove(parent / name.removeprefix(GONE))
            else:
                self._write(archive, member, parent / name)
                self._note(path)
        # Last, so that a folder that may not be written to can be filled.
        for target, mode in reversed(self.modes):
            if target.is_dir() and not target.is_symlink():
                target.chmod(mode)

    def _note(self, path: str) -> None:
        while path and path not in self.own:
            self.own.add(path)
            path = path.rpartition("/")[0]

    def _folder(self, path: str) -> Path:
        """Return a folder of the image, made where it is missing. Links on the way are followed as the image has them."""
        parts, place, links = path.split("/")[::-1], self.root, 0
        while parts:
            part = parts.pop()
            if part == "..":
                place = place if place == self.root else place.parent
            elif part not in ("", "."):
                step = place / part
                if step.is_symlink():
                    links += 1
                    if links > MOST_LINKS:
                        raise PolicyError("links of the image lead to each other", where=self.where)
                    target = os.readlink(step)
                    place = self.root if target.startswith("/") else place
                    parts += target.split("/")[::-1]
                    continue
                if not step.is_dir():
                    _remove(step)
                    step.mkdir()
                place = step
        return place

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        mode = (member.mode & 0o777) | (0o700 if member.isdir() else 0o600)
        if member.isdir():
            if target.is_symlink() or not target.is_dir():
                _remove(target)
                target.mkdir()
            self.modes.append((target, mode | (member.mode & 0o1000)))
            return
        _remove(target)
        if member.issym():
            target.symlink_to(member.linkname)
        elif member.islnk():
            source = posixpath.normpath(member.linkname.lstrip("/"))
            if source.startswith("../") or source == "..":
                raise PolicyError(f"a link of the image leads out of it: {member.linkname}", where=self.where)
            folder, _, name = source.rpartition("/")
            try:
                os.link(self._folder(folder) / name, target, follow_symlinks=False)
            except FileNotFoundError:
                raise ContainerError(
                    f"a layer links to {member.linkname}, which is not there", where=self.where
                ) from None
        elif member.isreg():
            source_file: Any = archive.extractfile(member)
            with target.open("xb") as file:
                shutil.copyfileobj(source_file, file, 1 << 20)
            target.chmod(mode)
        # Devices, pipes and sockets are the runtime's to bring.


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for folder in _folders(path):
            folder.chmod(0o700)
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _folders(path: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(path):
        yield Path(folder)
