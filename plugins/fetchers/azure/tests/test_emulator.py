"""Against Azurite: signatures by key, SAS, open containers, odd names, ranges, checksums, snapshots."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx_azure import AzureFetcher
from wfx_azure.proofs import signature_by_key

pytestmark = pytest.mark.real
ACCOUNT = "devstoreaccount1"
NAMES = {"a b.txt": b"1", "plus+and%25.txt": b"2", "é/ü.txt": b"3", "#?&=.txt": b"4", "~*'().txt": b"5", "empty": b""}


@pytest.fixture(scope="module")
def filled(emulator: Any) -> Any:
    emulator.container("container")
    emulator.container("open", public=True)
    for name, data in NAMES.items():
        emulator.put(f"odd/{name}", data)
    emulator.put("a.txt", b"for all\n", "open")
    return emulator


@pytest.fixture
def at(filled: Any, bench: Any) -> Any:
    bench.environment |= {"WFX_USER_CONTAINER": ACCOUNT, "WFX_PASSWORD_CONTAINER": filled.key}
    return bench.at(filled.endpoint)


def test_odd_names_are_listed_and_fetched_by_the_accounts_key(at: Any) -> None:
    assert at.files_of(at.one("az://container/odd/")) == NAMES
    assert at.bytes_of(at.one("abfs://container/odd/%C3%A9/%C3%BC.txt")) == b"3"


def test_an_open_container_needs_no_proof_and_another_says_so(filled: Any, bench: Any) -> None:
    bench.at(filled.endpoint)
    assert bench.files_of(bench.one("az://open/")) == {"a.txt": b"for all\n"}
    with pytest.raises(AccessDenied, match="nobody read it without proof"):
        bench.one("az://container/odd/empty")


def test_a_sas_lets_in_until_it_ends(filled: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.at(filled.endpoint)
    now = datetime.now(UTC)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", signature_by_key(filled.key, ACCOUNT, "container", now))
    assert bench.files_of(bench.one("az://container/odd/")) == NAMES
    old = signature_by_key(filled.key, ACCOUNT, "container", now - timedelta(hours=3))
    with pytest.raises(AccessDenied, match="does not accept the proof: .*what is given in the reference"):
        bench.one(f"az://container/odd/empty?{old}")


def test_a_wrong_key_is_refused(filled: Any, bench: Any) -> None:
    bench.environment |= {"WFX_USER_CONTAINER": ACCOUNT, "WFX_PASSWORD_CONTAINER": "d3Jvbmc="}
    with pytest.raises(AccessDenied, match="does not accept the proof"):
        bench.at(filled.endpoint).one("az://container/odd/empty")


def test_what_is_missing_and_a_folder_are_told_apart(at: Any) -> None:
    with pytest.raises(ReferenceNotFound, match="no such blob"):
        at.one("az://container/none")
    with pytest.raises(FetchError, match="it is a folder"):
        at.one("az://container/odd")


def test_the_stores_checksum_is_held(at: Any, filled: Any) -> None:
    filled.put("checked", b"checked\n")
    body = AzureFetcher().open(Reference("az://container/checked"), at.net())
    read(body)
    assert dict(body.checksums) == {"md5": hashlib.md5(b"checked\n").hexdigest()}
    assert at.bytes_of(at.one("az://container/checked")) == b"checked\n"


def test_a_transfer_goes_on_in_the_middle(at: Any, filled: Any) -> None:
    data = os.urandom(300_000)
    filled.put("large", data)
    net, fetcher, ref = at.net(), AzureFetcher(), Reference("az://container/large")
    whole = fetcher.open(ref, net)
    assert read(whole) == data
    body = fetcher.open(ref, net, Span(100_000, 100_100, whole.validator))
    assert (body.start, body.total, read(body)) == (100_000, len(data), data[100_000:100_100])
    filled.put("large", data[::-1])
    body = fetcher.open(ref, net, Span(100_000, None, whole.validator))
    assert (body.start, read(body)) == (0, data[::-1])


def test_snapshots_are_kept_apart(at: Any, filled: Any) -> None:
    filled.put("versioned", b"first\n")
    first = filled.snapshot("versioned")
    filled.put("versioned", b"second\n")
    assert at.bytes_of(at.one("az://container/versioned")) == b"second\n"
    assert at.bytes_of(at.one(f"az://container/versioned?snapshot={first}")) == b"first\n"
