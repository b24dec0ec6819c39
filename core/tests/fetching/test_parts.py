"""Resolvers that pin, and references that stand for many files."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from wfx.errors import FetchError, IntegrityError, PolicyError
from wfx.fetching import Body, Expected, Net, Pinned, Reference, ResolverFetcher, Source, Span, StreamFetcher
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer


class Plain(StreamFetcher):
    keys = ("http",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        return net.http(ref.uri, span)


class Shelf(ResolverFetcher):
    """`shelf:NAME` is what `means` says today, `shelf:NAME=VERSION` is so for ever."""

    keys = ("shelf",)
    means: ClassVar[dict[str, str]] = {}
    holds: ClassVar[dict[str, list[Source]]] = {}
    asked: ClassVar[list[str]] = []

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        return "=" in ref.uri

    def pin(self, ref: Reference, net: Net) -> Pinned:
        self.asked.append(f"pin {ref.uri}")
        name, _, version = ref.uri.removeprefix("shelf:").partition("=")
        version = version or self.means[name]
        return Pinned(Reference(f"shelf:{name}={version}"), version, "" if "=" in ref.uri else name)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        self.asked.append(f"resolve {ref.uri}")
        return self.holds[ref.uri.partition("=")[2]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FetchBench]:
    Shelf.means.clear()
    Shelf.holds.clear()
    Shelf.asked.clear()
    made = FetchBench(tmp_path, [Plain, Shelf])
    yield made
    made.close()


def part(url: str, data: bytes, name: str) -> Source:
    return Source(Reference(url), Expected(sha256=hashlib.sha256(data).hexdigest(), size=len(data)), name=name)


def given(name: str, data: bytes) -> Source:
    return Source(Reference(f"shelf:given#{name}"), name=name, content=data)


def test_what_a_resolver_pins_is_what_is_remembered(bench: FetchBench) -> None:
    Shelf.means["a"] = "1"
    Shelf.holds["1"] = [given("x", b"1"), given("y/z", b"2")]
    [first] = bench.fetch("shelf:a")
    assert (first.kind, first.revision, first.label, first.name) == ("directory", "1", "a", "shelf:a".partition(":")[2])
    assert str(first.pinned) == "shelf:a=1"
    [again] = bench.fetch("shelf:a")
    assert again.from_store
    assert Shelf.asked == ["pin shelf:a", "resolve shelf:a=1", "pin shelf:a"]
    [pinned] = bench.fetch("shelf:a=1")
    assert (pinned.sha256, pinned.from_store) == (first.sha256, True)
    assert len(Shelf.asked) == 3
    [offline] = bench.fetch("shelf:a", net=bench.net(offline=True))
    assert offline.sha256 == first.sha256


def test_a_name_that_means_another_thing_now_is_told(bench: FetchBench) -> None:
    Shelf.means["a"] = "1"
    Shelf.holds |= {"1": [given("x", b"1"), given("y", b"1")], "2": [given("x", b"2")]}
    bench.fetch("shelf:a")
    Shelf.means["a"] = "2"
    [now] = bench.fetch("shelf:a")
    assert (now.kind, now.revision, now.name) == ("file", "2", "x")
    assert [note for note in bench.progress.notes if "a was 1, and is 2 now" in note]


def test_bytes_that_come_with_the_answer_are_held_too(bench: FetchBench) -> None:
    Shelf.means["a"] = "1"
    wrong = Source(Reference("shelf:x"), Expected(sha256="0" * 64), name="x", content=b"1")
    Shelf.holds["1"] = [wrong, given("y", b"2")]
    with pytest.raises(IntegrityError):
        bench.fetch("shelf:a")
    assert bench.store.known(Reference("shelf:a")) is None


def test_parts_come_at_the_same_time(bench: FetchBench, server: FaultServer) -> None:
    Shelf.means["a"] = "1"
    barrier = threading.Barrier(4)
    Shelf.holds["1"] = [
        part(server.add(f"/{n}", b"%d" % n, on_request=lambda *_: barrier.wait(20)), b"%d" % n, str(n))
        for n in range(4)
    ]
    [fetched] = bench.fetch("shelf:a")
    assert fetched.size == 4


def test_one_part_that_fails_ends_the_others_at_once(bench: FetchBench, server: FaultServer) -> None:
    Shelf.means["a"] = "1"
    slow = part(server.add("/slow", b"x" * 2_000_000, rate=1000), b"x" * 2_000_000, "slow")
    Shelf.holds["1"] = [slow, Source(Reference(server.url + "/absent"), name="absent")]
    timer = threading.Timer(10, lambda: None)
    with pytest.raises(FetchError, match="404"):
        bench.fetch("shelf:a")
    timer.cancel()
    assert bench.store.known(Reference("shelf:a")) is None


@pytest.mark.parametrize("where", ["one reference", "two references"])
def test_large_bytes_in_common_come_once(bench: FetchBench, server: FaultServer, where: str) -> None:
    data = bytes(range(256)) * 4000
    Shelf.means |= {"a": "1", "b": "2"}
    one, two = server.add("/one", data, rate=3e6), server.add("/two", data, rate=3e6)
    if where == "one reference":
        Shelf.holds["1"] = [part(one, data, "x"), part(two, data, "y")]
        bench.fetch("shelf:a")
    else:
        Shelf.holds |= {"1": [part(one, data, "x"), given("n", b"1")], "2": [part(two, data, "x"), given("n", b"2")]}
        bench.fetch("shelf:a", "shelf:b")
    assert len(server.asked("/one")) + len(server.asked("/two")) == 1


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_a_part_may_not_lie_outside(bench: FetchBench, name: str) -> None:
    Shelf.means["a"] = "1"
    Shelf.holds["1"] = [given(name, b"1"), given("y", b"2")]
    with pytest.raises(PolicyError):
        bench.fetch("shelf:a")


def test_parts_within_parts_do_not_wait_for_each_other(bench: FetchBench, server: FaultServer) -> None:
    Shelf.means |= {"a": "1", **{f"in{n}": f"v{n}" for n in range(20)}}
    inner = {
        f"v{n}": [part(server.add(f"/{n}/{m}", b"x", etag=None), b"x", str(m)) for m in range(3)] for n in range(20)
    }
    Shelf.holds |= inner | {"1": [Source(Reference(f"shelf:in{n}"), name=f"n{n}") for n in range(20)]}
    done: list[Callable[[], object]] = []
    thread = threading.Thread(target=lambda: done.append(bench.fetch("shelf:a", jobs=4)), daemon=True)  # type: ignore[arg-type]
    thread.start()
    thread.join(30)
    assert done
