"""Rules on what goes wrong: what is missing, cut, broken off, and what is left of it."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from wfx.errors import ReferenceNotFound, WfxError
from wfx.fetching import (
    StreamFetcher,
    TreeFetcher,
)
from wfx.testing.benches import FetchBench
from wfx.testing.contracts import (
    applies,
    files_below,
)
from wfx.testing.fetchers.author import (
    MOMENT,
    OTHER,
    PLAIN,
    AuthorsSide,
    close,
    drain,
)


class FailureRules(AuthorsSide):
    """A failure says what it is, leaves nothing behind, and ends when it is told to."""

    @applies("stream", "tree", "local", "resolver", needs=["missing"])
    def test_what_is_missing_is_not_found_and_named(self, place: Any, bench: FetchBench) -> None:
        """Raise ReferenceNotFound, in whose message a person finds the reference again."""
        ref = self.missing(place)
        with pytest.raises(ReferenceNotFound) as caught:
            bench.one(ref)
        message = str(caught.value)
        assert (ref.name and ref.name in message) or str(ref) in message
        assert "\n" not in message

    @applies("stream", "tree", "local", "resolver", needs=["missing"])
    def test_the_cause_of_an_error_is_chained(self, place: Any, bench: FetchBench) -> None:
        """Raise `from` what lies behind the error, so that `--debug` shows it."""
        try:
            bench.one(self.missing(place))
        except WfxError as error:
            if error.__context__ is not None:
                assert error.__cause__ is not None, f"write: raise {type(error).__name__}(…) from error"

    def test_nothing_is_left_when_it_fails(self, place: Any, bench: FetchBench, machine: Path) -> None:
        """Leave no half-written or temporary file behind; what success leaves too is another rule's matter."""
        with contextlib.suppress(WfxError):
            bench.one(self._put(place, OTHER))
        usual = set(files_below(machine))
        if self.network and "cut" in self.faults and self.shape() != "resolver":
            ref = self._put(place, PLAIN)
            self.cut(place, PLAIN)
            with contextlib.suppress(WfxError):
                bench.one(ref)
        if not self.in_memory:
            with contextlib.suppress(WfxError):
                bench.one(self.missing(place))
        assert set(files_below(machine)) == usual
        assert bench.clean()

    @applies("stream", "tree", "local", "resolver")
    def test_nothing_is_written_elsewhere(self, place: Any, bench: FetchBench, machine: Path, tmp_path: Path) -> None:
        """Write nothing at all, a tree nowhere but into the folder that was given."""
        ref = self._put(place, PLAIN)
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        before = set(files_below(machine))
        net = bench.net()
        self._ask(self.fetcher(), ref, net, folder)
        net.close()
        assert set(files_below(machine)) == before
        assert {path.name for one in folder.iterdir() for path in one.iterdir()} <= {"tree"}

    @applies("stream", "tree", needs=["network", "cut"])
    def test_a_body_that_ends_too_early_is_an_error(self, place: Any, bench: FetchBench) -> None:
        """Raise, or let the read raise OSError, where fewer bytes come than there are; never take them for the whole."""
        ref = self._put(place, PLAIN)
        self.cut(place, PLAIN)
        with pytest.raises(WfxError) as caught:
            bench.one(ref)
        assert caught.value.exit_code in (4, 5)
        assert bench.store.known(ref) is None

    @applies("stream", "tree", needs=["network", "stall"])
    def test_what_is_broken_off_ends_within_a_moment(self, place: Any, bench: FetchBench, tmp_path: Path) -> None:
        """Stop waiting when the gate is cancelled and the stream closed from another thread (`Net.ending_with`)."""
        ref, net, fetcher = self._put(place, PLAIN), bench.net(), self.fetcher()
        pinned = fetcher.pin(ref, net).reference if isinstance(fetcher, TreeFetcher) else ref
        asked, bodies = self.stall(place, PLAIN), []
        into = tmp_path / "stalled" / "tree"
        into.mkdir(parents=True)

        def work() -> None:
            with contextlib.suppress(WfxError, OSError):
                if isinstance(fetcher, TreeFetcher):
                    fetcher.fetch_tree(pinned, net, into)
                elif isinstance(fetcher, StreamFetcher):
                    body = fetcher.open(ref, net)
                    bodies.append(body)
                    drain(body)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert asked.wait(20), "nobody asked for it"
        time.sleep(0.05)
        began = time.monotonic()
        while thread.is_alive() and time.monotonic() - began < MOMENT:
            net.cancel()
            for body in bodies:
                closing = threading.Thread(target=close, args=(body,), daemon=True)
                closing.start()
            thread.join(0.1)
        assert not thread.is_alive(), f"it still waits {MOMENT:g} s later"
