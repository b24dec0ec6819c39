"""Care of the store: verify that every blob is what its name says, and remove what nobody needs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wfx.errors import MachineError, WfxError
from wfx.records import decode
from wfx.store import IN_USE, Known, Store, hash_bytes_of
from wfx.store.trees import Manifest

DAY = 86_400.0
# How much is hashed between two notes of what is done, so that an interrupted incremental check goes on.
CHECKPOINT_BYTES = 2**30


@dataclass(slots=True)
class VerifyReport:
    """What a check of the store found."""

    checked: int = 0
    bytes: int = 0
    skipped: int = 0
    """Blobs that an incremental check had verified recently."""
    faults: list[str] = field(default_factory=list)
    """A line for each blob that was not what its name says; all are in quarantine now."""
    listed: int = 0
    """Blobs that the index did not know."""
    forgotten: int = 0
    """Entries of the index whose blob is gone."""


@dataclass(slots=True)
class GcReport:
    """What was removed, or would be."""

    blobs: int = 0
    bytes: int = 0
    kept: int = 0
    partials: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the store holds."""

    blobs: int
    bytes: int
    references: int
    partial_bytes: int
    quarantined: int


def verify(
    store: Store,
    *,
    incremental: bool = False,
    older_than: float = 30 * DAY,
    tell: Callable[[int], None] = lambda count: None,
) -> VerifyReport:
    """Read every blob and compare it with its name; what differs goes to quarantine and is fetched again when needed.

    `incremental` leaves out what was verified within `older_than` seconds, so that an interrupted check goes on.
    """
    report = VerifyReport()
    rows = {
        str(r[0]): (int(str(r[1])), r[2], r[3])
        for r in store.index.all("select sha256, size, added, verified from blobs")
    }
    verified: list[tuple[float, str]] = []
    since = 0
    now = time.time()
    for sha256, path in store.blobs():
        row = rows.pop(sha256, None)
        last = row[2] if row else None
        # A clock that was set back must not make anything look verified for ever.
        if incremental and last is not None and 0 <= now - float(str(last)) < older_than:
            report.skipped += 1
            continue
        try:
            found, size = hash_bytes_of(path)
        except OSError as error:
            report.faults.append(f"{sha256}: cannot be read: {error.strerror}")
            continue
        report.checked += 1
        report.bytes += size
        if found != sha256:
            report.faults.append(f"{sha256}: its bytes have changed (now {found})")
            store.quarantine(path, report.faults[-1])
            continue
        if row is None or row[0] != size:
            report.listed += 1
            with store.index.write() as connection:
                connection.execute("insert or replace into blobs values (?, ?, ?, ?)", (sha256, size, now, now))
        verified.append((now, sha256))
        since += size
        if since > CHECKPOINT_BYTES:
            _note(store, verified)
            since = 0
        tell(report.checked)
    _note(store, verified)
    if rows:
        report.forgotten = len(rows)
        with store.index.write() as connection:
            connection.executemany("delete from blobs where sha256 = ?", [(sha256,) for sha256 in rows])
    return report


def _note(store: Store, verified: list[tuple[float, str]]) -> None:
    if verified:
        with store.index.write() as connection:
            connection.executemany("update blobs set verified = ? where sha256 = ?", verified)
        verified.clear()


def gc(store: Store, keep: Iterable[str], *, older_than: float = 30 * DAY, dry_run: bool = False) -> GcReport:
    """Remove blobs that are not in `keep` (the digests of registered runs) and came more than `older_than` seconds ago.

    A kept manifest keeps the files of its tree. Raises MachineError while another wfx uses the store.
    """
    report = GcReport()
    with store.locked(IN_USE, wait=False) as alone:
        if not alone:
            raise MachineError(
                "the store is in use", where=str(store.root), remedy="wait until the other wfx has finished"
            )
        kept = set(keep)
        for sha256 in list(kept):
            kept |= _of_manifest(store, sha256)
        now = time.time()
        added = {str(r[0]): float(str(r[1])) for r in store.index.all("select sha256, added from blobs")}
        gone: list[str] = []
        for sha256, path in list(store.blobs()):
            size = path.stat().st_size
            age = now - added.get(sha256, path.stat().st_mtime)
            if sha256 in kept or age < older_than:
                report.kept += 1
                continue
            report.blobs += 1
            report.bytes += size
            gone.append(sha256)
        if not dry_run:
            _remove(store, gone)
            report.partials = _remove_partials(store, now - older_than)
    return report


def forget(store: Store, digests: Iterable[str]) -> bool:
    """Remove blobs and trees that are not to be kept, and what was learnt of references to them.

    False, and nothing is removed, while another wfx uses the store.
    """
    with store.locked(IN_USE, wait=False) as alone:
        if alone:
            gone = set(digests)
            for sha256 in list(gone):
                gone |= _of_manifest(store, sha256)
            _remove(store, sorted(gone))
        return alone


def _of_manifest(store: Store, sha256: str) -> set[str]:
    path = store.path_of(sha256)
    with contextlib.suppress(OSError, WfxError):
        with path.open("rb") as file:
            if not file.read(12).startswith(b'{"entries":'):
                return set()
        return {entry.sha256 for entry in Manifest.parse(path.read_bytes()).entries if entry.sha256}
    return set()


def _remove(store: Store, gone: list[str]) -> None:
    removed = set(gone)
    # The index first: a blob without an entry is only unlisted, an entry without a blob would be a lie.
    forgotten = []
    for reference, text in store.index.all("select reference, known from refs"):
        known = decode(Known, json.loads(str(text)))
        if known.sha256 in removed or known.tree in removed:
            forgotten.append((reference,))
    with store.index.write() as connection:
        connection.executemany("delete from refs where reference = ?", forgotten)
        connection.executemany("delete from blobs where sha256 = ?", [(sha256,) for sha256 in gone])
    for sha256 in gone:
        store.path_of(sha256).unlink(missing_ok=True)


def _remove_partials(store: Store, before: float) -> int:
    count = 0
    for folder in ("partial", "tmp"):
        for path in (store.root / folder).iterdir():
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
                count += 1
    return count


def usage(store: Store) -> Usage:
    """Count what the store holds."""
    blobs = store.index.one("select count(*), coalesce(sum(size), 0) from blobs") or (0, 0)
    references = store.index.one("select count(*) from refs") or (0,)
    partial = sum(p.stat().st_size for p in (store.root / "partial").iterdir() if p.is_file())
    quarantined = sum(1 for p in (store.root / "quarantine").iterdir() if p.suffix != ".reason")
    return Usage(int(str(blobs[0])), int(str(blobs[1])), int(str(references[0])), partial, quarantined)
