"""The rows of the fault table on transfers over http, each driven by a server that misbehaves so."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable

import pytest
from wfx.errors import (
    AccessDenied,
    FetchError,
    IntegrityError,
    MachineError,
    OfflineError,
    PolicyError,
    ReferenceNotFound,
)
from wfx.fetching import Expected, Source
from wfx.references import Reference
from wfx.testing.servers import FaultServer, Request, Resource

SMALL = os.urandom(10_000)
LARGE = os.urandom(3 * 2**20)
Stated = Callable[..., Source]


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("where", ["nothing", "one byte", "half", "all but one"])
def test_a_body_that_is_cut_is_fetched_whole(bench, server: FaultServer, data: bytes, where: str) -> None:
    at = {"nothing": 0, "one byte": 1, "half": len(data) // 2, "all but one": len(data) - 1}[where]
    answer = bench.one(server.add("/a", data, cut=[at]))
    assert bench.bytes_of(answer) == data
    assert bench.clean()


def test_what_has_come_of_a_large_body_is_not_sent_again(bench, server: FaultServer) -> None:
    half = len(LARGE) // 2
    bench.one(server.add("/a", LARGE, cut=[half]), connections=1)
    first, second = server.asked("/a")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={half}-"
    assert second.headers["if-range"] == '"1"'


def test_a_fetch_that_failed_is_gone_on_with_by_the_next_one(bench, server: FaultServer) -> None:
    url = server.add("/a", LARGE, cut=[2**20, -1, -1, -1, -1])
    with pytest.raises(FetchError, match="goes on where it stopped"):
        bench.one(url, retries=1)
    assert bench.store.known(Reference(url)) is None
    server.resources["/a"].cut = []
    assert bench.bytes_of(bench.one(url, connections=1)) == LARGE
    assert server.asked("/a")[-1].headers["range"] == f"bytes={2**20}-"


def test_a_place_that_stays_broken_is_given_up_after_the_attempts(bench, server: FaultServer) -> None:
    url = server.add("/a", SMALL, cut=[5] * 50)
    with pytest.raises(FetchError) as caught:
        bench.one(url, retries=3)
    assert caught.value.exit_code == 4
    assert "after 4 attempts" in str(caught.value)
    assert len(server.asked("/a")) == 4
    assert bench.clean()


def test_a_body_shorter_than_its_length_is_no_whole_body(bench, server: FaultServer) -> None:
    url = server.add("/a", SMALL, length=len(SMALL) + 1, ranges=False)
    with pytest.raises(FetchError, match="too early"):
        bench.one(url, retries=1)
    assert bench.store.known(Reference(url)) is None


def test_a_server_that_ignores_ranges_starts_again(bench, server: FaultServer) -> None:
    answer = bench.one(server.add("/a", LARGE, cut=[2**20], ranges=False))
    assert bench.bytes_of(answer) == LARGE


def test_bytes_that_change_in_the_middle_are_never_spliced(bench, server: FaultServer) -> None:
    other = os.urandom(len(LARGE))

    def change(request: Request, resource: Resource) -> None:
        if len(server.asked("/a")) == 2:
            resource.body, resource.etag = other, '"2"'

    answer = bench.one(server.add("/a", LARGE, cut=[2**20], on_request=change))
    assert bench.bytes_of(answer) == other


def test_without_a_validator_a_cut_body_is_begun_anew(bench, server: FaultServer) -> None:
    answer = bench.one(server.add("/a", LARGE, cut=[2**20], etag=None))
    assert bench.bytes_of(answer) == LARGE
    assert all("range" not in request.headers for request in server.asked("/a"))


def test_a_stalled_server_is_given_up_and_asked_again(bench, server: FaultServer) -> None:
    bench.idle = 0.3
    began = time.monotonic()
    answer = bench.one(server.add("/a", LARGE, stall=[30]))
    assert bench.bytes_of(answer) == LARGE
    assert time.monotonic() - began < 10
    assert any("not a byte for 0.3 s" in note for note in bench.progress.notes)


def test_a_server_that_drips_is_given_up(bench, server: FaultServer) -> None:
    url = server.add("/a", SMALL, rate=40)
    with pytest.raises(FetchError, match="less than 1 kB/s"):
        bench.one(url, retries=0, low_speed_time=0.3)


def test_a_head_that_drips_is_given_up(bench) -> None:
    import socket

    bench.idle = 0.4
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 1000:
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(FetchError, match="no whole answer within"):
            bench.one(f"http://127.0.0.1:{listener.getsockname()[1]}/a", retries=0)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_waited_for(bench, server: FaultServer, status: int) -> None:
    url = server.add("/a", SMALL, refuse=[(status, {"Retry-After": "1"})])
    began = time.monotonic()
    bench.one(url)
    assert 1.0 <= time.monotonic() - began < 4


def test_retry_after_as_a_date_is_read_by_the_servers_clock(bench, server: FaultServer) -> None:
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:01 GMT"}
    url = server.add("/a", SMALL, refuse=[(503, headers)])
    began = time.monotonic()
    bench.one(url)
    assert 1.0 <= time.monotonic() - began < 4


def test_a_wait_beyond_the_budget_is_not_waited(bench, server: FaultServer) -> None:
    url = server.add("/a", SMALL, refuse=[(429, {"Retry-After": "86400"})])
    with pytest.raises(FetchError, match="429"):
        bench.one(url)


def test_a_wrong_checksum_is_never_stored(bench, server: FaultServer, stated: Stated) -> None:
    url = server.add("/a", SMALL, flip=True)
    with pytest.raises(IntegrityError) as caught:
        bench.one(stated(url, SMALL))
    assert caught.value.exit_code == 5
    assert bench.store.known(Reference(url)) is None
    assert list(bench.store.blobs()) == []
    assert len([p for p in (bench.store.root / "quarantine").iterdir() if p.suffix != ".reason"]) == 1


def test_a_wrong_checksum_leads_to_the_next_mirror(bench, server: FaultServer) -> None:
    bad, good = server.add("/bad", SMALL, flip=True), server.add("/good", SMALL)
    expected = Expected(sha256=hashlib.sha256(SMALL).hexdigest())
    answer = bench.one(Source(Reference(bad), expected, alternates=(Reference(good),)))
    assert bench.bytes_of(answer) == SMALL


def test_a_dead_place_leads_to_the_next_mirror(bench, server: FaultServer) -> None:
    good = server.add("/good", SMALL)
    answer = bench.one(Source(Reference("http://127.0.0.1:1/gone"), alternates=(Reference(good),)), retries=0)
    assert bench.bytes_of(answer) == SMALL
    assert answer.pinned == Reference(good)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha512"])
def test_other_checksums_are_held_too(bench, server: FaultServer, algorithm: str) -> None:
    url = server.add("/a", SMALL)
    right = hashlib.new(algorithm, SMALL).hexdigest()
    bench.one(Source(Reference(url), Expected(checksums=((algorithm, right),))))
    server.add("/b", SMALL)
    with pytest.raises(IntegrityError, match=algorithm):
        bench.one(Source(Reference(server.url + "/b"), Expected(checksums=((algorithm, right[::-1]),))))


def test_a_checksum_in_the_answers_head_is_held(bench, server: FaultServer) -> None:
    import base64

    value = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    url = server.add("/a", SMALL, headers={"Repr-Digest": f"sha-256=:{value}:"})
    with pytest.raises(IntegrityError):
        bench.one(url)


def test_a_wrong_size_is_refused_before_the_bytes_come(bench, server: FaultServer, stated: Stated) -> None:
    url = server.add("/a", LARGE)
    with pytest.raises(IntegrityError, match=f"{len(LARGE)} bytes where 5 are stated"):
        bench.one(stated(url, size=5))
    assert bench.progress.bytes == 0


def test_a_file_above_the_limit_is_refused(bench, server: FaultServer) -> None:
    with pytest.raises(FetchError, match="more than 1000 bytes"):
        bench.one(server.add("/a", SMALL), max_bytes=1000)
    with pytest.raises(FetchError, match="more than 100000 bytes"):
        bench.one(server.add("/chunked", LARGE, chunked=True), max_bytes=100_000)


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_a_chunked_body_is_read(bench, server: FaultServer, data: bytes) -> None:
    assert bench.bytes_of(bench.one(server.add("/a", data, chunked=True))) == data


def test_an_empty_file_is_a_file(bench, server: FaultServer) -> None:
    assert bench.bytes_of(bench.one(server.add("/a", b""))) == b""


def test_a_compressed_answer_is_not_the_file(bench, server: FaultServer) -> None:
    import gzip

    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(FetchError, match="gzip-encoded"):
        bench.one(server.add("/a", bomb, headers={"Content-Encoding": "gzip"}))
    named = server.add("/reads.fq.gz", bomb, headers={"Content-Encoding": "x-gzip"})
    assert bench.bytes_of(bench.one(named)) == bomb
    assert server.asked("/a")[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("status", "error"), [(404, ReferenceNotFound), (410, ReferenceNotFound), (401, AccessDenied),
                                               (403, AccessDenied), (400, FetchError)])  # fmt: skip
def test_a_refusal_is_said_at_once_and_is_no_content(bench, server: FaultServer, status: int, error: type) -> None:
    url = server.add("/a", b"an error page", status=status)
    with pytest.raises(error, match=str(status)):
        bench.one(url)
    assert len(server.asked("/a")) == 1
    assert list(bench.store.blobs()) == []


def test_a_full_disk_stops_cleanly_and_the_next_fetch_goes_on(
    bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    url = server.add("/a", LARGE, etag='"1"')
    real, written = os.pwrite, 0

    def full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal written
        if written > 2**20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += len(data)
        return real(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(MachineError) as caught:
            bench.one(url)
    assert caught.value.exit_code == 9
    assert bench.clean()
    assert bench.bytes_of(bench.one(url)) == LARGE


def test_what_does_not_fit_is_refused_before_it_is_fetched(
    bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(MachineError, match="are free"):
        bench.one(server.add("/a", LARGE))


def test_offline_opens_no_socket(bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.add("/a", SMALL)
    bench.one(url)
    connections = server.connections

    def refuse(*arguments: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert bench.bytes_of(bench.one(url, net=bench.net(offline=True))) == SMALL
    with pytest.raises(OfflineError, match="--offline"):
        bench.one(server.url + "/b", net=bench.net(offline=True))
    assert server.connections == connections


def test_an_unchanged_file_is_not_sent_again(bench, server: FaultServer) -> None:
    url = server.add("/a", LARGE)
    bench.one(url)
    before = bench.progress.bytes
    again = bench.one(url)
    assert again.from_store
    assert bench.progress.bytes == before
    server.resources["/a"].etag, server.resources["/a"].body = '"2"', SMALL
    assert bench.bytes_of(bench.one(url)) == SMALL


def test_bytes_known_by_their_digest_are_not_asked_for(bench, server: FaultServer, stated: Stated) -> None:
    bench.one(server.add("/a", SMALL))
    answer = bench.one(stated("http://127.0.0.1:1/elsewhere", SMALL))
    assert answer.from_store


def test_one_failure_keeps_what_the_others_have_brought(bench, server: FaultServer) -> None:
    good = [server.add(f"/{n}", SMALL + bytes([n])) for n in range(20)]
    with pytest.raises(ReferenceNotFound):
        bench.fetch(*good, server.url + "/none", jobs=1)
    kept = [url for url in good if bench.store.known(Reference(url))]
    assert kept
    assert bench.clean()


def test_a_failure_does_not_wait_for_a_stalled_one(bench, server: FaultServer) -> None:
    bench.idle = 60
    began = time.monotonic()
    with pytest.raises(ReferenceNotFound):
        bench.fetch(server.add("/stalled", LARGE, stall=[60]), server.url + "/none")
    assert time.monotonic() - began < 5


def test_a_slow_server_gets_several_connections(bench, server: FaultServer) -> None:
    data = os.urandom(8 * 2**20)
    answer = bench.one(server.add("/a", data, rate=2e6), connections=8)
    assert bench.bytes_of(answer) == data
    assert len({request.headers.get("range") for request in server.asked("/a")}) > 4


def test_pieces_that_fail_are_brought_again(bench, server: FaultServer) -> None:
    data = os.urandom(8 * 2**20)
    cuts = [len(data), 100, -1, 1000, -1, 5, 0]
    answer = bench.one(server.add("/a", data, rate=2e6, cut=cuts), connections=4, retries=5)
    assert bench.bytes_of(answer) == data


def test_a_server_that_bears_few_connections_is_not_pressed(bench, server: FaultServer) -> None:
    data = os.urandom(6 * 2**20)
    refusals = [(0, {}), *[(503, {})] * 5]

    def first_is_served(request: Request, resource: Resource) -> None:
        resource.refuse = [] if len(server.asked("/a")) in (1, *range(7, 99)) else refusals * 9

    answer = bench.one(server.add("/a", data, rate=2e6, on_request=first_is_served), connections=4)
    assert bench.bytes_of(answer) == data


def test_many_files_use_few_connections(bench, server: FaultServer) -> None:
    urls = [server.add(f"/{n}", f"{n}".encode()) for n in range(300)]
    answers = bench.fetch(*urls)
    assert [bench.bytes_of(answer) for answer in answers] == [f"{n}".encode() for n in range(300)]
    assert server.connections < 60


def test_the_same_reference_twice_is_fetched_once(bench, server: FaultServer) -> None:
    url = server.add("/a", SMALL)
    one, other = bench.fetch(url, url)
    assert one == other
    assert len(server.asked("/a")) == 1


def test_a_place_that_hands_over_a_local_file_is_refused(bench) -> None:
    from wfx.fetching import Net, ResolverFetcher
    from wfx.hookspecs import hookimpl

    class Lying(ResolverFetcher):
        keys = ("lying",)

        def resolve(self, ref: Reference, net: Net) -> list[Source]:
            return [Source(Reference("file:///etc/passwd"))]

    class Plugin:
        @hookimpl
        def wfx_fetchers(self) -> list[type]:
            return [Lying]

    bench.plugins.register(Plugin())
    with pytest.raises(PolicyError):
        bench.one("lying:x")
