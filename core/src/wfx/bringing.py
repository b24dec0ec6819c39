"""Bring one reference by a fetcher of its shape: a local thing, a tree, or a stream; verified before it is visible."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from wfx.archives.rules import Limits
from wfx.errors import FetchError, IntegrityError, MachineError, ReferenceNotFound, WfxError
from wfx.expectations import hold, hold_known
from wfx.fetching import (
    Body,
    Fetched,
    LocalFetcher,
    Pinned,
    Source,
    Span,
    StreamFetcher,
    TreeFetcher,
)
from wfx.net import Net, TemporaryFailure
from wfx.plugins import PluginManager
from wfx.progress import Progress
from wfx.references import Reference
from wfx.store import Known, Store
from wfx.transfers import OpenStreams, Patience, Received, Task, TransferSettings, receive
from wfx.treeparts import entry_of, part_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchSettings(TransferSettings):
    """Limits of a fetch."""

    jobs: int = 16
    """Things fetched at the same time."""
    archive: Limits = Limits()
    """What an archive may hold whose members are wanted."""


@dataclass(slots=True)
class Job:
    """One reference to fetch, and where in the caller's list it stands."""

    source: Source
    places: list[int]
    result: Fetched | None = None
    fact: tuple[tuple[Reference, Known], ...] = ()


@dataclass(slots=True)
class Bringer:
    """What the threads of one fetch share, and how each shape of fetcher is used."""

    store: Store
    net: Net
    plugins: PluginManager
    progress: Progress
    settings: FetchSettings
    refresh: bool
    stop: threading.Event = field(default_factory=threading.Event)
    reading: set[OpenStreams] = field(default_factory=set)

    def note_move(self, reference: Reference, pinned: Pinned) -> None:
        """Say that a tag or branch is another revision than at the last fetch."""
        before = self.store.known(reference)
        if before is not None and before.revision and before.revision != pinned.revision and pinned.label:
            was, now = (text.removeprefix("sha256:")[:12] for text in (before.revision, pinned.revision))
            self.progress.note(f"{reference}: {pinned.label} was {was}, and is {now} now")

    def patiently(self, source: Source, attempt: Callable[[], T]) -> T:
        """Do what may fail for a while as often as a stream would be tried."""
        patience = Patience(self._task(source, lambda _span: _no_body()))
        while True:
            try:
                return attempt()
            except (TemporaryFailure, ConnectionError, TimeoutError) as error:
                patience.failed(error)

    # -- local things

    def local(self, source: Source, fetcher: LocalFetcher) -> Fetched:
        """Hash a local thing where it lies."""
        path = fetcher.locate(source.reference)
        try:
            directory = path.is_dir()
            sha256, size = self.store.hash_tree(path) if directory else self.store.hash_file(path)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise ReferenceNotFound("no such file or folder", where=str(path)) from error
            raise MachineError.of(error) from error
        if not directory:
            hold(path, sha256, size, source.expected, source.reference)
        return Fetched(
            source.reference, "directory" if directory else "file", sha256, size, source.name or path.name,
            licence=source.licence, media_type=source.media_type, local=path, from_store=True,
        )  # fmt: skip

    # -- trees

    def tree(self, job: Job, source: Source, hops: tuple[Reference, ...], fetcher: TreeFetcher) -> Fetched:
        """Pin a tree's reference, and bring its tree unless the store has it; a part is a part of the whole."""
        reference = source.reference
        name = str(reference)
        # Nobody but the fetcher knows how far a tree is; what it journals is shown.
        net = self.net.counting(lambda count: self.progress.advance(name, count))
        pinned = self.patiently(source, lambda: fetcher.pin(reference, net))
        self.note_move(reference, pinned)
        known = self.store.known(pinned.reference)
        whole = pinned.reference.without_fragment()
        entry = entry_of(pinned.reference)
        if known is not None:
            known = replace(known, label=pinned.label)
            fresh = False
        elif (base := self.store.known(whole)) is not None and "only=1" not in pinned.reference.fragment:
            known, fresh = part_of(self.store, base.sha256, entry, reference), False
        else:
            digest, entry = self.patiently(source, lambda: self._fetch_tree(fetcher, pinned.reference, net))
            if "only=1" not in pinned.reference.fragment:
                job.fact = (*job.fact, (whole, Known(digest, "directory", self.store_size(digest), pinned=whole)))
            known, fresh = part_of(self.store, digest, entry, reference), True
        known = replace(
            known, pinned=pinned.reference, revision=pinned.revision, label=pinned.label,
            licence=source.licence or pinned.licence or known.licence, hops=hops, name=source.name or known.name,
        )  # fmt: skip
        if known.kind == "file":
            path = self._pending_or_stored(known.sha256)
            hold(path, known.sha256, known.size, source.expected, reference)
        job.fact = (*job.fact, (reference, known), (pinned.reference, replace(known, label="")))
        return answer_of(source, known, from_store=not fresh)

    def _fetch_tree(self, fetcher: TreeFetcher, pinned: Reference, net: Net) -> tuple[str, str]:
        folder = self.store.temporary()
        try:
            folder.mkdir()
            entry = fetcher.fetch_tree(pinned, net, folder)
            digest = self.store.add_tree(folder)
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            raise MachineError.of(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        # The manifest is read back at once, so it must be in its place.
        self.store.flush()
        return digest, entry.strip("/")

    def store_size(self, digest: str) -> int:
        """Return the bytes of a stored tree."""
        return self.store.manifest(digest).size

    def _pending_or_stored(self, sha256: str) -> Path:
        self.store.flush()
        path = self.store.blob(sha256)
        if path is None:
            raise IntegrityError("it is no longer in the store", where=sha256, remedy="run again, it will be fetched")
        return path

    # -- streams

    def stream(self, job: Job, source: Source, hops: tuple[Reference, ...], fetcher: StreamFetcher) -> Fetched:
        """Bring a stream, from the reference or from the first of its mirrors that has it."""
        problem: WfxError | None = None
        for number, reference in enumerate((source.reference, *source.alternates)):
            if number:
                self.progress.note(f"{problem}; trying {reference}")
            try:
                if number:
                    # A mirror may be of another kind.
                    other = self.plugins.fetcher(reference)()
                    if not isinstance(other, StreamFetcher):
                        return self.elsewhere(job, source, reference, hops)
                    fetcher = other
                return self._from_place(job, source, reference, hops, fetcher)
            except (FetchError, IntegrityError) as error:
                if problem is None or isinstance(error, IntegrityError):
                    problem = error
        assert problem is not None
        raise problem

    def elsewhere(self, job: Job, source: Source, reference: Reference, hops: tuple[Reference, ...]) -> Fetched:
        """Bring a source from a mirror that is no stream."""
        raise NotImplementedError

    def _from_place(
        self, job: Job, source: Source, reference: Reference, hops: tuple[Reference, ...], fetcher: StreamFetcher
    ) -> Fetched:
        before = self.store.known(source.reference)

        def same(body: Body) -> bool:
            return (
                before is not None
                and before.kind == "file"
                # A mirror's validator says nothing of this place.
                and before.pinned in (None, reference)
                and before.validator is not None
                and body.validator == before.validator
                and body.total in (None, before.size)
            )

        streams = OpenStreams()

        def open_(span: Span | None) -> Body:
            return streams.hold(fetcher.open(reference, self.net, span))

        self.reading.add(streams)
        try:
            answer = receive(self._task(source, open_, streams.end), same)
        finally:
            self.reading.discard(streams)
        if not isinstance(answer, Received):
            assert before is not None
            hold_known(before, source, self.store)
            job.fact = (*job.fact, (source.reference, before))
            return answer_of(source, before, from_store=True)
        body = answer.body
        try:
            stated = replace(source.expected, checksums=tuple({*source.expected.checksums, *body.checksums}))
            hold(answer.path, answer.sha256, answer.size, stated, reference)
        except IntegrityError as error:
            self.store.quarantine(answer.path, str(error))
            raise
        try:
            self.store.commit(answer.path, answer.sha256, answer.size)
        except OSError as error:
            raise MachineError.of(error) from error
        result = Fetched(
            source.reference, "file", answer.sha256, answer.size, source.name or body.name or reference.name,
            pinned=reference, hops=hops, validator=body.validator, media_type=source.media_type or body.media_type,
            licence=source.licence,
        )  # fmt: skip
        job.fact = (*job.fact, (source.reference, known_of(result)))
        return result

    def _task(
        self, source: Source, opener: Callable[[Span | None], Body], end: Callable[[], None] = lambda: None
    ) -> Task:
        name = str(source.reference)
        key = hashlib.sha256(source.reference.safe().encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return Task(
            label=name, open=opener, temporary=self.store.temporary, partial=self.store.root / "partial" / key,
            settings=self.settings, stop=self.stop, advance=lambda count: self.progress.advance(name, count),
            note=lambda text: self.progress.note(f"{name}: {text}"),
            trusted_bytes=bool(source.expected.sha256 or source.expected.checksums), size=source.expected.size,
            check_space=self.store.check_space, end=end,
        )  # fmt: skip


def _no_body() -> Body:
    raise AssertionError("a tree is not opened as a stream")


def answer_of(source: Source, known: Known, *, from_store: bool) -> Fetched:
    """Return what a reference turned out to be, from what the store knows of it."""
    return Fetched(
        source.reference, known.kind, known.sha256, known.size, source.name or known.name, pinned=known.pinned,
        revision=known.revision, label=known.label, hops=known.hops, validator=known.validator,
        media_type=known.media_type, licence=known.licence, entry=known.entry, tree=known.tree, from_store=from_store,
    )  # fmt: skip


def known_of(answer: Fetched) -> Known:
    """Return what the store is to remember of an answer."""
    return Known(
        answer.sha256, answer.kind, answer.size, answer.name, answer.validator, answer.media_type, answer.pinned,
        answer.revision, answer.label, answer.licence, answer.entry, answer.tree, answer.hops,
    )  # fmt: skip
