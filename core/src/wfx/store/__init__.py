"""The store: every fetched thing once, under its sha256, whole or not at all.

Layout below the root: `blobs/ab/cdef…` (read-only), `partial/` (downloads to go on with), `quarantine/` (what was not
what it should be), `tmp/`, `locks/`, `index.sqlite`. A blob appears by a rename, after its bytes are on the disk and
before the index names it: a kill at any moment leaves nothing that looks whole and is not. Without its index the store
is still complete; only what was learnt of references is learnt again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from wfx.errors import IntegrityError, MachineError, PolicyError
from wfx.records import decode, encode
from wfx.references import Reference
from wfx.store import locking
from wfx.store.copying import How, place, sync_file, sync_file_system
from wfx.store.index import Index, plain
from wfx.store.trees import DIGEST, Manifest, TreeEntry, scan

if TYPE_CHECKING:
    from wfx.values import JsonValue

__all__ = ["IN_USE", "Known", "Manifest", "Store", "TreeEntry", "hash_bytes_of"]

# A file that was written this short before it was hashed can change again without its times telling (git's rule).
RACY_SECONDS = 2.0
IN_USE = "store-in-use"
GROUP_FILES = 2000
FEW_FILES = 8
GROUP_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Known:
    """What the store remembers of a reference."""

    sha256: str
    kind: str
    size: int
    name: str = ""
    validator: str | None = None
    media_type: str | None = None
    pinned: Reference | None = None
    revision: str = ""
    label: str = ""
    licence: str | None = None
    entry: str = ""
    tree: str = ""
    hops: tuple[Reference, ...] = ()
    checked: float = 0.0
    """When the place last confirmed it, seconds since the epoch; for people only."""


@dataclass(slots=True)
class _Pending:
    temporary: Path
    sha256: str
    size: int


def hash_bytes_of(path: Path) -> tuple[str, int]:
    """Return sha256 (hex) and size of a file, read now."""
    with open(path, "rb", buffering=0) as file:
        result = hashlib.file_digest(file, "sha256").hexdigest()
        return result, os.fstat(file.fileno()).st_size


class Store:
    """The store below one folder; safe for several threads, and for several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._group: list[_Pending] | None = None
        self._group_bytes = 0
        self._group_thread = 0
        self._lock = threading.RLock()
        try:
            for name in ("blobs", "partial", "quarantine", "tmp", "locks"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(
                f"the store's folder cannot be used: {error.strerror}", where=str(root),
                remedy="choose another place with WFX_HOME or XDG_CACHE_HOME",
            ) from error  # fmt: skip
        self.index = Index(root / "index.sqlite")
        if self.index.rebuilt:
            self._relist()

    # -- reading

    def path_of(self, sha256: str) -> Path:
        """Return where a blob lies or would lie."""
        return self.root / "blobs" / sha256[:2] / sha256[2:]

    def blob(self, sha256: str) -> Path | None:
        """Return the path of a blob, or None. Its size is compared with the index's each time."""
        path = self.path_of(sha256)
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        row = self.index.one("select size from blobs where sha256 = ?", (sha256,))
        if row is not None and row[0] != size:
            self.quarantine(path, f"{sha256}: size {size} where {row[0]} was stored")
            return None
        return path

    def has(self, sha256: str) -> bool:
        """Say whether a blob is here."""
        return self.blob(sha256) is not None

    def manifest(self, sha256: str) -> Manifest:
        """Return the manifest of a stored tree. Raises IntegrityError where it is not here or not whole."""
        path = self.blob(sha256)
        if path is None:
            raise IntegrityError("a folder's manifest is missing from the store", where=sha256, remedy="fetch it again")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            self.quarantine(path, f"{sha256}: its bytes have changed")
            raise IntegrityError("a folder's manifest in the store has changed", where=sha256, remedy="fetch it again")
        return Manifest.parse(data)

    def has_tree(self, sha256: str) -> bool:
        """Say whether a tree is here with all its files."""
        if not self.has(sha256):
            return False
        try:
            manifest = self.manifest(sha256)
        except (IntegrityError, PolicyError):
            return False
        return all(self.has(entry.sha256) for entry in manifest.entries if entry.sha256)

    # -- what was learnt

    def known(self, reference: Reference) -> Known | None:
        """Return what a reference was when it was last fetched, if its bytes are still here."""
        row = self.index.one("select known from refs where reference = ?", (plain(reference.safe()),))
        if row is None:
            return None
        known = decode(Known, json.loads(str(row[0])))
        here = self.has(known.sha256) if known.kind == "file" else self.has_tree(known.sha256)
        return known if here and (not known.tree or self.has_tree(known.tree)) else None

    def remember(self, facts: Iterable[tuple[Reference, Known]]) -> None:
        """Remember what references were; local ones and `data:` are never remembered by their URI."""
        rows = [
            (plain(reference.safe()), json.dumps(encode(known)))
            for reference, known in facts
            if reference.scheme not in ("file", "data")
        ]
        if rows:
            with self.index.write() as connection:
                connection.executemany("insert or replace into refs values (?, ?)", rows)

    def references(self) -> list[tuple[str, Known]]:
        """Return all references that are remembered, sorted."""
        rows = self.index.all("select reference, known from refs order by reference")
        return [(str(reference), decode(Known, json.loads(str(known)))) for reference, known in rows]

    def fact(self, kind: str, key: str) -> JsonValue:
        """Return a remembered value that follows from `key`; None where there is none."""
        return self.index.fact(kind, key)

    def set_fact(self, kind: str, key: str, value: JsonValue) -> None:
        """Remember a value that follows from `key`."""
        self.index.set_fact(kind, key, value)

    # -- a user's own files

    def hash_file(self, path: Path) -> tuple[str, int]:
        """Return sha256 and size of a file that is not the store's; unchanged ones are not read again."""
        return self._hash_all([path])[0]

    def _hash_all(self, paths: list[Path]) -> list[tuple[str, int]]:
        results, new = [], []
        for path in paths:
            info = os.stat(path)
            signature = f"{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"
            key = plain(os.path.abspath(path))
            row = self.index.one("select sha256, size from stats where path = ? and signature = ?", (key, signature))
            if row is not None:
                results.append((str(row[0]), int(str(row[1]))))
                continue
            result = hash_bytes_of(path)
            results.append(result)
            settled = time.time() - max(info.st_mtime, info.st_ctime)
            if settled > RACY_SECONDS:
                new.append((key, signature, *result))
        if new:
            with self.index.write() as connection:
                connection.executemany("insert or replace into stats values (?, ?, ?, ?)", new)
        return results

    def hash_files(self, paths: list[Path]) -> list[tuple[str, int]]:
        """Return sha256 and size of many files, with one write to the index."""
        return self._hash_all(paths)

    def hash_tree(self, folder: Path) -> tuple[str, int]:
        """Return the manifest's digest of a folder that is not the store's, and the sum of its sizes."""
        manifest = scan(folder, self.hash_file)
        return hashlib.sha256(manifest.encode()).hexdigest(), manifest.size

    # -- writing: everything ends in `_commit`

    def temporary(self) -> Path:
        """Return a name for a new file on the store's file system."""
        return self.root / "tmp" / secrets.token_hex(12)

    def add_bytes(self, data: bytes) -> str:
        """Store bytes; return their sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.blob(sha256) is None:
            temporary = self.temporary()
            try:
                # Buffered: a raw file may take a part of the bytes, and not say so by an error.
                with open(temporary, "xb") as file:
                    file.write(data)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self.commit(temporary, sha256, len(data))
        return sha256

    def add_tree(self, folder: Path) -> str:
        """Store a folder's files and its manifest; return the manifest's sha256. The folder is left as it is."""
        with self.group():

            def add(path: Path) -> tuple[str, int]:
                # The copy is hashed: the file itself may change between a look at it and the next.
                temporary = self.temporary()
                place(path, temporary)
                sha256, size = hash_bytes_of(temporary)
                if self.blob(sha256) is None:
                    self.commit(temporary, sha256, size)
                else:
                    temporary.unlink()
                return sha256, size

            return self.add_bytes(scan(folder, add).encode())

    def commit(self, temporary: Path, sha256: str, size: int) -> None:
        """Make a complete file of the store's file system a blob; it is moved. Within a group, at the group's end."""
        os.chmod(temporary, 0o444)
        pending = _Pending(temporary, sha256, size)
        with self._lock:
            if self._group is not None:
                self._group.append(pending)
                self._group_bytes += size
                if len(self._group) >= GROUP_FILES or self._group_bytes >= GROUP_BYTES:
                    self._flush()
                return
        sync_file(temporary)
        self._commit([pending])

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        """Commit together what is stored within: one sync for all. Blobs are visible after the group, or its parts.

        What other threads store meanwhile belongs to the group too; a group of their own ends with a commit.
        """
        with self._lock:
            outer = self._group is not None
            if not outer:
                self._group, self._group_bytes, self._group_thread = [], 0, threading.get_ident()
        try:
            yield
        finally:
            with self._lock:
                if not outer:
                    try:
                        self._flush()
                    finally:
                        self._group = None
                elif self._group_thread != threading.get_ident():
                    self.flush()

    def flush(self) -> None:
        """Commit what a group has gathered so far."""
        with self._lock:
            if self._group is not None:
                self._flush()

    def _flush(self) -> None:
        pending, self._group, self._group_bytes = self._group or [], [], 0
        if len(pending) > FEW_FILES:
            sync_file_system(self.root)
        else:
            # What else is waiting to be written on this disk is not ours to wait for.
            for item in pending:
                sync_file(item.temporary)
        if pending:
            self._commit(pending)

    def _commit(self, pending: list[_Pending]) -> None:
        """Rename, then index: the only place that makes blobs."""
        now = time.time()
        for item in pending:
            target = self.path_of(item.sha256)
            try:
                os.replace(item.temporary, target)
            except FileNotFoundError:
                target.parent.mkdir(exist_ok=True)
                os.replace(item.temporary, target)
        with self.index.write() as connection:
            connection.executemany(
                "insert or replace into blobs values (?, ?, ?, ?)", [(p.sha256, p.size, now, now) for p in pending]
            )

    # -- into a run

    def place(self, sha256: str, target: Path, *, link: bool = False) -> How:
        """Bring a blob to `target`. `link` allows a hard link: only where nobody can write through it."""
        source = self.blob(sha256)
        if source is None:
            raise IntegrityError("it is no longer in the store", where=sha256, remedy="run again, it will be fetched")
        return place(source, target, link=link)

    def place_tree(self, sha256: str, target: Path, *, link: bool = False) -> None:
        """Write a stored tree to the folder `target`, which is made; `link` as for `place`."""
        target.mkdir(parents=True, exist_ok=True)
        made: set[Path] = {target}
        links = []
        for entry in self.manifest(sha256).entries:
            path = target / entry.path
            parent = path if entry.folder else path.parent
            if parent not in made:
                parent.mkdir(parents=True, exist_ok=True)
                made.add(parent)
            if entry.link:
                links.append((path, entry.link))
            elif not entry.folder:
                self.place(entry.sha256, path, link=link and not entry.executable)
                if entry.executable:
                    os.chmod(path, 0o755)  # noqa: S103 (programs of a workflow)
        # Links come last, so that no file is written through one.
        for path, end in links:
            path.symlink_to(end)

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy a file that is not the store's; its bytes appear whole. Executable bits are kept."""
        place(source, target)

    def copy_tree(self, source: Path, target: Path) -> None:
        """Copy a folder that is not the store's; links stay links, and may not leave it."""
        target.mkdir(parents=True, exist_ok=True)
        for entry in scan(source, lambda path: ("", path.stat().st_size)).entries:
            path = target / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.folder:
                path.mkdir(exist_ok=True)
            elif entry.link:
                path.symlink_to(entry.link)
            else:
                self.copy_file(source / entry.path, path)

    def check_linked(self, digests: Iterable[str]) -> list[str]:
        """Look again at blobs that were linked into a run; quarantine and return those whose bytes have changed."""
        changed = []
        for sha256 in set(digests):
            path = self.path_of(sha256)
            row = self.index.one("select size, added from blobs where sha256 = ?", (sha256,))
            try:
                info = path.stat()
            except FileNotFoundError:
                continue
            touched = row is None or info.st_size != row[0] or info.st_mtime > float(str(row[1])) + RACY_SECONDS
            if touched and hash_bytes_of(path)[0] != sha256:
                self.quarantine(path, f"{sha256}: changed by a run")
                changed.append(sha256)
        return changed

    # -- care

    def quarantine(self, path: Path, reason: str) -> Path:
        """Set a file aside, with the reason beside it; it is no blob any more."""
        target = self.root / "quarantine" / f"{time.time_ns():x}-{path.parent.name}{path.name}"
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, target)
        target.with_name(target.name + ".reason").write_text(reason + "\n")
        if path.is_relative_to(self.root / "blobs"):
            with self.index.write() as connection:
                connection.execute("delete from blobs where sha256 = ?", (path.parent.name + path.name,))
        return target

    def blobs(self) -> Iterator[tuple[str, Path]]:
        """Yield every blob that lies in the store; what else somebody put there is left alone."""
        for folder in sorted((self.root / "blobs").iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                for path in sorted(folder.iterdir()):
                    if DIGEST.fullmatch(folder.name + path.name) and path.is_file():
                        yield folder.name + path.name, path

    def _relist(self) -> None:
        rows = []
        for sha256, path in self.blobs():
            # Another process may be removing garbage.
            with contextlib.suppress(FileNotFoundError):
                info = path.stat()
                rows.append((sha256, info.st_size, info.st_mtime, None))
        with self.index.write() as connection:
            connection.executemany("insert or ignore into blobs values (?, ?, ?, ?)", rows)

    def locked(
        self, name: str, *, exclusive: bool = True, wait: bool = True
    ) -> contextlib.AbstractContextManager[bool]:
        """Hold a named lock against other processes; yields whether it was had."""
        return locking.whole(self.root / "locks", name, exclusive=exclusive, wait=wait)

    def locked_names(self, names: Iterable[str]) -> contextlib.AbstractContextManager[None]:
        """Hold the locks of many names at once, waiting for those that other processes have."""
        return locking.many(self.root / "locks", names)

    def in_use(self) -> contextlib.AbstractContextManager[bool]:
        """Keep `gc` out, of other processes too: for as long as what was found here is still to be used."""
        return self.locked(IN_USE, exclusive=False)

    def check_space(self, need: int) -> None:
        """Raise MachineError where so many bytes, and 5 % more, do not fit."""
        free = shutil.disk_usage(self.root).free
        if need * 1.05 > free:
            raise MachineError(
                f"{need / 1e9:.2f} GB are to be fetched and {free / 1e9:.2f} GB are free", where=str(self.root),
                remedy="free some space, run `wfx cache gc`, or move the store with WFX_HOME",
            )  # fmt: skip

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
