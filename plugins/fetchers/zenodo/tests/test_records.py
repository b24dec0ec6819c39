"""Records become files: which of them, what is held, which version, and records that are not for everybody."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_zenodo import ZenodoResolver

FILES = {"a_1.fq": b"@1", "a_2.fq": b"@2", "tables/x.csv": b"x", "tables/deep/y ü#?.csv": b"y"}


def files(bench: FetchBench, ref: str, **options: Any) -> dict[str, bytes]:
    return bench.files_of(bench.one(Reference(ref), **options))


def test_a_record_is_the_folder_of_its_files_with_their_licence(zenodo: Any, bench: FetchBench) -> None:
    ref = zenodo.record(102, FILES)
    answer = bench.one(Reference(ref))
    assert bench.files_of(answer) == FILES
    assert (answer.licence, answer.revision) == ("CC-BY-4.0", "102")


def test_the_stated_size_and_checksum_are_held(zenodo: Any, bench: FetchBench) -> None:
    ref = zenodo.record(102, {"a.fq": b"@1"})
    [source] = ZenodoResolver().resolve(Reference(ref), bench.net())
    md5 = hashlib.md5(b"@1", usedforsecurity=False).hexdigest()
    assert (source.expected.size, source.expected.checksums) == (2, (("md5", md5),))
    zenodo.resources["/api/records/102/files/a.fq/content"].body = b"@X"
    with pytest.raises(IntegrityError, match="md5"):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("/a_1.fq", b"@1"),
        ("#path=a_1.fq", b"@1"),
        ("/tables/deep/y%20%C3%BC%23%3F.csv", b"y"),
        ("#path=tables/x.csv", b"x"),
        ("/tables#path=x.csv", b"x"),
        ("/tables", {"x.csv": b"x", "deep/y ü#?.csv": b"y"}),
        ("/tables/", {"x.csv": b"x", "deep/y ü#?.csv": b"y"}),
        ("#path=tables", {"x.csv": b"x", "deep/y ü#?.csv": b"y"}),
        ("/a_*.fq", {"a_1.fq": b"@1", "a_2.fq": b"@2"}),
        ("#path=", FILES),
    ],
)
def test_a_part_is_a_file_a_folder_or_what_fits_a_wildcard(
    part: str, expected: Any, zenodo: Any, bench: FetchBench
) -> None:
    answer = bench.one(Reference(zenodo.record(102, FILES) + part))
    assert (bench.bytes_of(answer) if isinstance(expected, bytes) else bench.files_of(answer)) == expected
    before = len(zenodo.requests)
    again = bench.one(Reference(f"zenodo:102{part}"), net=bench.net(offline=True))
    assert again.sha256 == answer.sha256
    assert len(zenodo.requests) == before


def test_only_what_is_meant_is_fetched(zenodo: Any, bench: FetchBench) -> None:
    bench.one(Reference(zenodo.record(102, FILES) + "/a_1.fq"))
    assert [r.path for r in zenodo.requests if r.path.endswith("/content")] == ["/api/records/102/files/a_1.fq/content"]


def test_what_the_record_does_not_have_is_said_with_what_it_has(zenodo: Any, bench: FetchBench) -> None:
    with pytest.raises(ReferenceNotFound, match=r"no 'none.fq'.*it has a_1.fq, a_2.fq"):
        bench.one(Reference(zenodo.record(102, FILES) + "/none.fq"))


def test_the_only_file_of_a_record_may_be_an_archive_whose_member_is_meant(zenodo: Any, bench: FetchBench) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("lab-flow-c0ffee/main.nf", "workflow {}")
    ref = zenodo.record(102, {"lab/flow-v1.0.zip": data.getvalue()})
    for name in (f"{ref}#path=lab-flow-c0ffee/main.nf", f"{ref}/lab/flow-v1.0.zip#path=lab-flow-c0ffee/main.nf"):
        assert bench.bytes_of(bench.one(Reference(name))) == b"workflow {}"
    assert files(bench, f"{ref}#path=") == {"lab-flow-c0ffee/main.nf": b"workflow {}"}
    assert bench.bytes_of(bench.one(Reference(ref))) == data.getvalue()


# -- versions


@pytest.mark.parametrize("redirects", [True, False], ids=["led", "searched"])
def test_a_concept_is_pinned_to_its_newest_version(redirects: bool, zenodo: Any, bench: FetchBench) -> None:
    zenodo.record(102, {"a.fq": b"old"}, concept=101, redirects=redirects)
    first = bench.one(Reference("zenodo:101"))
    assert (str(first.pinned), first.revision, first.label) == ("zenodo:102", "102", "101")
    zenodo.record(105, {"a.fq": b"new"}, concept=101, redirects=redirects)
    second = bench.one(Reference("zenodo:101"))
    assert (str(second.pinned), bench.bytes_of(second)) == ("zenodo:105", b"new")
    assert any("101 was 102, and is 105 now" in note for note in bench.progress.notes)
    assert bench.bytes_of(bench.one(Reference("zenodo:102"))) == b"old"
    assert str(bench.one(Reference("zenodo:101/a.fq")).pinned) == "zenodo:105/a.fq"


@pytest.mark.parametrize(
    ("page", "pinned"),
    [
        ("https://zenodo.org/records/102", "zenodo:102"),
        ("https://zenodo.org/record/102", "zenodo:102"),
        ("https://zenodo.org/records/102#path=a_1.fq", "zenodo:102#path=a_1.fq"),
        ("https://zenodo.org/records/102/files/tables/x.csv?download=1", "zenodo:102/tables/x.csv"),
        ("https://zenodo.org/doi/10.5281/zenodo.101", "zenodo:102"),
        ("https://sandbox.zenodo.org/records/101", "https://sandbox.zenodo.org/records/102"),
        ("https://sandbox.zenodo.org/doi/10.5072%2Fzenodo.102", "https://sandbox.zenodo.org/records/102"),
        ("zenodo:///102/a_1.fq", "zenodo:102/a_1.fq"),
    ],
)
def test_a_page_is_the_record(page: str, pinned: str, zenodo: Any, bench: FetchBench) -> None:
    zenodo.record(102, FILES)
    answer = bench.one(Reference(page))
    assert (str(answer.pinned), answer.revision) == (pinned, "102")


@pytest.mark.parametrize("page", ["https://zenodo.org/", "https://zenodo.org/api/records/1/files/a/content",
                                  "https://zenodo.org/communities/lab", "https://zenodo.org/records/x"])  # fmt: skip
def test_another_address_of_the_site_is_left_to_the_web(page: str) -> None:
    net = Net(offline=True)
    assert ZenodoResolver().pin(Reference(page), net) is None
    assert ZenodoResolver().resolve(Reference(page), net) == [Source(Reference(page))]


@pytest.mark.parametrize("name", ["zenodo:", "zenodo:x", "zenodo:-1", "zenodo:10.5281/zenodo.1"])
def test_what_is_no_record_is_refused(name: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="not a record of Zenodo"):
        bench.one(Reference(name))


# -- records that are not there, or not for everybody


def test_missing_and_deleted_records_are_told_apart(zenodo: Any, bench: FetchBench) -> None:
    with pytest.raises(ReferenceNotFound, match="^zenodo:404: there is no such record"):
        bench.one(Reference("zenodo:404"))
    zenodo.add("/api/records/7", b'{"status": 410, "message": "Record deleted"}', status=410)
    with pytest.raises(ReferenceNotFound, match="^zenodo:7: the record has been deleted"):
        bench.one(Reference("zenodo:7"))


@pytest.mark.parametrize(
    ("access", "more", "said"),
    [
        ("restricted", {}, "the files of the record are restricted"),
        ("embargoed", {"embargo_date": "2099-01-02"}, "embargoed.*the embargo ends on 2099-01-02"),
    ],
)
def test_files_that_are_not_for_everybody_say_what_they_need(
    access: str, more: dict[str, str], said: str, zenodo: Any, bench: FetchBench
) -> None:
    ref = zenodo.record(102, FILES, access=access, **more)
    with pytest.raises(AccessDenied, match=said) as caught:
        bench.one(Reference(ref))
    assert "give a token" in str(caught.value.remedy)


@pytest.mark.parametrize("status", [401, 403])
def test_a_record_that_is_not_shown_is_no_missing_one(status: int, zenodo: Any, bench: FetchBench) -> None:
    zenodo.add("/api/records/7", b'{"message": "Permission denied."}', status=status)
    with pytest.raises(AccessDenied, match=f"^zenodo:7: the record is not shown to everybody.*{status}"):
        bench.one(Reference("zenodo:7"))


def test_a_token_opens_a_restricted_record_and_goes_to_no_other_host(zenodo: Any, bench: FetchBench) -> None:
    token = "canary-51a7f09e6c"
    bench.environment[f"WFX_TOKEN_127_0_0_1_{zenodo.port}"] = token
    ref = zenodo.record(102, {"a.fq": b"@1"}, access="restricted", shown=True)
    zenodo.resources["/api/records/102"].authorization = f"Bearer {token}"
    with FaultServer() as storage:
        target = storage.add("/bucket/a.fq?signature=1", b"@1")
        zenodo.resources["/api/records/102/files/a.fq/content"].authorization = f"Bearer {token}"
        zenodo.resources["/api/records/102/files/a.fq/content"].status = 302
        zenodo.resources["/api/records/102/files/a.fq/content"].headers = {"Location": target}
        assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"
        assert storage.requests
        assert not any("authorization" in request.headers for request in storage.requests)


def test_a_limit_of_requests_is_waited_for(zenodo: Any, bench: FetchBench) -> None:
    ref = zenodo.record(102, {"a.fq": b"@1"})
    limited = {"Retry-After": "0", "X-RateLimit-Remaining": "0"}
    zenodo.resources["/api/records/102"].refuse = [(429, limited), (429, limited)]
    assert bench.bytes_of(bench.one(Reference(ref), retries=3)) == b"@1"
    assert len(zenodo.asked("/api/records/102")) == 4


# -- answers that are not to be trusted


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", "a\nb", ".."])
def test_a_name_that_leads_elsewhere_is_refused(name: str, zenodo: Any, bench: FetchBench) -> None:
    with pytest.raises(PolicyError, match="a name there"):
        bench.one(Reference(zenodo.record(102, {name: b"x", "a.fq": b"@1"})))
    with pytest.raises(PolicyError, match="a name there"):
        bench.one(Reference(zenodo.record(112, {name: b"x"})))


def test_files_of_the_same_name_are_refused(zenodo: Any, bench: FetchBench) -> None:
    ref = zenodo.record(102, {"a": b"1", "a/b": b"2"})
    with pytest.raises(FetchError, match="the name of a folder"):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>busy</html>", "page"), (b"[]", "not understood"), (b'{"id": 8, "files": []}', "not understood"),
     (b"{", "no JSON")],
    ids=["page", "list", "other", "broken"],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error(body: bytes, said: str, zenodo: Any, bench: FetchBench) -> None:
    kind = "text/html" if body.startswith(b"<") else "application/json"
    zenodo.add("/api/records/7", body, headers={"Content-Type": kind})
    with pytest.raises(FetchError, match=said):
        bench.one(Reference("zenodo:7"))


def test_a_file_without_a_checksum_is_fetched_all_the_same(zenodo: Any, bench: FetchBench) -> None:
    ref = zenodo.record(102, {"a.fq": b"@1"})
    answer = json.loads(zenodo.resources["/api/records/102"].body)
    del answer["files"][0]["checksum"], answer["files"][0]["size"]
    zenodo.add("/api/records/102", json.dumps(answer).encode())
    assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"


@pytest.mark.parametrize("section", [{"sever": "https://x"}, {"server": "no address"}])
def test_a_wrong_setting_is_named(section: dict[str, str], bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.zenodo": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.zenodo\.(sever|server)'"):
        bench.one(Reference("zenodo:7"))
