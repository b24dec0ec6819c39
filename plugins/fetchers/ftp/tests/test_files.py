"""Files: gone on with where they were cut, told apart when they are not there, and kept connections."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, OfflineError, ReferenceNotFound
from wfx.fetching import Expected, Reference, Source, Span
from wfx.net import TemporaryFailure
from wfx.testing.benches import FetchBench
from wfx.testing.fetchers import read
from wfx_ftp import FtpFetcher

DATA = bytes(range(256)) * 4096  # 1 MiB: more than is kept in memory
HALF = len(DATA) // 2


@pytest.mark.parametrize("goodbye", ["426 Transfer aborted.", "226 Transfer complete.", ""], ids=["426", "226", "gone"])
@pytest.mark.parametrize("at", [0, 1, HALF, len(DATA) - 1])
def test_a_file_that_was_cut_is_gone_on_with(place: Any, bench: FetchBench, at: int, goodbye: str) -> None:
    ref, place.cuts, place.goodbye = place.write("a.bin", DATA), [at], goodbye
    assert bench.bytes_of(bench.one(ref, retries=2)) == DATA
    # What came before the cut does not come again.
    assert place.asked_for("REST") == ([f"REST {at}"] if at else [])


def test_a_file_that_changes_between_two_parts_is_begun_anew(place: Any, bench: FetchBench) -> None:
    ref, other = place.write("a.bin", DATA), bytes(len(DATA))
    place.cuts = [HALF]
    with pytest.raises(FetchError, match="broken off"):
        bench.one(ref)
    place.write("a.bin", other, age=7200)
    assert bench.bytes_of(bench.one(ref)) == other


def test_a_time_that_is_too_fresh_to_be_trusted_is_no_validator(place: Any, bench: FetchBench) -> None:
    net = bench.net()
    body = FtpFetcher().open(place.write("a.bin", b"x", age=5), net)
    assert (read(body), body.validator, body.accepts_ranges) == (b"x", None, False)


def test_stated_sizes_and_checksums_are_held(place: Any, bench: FetchBench) -> None:
    ref = place.write("a.bin", b"right\n")
    with pytest.raises(IntegrityError, match="6 bytes where 7 are stated"):
        bench.one(Source(ref, Expected(size=7)))
    with pytest.raises(IntegrityError, match="sha256"):
        bench.one(Source(ref, Expected(sha256=hashlib.sha256(b"wrong\n").hexdigest())))
    assert bench.store.known(ref) is None


def test_what_is_missing_forbidden_and_a_folder_are_three_things(place: Any, bench: FetchBench) -> None:
    place.write("sub/a.txt", b"a\n")
    with pytest.raises(ReferenceNotFound, match="no such file"):
        bench.one(f"{place.url}/none")
    with pytest.raises(FetchError, match=r"it is a folder; write ftp://127.0.0.1:\d+/sub/ to fetch the files below it"):
        bench.one(f"{place.url}/sub")
    ref = place.write("secret.txt", b"s\n")
    place.authorizer.remove_user("anonymous")
    place.authorizer.add_anonymous(str(place.folder), perm="el")
    with pytest.raises(AccessDenied, match="550"):
        bench.one(ref)


def test_a_refused_log_in_says_who_and_what_to_do(place: Any, bench: FetchBench) -> None:
    ref = place.write("a.txt", b"a\n")
    place.authorizer.remove_user("anonymous")
    with pytest.raises(AccessDenied, match=r"does not let anonymous in: 530 .*; give credentials for ftp://127"):
        bench.one(ref)
    bench.login(place.url, "ada", "wrong-password")
    with pytest.raises(AccessDenied, match="does not let the user ada in") as caught:
        bench.one(ref)
    assert "wrong-password" not in str(caught.value)


def test_the_user_may_stand_in_the_reference_and_the_password_elsewhere(place: Any, bench: FetchBench) -> None:
    ref = place.write("a.txt", b"a\n")
    place.authorizer.add_user("ada", "pass-w0rd", str(place.folder))
    bench.login(place.url, "ada", "pass-w0rd")
    assert bench.bytes_of(bench.one(ref.uri.replace("//", "//ada@"))) == b"a\n"
    assert place.asked_for("USER") == ["USER ada"]


def test_a_server_with_too_many_guests_is_asked_again(serve: Callable[..., Any], bench: FetchBench) -> None:
    place = serve()
    ref = place.write("a.txt", b"a\n")
    net = bench.net()
    held = FtpFetcher().open(ref, net)
    place.server.max_cons = 1
    with pytest.raises(FetchError, match="421") as caught:
        bench.one(ref)
    assert isinstance(caught.value.__cause__, TemporaryFailure)
    held.stream.close()


def test_many_files_come_over_few_log_ins(place: Any, bench: FetchBench) -> None:
    refs = [place.write(f"{number}.txt", b"%d\n" % number) for number in range(30)]
    answers = bench.fetch(*refs, jobs=2)
    assert [bench.bytes_of(each) for each in answers] == [b"%d\n" % number for number in range(30)]
    assert place.logins <= 2


def test_a_kept_connection_that_the_server_has_closed_is_made_anew(
    serve: Callable[..., Any], bench: FetchBench
) -> None:
    place = serve(timeout=0.1)
    ref, net = place.write("a.txt", b"a\n"), bench.net()
    assert read(FtpFetcher().open(ref, net)) == b"a\n"
    gone = threading.Event()
    for _ in range(100):
        if not place.handlers:
            gone.set()
            break
        gone.wait(0.05)
    assert gone.is_set()
    assert read(FtpFetcher().open(ref, net)) == b"a\n"
    assert place.logins == 2


def test_a_part_of_a_file_leaves_the_connection_usable(place: Any, bench: FetchBench) -> None:
    ref, net, fetcher = place.write("a.bin", DATA), bench.net(), FtpFetcher()
    validator = fetcher.open(ref, net).validator
    for start in range(1, 6):
        body = fetcher.open(ref, net, Span(start, start + 10, validator))
        assert (body.start, read(body)) == (start, DATA[start : start + 10])
    # The first body was never closed.
    assert place.logins == 2


def test_the_place_that_the_server_names_for_data_is_not_gone_to(serve: Callable[..., Any], bench: FetchBench) -> None:
    place = serve(masquerade_address="10.255.255.1")
    assert bench.bytes_of(bench.one(place.write("a.txt", b"a\n"))) == b"a\n"
    assert place.asked_for("PASV")


def test_a_document_from_elsewhere_leads_into_no_private_network(place: Any, bench: FetchBench) -> None:
    ref = place.write("a.txt", b"a\n")
    net = bench.net().on_behalf_of(Reference("https://elsewhere.example.org/wf.cwl"))
    with pytest.raises(Exception, match="leads into a private network"):
        FtpFetcher().open(ref, net)
    assert place.logins == 0
    own = bench.net().on_behalf_of(Reference(f"{place.url}/wf.cwl"))
    assert read(FtpFetcher().open(ref, own)) == b"a\n"


def test_offline_nobody_is_asked(place: Any, bench: FetchBench) -> None:
    ref = place.write("d/a.txt", b"a\n")
    for uri in (ref.uri, f"{place.url}/d/"):
        with pytest.raises(OfflineError):
            bench.one(uri, net=bench.net(offline=True))
    assert place.logins == 0


def test_the_journal_has_the_origin_and_the_bytes(place: Any, bench: FetchBench) -> None:
    net = bench.net()
    read(FtpFetcher().open(place.write("a.bin", DATA), net))
    [contact] = net.contacts()
    assert (contact.origin, contact.requests, contact.bytes) == (place.url, 1, len(DATA))


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "#1.txt", "50%.txt", "[x]*?.txt", "\udce4.txt", "-l", "a;b"])
def test_odd_names_are_percent_encoded(place: Any, bench: FetchBench, name: str) -> None:
    from wfx.listings import encode

    place.write(name, name.encode("utf-8", "surrogateescape"))
    answer = bench.one(f"{place.url}/{encode(name)}")
    assert bench.bytes_of(answer) == os.fsencode(name)
    assert answer.name == name


def test_paths_begin_where_the_log_in_leads_and_with_2f_at_the_root(place: Any, bench: FetchBench) -> None:
    place.write("home/a.txt", b"home\n")
    place.write("a.txt", b"root\n")
    start = place.handler.on_login

    def on_login(self: Any, user: str) -> None:
        start(self, user)
        self.fs.cwd = "/home"

    place.handler.on_login = on_login
    assert bench.bytes_of(bench.one(f"{place.url}/a.txt")) == b"home\n"
    assert bench.bytes_of(bench.one(f"{place.url}/%2Fa.txt;type=i")) == b"root\n"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("ftp:///a", "no host"),
        ("ftp:a", "no host"),
        ("ftp://h:x/a", "no address"),
        ("ftp://h/a%0D%0ADELE%20b", "control character"),
        ("ftp://h/a;type=a", "bytes as they are"),
        ("ftp://h/a/../b", "'..' in a reference"),
    ],
)
def test_what_is_no_reference_is_said(bench: FetchBench, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        bench.one(uri)


def test_settings_are_checked(place: Any, bench: FetchBench) -> None:
    for section in ({"implicit": "h"}, {"max_files": 0}, {"what": 1}):
        bench.network = {"sections": {"fetcher.ftp": section}}
        with pytest.raises(DefinitionError, match=r"fetcher\.ftp"):
            bench.one(f"{place.url}/a")


def test_a_server_that_is_not_there_and_one_that_says_nothing_can_be_tried_again(bench: FetchBench) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ftp://127.0.0.1:{silent.getsockname()[1]}/a"
        bench.idle = 0.2
        with pytest.raises(FetchError, match="timed out"):
            bench.one(url)
    with pytest.raises(FetchError, match="refused"):
        bench.one(url)
