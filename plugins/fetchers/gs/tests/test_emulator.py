"""Against fake-gcs-server: odd names, folders of many objects, ranges, checksums, generations."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx_gs import GsFetcher

pytestmark = pytest.mark.real
NAMES = {"a b.txt": b"1", "plus+and%25.txt": b"2", "é/ü.txt": b"3", "#?&=.txt": b"4", "~*'().txt": b"5", "empty": b""}


@pytest.fixture(scope="module")
def filled(emulator: Any) -> Any:
    emulator.bucket("bucket")
    emulator.bucket("versions", versions=True)
    for name, data in NAMES.items():
        emulator.put(f"odd/{name}", data)
    for number in range(1050):
        emulator.put(f"many/{number:04}", b"%d" % number)
    return emulator


def test_odd_names_are_listed_and_fetched(filled: Any, bench: Any) -> None:
    bench.at(filled.endpoint)
    assert bench.files_of(bench.one("gs://bucket/odd/")) == NAMES
    assert bench.bytes_of(bench.one("gs://bucket/odd/%C3%A9/%C3%BC.txt")) == b"3"


def test_a_folder_of_more_than_a_page_comes_whole(filled: Any, bench: Any) -> None:
    answer = bench.at(filled.endpoint).one("gs://bucket/many/")
    assert bench.files_of(answer) == {f"{number:04}": b"%d" % number for number in range(1050)}


def test_the_emulators_own_variable_is_taken(filled: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", filled.endpoint.removeprefix("http://"))
    assert bench.bytes_of(bench.one("gs://bucket/odd/a%20b.txt")) == b"1"


def test_what_is_missing_and_a_folder_are_told_apart(filled: Any, bench: Any) -> None:
    bench.at(filled.endpoint)
    for ref in ("gs://bucket/none", "gs://nobody/none", "gs://nobody/none/"):
        with pytest.raises(ReferenceNotFound):
            bench.one(ref)
    with pytest.raises(FetchError, match="it is a folder"):
        bench.one("gs://bucket/odd")


def test_the_stores_checksums_are_held(filled: Any, bench: Any) -> None:
    filled.put("checked", b"checked\n")
    body = GsFetcher().open(Reference("gs://bucket/checked"), bench.at(filled.endpoint).net())
    read(body)
    assert dict(body.checksums) == {"md5": hashlib.md5(b"checked\n").hexdigest()}
    assert bench.bytes_of(bench.one("gs://bucket/checked")) == b"checked\n"


def test_a_transfer_goes_on_in_the_middle_of_the_same_generation(filled: Any, bench: Any) -> None:
    data = os.urandom(300_000)
    filled.put("large", data)
    net, fetcher, ref = bench.at(filled.endpoint).net(), GsFetcher(), Reference("gs://bucket/large")
    whole = fetcher.open(ref, net)
    assert read(whole) == data
    body = fetcher.open(ref, net, Span(100_000, 100_100, whole.validator))
    assert (body.start, body.total, read(body)) == (100_000, len(data), data[100_000:100_100])
    filled.put("large", data[::-1])
    body = fetcher.open(ref, net, Span(100_000, None, whole.validator))
    assert (body.start, read(body)) == (0, data[::-1])


def test_generations_are_kept_apart(filled: Any, bench: Any) -> None:
    first = filled.put("a", b"first\n", "versions")["generation"]
    filled.put("a", b"second\n", "versions")
    bench.at(filled.endpoint)
    assert bench.bytes_of(bench.one("gs://versions/a")) == b"second\n"
    assert bench.bytes_of(bench.one(f"gs://versions/a?generation={first}")) == b"first\n"
