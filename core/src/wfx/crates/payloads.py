"""The files of a crate by their path in it, in a folder or in a zip: nothing outside is ever reached."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from wfx.archives.zips import sharing
from wfx.errors import DefinitionError, MachineError, PolicyError

MOST_MEMBERS = 1_000_000
# Deflate's best is about 1,030 : 1; a member that claims more is made to fill disks.
MOST_RATIO = 1_100
# A text compresses 10 : 1; a whole archive far beyond is a bomb of many small charges.
MOST_TOTAL_RATIO = 200
ALWAYS_UNPACKED = 256 * 2**20
STATE = ".wfx"


class Payload(ABC):
    """The files of a crate, by their path in it; nothing outside is ever reached."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""

    def stored(self, path: str) -> int:
        """Return how many bytes a file takes where it lies: in a zip, compressed."""
        return self.size(path) or 0

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""

    @abstractmethod
    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows."""

    @abstractmethod
    def files(self) -> Iterator[str]:
        """Yield the paths of all files, without wfx's own state."""

    @abstractmethod
    def unpack(self, into: Path) -> Path:
        """Return a folder with all files: the crate's own, or `into` with copies of them."""

    def is_link(self, path: str) -> bool:
        """Say whether there is a symbolic link that is not followed: one that leads out, or any in a zip."""
        return False

    def sha256(self, path: str) -> str:
        """Return a file's digest."""
        return self.digest(path, "sha256")

    def digest(self, path: str, algorithm: str) -> str:
        """Return a file's digest by any algorithm of hashlib."""
        with self.open(path) as file:
            digest = hashlib.new(algorithm, usedforsecurity=False)
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


class FolderPayload(Payload):
    """A folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._top = os.fspath(self.root)
        self._inside: dict[str, bool] = {"": True}

    def _holds(self, folder: str) -> bool:
        """Say whether a folder is there and lies within the crate, links followed; each is asked once."""
        if folder not in self._inside:
            try:
                real = Path(os.path.join(self._top, folder)).resolve(strict=True)
                self._inside[folder] = real.is_relative_to(self.root)
            except (OSError, RuntimeError, ValueError):
                self._inside[folder] = False
        return self._inside[folder]

    def _stat(self, path: str) -> os.stat_result | None:
        path = path.rstrip("/")
        if not confined(path) or not self._holds(path.rpartition("/")[0]):
            return None
        place = os.path.join(self._top, path)
        try:
            info = os.lstat(place)
            if not stat.S_ISLNK(info.st_mode):
                return info
            # A link may point to another file of the crate, not out of it.
            return os.stat(place) if Path(place).resolve(strict=True).is_relative_to(self.root) else None
        except (OSError, RuntimeError, ValueError):
            return None

    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""
        info = self._stat(path)
        return info.st_size if info is not None and stat.S_ISREG(info.st_mode) and path[-1:] != "/" else None

    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""
        info = self._stat(path)
        return info is not None and stat.S_ISDIR(info.st_mode)

    def is_link(self, path: str) -> bool:
        """Say whether a link leads out of the crate, or nowhere."""
        if not confined(path) or self._stat(path) is not None:
            return False
        place = self._top
        for part in path.split("/"):
            place = os.path.join(place, part)
            try:
                info = os.lstat(place)
            except (OSError, ValueError):
                return False
            if stat.S_ISLNK(info.st_mode):
                return True
        return False

    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows."""
        return (self.root / path).open("rb")

    def files(self) -> Iterator[str]:
        """Yield the paths of all files, without wfx's own state."""
        for parent, folders, names in os.walk(self.root):
            below = os.path.relpath(parent, self.root)
            if below == ".":
                folders[:] = [name for name in folders if name != STATE]
            folders.sort()
            for name in sorted(names):
                yield name if below == "." else f"{below}/{name}"

    def unpack(self, into: Path) -> Path:
        """Return the folder itself."""
        return self.root


class ZipPayload(Payload):
    """A zip, read in place; `prefix` is the folder in it that is the crate."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str = "") -> None:
        self.archive, self.prefix = archive, prefix
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._links: set[str] = set()
        self._folders = {""}
        for info in archive.infolist():
            if not info.filename.startswith(prefix):
                continue
            path = info.filename[len(prefix) :]
            parent = path.rpartition("/")[0]
            while parent not in self._folders:
                self._folders.add(parent)
                parent = parent.rpartition("/")[0]
            if stat.S_ISLNK(info.external_attr >> 16):
                self._links.add(path)
            elif not info.is_dir():
                # Of two with one name the first counts, as with ids: nobody is served a hidden second one.
                self._members.setdefault(path, info)

    def size(self, path: str) -> int | None:
        """Return the size of a regular file; None where there is none."""
        info = self._members.get(path) if confined(path) else None
        return None if info is None else info.file_size

    def stored(self, path: str) -> int:
        """Return the size of a member as it is compressed."""
        return self._members[path].compress_size

    def is_folder(self, path: str) -> bool:
        """Say whether there is a folder."""
        folder = path.rstrip("/")
        return confined(path) and (folder in ("", ".") or folder in self._folders)

    def is_link(self, path: str) -> bool:
        """Say whether the member is a symbolic link, or lies behind one."""
        if not self._links:
            return False
        parts = path.split("/")
        return any("/".join(parts[:n]) in self._links for n in range(1, len(parts) + 1))

    def open(self, path: str) -> IO[bytes]:
        """Open a file that `size` knows. Raises DefinitionError for one that would burst."""
        info = self._members[path]
        if info.flag_bits & 1:
            raise DefinitionError("it is encrypted", where=info.filename)
        if info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise PolicyError("its compression is that of a zip bomb", where=info.filename)
        try:
            return self.archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DefinitionError("it cannot be unpacked", where=info.filename, why=str(error)) from error

    def files(self) -> Iterator[str]:
        """Yield the paths of all files."""
        yield from sorted(self._members)

    def unpack(self, into: Path) -> Path:
        """Write the regular files below `into`, streamed. Raises PolicyError for a bomb, DefinitionError for damage."""
        packed = Path(self.archive.filename or "")
        total = sum(info.file_size for info in self._members.values())
        most = max(ALWAYS_UNPACKED, MOST_TOTAL_RATIO * sum(i.compress_size for i in self._members.values()))
        if total > most:
            raise PolicyError(f"its files would be {total / 1e6:.0f} MB, as of a zip bomb", where=str(packed))
        for path, info in self._members.items():
            if confined(path) and not self.is_link(path) and not _odd(path):
                self._write(path, info, into / path)
        return into

    def _write(self, path: str, info: zipfile.ZipInfo, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            left = info.file_size
            with self.open(path) as source, target.open("xb") as file:
                while chunk := source.read(1 << 20):
                    left -= len(chunk)
                    if left < 0:
                        raise PolicyError("it is longer than it says", where=info.filename)
                    file.write(chunk)
            if (info.external_attr >> 16) & 0o111:
                target.chmod(0o755)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DefinitionError("it cannot be unpacked", where=info.filename, why=str(error)) from error
        except (FileExistsError, NotADirectoryError) as error:
            raise DefinitionError("its members are in each other's way", where=info.filename) from error
        except OSError as error:
            raise MachineError.of(error) from error


def confined(path: str) -> bool:
    """Say whether a path stays within the crate, by its text."""
    parts = path.rstrip("/").split("/")
    return not (path.startswith("/") or "\0" in path or "\\" in path or ".." in parts or parts[0] == STATE)


def _odd(path: str) -> bool:
    """Say whether no file can have the path: `a//b`, a part of more than 255 bytes."""
    return any(part in ("", ".") or len(os.fsencode(part)) > 255 for part in path.split("/"))


def open_zip(place: Path) -> zipfile.ZipFile:
    """Open an archive. Raises DefinitionError for what is none, or has too many members."""
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise DefinitionError("it is neither a folder nor a zip", where=str(place), why=str(error)) from error
    if len(archive.infolist()) > MOST_MEMBERS:
        archive.close()
        raise PolicyError(f"it has more than {MOST_MEMBERS:,} members", where=str(place))
    if (shared := sharing(archive.infolist())) is not None:
        archive.close()
        raise PolicyError("its members share bytes, as those of a zip bomb", where=str(place), why=shared.filename[:80])
    return archive
