"""What a store says in place of an answer, lists that lie, and settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.net import TemporaryFailure
from wfx.testing.fetchers import read
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_s3 import S3Fetcher
from wfx_s3.stores import Store

OBJECT = "/bucket/a.txt"
REF = "s3://bucket/a.txt"


def listing(*keys: str, more: str = "", size: int = 2) -> bytes:
    items = "".join(f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key in keys)
    start = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
    return f"{start}{more}{items}</ListBucketResult>".encode()


def query(prefix: str, token: str = "", most: int = 1000) -> str:
    text = f"encoding-type=url&list-type=2&max-keys={most}&prefix={prefix.replace('/', '%2F')}"
    return f"/bucket?{f'continuation-token={token}&' if token else ''}{text}"


@pytest.mark.parametrize(
    ("status", "code", "error", "message"),
    [
        (404, "NoSuchKey", ReferenceNotFound, "no such object: NoSuchKey: No.; check the reference"),
        (404, "NoSuchBucket", ReferenceNotFound, "no such bucket"),
        (403, "AccessDenied", AccessDenied, r'nobody read it without keys.*\["s3://bucket"\] in credentials.toml'),
        (403, "InvalidObjectState", FetchError, "archived.*restore it"),
        (400, "ExpiredToken", AccessDenied, "no longer valid"),
        (400, "InvalidRequest", FetchError, "refuses it: InvalidRequest"),
        (301, "PermanentRedirect", FetchError, "the bucket is elsewhere.*set fetcher.s3.region"),
        (503, "SlowDown", FetchError, "503"),
        (400, "RequestTimeout", FetchError, "asks to wait"),
    ],
)
def test_a_refusal_is_told_by_its_code(
    server: FaultServer, bench: Any, refusal: Callable[..., bytes], status: int, code: str, error: type, message: str
) -> None:
    server.add(OBJECT, refusal(code), status=status)
    with pytest.raises(error, match=message):
        bench.at(server.url).one(REF)


def test_keys_that_are_refused_are_named_and_not_shown(
    server: FaultServer, bench: Any, refusal: Callable[..., bytes]
) -> None:
    server.add(OBJECT, refusal("SignatureDoesNotMatch"), status=403)
    bench.at(server.url).login("", "AKIDEXAMPLE", "canary-s3cret")
    with pytest.raises(AccessDenied, match=r"refuses these keys: .*check the keys in environment WFX_PASS") as caught:
        bench.one(REF)
    assert "canary-s3cret" not in str(caught.value)


def test_a_store_that_tells_the_region_is_asked_again_there(
    server: FaultServer, bench: Any, refusal: Callable[..., bytes]
) -> None:
    server.add(OBJECT, b"here\n")
    seen = []

    def check(request: Request, resource: Resource) -> None:
        seen.append(request.headers["authorization"].split("/")[2])
        wrong = seen[-1] != "ap-south-1"
        resource.status = 400 if wrong else 200
        resource.body = refusal("AuthorizationHeaderMalformed", Region="ap-south-1") if wrong else b"here\n"

    server.resources[OBJECT].on_request = check
    bench.at(server.url).login("", "AKIDEXAMPLE", "canary-s3cret")
    assert bench.bytes_of(bench.one(REF)) == b"here\n"
    # It is remembered.
    net = bench.net()
    read(S3Fetcher().open(Reference(REF), net))
    assert seen == ["us-east-1", "ap-south-1", "ap-south-1"]


def test_the_stores_clock_is_taken_where_this_ones_is_wrong(
    server: FaultServer, bench: Any, refusal: Callable[..., bytes]
) -> None:
    dates = []

    def check(request: Request, resource: Resource) -> None:
        dates.append(request.headers["x-amz-date"])
        resource.status, resource.body = (403, refusal("RequestTimeTooSkewed")) if len(dates) < 2 else (200, b"ok")
        resource.headers = {"Date": "Wed, 01 Jan 2020 10:00:00 GMT"}

    server.add(OBJECT, on_request=check)
    bench.at(server.url).login("", "AKIDEXAMPLE", "canary-s3cret")
    assert bench.bytes_of(bench.one(REF)) == b"ok"
    assert dates[1].startswith("20200101T10")


def test_a_version_is_asked_for_and_never_again(server: FaultServer, bench: Any) -> None:
    server.add(f"{OBJECT}?versionId=v1", b"old\n")
    ref = f"{REF}?versionId=v1"
    assert bench.bytes_of(bench.at(server.url).one(ref)) == b"old\n"
    assert bench.one(ref).from_store
    assert len(server.requests) == 1


def test_checksums_that_the_store_states_are_held(server: FaultServer, bench: Any) -> None:
    import base64

    right = base64.b64encode(hashlib.sha256(b"right\n").digest()).decode()
    bench.at(server.url)
    for name, stated, etag in (("sha256", right, None), ("md5", "", f'"{hashlib.md5(b"right").hexdigest()}"')):
        server.add(OBJECT, b"wrong\n", headers={"x-amz-checksum-sha256": stated} if stated else {}, etag=etag)
        with pytest.raises(IntegrityError, match=name):
            bench.one(REF)
    # Of parts, and of what is encrypted, it is another thing.
    for headers, etag in (
        ({"x-amz-checksum-sha256": right + "-3"}, '"0123456789abcdef0123456789abcdef-3"'),
        ({"x-amz-checksum-sha256": right, "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-server-side-encryption": "aws:kms"}, f'"{hashlib.md5(b"right").hexdigest()}"'),
    ):
        server.add(OBJECT, b"wrong\n", headers=headers, etag=etag)
        assert bench.bytes_of(bench.one(REF)) == b"wrong\n"
    server.add(OBJECT, b"wrong\n", etag=f'"{hashlib.md5(b"right").hexdigest()}"')
    assert bench.at(server.url, etag_md5=False).one(REF)


def test_a_prefix_is_listed_page_by_page_and_its_objects_come(server: FaultServer, bench: Any) -> None:
    pages = "<IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>"
    server.add(query("d/"), listing("d/", "d/a+b.txt", more=pages))
    server.add(query("d/", "more"), listing("d/sub/%C3%A9%2B.txt"))
    server.add("/bucket/d/a%20b.txt", b"a\n")
    server.add("/bucket/d/sub/%C3%A9%2B.txt", b"e\n")
    answer = bench.at(server.url).one("s3://bucket/d/")
    assert bench.files_of(answer) == {"a b.txt": b"a\n", "sub/é+.txt": b"e\n"}


def test_a_folder_without_its_slash_is_said(server: FaultServer, bench: Any, refusal: Callable[..., bytes]) -> None:
    server.add("/bucket/d", refusal("NoSuchKey"), status=404)
    server.add(query("d/", most=1), listing("d/a"))
    with pytest.raises(FetchError, match="it is a folder; write s3://bucket/d/ to fetch"):
        bench.at(server.url).one("s3://bucket/d")


@pytest.mark.parametrize(
    "key", ["d/../x", "d//etc/passwd", "d/a%00b", "d/%1B%5B2J"], ids=["up", "empty", "nul", "escape"]
)
def test_keys_that_lead_elsewhere_are_refused(server: FaultServer, bench: Any, key: str) -> None:
    server.add(query("d/"), listing(key))
    with pytest.raises(PolicyError, match="a name there"):
        bench.at(server.url).one("s3://bucket/d/")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (listing("other/a"), "not asked for"),
        (
            listing("d/a", more="<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"),
            "no end",
        ),
        (listing("d/a", more="<IsTruncated>true</IsTruncated>"), "no end"),
        (b"<Other/>", "no list"),
        (b"<ListBucketResult>", "not valid XML"),
        (b'<!DOCTYPE l [<!ENTITY a "b">]><ListBucketResult/>', "declares entities"),
        ('<?xml version="1.0" encoding="UTF-16"?><ListBucketResult/>'.encode("utf-16"), "no UTF-8"),
    ],
    ids=["elsewhere", "circle", "no token", "other", "cut", "entities", "utf-16"],
)
def test_lists_that_lie_are_errors(server: FaultServer, bench: Any, answer: bytes, problem: str) -> None:
    server.add(query("d/"), answer)
    server.add(query("d/", "x"), answer)
    with pytest.raises(FetchError, match=problem):
        bench.at(server.url).one("s3://bucket/d/")


def test_too_many_objects_and_none_are_errors(server: FaultServer, bench: Any) -> None:
    server.add(query("d/"), listing("d/1", "d/2", "d/3"))
    server.add(query("none/"), listing())
    with pytest.raises(FetchError, match=r"more than 2 objects there; .*fetcher\.s3\.max_files"):
        bench.at(server.url, max_files=2).one("s3://bucket/d/")
    with pytest.raises(ReferenceNotFound, match="nothing below"):
        bench.one("s3://bucket/none/")


def test_an_object_of_another_size_than_listed_is_an_error(server: FaultServer, bench: Any) -> None:
    server.add(query("d/"), listing("d/a"))
    server.add("/bucket/d/a", b"longer\n")
    with pytest.raises(IntegrityError, match="7 bytes where 2 are stated"):
        bench.at(server.url).one("s3://bucket/d/")


def test_what_changes_is_not_put_together_by_a_store_that_knows_no_if_range(server: FaultServer, bench: Any) -> None:
    server.add(OBJECT, b"0123456789", etag='"new"')
    server.resources[OBJECT].on_request = lambda request, resource: request.headers.pop("if-range", None)
    body = S3Fetcher().open(Reference(REF), bench.at(server.url).net(), Span(5, None, '"old"'))
    assert (body.start, read(body)) == (0, b"0123456789")


def test_requester_pays_and_anonymous_are_settings_of_a_bucket(server: FaultServer, bench: Any) -> None:
    server.add(OBJECT, b"x")
    bench.login("", "AKIDEXAMPLE", "canary-s3cret")
    bench.network = {
        "sections": {
            "fetcher.s3": {"endpoint": server.url, "requester_pays": True},
            "fetcher.s3.bucket": {"anonymous": True},
        }
    }
    bench.one(REF)
    [request] = server.requests
    assert request.headers["x-amz-request-payer"] == "requester"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("section", "bucket", "url"),
    [
        ({}, "bucket", "https://bucket.s3.us-east-1.amazonaws.com/a%20b"),
        ({"region": "eu-north-1"}, "bucket", "https://bucket.s3.eu-north-1.amazonaws.com/a%20b"),
        ({}, "old.bucket", "https://s3.us-east-1.amazonaws.com/old.bucket/a%20b"),
        ({"endpoint": "https://minio:9000/"}, "bucket", "https://minio:9000/bucket/a%20b"),
        ({"endpoint": "https://ceph", "addressing": "virtual"}, "bucket", "https://bucket.ceph/a%20b"),
    ],
)
def test_addresses_are_those_of_the_store(bench: Any, section: dict[str, str], bucket: str, url: str) -> None:
    bench.network = {"sections": {"fetcher.s3": section}}
    assert Store(Reference(f"s3://{bucket}/a%20b"), bench.net())._url("a b") == url


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3:bucket/a", "no bucket"),
        ("s3:///a", "no valid bucket"),
        ("s3://localhost:9000/bucket/a", r"no valid bucket.*fetcher\.s3\.endpoint"),
        ("s3://user:secret1@bucket/a", "no valid bucket"),
        ("s3://bucket/a?acl=1", "'acl' has no meaning here"),
    ],
)
def test_what_is_no_reference_is_said(bench: Any, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem) as caught:
        bench.one(uri)
    assert "secret1" not in str(caught.value)


@pytest.mark.parametrize(
    "section",
    [{"endpoint": "minio:9000"}, {"endpoint": "https://u:p@h"}, {"what": 1}, {"anonymous": "yes"}, {"max_files": 0},
     {"addressing": "dns"}],
    ids=["address", "userinfo", "unknown", "type", "number", "choice"],
)  # fmt: skip
def test_settings_are_checked(bench: Any, section: dict[str, Any]) -> None:
    bench.network = {"sections": {"fetcher.s3": section}}
    with pytest.raises(DefinitionError, match=r"fetcher\.s3\."):
        bench.one(REF)


def test_a_store_that_is_busy_is_asked_again(server: FaultServer, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.01)
    server.add(OBJECT, b"x", refuse=[(503, {}), (503, {})])
    assert bench.bytes_of(bench.at(server.url).one(REF, retries=2)) == b"x"
    assert issubclass(TemporaryFailure, FetchError)
