"""Servers that lie, and those that are none."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from wfx.errors import DefinitionError, FetchError, IntegrityError, PolicyError
from wfx.testing.servers import FaultServer
from wfx_webdav.addresses import Address


def multistatus(*items: tuple[str, bool], size: int = 2, more: str = "", status: str = "HTTP/1.1 200 OK") -> bytes:
    text = "".join(
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{'<d:collection/>' if folder else ''}"
        f"</d:resourcetype><d:getcontentlength>{size}</d:getcontentlength>{more}</d:prop><d:status>{status}</d:status>"
        "</d:propstat></d:response>"
        for href, folder in items
    )
    start = '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">'
    return f"{start}{text}</d:multistatus>".encode()


def dav(server: FaultServer) -> str:
    return server.url.replace("http:", "webdav:")


@pytest.mark.parametrize(
    ("href", "problem"),
    [
        ("/other/x", "lists what is elsewhere"),
        ("/d/../x", "has a slash"),
        ("/d/..", "leads elsewhere"),
        ("/d/%2e%2e", "leads elsewhere"),
        ("/d/a%2Fb", "has a slash"),
        ("/d/a%0Ab", "control character"),
        ("/d/a/b/c", "has a slash"),
        ("http://elsewhere.example.org/x", "lists what is elsewhere"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(server: FaultServer, bench: Any, href: str, problem: str) -> None:
    server.add("/d/", multistatus(("/d/", True), (href, False)), status=207)
    with pytest.raises(PolicyError, match=problem):
        bench.one(f"{dav(server)}/d/")


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (b"<html/>", 200, "no WebDAV server: it answers 200 to PROPFIND"),
        (b"", 405, "no WebDAV server: it answers 405 to PROPFIND"),
        (b"<other/>", 207, "no list: it is a other"),
        (b"<!DOCTYPE a []><multistatus/>", 207, "declares entities"),
        (multistatus(("/d/a", False)), 207, "does not list what was asked for"),
        (multistatus(("/d/", True), ("/d/a", False), status="HTTP/1.1 403 Forbidden"), 207, "not tell of all.*403"),
    ],
    ids=["page", "refused", "other", "entities", "not here", "forbidden"],
)
def test_answers_that_are_none_are_errors(
    server: FaultServer, bench: Any, answer: bytes, status: int, problem: str
) -> None:
    server.add("/d/", answer, status=status)
    with pytest.raises(FetchError, match=problem):
        bench.one(f"{dav(server)}/d/")


def test_folders_without_end_are_an_error(server: FaultServer, bench: Any) -> None:
    for depth in range(70):
        path = "/d" + "/x" * depth
        server.add(f"{path}/", multistatus((f"{path}/", True), (f"{path}/x/", True)), status=207)
    with pytest.raises(FetchError, match="deeper than 64"):
        bench.one(f"{dav(server)}/d/")
    server.add("/m/", multistatus(("/m/", True), *((f"/m/{number}", False) for number in range(5))), status=207)
    bench.network = {"sections": {"fetcher.webdav": {"max_files": 4}}}
    with pytest.raises(FetchError, match="more than 4 files there"):
        bench.one(f"{dav(server)}/m/")


def test_sizes_and_checksums_that_are_listed_are_held(server: FaultServer, bench: Any) -> None:
    server.add("/d/a", b"wrong\n")
    server.add("/d/", multistatus(("/d/", True), ("/d/a", False)), status=207)
    with pytest.raises(IntegrityError, match="6 bytes where 2 are stated"):
        bench.one(f"{dav(server)}/d/")
    sums = (
        f"<oc:checksums><oc:checksum>SHA1:{hashlib.sha1(b'right').hexdigest()} ADLER32:1</oc:checksum></oc:checksums>"
    )
    server.add("/d/", multistatus(("/d/", True), ("/d/a", False), size=6, more=sums), status=207)
    with pytest.raises(IntegrityError, match="sha1"):
        bench.one(f"{dav(server)}/d/")
    server.add("/a", b"wrong\n", headers={"OC-Checksum": f"MD5:{hashlib.md5(b'right').hexdigest()}"})
    with pytest.raises(IntegrityError, match="md5"):
        bench.one(f"{dav(server)}/a")


def test_a_page_about_a_folder_is_not_its_content(server: FaultServer, bench: Any) -> None:
    server.add("/d", multistatus(("/d/", True)), status=207, headers={"Content-Type": "text/html"})
    server.resources["/d"].on_request = lambda request, resource: setattr(
        resource, "status", 207 if request.method == "PROPFIND" else 200
    )
    with pytest.raises(FetchError, match="it is a folder; write"):
        bench.one(f"{dav(server)}/d")
    server.redirect("/e", f"{server.url}/e/", 301)
    server.add("/e/", b"<html>")
    with pytest.raises(FetchError, match="it is a folder; write"):
        bench.one(f"{dav(server)}/e")
    server.add("/page", b"<html>", headers={"Content-Type": "text/html"})
    assert bench.bytes_of(bench.one(f"{dav(server)}/page")) == b"<html>"


def test_a_log_in_goes_to_no_other_server(server: FaultServer, bench: Any) -> None:
    with FaultServer() as other:
        other.add("/a", b"a\n")
        server.redirect("/a", f"{other.url}/a")
        bench.login(server.url, "ada", "pass-w0rd")
        assert bench.bytes_of(bench.one(f"{dav(server)}/a")) == b"a\n"
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    ("uri", "problem"),
    [("webdav:///a", "no host"), ("webdav://h:x/a", "no address"), ("davs://h/a%0Ab", "control character"),
     ("dav://h/a/%2e%2E/b", "'..' in a reference")],
)  # fmt: skip
def test_what_is_no_reference_is_said(bench: Any, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        bench.one(uri)


def test_settings_are_checked(server: FaultServer, bench: Any) -> None:
    for section in ({"max_files": 0}, {"what": 1}):
        bench.network = {"sections": {"fetcher.webdav": section}}
        with pytest.raises(DefinitionError, match=r"fetcher\.webdav"):
            bench.one(f"{dav(server)}/d/")


def test_secure_schemes_are_https() -> None:
    from wfx.fetching import Reference

    assert Address.parse(Reference("webdavs://h/a")).server == "https://h"
    assert Address.parse(Reference("davs://h/a")).server == "https://h"
    assert Address.parse(Reference("dav://h/a")).server == "http://h"
