"""Files: gone on with where they were cut, and told apart when they are not there."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, OfflineError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Reference, Source, Span
from wfx.listings import encode
from wfx.testing.fetchers import read
from wfx_sftp import SftpFetcher

DATA = bytes(range(256)) * 12_288  # 3 MiB
HALF = len(DATA) // 2


@pytest.mark.parametrize("at", [0, 1, HALF, len(DATA) - 1])
def test_a_file_that_was_cut_is_gone_on_with(place: Any, bench: Any, at: int) -> None:
    ref, place.cuts = place.write("a.bin", DATA), [at]
    assert bench.bytes_of(bench.one(ref, retries=2)) == DATA
    assert len(place.logins) == 2
    # At most the blocks on their way come again.
    assert sum(place.reads.count(offset) - 1 for offset in set(place.reads)) * 16384 <= 2 * 2**20


def test_a_file_that_ends_before_its_size_is_an_error_and_gone_on_with(place: Any, bench: Any) -> None:
    ref, place.short_at = place.write("a.bin", DATA), HALF
    with pytest.raises(FetchError, match="bytes are missing"):
        bench.one(ref)
    place.short_at = None
    place.reads.clear()
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert min(place.reads) > HALF - 2 * 2**20


def test_a_file_that_changes_between_two_parts_is_begun_anew(place: Any, bench: Any) -> None:
    ref, other, place.cuts = place.write("a.bin", DATA), bytes(len(DATA)), [HALF]
    with pytest.raises(FetchError):
        bench.one(ref)
    place.write("a.bin", other, age=7200)
    assert bench.bytes_of(bench.one(ref)) == other


def test_a_time_that_is_too_fresh_to_be_trusted_is_no_validator(place: Any, bench: Any) -> None:
    net = bench.net()
    body = SftpFetcher().open(place.write("a.bin", b"x", age=5), net)
    assert (read(body), body.validator, body.accepts_ranges) == (b"x", None, False)


def test_a_part_of_a_file_is_all_that_is_asked_for(place: Any, bench: Any) -> None:
    ref, net, fetcher = place.write("a.bin", DATA), bench.net(), SftpFetcher()
    whole = fetcher.open(ref, net)
    whole.stream.close()
    body = fetcher.open(ref, net, Span(HALF, HALF + 100, whole.validator))
    assert (body.start, body.total, read(body)) == (HALF, len(DATA), DATA[HALF : HALF + 100])


def test_many_files_come_over_one_connection(place: Any, bench: Any) -> None:
    refs = [place.write(f"{number}.txt", b"%d\n" % number) for number in range(40)]
    answers = bench.fetch(*refs, jobs=8)
    assert [bench.bytes_of(each) for each in answers] == [b"%d\n" % number for number in range(40)]
    assert len(place.logins) == 1


def test_a_kept_connection_that_is_gone_is_made_anew(place: Any, bench: Any) -> None:
    ref, net = place.write("a.txt", b"a\n"), bench.net()
    assert read(SftpFetcher().open(ref, net)) == b"a\n"
    place.loop.call_soon_threadsafe(place.connections[0].abort)
    assert read(SftpFetcher().open(ref, net)) == b"a\n"
    assert len(place.logins) == 2


def test_what_is_missing_forbidden_and_a_folder_are_told_apart(place: Any, bench: Any) -> None:
    place.write("sub/a.txt", b"a\n")
    with pytest.raises(ReferenceNotFound, match="no such file"):
        bench.one(f"{place.url}/none")
    with pytest.raises(FetchError, match=r"it is a folder; write sftp://127.0.0.1:\d+/sub/ to fetch the files below"):
        bench.one(f"{place.url}/sub")
    os.mkfifo(place.folder / "pipe")
    with pytest.raises(FetchError, match="neither file nor folder"):
        bench.one(f"{place.url}/pipe")


def test_stated_sizes_are_held(place: Any, bench: Any) -> None:
    with pytest.raises(Exception, match="6 bytes where 7 are stated"):
        bench.one(Source(place.write("a.bin", b"right\n"), Expected(size=7)))


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "#1.txt", "50%.txt", "[x]*?.txt", "\udce4.txt", "-l", "~", "a;b"])
def test_odd_names_are_percent_encoded(place: Any, bench: Any, name: str) -> None:
    place.write(f"d/{name}", os.fsencode(name))
    answer = bench.one(f"{place.url}/d/{encode(name)}")
    assert (bench.bytes_of(answer), answer.name) == (os.fsencode(name), name)


def test_a_path_may_begin_at_home(place: Any, bench: Any) -> None:
    ref = place.write("a.txt", b"a\n")
    for uri in (ref.uri.replace("/a.txt", "/~/a.txt"), ref.uri.replace("sftp:", "ssh:")):
        assert bench.bytes_of(bench.one(uri)) == b"a\n"


def test_a_document_from_elsewhere_leads_into_no_private_network(place: Any, bench: Any) -> None:
    ref = place.write("a.txt", b"a\n")
    with pytest.raises(PolicyError, match="leads into a private network"):
        SftpFetcher().open(ref, bench.net().on_behalf_of(Reference("https://elsewhere.example.org/wf.cwl")))
    assert not place.logins
    own = bench.net().on_behalf_of(Reference(f"{place.url}/wf.cwl"))
    assert read(SftpFetcher().open(ref, own)) == b"a\n"


def test_offline_nobody_is_asked(place: Any, bench: Any) -> None:
    ref = place.write("d/a.txt", b"a\n")
    for uri in (ref.uri, f"{place.url}/d/"):
        with pytest.raises(OfflineError):
            bench.one(uri, net=bench.net(offline=True))
    assert not place.connections


def test_the_journal_has_the_origin_and_the_bytes(place: Any, bench: Any) -> None:
    net = bench.net()
    read(SftpFetcher().open(place.write("a.bin", DATA), net))
    [contact] = net.contacts()
    assert (contact.origin, contact.requests, contact.bytes) == (place.url, 1, len(DATA))


def test_a_server_that_is_not_there_and_one_that_says_nothing_are_said(bench: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://127.0.0.1:{silent.getsockname()[1]}/a"
        bench.idle = 0.3
        with pytest.raises(FetchError, match="does not answer|connection broke|do not agree"):
            bench.one(url)
    with pytest.raises(FetchError, match="cannot be reached"):
        bench.one(url)


def test_a_server_that_stops_is_given_up(place: Any, bench: Any) -> None:
    ref = place.write("a.bin", DATA)
    bench.idle, place.stalled = 0.3, True
    with pytest.raises(FetchError, match="not a byte for"):
        bench.one(ref)


def test_one_who_is_broken_off_leaves_the_others_their_connection(place: Any, bench: Any) -> None:
    ref, net = place.write("a.bin", DATA), bench.net()
    first = SftpFetcher().open(ref, net)
    second = SftpFetcher().open(ref, net)
    place.stalled = True
    problems: list[BaseException] = []

    def reading() -> None:
        try:
            read(first)
        except ConnectionError as error:
            problems.append(error)

    thread = threading.Thread(target=reading)
    thread.start()
    assert place.asked.wait(20)
    first.stream.close()
    thread.join(20)
    place.stalled = False
    assert problems
    assert read(second) == DATA


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("sftp:///a", "no host"),
        ("sftp://h:x/a", "no address"),
        ("sftp://h/a%0Ab", "control character"),
        ("sftp://h/a/../b", "'..' in a reference"),
    ],
)
def test_what_is_no_reference_is_said(bench: Any, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        bench.one(uri)


@pytest.mark.parametrize(
    "section", [{"known_hosts": "f"}, {"max_files": 0}, {"what": 1}, {"fingerprints": ["h=MD5:ab"]}],
    ids=["known hosts", "number", "unknown", "fingerprint"],
)  # fmt: skip
def test_settings_are_checked(place: Any, bench: Any, section: dict[str, Any]) -> None:
    bench.network = {"sections": {"fetcher.sftp": section}}
    with pytest.raises(DefinitionError, match=r"fetcher\.sftp"):
        bench.one(f"{place.url}/a")


def test_a_refusal_names_the_user(place: Any, bench: Any, serve: Callable[..., Any]) -> None:
    place.closed_to_all = True
    with pytest.raises(AccessDenied, match=r"does not let tester in: tried the agent and the keys in ~/\.ssh; give"):
        bench.one(f"{place.url}/a")
