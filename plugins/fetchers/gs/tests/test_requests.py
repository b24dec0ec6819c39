"""What a store says in place of an answer, lists that lie, checksums, and settings."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx.testing.servers import FaultServer
from wfx_gs import GsFetcher

REF = "gs://bucket/a.txt"
FIELDS = "items(name,size,md5Hash,crc32c,contentEncoding),nextPageToken"


def query(prefix: str, token: str = "", most: int = 1000) -> str:
    parameters = {"prefix": prefix, "maxResults": str(most), "fields": FIELDS}
    return f"/storage/v1/b/bucket/o?{urlencode(parameters | ({'pageToken': token} if token else {}))}"


def listing(*names: str, token: str = "", **more: Any) -> bytes:
    items = [{"name": name, "size": "2", **more} for name in names]
    return json.dumps({"items": items, **({"nextPageToken": token} if token else {})}).encode()


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (404, ReferenceNotFound, "no such object or bucket: No such thing"),
        (401, AccessDenied, r'nobody read it without a token: No such thing; .*\["gs://bucket"\] in credentials.toml'),
        (403, AccessDenied, "nobody read it without a token"),
        (400, FetchError, "refuses it: No such thing"),
        (503, FetchError, "503"),
    ],
)
def test_a_refusal_is_told_by_its_message(
    server: FaultServer, bench: Any, path_of: Callable[..., str], status: int, error: type, message: str
) -> None:
    server.add(path_of("a.txt"), json.dumps({"error": {"message": "No such thing"}}).encode(), status=status)
    with pytest.raises(error, match=message):
        bench.at(server.url).one(REF)


@pytest.mark.parametrize(("status", "message"), [(401, "not accepted"), (403, "does not allow it")])
def test_a_token_that_is_refused_is_named_and_not_shown(
    server: FaultServer, bench: Any, path_of: Callable[..., str], status: int, message: str
) -> None:
    server.add(path_of("a.txt"), b"Invalid Credentials", status=status)
    bench.at(server.url).login("", "", "canary-token-1")
    with pytest.raises(
        AccessDenied, match=rf"the token .*{message}.*check what is given in environment WFX_TOKEN"
    ) as c:
        bench.one(REF)
    assert "canary" not in str(c.value)


def test_a_generation_is_asked_for_and_never_again(
    server: FaultServer, bench: Any, path_of: Callable[..., str]
) -> None:
    server.add(path_of("a.txt") + "&generation=17", b"old\n")
    ref = f"{REF}?generation=17"
    assert bench.bytes_of(bench.at(server.url).one(ref)) == b"old\n"
    assert bench.one(ref).from_store
    assert len(server.requests) == 1


def test_a_transfer_goes_on_within_its_generation(server: FaultServer, bench: Any, path_of: Callable[..., str]) -> None:
    """The ETags of the JSON API are of no use for that; another generation is fetched from its start."""
    path, headers = path_of("a.txt"), {"x-goog-generation": "17"}
    server.add(path, b"0123456789", etag=None, headers=headers)
    server.add(f"{path}&ifGenerationMatch=17", b"0123456789", etag=None, headers=headers)
    net = bench.at(server.url).net()
    whole = GsFetcher().open(Reference(REF), net)
    assert (whole.validator, read(whole)) == ("generation 17", b"0123456789")
    body = GsFetcher().open(Reference(REF), net, Span(4, None, whole.validator))
    assert (body.start, read(body)) == (4, b"456789")
    server.add(path, b"abcdefghij", etag=None, headers={"x-goog-generation": "18"})
    server.add(f"{path}&ifGenerationMatch=17", b"", status=412)
    body = GsFetcher().open(Reference(REF), net, Span(4, None, whole.validator))
    assert (body.start, body.validator, read(body)) == (0, "generation 18", b"abcdefghij")


def test_checksums_that_the_store_states_are_held(server: FaultServer, bench: Any, path_of: Callable[..., str]) -> None:
    right = base64.b64encode(hashlib.md5(b"right\n").digest()).decode()
    bench.at(server.url)
    for text, problem in ((f"md5={right}", "md5"), ("crc32c=AAAAAA==,md5=", "crc32c")):
        server.add(path_of("a.txt"), b"wrong\n", headers={"x-goog-hash": text})
        with pytest.raises(IntegrityError, match=problem):
            bench.one(REF)
    # What is stored compressed is unpacked on its way: the checksum is of what is stored.
    stored = {"x-goog-hash": f"md5={right}", "x-goog-stored-content-encoding": "gzip"}
    server.add(path_of("a.txt"), b"unpacked\n", headers=stored)
    assert bench.bytes_of(bench.one(REF)) == b"unpacked\n"


def test_a_prefix_is_listed_page_by_page_and_its_objects_come(
    server: FaultServer, bench: Any, path_of: Callable[..., str]
) -> None:
    server.add(query("d/"), listing("d/", "d/a b.txt", token="more"))
    server.add(query("d/", "more"), listing("d/sub/é.txt"))
    server.add(path_of("d/a b.txt"), b"a\n")
    server.add(path_of("d/sub/é.txt"), b"e\n")
    answer = bench.at(server.url).one("gs://bucket/d/")
    assert bench.files_of(answer) == {"a b.txt": b"a\n", "sub/é.txt": b"e\n"}


def test_sizes_and_checksums_that_are_listed_are_held(
    server: FaultServer, bench: Any, path_of: Callable[..., str]
) -> None:
    server.add(path_of("d/a"), b"longer\n")
    server.add(query("d/"), listing("d/a"))
    with pytest.raises(IntegrityError, match="7 bytes where 2 are stated"):
        bench.at(server.url).one("gs://bucket/d/")
    server.add(query("d/"), listing("d/a", size="7", md5Hash=base64.b64encode(bytes(16)).decode()))
    with pytest.raises(IntegrityError, match="md5"):
        bench.one("gs://bucket/d/")


def test_a_folder_without_its_slash_is_said(server: FaultServer, bench: Any) -> None:
    server.add(query("d/", most=1), listing("d/a"))
    with pytest.raises(FetchError, match="it is a folder; write gs://bucket/d/ to fetch"):
        bench.at(server.url).one("gs://bucket/d")


@pytest.mark.parametrize(
    "name", ["d/../x", "d//etc/passwd", "d/a\0b", "d/\x1b[2J"], ids=["up", "empty", "nul", "escape"]
)
def test_names_that_lead_elsewhere_are_refused(server: FaultServer, bench: Any, name: str) -> None:
    server.add(query("d/"), listing(name))
    with pytest.raises(PolicyError, match="a name there"):
        bench.at(server.url).one("gs://bucket/d/")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(listing("other/a"), "not asked for"), (listing("d/a", token="x"), "no end"), (b"[]", "no list"), (b"{", "no list"),
     (b'{"items": 3}', "no list")],
    ids=["elsewhere", "circle", "array", "cut", "number"],
)  # fmt: skip
def test_lists_that_lie_are_errors(server: FaultServer, bench: Any, answer: bytes, problem: str) -> None:
    server.add(query("d/"), answer)
    server.add(query("d/", "x"), answer)
    with pytest.raises(FetchError, match=problem):
        bench.at(server.url).one("gs://bucket/d/")


def test_too_many_objects_and_none_are_errors(server: FaultServer, bench: Any) -> None:
    server.add(query("d/"), listing("d/1", "d/2", "d/3"))
    server.add(query("none/"), b"{}")
    with pytest.raises(FetchError, match=r"more than 2 objects there; .*fetcher\.gs\.max_files"):
        bench.at(server.url, max_files=2).one("gs://bucket/d/")
    with pytest.raises(ReferenceNotFound, match="nothing below"):
        bench.one("gs://bucket/none/")


def test_who_pays_and_anonymous_are_settings_of_a_bucket(
    server: FaultServer, bench: Any, path_of: Callable[..., str]
) -> None:
    server.add(path_of("a.txt") + "&userProject=mine", b"x")
    bench.login("", "", "canary-token-1")
    bench.network = {
        "sections": {
            "fetcher.gs": {"endpoint": server.url, "user_project": "mine"},
            "fetcher.gs.bucket": {"anonymous": True},
        }
    }
    bench.one(REF)
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("uri", "problem"),
    [("gs:bucket/a", "no bucket"), ("gs:///a", "no valid bucket"), ("gs://Bucket:1/a", "no valid bucket"),
     ("gs://bucket/a?x=1", "'x' has no meaning here"), ("gs://bucket/a?generation=x", "no meaning")],
)  # fmt: skip
def test_what_is_no_reference_is_said(bench: Any, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        bench.one(uri)


@pytest.mark.parametrize(
    "section", [{"endpoint": "host"}, {"what": 1}, {"anonymous": "yes"}, {"max_files": 0}],
    ids=["address", "unknown", "type", "number"],
)  # fmt: skip
def test_settings_are_checked(bench: Any, section: dict[str, Any]) -> None:
    bench.network = {"sections": {"fetcher.gs": section}}
    with pytest.raises(DefinitionError, match=r"fetcher\.gs\."):
        bench.one(REF)
