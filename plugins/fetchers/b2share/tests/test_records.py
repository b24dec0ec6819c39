"""Records become files: which of them, what is held, which version, and records that are not for everybody."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_b2share import B2shareResolver

FILES = {"a_1.fq": b"@1", "a_2.fq": b"@2", "tables/x.csv": b"x", "tables/deep/y ü.csv": b"y"}
ID = "abcde-12345"
OLD = "01826ff3e4974415afdb2574a7ea5a91"


def test_a_record_is_the_folder_of_its_files_with_their_licence(b2share: Any, bench: FetchBench) -> None:
    answer = bench.one(Reference(b2share.record(ID, FILES)))
    assert bench.files_of(answer) == FILES
    assert (answer.licence, answer.revision) == ("CC-BY-4.0", ID)


def test_a_record_of_version_2_is_read_too(b2share: Any, bench: FetchBench) -> None:
    licence = {"license": "CC BY 4.0", "license_uri": "https://creativecommons.org/licenses/by/4.0/"}
    answer = bench.one(Reference(b2share.old(OLD, FILES, license=licence)))
    assert (bench.files_of(answer), answer.licence) == (FILES, "CC-BY-4.0")


def test_the_stated_size_and_checksum_are_held(b2share: Any, bench: FetchBench) -> None:
    held = Expected(None, 2, (("md5", hashlib.md5(b"@1", usedforsecurity=False).hexdigest()),))
    for ref in (b2share.record(ID, {"a.fq": b"@1"}), b2share.old(OLD, {"a.fq": b"@1"})):
        [source] = B2shareResolver().resolve(Reference(ref), bench.net())
        assert source.expected == held
        b2share.resources[source.reference.uri.removeprefix(b2share.url)].body = b"@X"
        with pytest.raises(IntegrityError, match="md5"):
            bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("/a_1.fq", b"@1"),
        ("#path=a_1.fq", b"@1"),
        ("/tables/deep/y%20%C3%BC.csv", b"y"),
        ("/tables", {"x.csv": b"x", "deep/y ü.csv": b"y"}),
        ("/a_*.fq", {"a_1.fq": b"@1", "a_2.fq": b"@2"}),
    ],
)
def test_a_part_is_a_file_a_folder_or_what_fits_a_wildcard(
    part: str, expected: Any, b2share: Any, bench: FetchBench
) -> None:
    ref = b2share.record(ID, FILES) + part
    answer = bench.one(Reference(ref))
    assert (bench.bytes_of(answer) if isinstance(expected, bytes) else bench.files_of(answer)) == expected
    before = len(b2share.requests)
    assert bench.one(Reference(ref)).sha256 == answer.sha256, "a published record never changes"
    assert len(b2share.requests) == before


def test_the_newest_version_is_pinned(b2share: Any, bench: FetchBench) -> None:
    b2share.record(ID, {"a.fq": b"old"})
    b2share.record("fghij-67890", {"a.fq": b"new"})
    b2share.redirect(f"/api/records/{ID}/versions/latest", f"{b2share.url}/api/records/fghij-67890", status=301)
    for ref in (f"b2share:{ID}@latest", f"https://b2share.eudat.eu/records/{ID}/latest"):
        answer = bench.one(Reference(ref))
        assert (str(answer.pinned), answer.label, bench.bytes_of(answer)) == ("b2share:fghij-67890", "latest", b"new")
    assert not B2shareResolver.never_changes(Reference(f"b2share:{ID}@latest"))


@pytest.mark.parametrize(
    ("page", "pinned"),
    [
        (f"https://b2share.eudat.eu/records/{ID}", f"b2share:{ID}"),
        (f"https://b2share.eudat.eu/records/{ID}/files/a_1.fq?download=1", f"b2share:{ID}/a_1.fq"),
        (f"https://trng-b2share.eudat.eu/records/{ID}", f"https://trng-b2share.eudat.eu/records/{ID}"),
    ],
)
def test_a_page_is_the_record(page: str, pinned: str, b2share: Any, bench: FetchBench) -> None:
    b2share.record(ID, FILES)
    assert str(bench.one(Reference(page)).pinned) == pinned


@pytest.mark.parametrize("page", ["https://b2share.eudat.eu/", f"https://b2share.eudat.eu/api/records/{ID}",
                                  "https://b2share.eudat.eu/records/x"])  # fmt: skip
def test_another_address_of_the_site_is_left_to_the_web(page: str) -> None:
    net = Net(offline=True)
    assert B2shareResolver().pin(Reference(page), net) is None
    assert B2shareResolver().resolve(Reference(page), net) == [Source(Reference(page))]
    assert not B2shareResolver.never_changes(Reference(page))


@pytest.mark.parametrize("name", ["b2share:", "b2share:x", "b2share:12345", f"b2share:{ID}@2"])
def test_what_is_no_record_is_refused(name: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="not a record of B2SHARE"):
        bench.one(Reference(name))


# -- records that are not there, or not for everybody


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, ReferenceNotFound, "there is no such record"),
        (410, ReferenceNotFound, "the record has been deleted"),
        (401, AccessDenied, "the record is not shown to everybody.*401"),
        (403, AccessDenied, "the record is not shown to everybody.*403"),
    ],
)
def test_refusals_are_told_apart(
    status: int, kind: type[Exception], said: str, b2share: Any, bench: FetchBench
) -> None:
    b2share.add(f"/api/records/{ID}", b'{"message": "no"}', status=status)
    with pytest.raises(kind, match=f"^b2share:{ID}: {said}"):
        bench.one(Reference(f"b2share:{ID}"))


def test_files_that_are_not_for_everybody_say_what_they_need(b2share: Any, bench: FetchBench) -> None:
    for ref in (
        b2share.record(ID, FILES, access="restricted", shown=False, until="2999-01-02"),
        b2share.old(OLD, FILES, public=False, embargo_date="2999-01-02T00:00:00+00:00"),
    ):
        with pytest.raises(AccessDenied, match="restricted: the embargo ends on 2999-01-02") as caught:
            bench.one(Reference(ref))
        assert "give a token" in str(caught.value.remedy)


def test_a_token_opens_restricted_files_and_goes_to_no_other_host(b2share: Any, bench: FetchBench) -> None:
    token = "canary-51a7f09e6c"
    bench.environment[f"WFX_TOKEN_127_0_0_1_{b2share.port}"] = token
    ref = b2share.record(ID, {"a.fq": b"@1"}, access="restricted")
    with FaultServer() as storage:
        for path, resource in b2share.resources.items():
            resource.authorization = f"Bearer {token}"
            if path.endswith("/content"):
                resource.status, resource.headers = 302, {"Location": storage.add("/bucket/a?signature=1", b"@1")}
        assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"
        assert storage.requests
        assert not any("authorization" in request.headers for request in storage.requests)


def test_a_limit_of_requests_is_waited_for(b2share: Any, bench: FetchBench) -> None:
    ref = b2share.record(ID, {"a.fq": b"@1"})
    b2share.resources[f"/api/records/{ID}/files"].refuse = [(429, {"Retry-After": "0"})]
    assert bench.bytes_of(bench.one(Reference(ref), retries=3)) == b"@1"


# -- answers that are not to be trusted


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", ".."])
def test_a_name_that_leads_elsewhere_is_refused(name: str, b2share: Any, bench: FetchBench) -> None:
    for ref in (b2share.record(ID, {name: b"x", "a": b"1"}), b2share.old(OLD, {name: b"x", "a": b"1"})):
        with pytest.raises(PolicyError, match="a name there"):
            bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>busy</html>", "text/html"), (b"[]", "application/json"), (b'{"id": "x"}', "application/json")],
    ids=["page", "list", "other"],
)
def test_an_answer_that_is_none_is_an_error(body: bytes, kind: str, b2share: Any, bench: FetchBench) -> None:
    b2share.add(f"/api/records/{ID}", body, headers={"Content-Type": kind})
    with pytest.raises(FetchError, match="not understood|a page came"):
        bench.one(Reference(f"b2share:{ID}"))


@pytest.mark.parametrize("section", [{"sever": "https://x"}, {"server": "no address"}])
def test_a_wrong_setting_is_named(section: dict[str, str], bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.b2share": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.b2share\.(sever|server)'"):
        bench.one(Reference(f"b2share:{ID}"))
