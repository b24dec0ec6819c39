"""Fetch: from references to what the store has, in parallel, each thing verified before it is visible.

Local references are hashed where they lie, trees go into the store as manifests with their files, streams through
`wfx.transfers`. Several processes with one store fetch each reference once: they hold its lock meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from wfx.errors import FetchError, IntegrityError, MachineError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import (
    Body,
    Expected,
    Fetched,
    Fetcher,
    LocalFetcher,
    Pinned,
    ResolverFetcher,
    Source,
    Span,
    StreamFetcher,
    TreeFetcher,
)
from wfx.net import Net, TemporaryFailure
from wfx.plugins import PluginManager
from wfx.progress import Progress
from wfx.references import Reference
from wfx.store import Known, Manifest, Store, TreeEntry
from wfx.transfers import SMALL, OpenStreams, Patience, Received, Stopped, Task, TransferSettings, receive
from wfx.workers import work_through

MAX_HOPS = 10
T = TypeVar("T")
# So many references are locked, fetched and made visible together; it bounds open files and what a kill costs.
TOGETHER = 250
PART_THREADS = "fetch part"


@dataclass(frozen=True, slots=True)
class FetchSettings(TransferSettings):
    """Limits of a fetch."""

    jobs: int = 16
    """Things fetched at the same time."""


@dataclass(slots=True)
class _Job:
    """One reference to fetch, and where in the caller's list it stands."""

    source: Source
    places: list[int]
    result: Fetched | None = None
    fact: tuple[tuple[Reference, Known], ...] = ()


def fetch(
    sources: Sequence[Source],
    *,
    store: Store,
    net: Net,
    plugins: PluginManager,
    progress: Progress | None = None,
    settings: FetchSettings = FetchSettings(),
    refresh: bool = True,
) -> list[Fetched]:
    """Bring all sources; return what each turned out to be, in their order.

    With `refresh` a place is asked whether a reference still means what the store remembers; without, and offline, the
    store's memory answers. What has come stays in the store though another source fails, and an unfinished file is
    gone on with the next time. Raises FetchError, IntegrityError, PolicyError and MachineError.
    """
    jobs: dict[tuple[str, Expected], _Job] = {}
    for place, source in enumerate(sources):
        job = jobs.setdefault((source.reference.uri, source.expected), _Job(source, []))
        job.places.append(place)
    results: list[Fetched | None] = [None] * len(sources)
    batch = _Batch(store, net, plugins, progress or _Quiet(), settings, refresh)
    with store.in_use(), _announced(progress, list(jobs.values())):
        ordered = sorted(jobs.values(), key=lambda job: job.source.reference.safe())
        for first in range(0, len(ordered), TOGETHER):
            batch.run(ordered[first : first + TOGETHER])
    for job in jobs.values():
        for place in job.places:
            results[place] = job.result
    return [result for result in results if result is not None]


@contextlib.contextmanager
def _announced(progress: Progress | None, jobs: Sequence[_Job]) -> Iterator[None]:
    if progress is not None and jobs:
        sizes = [job.source.expected.size for job in jobs]
        progress.start(len(jobs), None if None in sizes else sum(size or 0 for size in sizes))
    yield


class _Quiet:
    """Shows nothing."""

    def start(self, total_items: int, total_bytes: int | None) -> None: ...

    def item(self, name: str, total: int | None) -> None: ...

    def advance(self, name: str, count: int) -> None: ...

    def done(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(slots=True)
class _Batch:
    """What the threads of one fetch share."""

    store: Store
    net: Net
    plugins: PluginManager
    progress: Progress
    settings: FetchSettings
    refresh: bool
    stop: threading.Event = field(default_factory=threading.Event)
    reading: set[OpenStreams] = field(default_factory=set)
    _parts: ThreadPoolExecutor | None = None
    _parts_lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, jobs: Sequence[_Job]) -> None:
        """Bring these jobs, holding the lock of each reference."""
        names = {job.source.reference.safe() for job in jobs if not _is_plain_local(job.source)}
        with self.store.locked_names(names):
            try:
                with self.store.group():
                    self._in_threads(jobs)
            finally:
                if self._parts is not None:
                    self._parts.shutdown()
                    self._parts = None
                self.store.remember(fact for job in jobs for fact in job.fact)

    def _in_threads(self, jobs: Sequence[_Job]) -> None:
        if len(jobs) == 1:
            jobs[0].result = self._fetch(jobs[0])
            return
        futures = work_through(jobs, self._into, self.settings.jobs, self._stop)
        _raise_first(futures)

    def _stop(self, futures: Sequence[Future[None]]) -> None:
        self.stop.set()
        for future in futures:
            future.cancel()
        # Whoever waits for a byte is woken; one that connects just now is woken by the next round.
        while not all(future.done() for future in futures):
            self.net.cancel()
            for streams in list(self.reading):
                streams.end()
            wait(futures, timeout=0.2)

    def _into(self, job: _Job) -> None:
        try:
            job.result = self._fetch(job)
        except Exception as error:
            if self.stop.is_set():
                # It was broken off: that is not what went wrong.
                raise Stopped from error
            raise

    # -- one reference

    def _fetch(self, job: _Job) -> Fetched:
        source = job.source
        name = str(source.reference)
        if self.stop.is_set():
            raise Stopped
        answer = self._from_store(source)
        if answer is None:
            if not _is_plain_local(source):
                self.progress.item(name, source.expected.size)
            answer = self._resolve(job, source, (), self.plugins.fetchers(source.reference))
        self.progress.done(name)
        return answer

    def _from_store(self, source: Source) -> Fetched | None:
        """Answer without asking anybody, where that is as good."""
        reference, expected = source.reference, source.expected
        if reference.scheme in ("file", "data"):
            return None
        known = self.store.known(reference)
        if known is not None and (self.net.offline or not self.refresh or self._immutable(reference)):
            _check_known(known, source)
            return _answer(source, known, from_store=True)
        if expected.sha256 and (path := self.store.blob(expected.sha256)) is not None:
            # Bytes that somebody has stated by their digest are the same wherever they come from.
            size = path.stat().st_size
            _check_sizes(size, expected, reference)
            name = source.name or reference.name
            return Fetched(
                reference, "file", expected.sha256, size, name, pinned=reference, licence=source.licence,
                media_type=source.media_type, from_store=True,
            )  # fmt: skip
        return None

    def _immutable(self, reference: Reference) -> bool:
        return self.plugins.fetcher(reference).never_changes(reference)

    def _resolve(
        self, job: _Job, source: Source, hops: tuple[Reference, ...], fetchers: Sequence[type[Fetcher]]
    ) -> Fetched:
        fetcher = fetchers[0]()
        if isinstance(fetcher, LocalFetcher):
            return self._local(source, fetcher)
        if isinstance(fetcher, TreeFetcher):
            return self._tree(job, source, hops, fetcher)
        if isinstance(fetcher, StreamFetcher):
            return self._stream(job, source, hops, fetcher)
        if not isinstance(fetcher, ResolverFetcher):
            raise FetchError(f"{type(fetcher).__name__} is no fetcher of a known shape", where=str(source.reference))
        resolver = fetcher
        pinned = self._patiently(source, lambda: resolver.pin(source.reference, self.net))
        if pinned is not None:
            return self._pinned(job, source, pinned, hops, resolver)
        found = self._patiently(source, lambda: list(resolver.resolve(source.reference, self.net)))
        if len(found) == 1 and found[0].reference == source.reference:
            if len(fetchers) == 1:
                raise FetchError("no fetcher knows what this is", where=str(source.reference))
            return self._resolve(job, source, hops, fetchers[1:])
        if not found:
            raise ReferenceNotFound("nothing is there", where=str(source.reference))
        hops = (*hops, source.reference)
        if len(hops) > MAX_HOPS:
            raise FetchError(f"it leads to another reference more than {MAX_HOPS} times", where=str(hops[0]))
        if len(found) == 1:
            return self._hop(job, source, found[0], hops)
        return self._gather(job, source, found, hops)

    def _pinned(
        self, job: _Job, source: Source, pinned: Pinned, hops: tuple[Reference, ...], fetcher: ResolverFetcher
    ) -> Fetched:
        """Bring what a mutable reference means today; the store may have it by another name."""
        self._note_move(source.reference, pinned)
        known = self.store.known(pinned.reference)
        if known is None:
            found = self._patiently(source, lambda: list(fetcher.resolve(pinned.reference, self.net)))
            if not found:
                raise ReferenceNotFound("nothing is there", where=str(source.reference))
            inner = _Job(replace(source, reference=pinned.reference), [])
            path = (*hops, source.reference)
            answer = (
                self._hop(inner, inner.source, found[0], path)
                if len(found) == 1
                else self._gather(inner, inner.source, found, path)
            )
            job.fact = (*job.fact, *inner.fact)
            known, fresh = _known(answer), True
        else:
            _check_known(known, source)
            fresh = False
        known = replace(
            known, pinned=pinned.reference, revision=pinned.revision, label=pinned.label,
            licence=source.licence or pinned.licence or known.licence, hops=hops,
            name=source.name or (source.reference.name if known.kind == "directory" else known.name),
        )  # fmt: skip
        job.fact = (*job.fact, (pinned.reference, replace(known, label="")), (source.reference, known))
        return _answer(source, known, from_store=not fresh)

    def _note_move(self, reference: Reference, pinned: Pinned) -> None:
        before = self.store.known(reference)
        if before is not None and before.revision and before.revision != pinned.revision and pinned.label:
            was, now = (text.removeprefix("sha256:")[:12] for text in (before.revision, pinned.revision))
            self.progress.note(f"{reference}: {pinned.label} was {was}, and is {now} now")

    def _patiently(self, source: Source, attempt: Callable[[], T]) -> T:
        """Do what may fail for a while as often as a stream would be tried."""
        patience = Patience(self._task(source, lambda _span: _no_body()))
        while True:
            try:
                return attempt()
            except (TemporaryFailure, ConnectionError, TimeoutError) as error:
                patience.failed(error)

    def _hop(self, job: _Job, source: Source, better: Source, hops: tuple[Reference, ...]) -> Fetched:
        if better.reference.on_this_machine and not source.reference.on_this_machine:
            raise PolicyError(
                "a place elsewhere names a file of this machine", where=str(source.reference), why=str(better.reference)
            )
        following = replace(
            better, expected=_both(source.expected, better.expected, source.reference),
            name=source.name or better.name, licence=source.licence or better.licence,
        )  # fmt: skip
        if better.content is not None:
            return replace(self._content(following, better.content, hops), reference=source.reference)
        answer = self._resolve(job, following, hops, self.plugins.fetchers(better.reference))
        answer = replace(answer, reference=source.reference)
        job.fact = (*job.fact, (source.reference, _known(answer)))
        return answer

    def _gather(self, job: _Job, source: Source, found: Sequence[Source], hops: tuple[Reference, ...]) -> Fetched:
        """Make a folder of the many files that a reference stands for, fetched at the same time."""
        jobs = [_Job(part, []) for part in found]
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
        manifest = Manifest(tuple(sorted(entries, key=lambda entry: os.fsencode(entry.path))))
        sha256 = self.store.add_bytes(manifest.encode())
        answer = Fetched(
            source.reference, "directory", sha256, size, source.name or source.reference.name, pinned=source.reference,
            hops=hops, licence=source.licence,
        )  # fmt: skip
        job.fact = (*job.fact, (source.reference, _known(answer)))
        return answer

    def _all_parts(self, jobs: Sequence[_Job], hops: tuple[Reference, ...]) -> None:
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
        _raise_first(futures)

    def _part_into(self, job: _Job, hops: tuple[Reference, ...]) -> None:
        part, name = job.source, str(job.source.reference)
        if self.stop.is_set():
            raise Stopped
        try:
            with self._content_lock(part):
                job.result = self._from_store(part)
                if job.result is None:
                    self.progress.item(name, part.expected.size)
                    job.result = self._hop(job, Source(part.reference), part, hops)
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
        _check_sizes(len(data), source.expected, source.reference)
        if source.expected.sha256 not in (None, sha256):
            raise _mismatch("sha256", sha256, str(source.expected.sha256), source.reference)
        self.store.add_bytes(data)
        return Fetched(
            source.reference, "file", sha256, len(data), source.name or source.reference.name, pinned=source.reference,
            hops=hops, media_type=source.media_type, licence=source.licence,
        )  # fmt: skip

    # -- local things

    def _local(self, source: Source, fetcher: LocalFetcher) -> Fetched:
        path = fetcher.locate(source.reference)
        try:
            directory = path.is_dir()
            sha256, size = self.store.hash_tree(path) if directory else self.store.hash_file(path)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise ReferenceNotFound("no such file or folder", where=str(path)) from error
            raise MachineError.of(error) from error
        if not directory:
            self._check(path, sha256, size, source.expected, source.reference)
        return Fetched(
            source.reference, "directory" if directory else "file", sha256, size, source.name or path.name,
            licence=source.licence, media_type=source.media_type, local=path, from_store=True,
        )  # fmt: skip

    # -- trees

    def _tree(self, job: _Job, source: Source, hops: tuple[Reference, ...], fetcher: TreeFetcher) -> Fetched:
        reference = source.reference
        name = str(reference)
        # Nobody but the fetcher knows how far a tree is; what it journals is shown.
        net = self.net.counting(lambda count: self.progress.advance(name, count))
        pinned = self._patiently(source, lambda: fetcher.pin(reference, net))
        self._note_move(reference, pinned)
        known = self.store.known(pinned.reference)
        whole = pinned.reference.without_fragment()
        entry = _entry_of(pinned.reference)
        if known is not None:
            known = replace(known, label=pinned.label)
            fresh = False
        elif (base := self.store.known(whole)) is not None and "only=1" not in pinned.reference.fragment:
            known, fresh = self._part(base.sha256, entry, reference), False
        else:
            digest, entry = self._patiently(source, lambda: self._fetch_tree(fetcher, pinned.reference, net))
            if "only=1" not in pinned.reference.fragment:
                job.fact = (*job.fact, (whole, Known(digest, "directory", self.store_size(digest), pinned=whole)))
            known, fresh = self._part(digest, entry, reference), True
        known = replace(
            known, pinned=pinned.reference, revision=pinned.revision, label=pinned.label,
            licence=source.licence or pinned.licence or known.licence, hops=hops, name=source.name or known.name,
        )  # fmt: skip
        if known.kind == "file":
            path = self._pending_or_stored(known.sha256)
            self._check(path, known.sha256, known.size, source.expected, reference)
        job.fact = (*job.fact, (reference, known), (pinned.reference, replace(known, label="")))
        return _answer(source, known, from_store=not fresh)

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

    def _part(self, tree: str, entry: str, reference: Reference) -> Known:
        """Return what a path within a tree is: a file, or a folder with a manifest of its own."""
        manifest = self.store.manifest(tree)
        if not entry:
            return Known(tree, "directory", manifest.size, name=Reference(reference.uri.partition("#")[0]).name)
        name = entry.rpartition("/")[2]
        by_path = {item.path: item for item in manifest.entries}
        path = entry
        for _ in range(40):
            item = by_path.get(path)
            if item is None or not item.link:
                break
            path = os.path.normpath(os.path.join(os.path.dirname(path), item.link))
        if item is not None and item.sha256:
            return Known(item.sha256, "file", item.size, name=name, entry=path, tree=tree)
        inside = tuple(
            replace(item, path=item.path[len(path) + 1 :])
            for item in manifest.entries
            if item.path.startswith(path + "/")
        )
        if not inside and not (item is not None and item.folder):
            raise ReferenceNotFound(f"there is no {entry!r} in it", where=str(reference))
        for item in inside:
            if item.link:
                target = os.path.normpath(os.path.join(os.path.dirname(item.path), item.link))
                if target == ".." or target.startswith("../"):
                    raise PolicyError(f"the link {item.path!r} leads out of {entry!r}", where=str(reference))
        part = Manifest(inside)
        digest = self.store.add_bytes(part.encode())
        self.store.flush()
        return Known(digest, "directory", part.size, name=name, entry=path, tree=tree)

    # -- streams

    def _stream(self, job: _Job, source: Source, hops: tuple[Reference, ...], fetcher: StreamFetcher) -> Fetched:
        problem: WfxError | None = None
        for number, reference in enumerate((source.reference, *source.alternates)):
            if number:
                self.progress.note(f"{problem}; trying {reference}")
                # A mirror may be of another kind.
                other = self.plugins.fetcher(reference)()
                if not isinstance(other, StreamFetcher):
                    continue
                fetcher = other
            try:
                return self._from_place(job, source, reference, hops, fetcher)
            except (FetchError, IntegrityError) as error:
                if problem is None or isinstance(error, IntegrityError):
                    problem = error
        assert problem is not None
        raise problem

    def _from_place(
        self, job: _Job, source: Source, reference: Reference, hops: tuple[Reference, ...], fetcher: StreamFetcher
    ) -> Fetched:
        before = self.store.known(source.reference)

        def same(body: Body) -> bool:
            return (
                before is not None
                and before.kind == "file"
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
            _check_known(before, source)
            job.fact = (*job.fact, (source.reference, before))
            return _answer(source, before, from_store=True)
        body = answer.body
        try:
            stated = replace(source.expected, checksums=tuple({*source.expected.checksums, *body.checksums}))
            self._check(answer.path, answer.sha256, answer.size, stated, reference)
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
        job.fact = (*job.fact, (source.reference, _known(result)))
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

    def _check(self, path: Path, sha256: str, size: int, expected: Expected, reference: Reference) -> None:
        """Hold what anybody has stated."""
        _check_sizes(size, expected, reference)
        if expected.sha256 and expected.sha256 != sha256:
            raise _mismatch("sha256", sha256, expected.sha256, reference)
        for algorithm, stated in expected.checksums:
            if algorithm == "sha256":
                actual = sha256
            elif algorithm in hashlib.algorithms_available:
                actual = _digest_of(path, algorithm)
            else:
                raise FetchError(f"the checksum's algorithm {algorithm!r} is not known", where=str(reference))
            if actual != stated.lower():
                raise _mismatch(algorithm, actual, stated, reference)


def _digest_of(path: Path, algorithm: str) -> str:
    # The older algorithms are for telling bytes apart, as their publishers do, not for security.
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _no_body() -> Body:
    raise AssertionError("a tree is not opened as a stream")


def _is_shared(part: Source) -> bool:
    """Say whether a part is large, and told by its digest: others may be fetching the same bytes."""
    size = part.expected.size
    return part.content is None and part.expected.sha256 is not None and (size is None or size > SMALL)


def _is_plain_local(source: Source) -> bool:
    return source.reference.scheme in ("file", "data")


def _entry_of(reference: Reference) -> str:
    """Return the path in a tree that a reference names by `#path=`."""
    for part in reference.fragment.split("&"):
        if part.startswith("path="):
            return os.fsdecode(unquote_to_bytes(part.removeprefix("path="))).strip("/")
    return ""


def _check_sizes(size: int, expected: Expected, reference: Reference) -> None:
    if expected.size is not None and expected.size != size:
        raise IntegrityError(
            f"it has {size} bytes where {expected.size} are stated", where=str(reference),
            remedy="check the reference, or the size that was stated",
        )  # fmt: skip


def _mismatch(algorithm: str, actual: str, stated: str, reference: Reference) -> IntegrityError:
    return IntegrityError(
        f"its {algorithm} is {actual} where {stated} is stated", where=str(reference),
        remedy="check the reference, or the checksum that was stated",
    )  # fmt: skip


def _check_known(known: Known, source: Source) -> None:
    """Hold what is stated against the store's memory; other algorithms have been held when it came."""
    _check_sizes(known.size, source.expected, source.reference)
    if source.expected.sha256 and source.expected.sha256 != known.sha256:
        raise _mismatch("sha256", known.sha256, source.expected.sha256, source.reference)


def _both(user: Expected, place: Expected, reference: Reference) -> Expected:
    """Put together what the user and a place state; where they differ nothing can fit both."""
    for name in ("sha256", "size"):
        one, other = getattr(user, name), getattr(place, name)
        if one is not None and other is not None and one != other:
            raise IntegrityError(
                f"the place states the {name} {other} where {one} is expected", where=str(reference),
                remedy="check the reference, or what was stated",
            )  # fmt: skip
    return Expected(
        user.sha256 or place.sha256, user.size if user.size is not None else place.size,
        tuple({*user.checksums, *place.checksums}),
    )  # fmt: skip


def _answer(source: Source, known: Known, *, from_store: bool) -> Fetched:
    return Fetched(
        source.reference, known.kind, known.sha256, known.size, source.name or known.name, pinned=known.pinned,
        revision=known.revision, label=known.label, hops=known.hops, validator=known.validator,
        media_type=known.media_type, licence=known.licence, entry=known.entry, tree=known.tree, from_store=from_store,
    )  # fmt: skip


def _known(answer: Fetched) -> Known:
    return Known(
        answer.sha256, answer.kind, answer.size, answer.name, answer.validator, answer.media_type, answer.pinned,
        answer.revision, answer.label, answer.licence, answer.entry, answer.tree, answer.hops,
    )  # fmt: skip


def _raise_first(futures: Sequence[Future[None]]) -> None:
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
