"""Write the files of a crate to a zip or a folder, streamed: the same files give the same bytes, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import stat
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wfx.errors import DefinitionError, MachineError
from wfx.rundirs import STATE
from wfx.store import copying
from wfx.zips import See, ZipWriter, copy

FIRST = ("ro-crate-metadata.json", "ro-crate-preview.html")
# Compressing these again costs time and gains nothing.
COMPRESSED = frozenset({
    ".bam", ".bcf", ".bz2", ".cram", ".gz", ".h5", ".jpeg", ".jpg", ".mp4", ".parquet", ".pdf", ".png", ".rds", ".sif",
    ".webp", ".xz", ".zip", ".zst",
})  # fmt: skip
FILE, EXECUTABLE = 0o100644, 0o100755
SAMPLE = 1 << 18
"""Bytes of a large file that are compressed to see whether it is worth it for all."""
WORTH = 0.95


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a crate as it is handed on, or an empty folder."""

    path: str
    """In the crate; a folder's ends with `/`."""
    source: Path | bytes
    size: int
    executable: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, without bytes."""
        return self.path.endswith("/")

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")

    def hold(self, size: int) -> None:
        """Raise MachineError where other than its size has been read."""
        if size != self.size:
            raise MachineError("it changed while it was being packed", where=self.path, remedy="export again")


def members_of(crate: Path) -> list[Member]:
    """Return what belongs to a crate, the metadata first, then by path; a folder only where it is empty.

    The state of a run (`.wfx`) is left out. Symbolic links are followed to regular files within the crate alone; sockets
    and the like are left out.
    """
    root = crate.resolve()
    found: list[Member] = []
    for parent, folders, names in os.walk(crate):
        below = os.path.relpath(parent, crate)
        prefix = "" if below == "." else f"{below}/"
        if not prefix:
            folders[:] = [name for name in folders if name != STATE]
            names = [name for name in names if not name.startswith(".wfx-")]
        if prefix and not folders and not names:
            found.append(Member(prefix, b"", 0))
        for name in names:
            path = prefix + name
            info = _regular(root, crate / path)
            if info is not None:
                found.append(Member(path, crate / path, info.st_size, bool(info.st_mode & 0o111)))
    return in_order(found)


def in_order(members: Iterable[Member]) -> list[Member]:
    """Return members in the order in which they are packed."""
    return sorted(members, key=lambda m: (FIRST.index(m.path) if m.path in FIRST else len(FIRST), os.fsencode(m.path)))


def _regular(root: Path, path: Path) -> os.stat_result | None:
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        target = path.resolve()
        inside = target.is_relative_to(root) and not target.is_relative_to(root / STATE)
        if not inside or not target.is_file():
            return None
        info = target.stat()
    return info if stat.S_ISREG(info.st_mode) else None


def refuse_unspeakable(members: Sequence[Member]) -> None:
    """Raise DefinitionError for a name that is no UTF-8, which neither a zip nor a manifest of a bag can hold."""
    for member in members:
        try:
            member.path.encode("utf-8")
        except UnicodeEncodeError:
            # The file could never be found again by its id in the metadata.
            raise DefinitionError(
                "its name is no UTF-8, which this form cannot hold", where=ascii(member.path)
            ) from None


# -- a zip


def write_zip(members: Sequence[Member], into: Path) -> Path:
    """Write a zip, stored or compressed by what each file is. Raises MachineError."""
    refuse_unspeakable(members)
    with zip_at(into) as archive:
        for member in members:
            add_to_zip(archive, member.path, member)
    return into


@contextlib.contextmanager
def zip_at(into: Path) -> Iterator[ZipWriter]:
    """Open a zip to be written by `add_to_zip`; it appears at `into` when all has gone well."""
    with appearing(into) as temporary, temporary.open("x+b", buffering=0) as file:
        archive = ZipWriter(file)
        yield archive
        archive.close()
        os.fsync(file.fileno())


def add_to_zip(archive: ZipWriter, path: str, member: Member, see: See | None = None) -> None:
    """Write one member to a zip under a path; `see` is shown its bytes."""
    mode = EXECUTABLE if member.executable else FILE
    if member.is_folder:
        archive.folder(path)
    elif isinstance(member.source, bytes):
        archive.data(path, member.source, mode=mode)
        if see is not None:
            see(memoryview(member.source))
    else:
        with member.source.open("rb") as file:
            size = archive.file(path, file, member.size, mode=mode, compress=_worth_compressing(member), see=see)
        member.hold(size)


def _worth_compressing(member: Member) -> bool:
    if Path(member.path).suffix.lower() in COMPRESSED:
        return False
    if member.size <= 4 * SAMPLE:
        return True
    with member.open() as file:
        file.seek(member.size // 2)
        sample = file.read(SAMPLE)
    return len(zlib.compress(sample, 1)) < WORTH * len(sample)


# -- a folder


def write_folder(members: Sequence[Member], into: Path) -> Path:
    """Write a folder; files are clones where the file system can do that. Raises MachineError."""
    with appearing(into) as temporary:
        temporary.mkdir()
        for member in members:
            put_file(member, temporary / member.path)
    return into


def copy_file(member: Member, target: Path, see: See) -> None:
    """Write one member as a file, or make its folder; `see` is shown its bytes. Raises MachineError where it changes."""
    if member.is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x+b", buffering=0) as file:
        if isinstance(member.source, bytes):
            file.write(member.source)
            see(memoryview(member.source))
        else:
            with member.source.open("rb", buffering=0) as source:
                member.hold(copy(source.fileno(), file.fileno(), 0, see))
    target.chmod(EXECUTABLE if member.executable else FILE)


def put_file(member: Member, target: Path) -> None:
    """Write one member as a file, or make its folder."""
    if member.is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if member.executable else 0o644
    if isinstance(member.source, bytes):
        target.write_bytes(member.source)
        target.chmod(mode)
    else:
        copying.place(member.source, target, mode=mode)


# -- whole or not at all


@contextlib.contextmanager
def appearing(into: Path) -> Iterator[Path]:
    """Yield a path beside `into` that gets its name when all has gone well; else nothing is left. Raises MachineError."""
    temporary = into.with_name(f".wfx-{uuid.uuid4().hex[:12]}")
    try:
        try:
            yield temporary
            _appear(temporary, into)
        finally:
            if temporary.is_dir() and not temporary.is_symlink():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError.of(error) from error


def _appear(temporary: Path, into: Path) -> None:
    """Give what is finished its name. A link fails where something has come meanwhile; a rename would overwrite it."""
    if temporary.is_dir():
        if os.path.lexists(into):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(into))
        copying.sync_file_system(temporary)
        temporary.rename(into)
        return
    try:
        os.link(temporary, into)
    except OSError as error:
        # Not every file system has hard links.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS) or into.exists():
            raise
        temporary.rename(into)
