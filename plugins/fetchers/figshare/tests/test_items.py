"""Items become files: which of them, what is held, which version, and files that are not for everybody."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_figshare import FigshareResolver

FILES = {"a_1.fq": b"@1", "a_2.fq": b"@2", "tables/x.csv": b"x", "tables/deep/y ü.csv": b"y"}


def test_an_item_is_the_folder_of_its_files_with_their_licence(figshare: Any, bench: FetchBench) -> None:
    answer = bench.one(Reference(figshare.item(12345, FILES, version=3)))
    assert bench.files_of(answer) == FILES
    assert (answer.licence, answer.revision, str(answer.pinned)) == ("CC-BY-4.0", "3", "figshare:12345@3")


def test_the_stated_size_and_checksum_are_held(figshare: Any, bench: FetchBench) -> None:
    ref = figshare.item(12345, {"a.fq": b"@1"})
    [source] = FigshareResolver().resolve(Reference(ref), bench.net())
    assert source.expected == Expected(None, 2, (("md5", hashlib.md5(b"@1", usedforsecurity=False).hexdigest()),))
    next(each for path, each in figshare.resources.items() if path.startswith("/files/")).body = b"@X"
    with pytest.raises(IntegrityError, match="md5"):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("/a_1.fq", b"@1"),
        ("#path=a_1.fq", b"@1"),
        ("@1/tables/deep/y%20%C3%BC.csv", b"y"),
        ("/tables", {"x.csv": b"x", "deep/y ü.csv": b"y"}),
        ("/a_*.fq", {"a_1.fq": b"@1", "a_2.fq": b"@2"}),
    ],
)
def test_a_part_is_a_file_a_folder_or_what_fits_a_wildcard(
    part: str, expected: Any, figshare: Any, bench: FetchBench
) -> None:
    ref = figshare.item(12345, FILES) + part
    answer = bench.one(Reference(ref))
    assert (bench.bytes_of(answer) if isinstance(expected, bytes) else bench.files_of(answer)) == expected
    before = len(figshare.requests)
    assert bench.one(Reference(ref), net=bench.net(offline=True)).sha256 == answer.sha256
    assert len(figshare.requests) == before


def test_all_pages_of_the_list_are_read(figshare: Any, bench: FetchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    figshare.size = 10
    monkeypatch.setattr("wfx_figshare.item.PAGE", 10)
    files = {f"f{number:03}": b"" for number in range(20)}
    found = FigshareResolver().resolve(Reference(figshare.item(12345, files)), bench.net())
    assert [source.name for source in found] == sorted(files)
    assert sum("page=" in request.path for request in figshare.requests) == 3


def test_without_a_list_by_pages_the_items_own_counts(figshare: Any, bench: FetchBench) -> None:
    assert bench.files_of(bench.one(Reference(figshare.item(12345, FILES, paged=False)))) == FILES


def test_without_a_version_it_is_the_newest(figshare: Any, bench: FetchBench) -> None:
    ref = figshare.item(12345, {"a.fq": b"old"})
    assert bench.bytes_of(bench.one(Reference(ref))) == b"old"
    figshare.item(12345, {"a.fq": b"new"}, version=2)
    second = bench.one(Reference(ref))
    assert (str(second.pinned), bench.bytes_of(second)) == ("figshare:12345@2", b"new")
    before = len(figshare.requests)
    assert bench.bytes_of(bench.one(Reference("figshare:12345@1"))) == b"old"
    assert len(figshare.requests) == before, "a version never changes"


@pytest.mark.parametrize(
    "page",
    [
        "https://figshare.com/articles/dataset/Reads_of_a_culture/12345/2",
        "https://figshare.com/articles/dataset/Reads_of_a_culture/12345",
        "https://figshare.com/articles/Reads_of_a_culture/12345/2",
        "https://figshare.com/articles/12345",
        "https://plos.figshare.com/articles/dataset/2020_reads/12345/2",
        "figshare:///12345@2",
    ],
)
def test_a_page_is_the_item(page: str, figshare: Any, bench: FetchBench) -> None:
    figshare.item(12345, FILES, version=2)
    answer = bench.one(Reference(page))
    assert (str(answer.pinned), bench.files_of(answer)) == ("figshare:12345@2", FILES)


def test_a_page_that_shows_one_file_is_that_file(figshare: Any, bench: FetchBench) -> None:
    figshare.item(12345, FILES, more={"a_2.fq": {"id": 77}})
    page = "https://figshare.com/articles/dataset/Reads/12345?file="
    assert bench.bytes_of(bench.one(Reference(f"{page}77"))) == b"@2"
    with pytest.raises(ReferenceNotFound, match="no file with the number 78"):
        bench.one(Reference(f"{page}78"))


@pytest.mark.parametrize("page", ["https://figshare.com/", "https://figshare.com/ndownloader/files/5",
                                  "https://figshare.com/s/0123456789abcdef", "https://figshare.com/articles/x"])  # fmt: skip
def test_another_address_of_the_site_is_left_to_the_web(page: str) -> None:
    net = Net(offline=True)
    assert FigshareResolver().pin(Reference(page), net) is None
    assert FigshareResolver().resolve(Reference(page), net) == [Source(Reference(page))]
    assert not FigshareResolver.never_changes(Reference(page))


@pytest.mark.parametrize("name", ["figshare:", "figshare:x", "figshare:1@x", "figshare:1@", "figshare:10.6084/m9.1"])
def test_what_is_no_item_is_refused(name: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="not an item of figshare"):
        bench.one(Reference(name))


# -- items that are not there, or not for everybody


def test_missing_items_versions_and_refusals_are_told_apart(figshare: Any, bench: FetchBench) -> None:
    figshare.refuse("/v2/articles/404", 404, "Entity not found: article")
    with pytest.raises(ReferenceNotFound, match="^figshare:404: there is no such public item.*Entity not found"):
        bench.one(Reference("figshare:404"))
    figshare.item(12345, FILES)
    with pytest.raises(ReferenceNotFound, match="there is no such version 9 of it"):
        bench.one(Reference("figshare:12345@9"))
    figshare.refuse("/v2/articles/403", 403, "Forbidden")
    with pytest.raises(AccessDenied, match="the item is not shown to everybody.*403"):
        bench.one(Reference("figshare:403"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"is_embargoed": True, "embargo_type": "file", "embargo_date": "2999-01-02T00:00:00Z", "embargo_reason": "a paper"},
         "under embargo until 2999-01-02.*a paper"),
        ({"is_embargoed": True, "embargo_type": "file"}, "under embargo without an end"),
        ({"is_confidential": True, "confidential_reason": "patients"}, "confidential.*patients"),
    ],
    ids=["embargo", "endless", "confidential"],
)  # fmt: skip
def test_files_that_are_not_for_everybody_say_what_they_need(
    fields: dict[str, Any], said: str, figshare: Any, bench: FetchBench
) -> None:
    ref = figshare.item(12345, FILES, private=True, **fields)
    with pytest.raises(AccessDenied, match=f"the files of the item are {said}") as caught:
        bench.one(Reference(ref))
    assert "give the token" in str(caught.value.remedy)


def test_a_token_opens_what_is_ones_own_and_goes_to_no_other_host(figshare: Any, bench: FetchBench) -> None:
    token = "canary-51a7f09e6c"
    bench.config.mkdir(parents=True)
    file = bench.config / "credentials.toml"
    file.write_text(f'["{figshare.url}"]\nheader = "Authorization"\nvalue = "token {token}"\n')
    file.chmod(0o600)
    ref = figshare.item(12345, {"a.fq": b"@1"}, private=True, is_embargoed=True, embargo_type="file")
    with FaultServer() as storage:
        for path, resource in figshare.resources.items():
            if path.startswith("/v2/account"):
                resource.authorization = f"token {token}"
            if path.startswith("/files/"):
                resource.status, resource.headers = 302, {"Location": storage.add("/bucket/a?signature=1", b"@1")}
        assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"
        assert storage.requests
        assert not any("authorization" in request.headers for request in storage.requests)


def test_a_limit_of_requests_is_waited_for(figshare: Any, bench: FetchBench) -> None:
    ref = figshare.item(12345, {"a.fq": b"@1"})
    figshare.resources["/v2/articles/12345"].refuse = [(429, {"Retry-After": "0"})]
    assert bench.bytes_of(bench.one(Reference(ref), retries=3)) == b"@1"


# -- answers that are not to be trusted


def test_a_file_that_lies_elsewhere_is_fetched_without_what_was_not_looked_at(figshare: Any, bench: FetchBench) -> None:
    with FaultServer() as elsewhere:
        linked = {"is_link_only": True, "download_url": elsewhere.add("/a", b"long"), "size": 0, "supplied_md5": ""}
        ref = figshare.item(12345, {"a.fq": b""}, more={"a.fq": {**linked, "computed_md5": ""}})
        assert bench.bytes_of(bench.one(Reference(ref))) == b"long"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://192.168.7.7/x", "ftp://example.org/x", ""])
def test_a_file_that_lies_where_none_may_is_refused(url: str, figshare: Any, bench: FetchBench) -> None:
    ref = figshare.item(12345, {"a.fq": b"@1"}, more={"a.fq": {"download_url": url, "is_link_only": True}})
    with pytest.raises((FetchError, PolicyError), match="none of the web|private"):
        bench.one(Reference(ref))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, figshare: Any, bench: FetchBench) -> None:
    with pytest.raises(PolicyError, match="a name there"):
        bench.one(Reference(figshare.item(12345, {"x": b"x", "a.fq": b"@1"}, more={"x": {"name": name}})))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>busy</html>", "text/html"),
        (b"[]", "application/json"),
        (b'{"id": 8, "version": 1}', "application/json"),
    ],
    ids=["page", "list", "other"],
)
def test_an_answer_that_is_none_is_an_error(body: bytes, kind: str, figshare: Any, bench: FetchBench) -> None:
    figshare.add("/v2/articles/7", body, headers={"Content-Type": kind})
    with pytest.raises(FetchError, match="not understood|a page came"):
        bench.one(Reference("figshare:7"))


@pytest.mark.parametrize("section", [{"apu": "https://x"}, {"api": "no address"}])
def test_a_wrong_setting_is_named(section: dict[str, Any], bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.figshare": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.figshare\.(apu|api)'"):
        bench.one(Reference("figshare:7"))
