"""Projects become files: which of them, what is held, and what is not for everybody."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_osf import OsfResolver

FILES = {"a_1.fq": b"@1", "a_2.fq": b"@2", "tables/x.csv": b"x", "tables/deep/y ü.csv": b"y", "one/z": b"z"}


@pytest.mark.parametrize("kind", ["nodes", "registrations"])
def test_a_project_is_the_folder_of_its_files_with_their_licence(kind: str, osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", FILES, kind=kind)
    answer = bench.one(Reference(ref))
    assert (bench.files_of(answer), answer.licence) == (FILES, "CC-BY-4.0")


def test_the_stated_size_and_checksums_are_held(osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"a.fq": b"@1"})
    [source] = OsfResolver().resolve(Reference(ref), bench.net())
    assert source.expected.sha256 == hashlib.sha256(b"@1").hexdigest()
    assert source.expected.checksums == (("md5", hashlib.md5(b"@1", usedforsecurity=False).hexdigest()),)
    assert source.expected.size == 2
    next(each for path, each in osf.resources.items() if path.startswith("/download/")).body = b"@X"
    with pytest.raises(IntegrityError):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("/a_1.fq", b"@1"),
        ("#path=a_1.fq", b"@1"),
        ("/tables/deep/y%20%C3%BC.csv", b"y"),
        ("/tables", {"x.csv": b"x", "deep/y ü.csv": b"y"}),
        ("#path=tables/", {"x.csv": b"x", "deep/y ü.csv": b"y"}),
        ("/tables#path=x.csv", b"x"),
        ("/a_*.fq", {"a_1.fq": b"@1", "a_2.fq": b"@2"}),
        ("#path=one", b"z"),
    ],
)
def test_a_part_is_a_file_a_folder_or_what_fits_a_wildcard(
    part: str, expected: Any, osf: Any, bench: FetchBench
) -> None:
    ref = osf.project("ab12c", FILES) + part
    answer = bench.one(Reference(ref))
    assert (bench.bytes_of(answer) if isinstance(expected, bytes) else bench.files_of(answer)) == expected
    before = len(osf.requests)
    assert bench.one(Reference(ref), net=bench.net(offline=True)).sha256 == answer.sha256
    assert len(osf.requests) == before


def test_only_folders_on_the_way_are_listed(osf: Any, bench: FetchBench) -> None:
    bench.one(Reference(osf.project("ab12c", FILES) + "/tables/x.csv"))
    assert sum("/files/osfstorage/" in request.path for request in osf.requests) == 2


def test_an_archive_is_gone_into(osf: Any, bench: FetchBench) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("in/a", "inside")
    ref = osf.project("ab12c", {"d/x.zip": data.getvalue(), "y": b"y"})
    for name in ("/d/x.zip#path=in/a", "/d/x.zip/in/a", "#path=d/x.zip/in/a"):
        assert bench.bytes_of(bench.one(Reference(ref + name))) == b"inside"


def test_all_pages_of_a_folder_are_read(osf: Any, bench: FetchBench) -> None:
    files = {f"f{number:03}": b"%d" % number for number in range(25)}
    assert bench.files_of(bench.one(Reference(osf.project("ab12c", files, pages=10)))) == files


def test_pages_without_an_end_are_an_error(osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"a": b"1"})
    url = "/v2/nodes/ab12c/files/osfstorage/?page%5Bsize%5D=100"
    osf.answer(url, [], links={"next": osf.url + url})
    with pytest.raises(FetchError, match="has no end"):
        bench.one(Reference(ref))


def test_a_version_of_a_file_can_be_named(osf: Any, bench: FetchBench) -> None:
    file = osf.file("a.fq", b"new", version=2)
    osf.add(f"/download/{file['id']}?version=1", b"old one")
    ref = osf.project("ab12c", {"a.fq": file, "b.fq": b"b"})
    assert bench.bytes_of(bench.one(Reference(f"{ref}/a.fq"))) == b"new"
    assert bench.bytes_of(bench.one(Reference(f"{ref}/a.fq?version=2"))) == b"new"
    assert bench.bytes_of(bench.one(Reference(f"{ref}/a.fq?version=1"))) == b"old one"
    with pytest.raises(DefinitionError, match="a version is that of one file"):
        bench.one(Reference(f"{ref}/*.fq?version=1"))


def test_files_and_preprints_have_identifiers_too(osf: Any, bench: FetchBench) -> None:
    file = osf.file("paper.pdf", b"%PDF")
    osf.redirect("/v2/guids/fi1e0/", f"{osf.url}/v2/files/{file['id']}/")
    related = {"links": {"related": {"href": f"{osf.url}/v2/files/{file['id']}/"}}}
    osf.answer("/v2/preprints/pp123_v1/", {"id": "pp123_v1", "type": "preprints", "attributes": {},
                                           "relationships": {"primary_file": related}})  # fmt: skip
    osf.redirect("/v2/guids/pp123_v1/", f"{osf.url}/v2/preprints/pp123_v1/")
    for ref in (
        "osf:fi1e0", "osf:pp123_v1", "https://osf.io/fi1e0/", "https://osf.io/preprints/psyarxiv/pp123_v1",
        f"https://osf.io/ab12c/files/osfstorage/{file['id']}",
    ):  # fmt: skip
        answer = bench.one(Reference(ref))
        assert (bench.bytes_of(answer), answer.name) == (b"%PDF", "paper.pdf")


@pytest.mark.parametrize(
    "page", ["https://osf.io/ab12c", "https://osf.io/ab12c/", "https://osf.io/ab12c/files/osfstorage"]
)
def test_a_page_is_the_project(page: str, osf: Any, bench: FetchBench) -> None:
    osf.project("ab12c", FILES)
    assert bench.files_of(bench.one(Reference(page))) == FILES


@pytest.mark.parametrize("page", ["https://osf.io/", "https://osf.io/download/ab12c?version=1", "https://osf.io/login",
                                  "https://osf.io/ab12c/wiki/home/"])  # fmt: skip
def test_another_address_of_the_site_is_left_to_the_web(page: str) -> None:
    assert OsfResolver().resolve(Reference(page), Net(offline=True)) == [Source(Reference(page))]


@pytest.mark.parametrize("name", ["osf:", "osf:abc", "osf:ABCDE", "osf:abcdef"])
def test_what_is_no_identifier_is_refused(name: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="not an identifier of OSF"):
        bench.one(Reference(name))


# -- what is not there, or not for everybody


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, ReferenceNotFound, "OSF has no such thing.*Not found"),
        (410, ReferenceNotFound, "it has been deleted"),
        (401, AccessDenied, "it is not public.*401"),
        (403, AccessDenied, "it is not public.*403"),
    ],
)
def test_refusals_are_told_apart(status: int, kind: type[Exception], said: str, osf: Any, bench: FetchBench) -> None:
    osf.refuse("/v2/guids/ab12c/", status, "Not found." if status == 404 else "No.")
    osf.resources["/v2/guids/ab12c/"].headers = {"Content-Type": "application/json"}
    with pytest.raises(kind, match=f"^osf:ab12c: {said}"):
        bench.one(Reference("osf:ab12c"))


def test_a_withdrawn_registration_and_things_without_files_are_named(osf: Any, bench: FetchBench) -> None:
    with pytest.raises(ReferenceNotFound, match="has been withdrawn"):
        bench.one(Reference(osf.project("ab12c", FILES, kind="registrations", withdrawn=True)))
    osf.answer("/v2/guids/user0/", {"id": "user0", "type": "users", "attributes": {}})
    with pytest.raises(FetchError, match="one of OSF's users, which have no files"):
        bench.one(Reference("osf:user0"))


def test_a_token_opens_a_private_project_and_goes_to_no_other_host(osf: Any, bench: FetchBench) -> None:
    token = "canary-51a7f09e6c"
    bench.environment[f"WFX_TOKEN_127_0_0_1_{osf.port}"] = token
    ref = osf.project("ab12c", {"a.fq": b"@1"}, public=False)
    with FaultServer() as storage:
        for path, resource in osf.resources.items():
            resource.authorization = f"Bearer {token}"
            if path.startswith("/download/"):
                resource.status, resource.headers = 302, {"Location": storage.add("/bucket/a?signature=1", b"@1")}
        assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"
        assert storage.requests
        assert not any("authorization" in request.headers for request in storage.requests)


def test_a_limit_of_requests_is_waited_for(osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"a.fq": b"@1"})
    osf.resources["/v2/nodes/ab12c/"].refuse = [(429, {"Retry-After": "0"})]
    assert bench.bytes_of(bench.one(Reference(ref), retries=3)) == b"@1"


# -- answers that are not to be trusted


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, osf: Any, bench: FetchBench) -> None:
    files = {"x": osf.file("x", b"x", attributes={"name": name}), "a.fq": b"@1"}
    with pytest.raises(PolicyError, match="a name there"):
        bench.one(Reference(osf.project("ab12c", files)))


def test_a_folder_within_itself_is_refused(osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"d/x": b"x"})
    inner = next(path for path in osf.resources if path.count("/") == 7 and "osfstorage" in path)
    outer = "/v2/nodes/ab12c/files/osfstorage/?page%5Bsize%5D=100"
    osf.resources[inner].body = osf.resources[outer].body
    with pytest.raises(PolicyError, match="leads back to a folder"):
        bench.one(Reference(ref))


def test_an_interface_that_leads_elsewhere_is_refused(osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"a": b"1"})
    with FaultServer() as other:
        osf.answer(
            "/v2/nodes/ab12c/files/osfstorage/?page%5Bsize%5D=100", [], links={"next": f"{other.url}/v2/files?page=2"}
        )
        with pytest.raises(PolicyError, match="leads to another host"):
            bench.one(Reference(ref))
        assert not other.requests


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://192.168.7.7/x", ""])
def test_a_file_that_lies_where_none_may_is_refused(url: str, osf: Any, bench: FetchBench) -> None:
    ref = osf.project("ab12c", {"a": osf.file("a", b"1", links={"download": url})})
    with pytest.raises((FetchError, PolicyError), match="none of the web|private"):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>busy</html>", "text/html"), (b"[]", "application/json"), (b'{"data": []}', "application/json")],
    ids=["page", "list", "many"],
)
def test_an_answer_that_is_none_is_an_error(body: bytes, kind: str, osf: Any, bench: FetchBench) -> None:
    osf.add("/v2/guids/ab12c/", body, headers={"Content-Type": kind})
    with pytest.raises(FetchError, match="not understood|a page came"):
        bench.one(Reference("osf:ab12c"))


@pytest.mark.parametrize("section", [{"apu": "https://x"}, {"api": "no address"}])
def test_a_wrong_setting_is_named(section: dict[str, Any], bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.osf": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.osf\.(apu|api)'"):
        bench.one(Reference("osf:ab12c"))
