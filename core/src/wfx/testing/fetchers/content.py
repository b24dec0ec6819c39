"""Rules on what comes: bytes, offsets, trees, better references."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

from wfx.errors import WfxError
from wfx.fetching import (
    LocalFetcher,
    Pinned,
    Reference,
    ResolverFetcher,
    Span,
    StreamFetcher,
    TreeFetcher,
)
from wfx.testing.benches import FetchBench
from wfx.testing.contracts import (
    applies,
    files_below,
)
from wfx.testing.fetchers.author import LARGE, ODD, OTHER, PLAIN, TREE, AuthorsSide, drain, read


class ContentRules(AuthorsSide):
    """The bytes are those that are there, and streams, trees, resolvers and local files keep what they promise."""

    def test_the_bytes_come_with_their_digest(self, place: Any, bench: FetchBench) -> None:
        """Bring what is there, byte for byte; a tree with all its files, however they are named."""
        if self.shape() == "tree":
            answer = bench.one(self.put_tree(place, TREE))
            assert {path: data for path, data in bench.files_of(answer).items() if data} == {
                path: data for path, data in TREE.items() if data
            }
        else:
            assert bench.bytes_of(bench.one(self.put(place, ODD))) == ODD

    def test_an_empty_file_is_a_file(self, place: Any, bench: FetchBench) -> None:
        """Bring no bytes as no bytes."""
        if self.shape() == "tree":
            assert bench.files_of(bench.one(self.put_tree(place, {"empty": b"", "x": b"x"}))) == {
                "empty": b"",
                "x": b"x",
            }
        else:
            assert bench.bytes_of(bench.one(self.put(place, b""))) == b""

    @applies("stream", "tree", needs=["large"])
    def test_a_large_file_is_not_held_in_memory(self, place: Any, bench: FetchBench, tmp_path: Path) -> None:
        """Pass the bytes on as they come; half of a file of 16 MiB in memory is too much."""
        data = bytes(LARGE)
        ref = self._put(place, data)
        net, fetcher = bench.net(), self.fetcher()
        pinned = fetcher.pin(ref, net).reference if isinstance(fetcher, TreeFetcher) else ref
        tracing = tracemalloc.is_tracing()
        if not tracing:
            tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            if isinstance(fetcher, TreeFetcher):
                into = tmp_path / "large" / "tree"
                into.mkdir(parents=True)
                fetcher.fetch_tree(pinned, net, into)
            elif isinstance(fetcher, StreamFetcher):
                assert drain(fetcher.open(ref, net)) == LARGE
            _, peak = tracemalloc.get_traced_memory()
        finally:
            if not tracing:
                tracemalloc.stop()
            net.close()
        assert peak - before < LARGE // 2

    @applies("stream")
    def test_it_goes_on_at_an_offset(self, place: Any, bench: FetchBench) -> None:
        """Begin where `span` says or at the start, and say which of the two."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self._stream()
        whole = fetcher.open(ref, net)
        drain(whole)
        for start, stop in ((10_000, None), (10_000, 10_500), (len(PLAIN) - 1, None)):
            body = fetcher.open(ref, net, Span(start, stop, whole.validator))
            data = read(body)
            wanted = PLAIN[body.start : stop]
            assert body.start in (0, start)
            assert body.start == start or not whole.accepts_ranges, "it says that it accepts ranges, and began anew"
            assert data.startswith(wanted), f"these are not the bytes from {body.start} on"
            assert PLAIN[body.start :].startswith(data)
            assert body.total in (None, len(PLAIN)), "`total` is of the whole, not of the part"
            assert body.validator == whole.validator or body.start == 0, "the same bytes have another validator"
        net.close()

    @applies("stream", needs=["network", "change", "mutable"])
    def test_bytes_that_have_changed_are_not_spliced(self, place: Any, bench: FetchBench) -> None:
        """Begin anew where the place has other bytes than those that `span.validator` is of."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self._stream()
        whole = fetcher.open(ref, net)
        drain(whole)
        self.change(place, PLAIN, OTHER)
        if whole.validator is not None:
            with contextlib.suppress(WfxError):
                body = fetcher.open(ref, net, Span(10_000, None, whole.validator))
                data = read(body)
                assert body.start == 0, "the end of other bytes came for what was the beginning of these"
                assert data == OTHER
                assert body.validator != whole.validator
        net.close()

    @applies("stream")
    def test_several_threads_may_open_it_at_once(self, place: Any, bench: FetchBench) -> None:
        """Keep nothing of one call on the instance that another call would see."""
        parts = [b"%03d " % number * 2000 for number in range(6)]
        refs = [self.put(place, part) for part in parts]
        fetcher, net, problems = self._stream(), bench.net(), []
        ready = threading.Barrier(len(refs))

        def work(ref: Reference, part: bytes) -> None:
            try:
                for _ in range(3):
                    ready.wait(20)
                    if read(fetcher.open(ref, net)) != part:
                        problems.append(f"{ref}: the bytes of another")
            except (WfxError, OSError, threading.BrokenBarrierError) as error:
                ready.abort()
                problems.append(f"{ref}: {error!r}")

        threads = [threading.Thread(target=work, args=pair) for pair in zip(refs, parts, strict=True)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
            net.close()
        assert problems == []

    @applies("tree")
    def test_a_pin_means_the_same_again(self, place: Any, bench: FetchBench) -> None:
        """Pin a pinned reference to itself, with the same revision."""
        fetcher, net = self.fetcher(), bench.net()
        assert isinstance(fetcher, TreeFetcher)
        pinned = fetcher.pin(self._put(place, PLAIN), net)
        again = fetcher.pin(pinned.reference, net)
        net.close()
        assert (again.reference, again.revision) == (pinned.reference, pinned.revision)
        assert isinstance(pinned, Pinned)
        assert pinned.revision

    @applies("resolver")
    def test_better_references_are_absolute_and_elsewhere(self, place: Any, bench: FetchBench) -> None:
        """Lead to absolute references of other things, and never to a file of this machine."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self.fetcher()
        assert isinstance(fetcher, ResolverFetcher)
        found = list(fetcher.resolve(ref, net))
        net.close()
        assert found, "where nothing is there, raise ReferenceNotFound"
        for source in found:
            for each in (source.reference, *source.alternates):
                assert Reference.parse(each.uri) == each
                assert not each.on_this_machine
                assert each != ref
        json.dumps([source.name for source in found])

    @applies("local")
    def test_the_users_own_file_is_left_as_it_is(self, place: Any, bench: FetchBench) -> None:
        """Change neither bytes nor mode nor times of what is the user's."""
        ref = self.put(place, PLAIN)
        fetcher = self.fetcher()
        assert isinstance(fetcher, LocalFetcher)
        path = fetcher.locate(ref)
        before = files_below(path.parent)
        bench.one(ref)
        assert files_below(path.parent) == before

    def _stream(self) -> StreamFetcher:
        fetcher = self.fetcher()
        assert isinstance(fetcher, StreamFetcher)
        return fetcher
