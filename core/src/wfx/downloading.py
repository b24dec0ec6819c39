"""Fetch: from references to what the store has, in parallel, each thing verified before it is visible.

Local references are hashed where they lie, trees go into the store as manifests with their files, streams through
`wfx.transfers`. Several processes with one store fetch each reference once: they hold its lock meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from wfx.bringing import FetchSettings, Job, answer_of, known_of
from wfx.errors import FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.expectations import both, hold, hold_known, hold_others, hold_size
from wfx.fetching import (
    Fetched,
    Fetcher,
    LocalFetcher,
    Pinned,
    ResolverFetcher,
    Source,
    StreamFetcher,
    TreeFetcher,
)
from wfx.gathering import Gatherer, raise_first
from wfx.net import Net
from wfx.plugins import PluginManager
from wfx.progress import Progress
from wfx.references import Reference
from wfx.store import Store
from wfx.transfers import Stopped
from wfx.treeparts import names_part
from wfx.unpacking import Unpacking
from wfx.workers import work_through

__all__ = ["FetchSettings", "fetch"]

MAX_HOPS = 10
T = TypeVar("T")
# So many references are locked, fetched and made visible together; it bounds open files and what a kill costs.
TOGETHER = 250
DEFAULTS = FetchSettings()


def fetch(
    sources: Sequence[Source],
    *,
    store: Store,
    net: Net,
    plugins: PluginManager,
    progress: Progress | None = None,
    settings: FetchSettings = DEFAULTS,
    refresh: bool = True,
) -> list[Fetched]:
    """Bring all sources; return what each turned out to be, in their order.

    With `refresh` a place is asked whether a reference still means what the store remembers; without, and offline, the
    store's memory answers. What has come stays in the store though another source fails, and an unfinished file is
    gone on with the next time. Raises FetchError, IntegrityError, PolicyError and MachineError.
    """
    jobs: dict[tuple[object, ...], Job] = {}
    for place, source in enumerate(sources):
        key = (source.reference.uri, source.expected, source.archive, source.around)
        job = jobs.setdefault(key, Job(source, []))
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
def _announced(progress: Progress | None, jobs: Sequence[Job]) -> Iterator[None]:
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
class _Batch(Gatherer):
    """Many references: their locks, their threads, and what they stand for."""

    unpacking: Unpacking = field(init=False)

    def __post_init__(self) -> None:
        self.unpacking = Unpacking(self.store, self.settings.archive)

    def run(self, jobs: Sequence[Job]) -> None:
        """Bring these jobs, holding the lock of each reference."""
        names = {job.source.reference.safe() for job in jobs if not _is_plain_local(job.source)}
        # Members of one archive, of whatever process, wait for the archive to be brought by one of them.
        parts = [job.source for job in jobs if names_part(job.source.reference) and not _is_plain_local(job.source)]
        names |= {part.reference.without_fragment().safe() for part in parts}
        self.unpacking.expect(job.source for job in jobs)
        with self.store.locked_names(names):
            try:
                with self.store.group():
                    self._in_threads(jobs)
            finally:
                self._end_parts()
                self.store.remember(fact for job in jobs for fact in job.fact)
                for job in jobs:
                    job.fact = ()  # of a hundred thousand they would fill memory

    def _in_threads(self, jobs: Sequence[Job]) -> None:
        if len(jobs) == 1:
            jobs[0].result = self._fetch(jobs[0])
            return
        futures = work_through(jobs, self._into, self.settings.jobs, self._stop)
        raise_first(futures)

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

    def _into(self, job: Job) -> None:
        try:
            job.result = self._fetch(job)
        except Exception as error:
            if self.stop.is_set():
                # It was broken off: that is not what went wrong.
                raise Stopped from error
            raise

    # -- one reference

    def _fetch(self, job: Job) -> Fetched:
        source = job.source
        name = str(source.reference)
        if self.stop.is_set():
            raise Stopped
        answer = self._from_store(source)
        if answer is None:
            if not _is_plain_local(source):
                self.progress.item(name, source.expected.size)
            answer = self._first_of(job, source)
        self.progress.done(name)
        return answer

    def _first_of(self, job: Job, source: Source) -> Fetched:
        """Bring a source from its reference, or from the first of its mirrors that has it."""
        fetchers = self.plugins.fetchers(source.reference)
        if not source.alternates or (issubclass(fetchers[0], StreamFetcher) and not names_part(source.reference)):
            # A stream goes on at a mirror where it broke off.
            return self._resolve(job, source, (), fetchers)
        try:
            return self._resolve(job, source, (), fetchers)
        except (FetchError, IntegrityError) as error:
            problem = error
        if not names_part(source.reference):
            for mirror in source.alternates:
                self.progress.note(f"{problem}; trying {mirror}")
                try:
                    return self.elsewhere(job, source, mirror, ())
                except (FetchError, IntegrityError) as error:
                    problem = error if isinstance(error, IntegrityError) else problem
        raise problem

    def elsewhere(self, job: Job, source: Source, reference: Reference, hops: tuple[Reference, ...]) -> Fetched:
        """Bring a source from a mirror, of whatever kind."""
        inner = replace(source, reference=reference, alternates=())
        answer = self._resolve(job, inner, hops, self.plugins.fetchers(reference))
        answer = replace(answer, reference=source.reference)
        job.fact = (*job.fact, (source.reference, known_of(answer)))
        return answer

    def _member(self, job: Job, source: Source, hops: tuple[Reference, ...]) -> Fetched:
        """Bring a member of an archive, or the whole of it unpacked: whoever comes first brings the archive."""
        whole = source.reference.without_fragment()
        with self.unpacking.lock(whole):
            base = self.unpacking.brought.get(whole.uri)
            if base is None:
                inner = Source(whole, source.archive, source.alternates, licence=source.licence)
                base = self._from_store(inner) or self._resolve(job, inner, hops, self.plugins.fetchers(whole))
                self.unpacking.brought[whole.uri] = base
            known = self.unpacking.take(base, source, hops)
        if known.kind == "file":
            hold(self._pending_or_stored(known.sha256), known.sha256, known.size, source.expected, source.reference)
        job.fact = (*job.fact, (source.reference, known))
        return answer_of(source, known, from_store=base.from_store)

    def _from_store(self, source: Source) -> Fetched | None:
        """Answer without asking anybody, where that is as good."""
        reference, expected = source.reference, source.expected
        if reference.scheme in ("file", "data"):
            return None
        known = self.store.known(reference)
        part = known is not None and known.kind == "file" and not known.tree and names_part(reference)
        lacks_tree = source.around and part
        if (
            known is not None
            and not lacks_tree
            and (self.net.offline or not self.refresh or self._immutable(reference))
        ):
            hold_known(known, source, self.store)
            return answer_of(source, known, from_store=True)
        if expected.sha256 and (path := self.store.blob(expected.sha256)) is not None:
            # Bytes that somebody has stated by their digest are the same wherever they come from.
            size = path.stat().st_size
            hold_size(size, expected, reference)
            hold_others(expected, expected.sha256, reference, self.store)
            name = source.name or reference.name
            return Fetched(
                reference, "file", expected.sha256, size, name, pinned=reference, licence=source.licence,
                media_type=source.media_type, from_store=True,
            )  # fmt: skip
        return None

    def _immutable(self, reference: Reference) -> bool:
        return self.plugins.fetcher(reference).never_changes(reference)

    def _resolve(
        self, job: Job, source: Source, hops: tuple[Reference, ...], fetchers: Sequence[type[Fetcher]]
    ) -> Fetched:
        fetcher = fetchers[0]()
        if names_part(source.reference) and isinstance(fetcher, (LocalFetcher, StreamFetcher)):
            return self._member(job, source, hops)
        if isinstance(fetcher, LocalFetcher):
            return self.local(source, fetcher)
        if isinstance(fetcher, TreeFetcher):
            return self.tree(job, source, hops, fetcher)
        if isinstance(fetcher, StreamFetcher):
            return self._stream_or_folder(job, source, hops, fetcher)
        if not isinstance(fetcher, ResolverFetcher):
            raise FetchError(f"{type(fetcher).__name__} is no fetcher of a known shape", where=str(source.reference))
        resolver = fetcher
        pinned = self.patiently(source, lambda: resolver.pin(source.reference, self.net))
        if pinned is not None:
            return self._pinned(job, source, pinned, hops, resolver)
        found = self.patiently(source, lambda: list(resolver.resolve(source.reference, self.net)))
        if len(found) == 1 and found[0].reference == source.reference:
            if len(fetchers) == 1:
                raise FetchError("no fetcher knows what this is", where=str(source.reference))
            if source.page:
                raise FetchError(
                    "it leads to a page for people, and no fetcher knows where the data are behind it",
                    where=str(hops[0] if hops else source.reference), why=str(source.reference),
                    remedy="look at the page, and give the address of the file",
                )  # fmt: skip
            return self._resolve(job, source, hops, fetchers[1:])
        if not found:
            raise ReferenceNotFound("nothing is there", where=str(source.reference))
        hops = (*hops, source.reference)
        if len(hops) > MAX_HOPS:
            raise FetchError(f"it leads to another reference more than {MAX_HOPS} times", where=str(hops[0]))
        if len(found) == 1:
            return self._hop(job, source, found[0], hops)
        return self._gather(job, source, found, hops)

    def _stream_or_folder(
        self, job: Job, source: Source, hops: tuple[Reference, ...], fetcher: StreamFetcher
    ) -> Fetched:
        files = self.patiently(source, lambda: fetcher.files(source.reference, self.net))
        if files is None:
            return self.stream(job, source, hops, fetcher)
        if any(part.reference.without_fragment() == source.reference.without_fragment() for part in files):
            raise FetchError("a folder there is within itself", where=str(source.reference))
        return self._gather(job, source, list(files), (*hops, source.reference))

    def _pinned(
        self, job: Job, source: Source, pinned: Pinned, hops: tuple[Reference, ...], fetcher: ResolverFetcher
    ) -> Fetched:
        """Bring what a mutable reference means today; the store may have it by another name."""
        self.note_move(source.reference, pinned)
        known = self.store.known(pinned.reference)
        if known is None:
            found = self.patiently(source, lambda: list(fetcher.resolve(pinned.reference, self.net)))
            if not found:
                raise ReferenceNotFound("nothing is there", where=str(source.reference))
            inner = Job(replace(source, reference=pinned.reference), [])
            path = (*hops, source.reference)
            answer = (
                self._hop(inner, inner.source, found[0], path)
                if len(found) == 1
                else self._gather(inner, inner.source, found, path)
            )
            job.fact = (*job.fact, *inner.fact)
            known, fresh = known_of(answer), True
        else:
            hold_known(known, source, self.store)
            fresh = False
        known = replace(
            known, pinned=pinned.reference, revision=pinned.revision, label=pinned.label,
            licence=source.licence or pinned.licence or known.licence, hops=hops,
            name=source.name or (source.reference.name if known.kind == "directory" else known.name),
        )  # fmt: skip
        job.fact = (*job.fact, (pinned.reference, replace(known, label="")), (source.reference, known))
        return answer_of(source, known, from_store=not fresh)

    def _hop(self, job: Job, source: Source, better: Source, hops: tuple[Reference, ...]) -> Fetched:
        if better.reference.on_this_machine and not source.reference.on_this_machine:
            raise PolicyError(
                "a place elsewhere names a file of this machine", where=str(source.reference), why=str(better.reference)
            )
        following = replace(
            better, expected=both(source.expected, better.expected, source.reference),
            name=source.name or better.name, licence=source.licence or better.licence,
            around=source.around or better.around,
        )  # fmt: skip
        if better.content is not None:
            return replace(self._content(following, better.content, hops), reference=source.reference)
        answer = self._resolve(job, following, hops, self.plugins.fetchers(better.reference))
        answer = replace(answer, reference=source.reference)
        job.fact = (*job.fact, (source.reference, known_of(answer)))
        return answer


def _is_plain_local(source: Source) -> bool:
    return source.reference.scheme in ("file", "data")
