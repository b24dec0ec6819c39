"""`data:` references as RFC 2397 has them, and as people and browsers write them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.errors import FetchError
from wfx.fetching import Reference
from wfx.net import Net
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx.testing.fetchers import read
from wfx_file import LARGEST, DataFetcher


class TestDataFetcher(FetcherContract):
    fetcher = DataFetcher
    network = False
    in_memory = True

    def put(self, place: object, data: bytes) -> Reference:
        return Reference("data:application/octet-stream;base64," + base64.b64encode(data).decode())


def content(uri: str) -> tuple[bytes, str | None]:
    body = DataFetcher().open(Reference(uri), Net(offline=True))
    return read(body), body.media_type


@pytest.mark.parametrize(
    ("uri", "data", "media_type"),
    [
        ("data:,A%20brief%20note", b"A brief note", "text/plain;charset=US-ASCII"),
        ("data:,", b"", "text/plain;charset=US-ASCII"),
        ("data:text/plain;charset=iso-8859-7,%be%d3%be", b"\xbe\xd3\xbe", "text/plain;charset=iso-8859-7"),
        ("data:;charset=utf-8,%C3%A9", "é".encode(), "text/plain;charset=utf-8"),
        ("data:text/x-fasta,>a%0AACGT,", b">a\nACGT,", "text/x-fasta"),
        ("data:text/plain;base64,SGVsbG8=", b"Hello", "text/plain"),
        ("data:;base64,SGVsbG8=", b"Hello", "text/plain;charset=US-ASCII"),
        ("data:text/plain;charset=utf-8;base64,SGVsbG8", b"Hello", "text/plain;charset=utf-8"),
        ("data:;BASE64,SGVsbG8%3D", b"Hello", "text/plain;charset=US-ASCII"),
        ("data:;base64,SGVs%0AbG8%20=", b"Hello", "text/plain;charset=US-ASCII"),
        ("data:;base64,-_-_", b"\xfb\xff\xbf", "text/plain;charset=US-ASCII"),
        ("data:;base64,", b"", "text/plain;charset=US-ASCII"),
        ("DATA:,x", b"x", "text/plain;charset=US-ASCII"),
        ("data:,a+b", b"a+b", "text/plain;charset=US-ASCII"),
        ("data:,a?b=c", b"a?b=c", "text/plain;charset=US-ASCII"),
        ("data:,a%23b#part", b"a#b", "text/plain;charset=US-ASCII"),
        ("data:,é", "é".encode(), "text/plain;charset=US-ASCII"),
    ],
)
def test_the_forms_of_rfc_2397(uri: str, data: bytes, media_type: str) -> None:
    assert content(uri) == (data, media_type)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_come_back(data: bytes, escaped: bool) -> None:
    text = quote_from_bytes(data) if escaped else ";base64," + base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert content("data:" + ("," if escaped else "") + text)[0] == data


@pytest.mark.parametrize(
    ("uri", "message"),
    [("data:text/plain", "without a comma"), ("data:;base64,SGVsbG8*", "not base64"), ("data:;base64,A", "not base64"),
     ("data:;base64,Ä", "not base64")],
)  # fmt: skip
def test_a_broken_one_is_said(uri: str, message: str) -> None:
    with pytest.raises(FetchError, match=message) as caught:
        content(uri)
    assert caught.value.exit_code == 4


def test_a_large_one_is_refused_and_not_shown() -> None:
    for uri in ("data:," + "a" * (LARGEST + 1), "data:," + "%61" * (LARGEST + 1)):
        with pytest.raises(FetchError, match="more than 16 MiB") as caught:
            content(uri)
        assert len(str(caught.value)) < 200


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path, [DataFetcher])
    yield made
    made.close()


def test_it_is_not_remembered_by_its_uri(bench: FetchBench) -> None:
    answer = bench.one("data:,abc")
    assert bench.bytes_of(answer) == b"abc"
    assert answer.name == "data"
    assert bench.store.references() == []
