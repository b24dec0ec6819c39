"""What is broken off ends at once, and what fails for a while is tried again, whatever the fetcher's shape."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest
from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Body, Net, Reference, ResolverFetcher, Source, Span, StreamFetcher, TreeFetcher
from wfx.hookspecs import hookimpl
from wfx.net import TemporaryFailure
from wfx.testing.servers import FaultServer

DATA = os.urandom(8 * 2**20)


class SilentSocket:
    """A stream of a plugin's own, over a socket on which nothing ever comes."""

    def __init__(self) -> None:
        self.here, self.there = socket.socketpair()

    def readinto(self, buffer: memoryview, /) -> int:
        if self.here.recv(1) == b"":
            raise ConnectionError("closed")
        return 0

    def close(self) -> None:
        try:
            self.here.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def offer(bench, *classes: type) -> None:
    class Plugin:
        @hookimpl
        def wfx_fetchers(self) -> list[type]:
            return list(classes)

    bench.plugins.register(Plugin())


@pytest.fixture
def begun() -> threading.Event:
    return threading.Event()


@pytest.fixture
def failing(bench, begun: threading.Event) -> str:
    """A reference that fails once another one is under way."""

    class Failing(StreamFetcher):
        keys = ("failing",)

        def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
            assert begun.wait(10)
            time.sleep(0.05)
            raise ReferenceNotFound("the true reason", where=str(ref))

    offer(bench, Failing)
    return "failing:x"


def test_a_stream_that_is_no_http_is_closed(bench, begun: threading.Event, failing: str) -> None:
    class Silent(StreamFetcher):
        keys = ("silent",)

        def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
            begun.set()
            return Body(SilentSocket(), total=5)

    offer(bench, Silent)
    began = time.monotonic()
    with pytest.raises(ReferenceNotFound, match="the true reason"):
        bench.fetch("silent:x", failing)
    assert time.monotonic() - began < 3


def test_what_a_tree_waits_for_is_ended_and_is_not_the_reason(bench, begun: threading.Event, failing: str) -> None:
    class Waiting(TreeFetcher):
        keys = ("awaited",)

        def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
            ended = threading.Event()
            with net.on_behalf_of(ref).ending_with(ended.set):
                begun.set()
                ended.wait(20)
            raise FetchError("ended")

    offer(bench, Waiting)
    began = time.monotonic()
    with pytest.raises(ReferenceNotFound, match="the true reason"):
        bench.fetch("awaited:x", failing)
    assert time.monotonic() - began < 3


def test_a_connection_that_is_being_made_is_given_up(bench, begun: threading.Event, failing: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # Nobody accepts; once the queue is full the kernel answers no further connection.
        kept = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            kept.append(one)
        threading.Timer(0.2, begun.set).start()
        began = time.monotonic()
        with pytest.raises(ReferenceNotFound, match="the true reason"):
            bench.fetch(f"http://127.0.0.1:{full.getsockname()[1]}/a", failing)
        assert time.monotonic() - began < 3
        for one in kept:
            one.close()


def test_an_interruption_waits_for_no_stalled_piece(bench, server: FaultServer) -> None:
    """Several connections bring one file, one of them says nothing, and the user has had enough."""
    bench.idle = 60
    url = server.add("/a", DATA, rate=2e6, stall=[0.0, 60.0, 60.0, 60.0, 60.0])

    def interrupt() -> None:
        while len(server.asked("/a")) < 4:
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(os.getpid(), 2)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.one(url, connections=4)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("error", [TemporaryFailure("busy", retry_after=0.0), ConnectionResetError("reset")])
def test_trees_and_resolvers_are_tried_again_too(bench, server: FaultServer, error: Exception) -> None:
    calls: list[str] = []

    def sometimes(name: str) -> None:
        calls.append(name)
        if calls.count(name) < 3:
            raise error

    class Shaky(TreeFetcher):
        keys = ("shaky-tree",)

        def pin(self, ref: Reference, net: Net):
            sometimes("pin")
            return super().pin(ref, net)

        def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
            assert list(into.iterdir()) == []
            (into / "a").write_bytes(b"a")
            sometimes("fetch")
            return ""

    class ShakyResolver(ResolverFetcher):
        keys = ("shaky-name",)

        def resolve(self, ref: Reference, net: Net) -> list[Source]:
            sometimes("resolve")
            return [Source(Reference("shaky-tree:x"))]

    offer(bench, Shaky, ShakyResolver)
    assert bench.files_of(bench.one("shaky-name:x")) == {"a": b"a"}
    assert sorted(calls) == ["fetch"] * 3 + ["pin"] * 3 + ["resolve"] * 3


@pytest.mark.parametrize("error", [TemporaryFailure("busy", retry_after=0.0), ConnectionResetError("reset")])
def test_a_resolver_that_stays_broken_is_given_up(bench, error: Exception) -> None:
    class Down(ResolverFetcher):
        keys = ("down",)

        def resolve(self, ref: Reference, net: Net) -> list[Source]:
            raise error

    offer(bench, Down)
    with pytest.raises(FetchError, match="after 4 attempts") as caught:
        bench.one("down:x", retries=3)
    assert caught.value.exit_code == 4


def test_what_a_tree_journals_is_shown(bench) -> None:
    class Counted(TreeFetcher):
        keys = ("counted",)

        def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
            (into / "a").write_bytes(b"12345")
            net.on_behalf_of(ref).journal("ssh://host", 1, 5)
            return ""

    offer(bench, Counted)
    net = bench.net()
    bench.one("counted:x", net=net)
    assert bench.progress.bytes == 5
    assert [(contact.origin, contact.bytes) for contact in net.contacts()] == [("ssh://host", 5)]
