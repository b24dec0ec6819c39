"""A real store (versitygw): signatures, regions, versions, checksums, folders of many objects, ranges."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import pytest
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx_s3 import S3Fetcher

pytestmark = pytest.mark.real
NAMES = {"a b.txt": b"1", "plus+and%25.txt": b"2", "é/ü.txt": b"3", "#?&=.txt": b"4", "~*'().txt": b"5", "empty": b""}


@pytest.fixture(scope="module")
def filled(real: Any) -> Any:
    for bucket in ("bucket", "open", "versions"):
        real.put(f"/{bucket}")
    for name, data in NAMES.items():
        real.put(f"/bucket/odd/{name}", data)
    for number in range(1100):
        real.put(f"/bucket/many/{number:04}", b"%d" % number)
    real.put("/open/a.txt", b"for all\n")
    real.open_to_all("open")
    return real


@pytest.fixture
def at(filled: Any, bench: Any) -> Any:
    bench.login("", filled.keys.access_key, filled.keys.secret_key)
    return bench.at(filled.endpoint)


def test_odd_names_are_signed_listed_and_fetched(at: Any) -> None:
    assert at.files_of(at.one("s3://bucket/odd/")) == NAMES
    assert at.bytes_of(at.one("s3://bucket/odd/%C3%A9/%C3%BC.txt")) == b"3"


def test_the_region_is_found_out(at: Any, filled: Any) -> None:
    assert at.bytes_of(at.one("s3://bucket/odd/a%20b.txt")) == b"1"
    assert at.at(filled.endpoint, region=filled.region).one("s3://bucket/odd/plus%2Band%2525.txt")


def test_a_folder_of_more_than_a_page_comes_whole(at: Any) -> None:
    answer = at.one("s3://bucket/many/")
    assert at.files_of(answer) == {f"{number:04}": b"%d" % number for number in range(1100)}


def test_an_open_bucket_needs_no_keys_and_another_says_so(bench: Any, filled: Any) -> None:
    bench.at(filled.endpoint)
    assert bench.files_of(bench.one("s3://open/")) == {"a.txt": b"for all\n"}
    with pytest.raises(AccessDenied, match="nobody read it without keys"):
        bench.one("s3://bucket/odd/empty")


def test_wrong_keys_are_refused(bench: Any, filled: Any) -> None:
    for user, password in ((filled.keys.access_key, "wrong-secret"), ("AKIDNOBODY", "wrong-secret")):
        bench.at(filled.endpoint).login("", user, password)
        with pytest.raises(AccessDenied, match="refuses these keys"):
            bench.one("s3://bucket/odd/empty")


def test_what_is_missing_is_told_apart(at: Any) -> None:
    with pytest.raises(ReferenceNotFound, match="no such object"):
        at.one("s3://bucket/none")
    at.environment |= {"WFX_USER_NOBUCKET": "x", "WFX_PASSWORD_NOBUCKET": "y"}
    with pytest.raises(FetchError, match="it is a folder"):
        at.one("s3://bucket/odd")


def test_versions_are_kept_apart(at: Any, filled: Any, bench: Any) -> None:
    on = b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status>'
    filled.put("/bucket", on + b"</VersioningConfiguration>", "versioning=")
    first = filled.put("/bucket/versioned", b"first\n")["x-amz-version-id"]
    filled.put("/bucket/versioned", b"second\n")
    assert at.bytes_of(at.one("s3://bucket/versioned")) == b"second\n"
    assert at.bytes_of(at.one(f"s3://bucket/versioned?versionId={first}")) == b"first\n"


def test_the_stores_checksums_are_held(at: Any, filled: Any) -> None:
    data = b"checked\n"
    stated = base64.b64encode(hashlib.sha256(data).digest()).decode()
    filled.put("/bucket/checked", data, **{"x-amz-checksum-sha256": stated})
    body = S3Fetcher().open(Reference("s3://bucket/checked"), at.net())
    read(body)
    assert dict(body.checksums) == {"sha256": hashlib.sha256(data).hexdigest()}
    assert at.bytes_of(at.one("s3://bucket/checked")) == data


def test_a_transfer_goes_on_in_the_middle(at: Any, filled: Any) -> None:
    data = os.urandom(300_000)
    filled.put("/bucket/large", data)
    net, fetcher, ref = at.net(), S3Fetcher(), Reference("s3://bucket/large")
    whole = fetcher.open(ref, net)
    assert read(whole) == data
    body = fetcher.open(ref, net, Span(100_000, 100_100, whole.validator))
    assert (body.start, body.total, read(body)) == (100_000, len(data), data[100_000:100_100])
    filled.put("/bucket/large", data[::-1])
    body = fetcher.open(ref, net, Span(100_000, None, whole.validator))
    assert (body.start, read(body)) == (0, data[::-1])
