"""Folders of many files: those that one reference stands for, fetched at the same time and made one tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from wfx.bringing import Bringer, Job, known_of
from wfx.errors import FetchError, PolicyError, WfxError
from wfx.expectations import hold_size, mismatch
from wfx.fetching import Fetched, Source
from wfx.references import Reference
from wfx.store import Manifest, TreeEntry
from wfx.transfers import SMALL, Stopped

PART_THREADS = "fetch part"


@dataclass(slots=True)
class Gatherer(Bringer):
    """Brings the parts of a folder."""

    _parts: ThreadPoolExecutor | None = None
    _parts_lock: threading.Lock = field(default_factory=threading.Lock)

    @abstractmethod
    def _from_store(self, source: Source) -> Fetched | None:
        """Answer without asking anybody, where that is as good."""

    @abstractmethod
    def _hop(self, job: Job, source: Source, better: Source, hops: tuple[Reference, ...]) -> Fetched:
        """Bring what a place has named."""

    @abstractmethod
    def _stop(self, futures: Sequence[Future[None]]) -> None:
        """Break off what is under way."""

    def _end_parts(self) -> None:
        if self._parts is not None:
            self._parts.shutdown()
            self._parts = None

    def _gather(self, job: Job, source: Source, found: Sequence[Source], hops: tuple[Reference, ...]) -> Fetched:
        """Make a folder of the many files that a reference stands for, fetched at the same time."""
        jobs = [Job(part, []) for part in found]
        self._all_parts(jobs, hops)
        entries, size = [], 0
        for part_job in jobs:
            part, answer = part_job.source, part_job.result
            assert answer is not None
            job.fact = (*job.fact, *part_job.fact)
            path = part.name or answer.name
            if not path or path.startswith("/") or ".." in path.split("/"):
                raise PolicyError(f"a file there has the name {path!r}", where=str(source.reference))
            entries.append(TreeEntry(path, answer.sha256, answer.size))
            size += answer.size
        if len({entry.path for entry in entries}) < len(entries):
            raise FetchError("two files there have the same name", where=str(source.reference))
        folders = {entry.path[:end] for entry in entries for end, c in enumerate(entry.path) if c == "/"}
        for entry in entries:
            if entry.path in folders:
                # Object stores have such names.
                raise FetchError("a file there has the name of a folder", where=str(source.reference), why=entry.path)
        manifest = Manifest(tuple(sorted(entries, key=lambda entry: os.fsencode(entry.path))))
        sha256 = self.store.add_bytes(manifest.encode())
        answer = Fetched(
            source.reference, "directory", sha256, size, source.name or source.reference.name, pinned=source.reference,
            hops=hops, licence=source.licence or _one_licence(found),
        )  # fmt: skip
        job.fact = (*job.fact, (source.reference, known_of(answer)))
        return answer

    def _all_parts(self, jobs: Sequence[Job], hops: tuple[Reference, ...]) -> None:
        """Bring the parts of one reference; in threads of their own, for which this one does nothing but wait."""
        if threading.current_thread().name.startswith(PART_THREADS) or len(jobs) == 1:
            # A part that is many in its turn may not wait for threads that wait for it.
            for job in jobs:
                self._part_into(job, hops)
            return
        with self._parts_lock:
            if self._parts is None:
                self._parts = ThreadPoolExecutor(self.settings.jobs, thread_name_prefix=PART_THREADS)
        futures = [self._parts.submit(self._part_into, job, hops) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and not future.cancelled() and not future.exception() for future in futures):
                self._stop(futures)
        raise_first(futures)

    def _part_into(self, job: Job, hops: tuple[Reference, ...]) -> None:
        part, name = job.source, str(job.source.reference)
        if self.stop.is_set():
            raise Stopped
        try:
            with self._content_lock(part):
                job.result = self._from_store(part)
                if job.result is None:
                    self.progress.item(name, part.expected.size)
                    # By itself it has no folder: whoever asks for this reference alone gets the file's own name.
                    alone = replace(part, name=part.name.rpartition("/")[2])
                    job.result = self._hop(job, Source(part.reference), alone, hops)
                    if _is_shared(part):
                        # Whoever waits for the lock looks into the store.
                        self.store.flush()
        except Exception as error:
            if self.stop.is_set():
                raise Stopped from error
            raise
        self.progress.done(name)

    def _content_lock(self, part: Source) -> contextlib.AbstractContextManager[object]:
        """Let large bytes that several references have in common (a layer of two images) come once.

        Nobody asks for another lock while he holds this one, so none can wait in a circle.
        """
        if not _is_shared(part):
            return contextlib.nullcontext()
        return self.store.locked(f"fetch sha256:{part.expected.sha256}")

    def _content(self, source: Source, data: bytes, hops: tuple[Reference, ...]) -> Fetched:
        """Take bytes that came with a resolver's answer."""
        sha256 = hashlib.sha256(data).hexdigest()
        hold_size(len(data), source.expected, source.reference)
        if source.expected.sha256 not in (None, sha256):
            raise mismatch("sha256", sha256, str(source.expected.sha256), source.reference)
        self.store.add_bytes(data)
        return Fetched(
            source.reference, "file", sha256, len(data), source.name or source.reference.name, pinned=source.reference,
            hops=hops, media_type=source.media_type, licence=source.licence,
        )  # fmt: skip


def _one_licence(found: Sequence[Source]) -> str | None:
    """Return the licence that all parts are under; None where they differ."""
    licences = {part.licence for part in found}
    return licences.pop() if len(licences) == 1 else None


def _is_shared(part: Source) -> bool:
    """Say whether a part is large, and told by its digest: others may be fetching the same bytes."""
    size = part.expected.size
    return part.content is None and part.expected.sha256 is not None and (size is None or size > SMALL)


def raise_first(futures: Sequence[Future[None]]) -> None:
    """Raise what went wrong first; of several failures say how many there are."""
    errors = [
        e for f in futures if not f.cancelled() and (e := f.exception()) is not None and not isinstance(e, Stopped)
    ]
    if not errors:
        return
    first = next((e for e in errors if isinstance(e, WfxError)), errors[0])
    if isinstance(first, WfxError) and len(errors) > 1:
        first.why = "; ".join(filter(None, (first.why, f"{len(errors) - 1} more failed")))
    raise first
