"""Pack a finished crate as a zip: the same crate gives the same bytes."""

from __future__ import annotations

import errno
import os
import stat
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

from wfx.errors import DefinitionError, MachineError

from wfx_ro_crate.graph import DESCRIPTOR, PREVIEW

# The first moment that a zip can hold; the times of the files are in the metadata where they mean something.
MOMENT = (1980, 1, 1, 0, 0, 0)
STATE = ".wfx"
FIRST = (DESCRIPTOR, PREVIEW)
# Compressing these again costs time and gains nothing.
COMPRESSED = frozenset({
    ".bam", ".bz2", ".cram", ".gz", ".jpeg", ".jpg", ".mp4", ".parquet", ".png", ".webp", ".xz", ".zip", ".zst",
})  # fmt: skip
FILE_MODE, FOLDER_MODE = 0o100644, 0o040755


def pack(crate: Path, into: Path) -> Path:
    """Write the files of a crate to the zip `into`; it appears whole or not at all. Raises MachineError."""
    temporary = into.with_name(f".wfx-{uuid.uuid4().hex[:12]}")
    try:
        try:
            with temporary.open("xb") as file:
                with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                    for path, info in members(crate):
                        _write(archive, crate, path, info)
                file.flush()
                os.fsync(file.fileno())
            _appear(temporary, into)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError.of(error) from error
    return into


def _appear(temporary: Path, into: Path) -> None:
    """Give the finished file its name. A link fails where something has come meanwhile; a rename would overwrite it."""
    try:
        os.link(temporary, into)
    except OSError as error:
        # Not every file system has hard links.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS) or into.exists():
            raise
        temporary.rename(into)


def members(crate: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what belongs to a crate, the metadata first, then by path; a folder only where it is empty.

    Symbolic links are followed to regular files within the crate alone; sockets and the like are left out.
    """
    root = crate.resolve()
    found: list[tuple[str, os.stat_result]] = []
    for parent, folders, names in os.walk(crate):
        below = os.path.relpath(parent, crate)
        prefix = "" if below == "." else f"{below}/"
        if not prefix:
            folders[:] = [name for name in folders if name != STATE]
            names = [name for name in names if not name.startswith(".wfx-")]
        folders.sort()
        if prefix and not folders and not names:
            found.append((prefix, os.lstat(parent)))
        for name in names:
            path = prefix + name
            info = _regular(root, crate / path)
            if info is not None:
                found.append((path, info))
    yield from sorted(found, key=lambda item: (FIRST.index(item[0]) if item[0] in FIRST else 9, os.fsencode(item[0])))


def _regular(root: Path, path: Path) -> os.stat_result | None:
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        target = path.resolve()
        inside = target.is_relative_to(root) and not target.is_relative_to(root / STATE)
        if not inside or not target.is_file():
            return None
        info = target.stat()
    return info if stat.S_ISREG(info.st_mode) else None


def _write(archive: zipfile.ZipFile, crate: Path, path: str, info: os.stat_result) -> None:
    if not _is_text(path):
        # A zip names its members in UTF-8, so the file could never be found again by its id in the metadata.
        raise DefinitionError("its name is no UTF-8, which a zip cannot hold", where=ascii(path))
    entry = zipfile.ZipInfo(path, MOMENT)
    entry.create_system = 3
    if path.endswith("/"):
        entry.external_attr = (FOLDER_MODE << 16) | 0x10
        archive.writestr(entry, b"")
        return
    executable = info.st_mode & 0o111
    entry.external_attr = (FILE_MODE | (0o111 if executable else 0)) << 16
    entry.compress_type = zipfile.ZIP_STORED if Path(path).suffix.lower() in COMPRESSED else zipfile.ZIP_DEFLATED
    entry.file_size = info.st_size
    with (crate / path).open("rb") as source, archive.open(entry, "w") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
