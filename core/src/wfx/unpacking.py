"""Members of archives that have been fetched: each archive is read once for all members that one fetch wants of it.

An archive's bytes say what is in it, so what was unpacked is remembered by its sha256: another reference to the same
bytes, or another run, finds the members in the store.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from wfx.archives import extract, kind_of, unpack_file
from wfx.archives.rules import Limits
from wfx.errors import InputError, IntegrityError, MachineError, ReferenceNotFound
from wfx.fetching import Fetched, Source
from wfx.itemforms import bare_name
from wfx.references import Reference
from wfx.store import Known, Store, hash_bytes_of
from wfx.treeparts import entry_of, names_part, part_of, with_part

TREE = "unpacked"
MEMBER = "unpacked member"
SHOWN = 8


@dataclass(slots=True)
class Unpacking:
    """The archives of one fetch."""

    store: Store
    limits: Limits
    brought: dict[str, Fetched] = field(default_factory=dict)
    """URI of an archive → what came."""
    _wanted: dict[str, set[str]] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, sources: Iterable[Source]) -> None:
        """Take note of what is going to be asked for."""
        for source in sources:
            if names_part(source.reference):
                whole, entry = source.reference.without_fragment().uri, entry_of(source.reference)
                if entry and not source.around:
                    self._wanted.setdefault(whole, set()).add(entry)
                else:
                    self._whole.add(whole)

    def lock(self, whole: Reference) -> AbstractContextManager[object]:
        """Hold the lock of an archive against other threads."""
        with self._lock:
            return self._locks.setdefault(whole.uri, threading.Lock())

    def take(self, base: Fetched, source: Source, hops: tuple[Reference, ...]) -> Known:
        """Return what a member is; it is then in the store. Raises ReferenceNotFound, and what `extract` raises."""
        entry, whole = entry_of(source.reference), source.reference.without_fragment()
        if base.kind == "directory":
            if base.local is not None:
                raise InputError("it is a folder, not an archive", where=str(whole), remedy="name the path in it")
            known = part_of(self.store, base.sha256, entry, source.reference)
        else:
            known = self._of_archive(base, source, entry, whole)
        pinned = with_part(base.pinned, entry) if base.pinned is not None else source.reference
        return replace(
            known, pinned=pinned, revision=base.revision, label=base.label, validator=base.validator,
            licence=source.licence or base.licence, hops=base.hops or hops, name=source.name or known.name,
        )  # fmt: skip

    def _of_archive(self, base: Fetched, source: Source, entry: str, whole: Reference) -> Known:
        path = self._path(base)
        kind = kind_of(path)
        name = base.name or whole.name
        if not kind.container:
            if entry:
                raise InputError(f"it is no archive that could hold {entry!r}", where=str(whole))
            return self._single(base, path, kind.bare_name(name), whole)
        tree = self.store.fact(TREE, base.sha256)
        if isinstance(tree, str) and self.store.has_tree(tree):
            known = self._part(tree, entry, source.reference)
        elif entry and not source.around and whole.uri not in self._whole:
            return self._member(base, path, entry, source.reference)
        else:
            known = self._part(self._unpack(base, path, whole), entry, source.reference)
        return known if entry else replace(known, name=bare_name(name))

    def _path(self, base: Fetched) -> Path:
        if base.local is not None:
            return base.local
        self.store.flush()
        path = self.store.blob(base.sha256)
        if path is None:
            raise IntegrityError("it is no longer in the store", where=base.sha256, remedy="run again, it is fetched")
        return path

    def _part(self, tree: str, entry: str, reference: Reference) -> Known:
        try:
            return part_of(self.store, tree, entry, reference)
        except ReferenceNotFound as error:
            names = [item.path for item in self.store.manifest(tree).entries]
            error.why = _has(names)
            raise

    def _single(self, base: Fetched, path: Path, name: str, whole: Reference) -> Known:
        fact = self.store.fact(MEMBER, base.sha256)
        if isinstance(fact, list) and self.store.has(str(fact[0])):
            return Known(str(fact[0]), "file", int(str(fact[1])), name=name)
        temporary = self.store.temporary()
        try:
            unpack_file(path, temporary, where=str(whole), limits=self.limits)
            sha256, size = self._keep(temporary)
        finally:
            temporary.unlink(missing_ok=True)
        self.store.set_fact(MEMBER, base.sha256, [sha256, size])
        return Known(sha256, "file", size, name=name)

    def _member(self, base: Fetched, path: Path, entry: str, reference: Reference) -> Known:
        """Return one member; all that are going to be asked for are taken out at once."""
        known = self._remembered(base, entry)
        if known is not None:
            return known
        whole = reference.without_fragment()
        wanted = {entry} | {e for e in self._wanted.get(whole.uri, ()) if self._remembered(base, e) is None}
        folder = self.store.temporary()
        try:
            found = {
                e.path: e
                for e in extract(path, folder, where=str(whole), limits=self.limits, select=wanted.__contains__)
            }
            for name, item in found.items():
                if item.kind == "file":
                    sha256, size = self._keep(folder / name)
                    self.store.set_fact(MEMBER, f"{base.sha256} {os.fsencode(name)!r}", [sha256, size])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        known = self._remembered(base, entry) if entry in found and found[entry].kind == "file" else None
        if known is None:
            # A folder, a link, or nothing: only the whole tells.
            return self._part(self._unpack(base, path, whole), entry, reference)
        return known

    def _remembered(self, base: Fetched, entry: str) -> Known | None:
        fact = self.store.fact(MEMBER, f"{base.sha256} {os.fsencode(entry)!r}")
        if not isinstance(fact, list) or self.store.blob(str(fact[0])) is None:
            return None
        return Known(str(fact[0]), "file", int(str(fact[1])), name=entry.rpartition("/")[2])

    def _unpack(self, base: Fetched, path: Path, whole: Reference) -> str:
        folder = self.store.temporary()
        try:
            extract(path, folder, where=str(whole), limits=self.limits)
            tree = self.store.add_tree(folder)
        except OSError as error:
            raise MachineError.of(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.store.flush()
        self.store.set_fact(TREE, base.sha256, tree)
        return tree

    def _keep(self, path: Path) -> tuple[str, int]:
        """Move a file that was unpacked into the store."""
        sha256, size = hash_bytes_of(path)
        if self.store.blob(sha256) is None:
            self.store.commit(path, sha256, size)
            self.store.flush()
        return sha256, size


def _has(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"it has {shown}" + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
