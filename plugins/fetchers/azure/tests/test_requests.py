"""What a store says in place of an answer, lists that lie, proofs, and settings."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx.testing.servers import FaultServer
from wfx_azure import AzureFetcher
from wfx_azure.fetcher import _Container

REF = "az://container/a.txt"
PATH = "/account/container/a.txt"
SAS = "sv=2021-12-02&sp=rl&sig=canary%2Fsignature%3D"
KEY = base64.b64encode(b"canary-key-of-an-account").decode()


def at(bench: Any, server: FaultServer, **more: Any) -> Any:
    return bench.at(f"{server.url}/account", **more)


def query(prefix: str, marker: str = "", most: int = 5000) -> str:
    parameters = {
        "restype": "container",
        "comp": "list",
        "prefix": prefix,
        "maxresults": str(most),
        "include": "metadata",
    }
    return f"/account/container?{urlencode(parameters | ({'marker': marker} if marker else {}))}"


def listing(*names: str, marker: str = "", more: str = "", size: int = 2) -> bytes:
    blobs = "".join(
        f"<Blob><Name>{name}</Name><Properties><Content-Length>{size}</Content-Length>{more}</Properties></Blob>"
        for name in names
    )
    return f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>".encode()


@pytest.mark.parametrize(
    ("status", "code", "error", "message"),
    [
        (404, "BlobNotFound", ReferenceNotFound, "no such blob: BlobNotFound: No.; check"),
        (404, "ContainerNotFound", ReferenceNotFound, "no such container"),
        (404, "ResourceNotFound", AccessDenied, r'without proof.*\["az://container"\] in credentials.toml'),
        (403, "AuthorizationFailure", AccessDenied, "without proof"),
        (409, "PublicAccessNotPermitted", AccessDenied, "without proof"),
        (409, "BlobArchived", FetchError, "archived.*rehydrate it"),
        (400, "InvalidUri", FetchError, "refuses it: InvalidUri"),
        (503, "ServerBusy", FetchError, "503"),
    ],
)
def test_a_refusal_is_told_by_its_code(
    server: FaultServer, bench: Any, status: int, code: str, error: type, message: str
) -> None:
    server.add(PATH, f"<Error><Code>{code}</Code><Message>No.\nRequestId:1</Message></Error>".encode(), status=status)
    with pytest.raises(error, match=message) as caught:
        at(bench, server).one(REF)
    assert "RequestId" not in str(caught.value)


def test_a_proof_that_is_refused_is_named_and_not_shown(server: FaultServer, bench: Any) -> None:
    server.add(PATH, b"", status=403, headers={"x-ms-error-code": "AuthenticationFailed"})
    at(bench, server).login("", "", "canary-token-1")
    with pytest.raises(
        AccessDenied, match=r"not accept the proof: AuthenticationFailed; .*WFX_TOKEN_CONTAINER"
    ) as caught:
        bench.one(REF)
    assert "canary" not in str(caught.value)


def test_a_sas_goes_along_wherever_it_is_given(
    server: FaultServer, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(f"{PATH}?{SAS}", b"x")
    at(bench, server)
    assert bench.bytes_of(bench.one(f"{REF}?{SAS}")) == b"x"
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"?{SAS}")
    assert bench.bytes_of(bench.one(REF)) == b"x"
    assert "authorization" not in server.requests[-1].headers
    assert "canary" not in repr(Reference(f"{REF}?{SAS}"))


def test_the_sas_of_a_folders_reference_goes_to_its_blobs(server: FaultServer, bench: Any) -> None:
    server.add(f"{query('d/')}&{SAS}", listing("d/a"))
    server.add(f"/account/container/d/a?{SAS}", b"ab")
    assert bench.files_of(at(bench, server).one(f"az://container/d/?{SAS}")) == {"a": b"ab"}


def test_an_accounts_key_makes_a_signature_for_reading(server: FaultServer, bench: Any) -> None:
    bench.environment |= {"WFX_USER_CONTAINER": "x", "WFX_PASSWORD_CONTAINER": KEY}
    with pytest.raises(ReferenceNotFound):
        at(bench, server).one(REF)
    sent = parse_qs(urlsplit(server.requests[0].path).query)
    assert (sent["sp"], sent["sr"], len(base64.b64decode(sent["sig"][0]))) == (["rl"], ["c"], 32)
    assert "canary" not in server.requests[0].path
    bench.environment["WFX_PASSWORD_CONTAINER"] = "no base64!"
    with pytest.raises(DefinitionError, match="no base64"):
        bench.one(REF)


def test_a_version_is_asked_for_and_never_again(server: FaultServer, bench: Any) -> None:
    server.add(f"{PATH}?versionid=2026-01-01T00%3A00%3A00.0000000Z", b"old\n")
    ref = f"{REF}?versionid=2026-01-01T00:00:00.0000000Z"
    assert bench.bytes_of(at(bench, server).one(ref)) == b"old\n"
    assert bench.one(ref).from_store
    assert len(server.requests) == 1


def test_the_md5_that_the_store_states_is_held(server: FaultServer, bench: Any) -> None:
    right = base64.b64encode(hashlib.md5(b"right\n").digest()).decode()
    at(bench, server)
    for name in ("Content-MD5", "x-ms-blob-content-md5"):
        server.add(PATH, b"wrong\n", headers={name: right})
        with pytest.raises(IntegrityError, match="md5"):
            bench.one(REF)


def test_the_md5_of_a_range_is_not_of_the_whole(server: FaultServer, bench: Any) -> None:
    server.add(PATH, b"0123456789", headers={"Content-MD5": base64.b64encode(hashlib.md5(b"6789").digest()).decode()})
    body = AzureFetcher().open(Reference(REF), at(bench, server).net(), Span(6, None, '"1"'))
    assert (body.start, read(body), body.checksums) == (6, b"6789", ())


def test_a_prefix_is_listed_page_by_page_and_its_blobs_come(server: FaultServer, bench: Any) -> None:
    server.add(query("d/"), listing("d/a b.txt", marker="more"))
    encoded = listing("d/sub/%C3%A9.txt").replace(b"<Name>", b'<Name Encoded="true">')
    server.add(query("d/", "more"), encoded)
    server.add("/account/container/d/a%20b.txt", b"a\n")
    server.add("/account/container/d/sub/%C3%A9.txt", b"e\n")
    answer = at(bench, server).one("az://container/d/")
    assert bench.files_of(answer) == {"a b.txt": b"a\n", "sub/é.txt": b"e\n"}


def test_marks_of_folders_are_left_out(server: FaultServer, bench: Any) -> None:
    mark = listing("d/sub", "d/sub/", more="<ResourceType>directory</ResourceType>", size=0)
    blob = listing("d/sub/a").partition(b"<Blobs>")[2].partition(b"</Blobs>")[0]
    server.add(query("d/"), mark.replace(b"</Blobs>", blob + b"</Blobs>"))
    server.add("/account/container/d/sub/a", b"a\n")
    assert bench.files_of(at(bench, server).one("az://container/d/")) == {"sub/a": b"a\n"}


def test_sizes_and_checksums_that_are_listed_are_held(server: FaultServer, bench: Any) -> None:
    server.add("/account/container/d/a", b"longer\n")
    server.add(query("d/"), listing("d/a"))
    with pytest.raises(IntegrityError, match="7 bytes where 2 are stated"):
        at(bench, server).one("az://container/d/")
    md5 = base64.b64encode(bytes(16)).decode()
    server.add(query("d/"), listing("d/a", size=7, more=f"<Content-MD5>{md5}</Content-MD5>"))
    with pytest.raises(IntegrityError, match="md5"):
        bench.one("az://container/d/")


def test_a_folder_without_its_slash_is_said(server: FaultServer, bench: Any) -> None:
    server.add("/account/container/d", b"<Error><Code>BlobNotFound</Code></Error>", status=404)
    server.add(query("d/", most=1), listing("d/a"))
    with pytest.raises(FetchError, match="it is a folder; write az://container/d/ to fetch"):
        at(bench, server).one("az://container/d")


@pytest.mark.parametrize("name", ["d/../x", "d//etc/passwd", "d/a&#10;b"], ids=["up", "empty", "newline"])
def test_names_that_lead_elsewhere_are_refused(server: FaultServer, bench: Any, name: str) -> None:
    server.add(query("d/"), listing(name))
    with pytest.raises(PolicyError, match="a name there"):
        at(bench, server).one("az://container/d/")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(listing("other/a"), "not asked for"), (listing("d/a", marker="x"), "no end"), (b"<Other/>", "no list"),
     (b"<Enumeration", "not valid XML"), (b"<!DOCTYPE a []><a/>", "declares entities")],
    ids=["elsewhere", "circle", "other", "cut", "entities"],
)  # fmt: skip
def test_lists_that_lie_are_errors(server: FaultServer, bench: Any, answer: bytes, problem: str) -> None:
    server.add(query("d/"), answer)
    server.add(query("d/", "x"), answer)
    with pytest.raises(FetchError, match=problem):
        at(bench, server).one("az://container/d/")


def test_too_many_blobs_and_none_are_errors(server: FaultServer, bench: Any) -> None:
    server.add(query("d/"), listing("d/1", "d/2", "d/3"))
    server.add(query("none/"), listing())
    with pytest.raises(FetchError, match=r"more than 2 blobs there; .*fetcher\.azure\.max_files"):
        at(bench, server, max_files=2).one("az://container/d/")
    with pytest.raises(ReferenceNotFound, match="nothing below"):
        bench.one("az://container/none/")


@pytest.mark.parametrize(
    ("section", "uri", "root"),
    [
        ({"account": "mine1"}, "az://container/a", "https://mine1.blob.core.windows.net"),
        ({"account": "mine1"}, "abfs://container/a", "https://mine1.blob.core.windows.net"),
        ({}, "abfss://container@other1.dfs.core.windows.net/a", "https://other1.blob.core.windows.net"),
        ({}, "abfss://container@other1.blob.core.chinacloudapi.cn/a", "https://other1.blob.core.chinacloudapi.cn"),
        ({"endpoint": "http://h:10000/dev/"}, "az://container/a", "http://h:10000/dev"),
    ],
)
def test_addresses_are_those_of_the_account(bench: Any, section: dict[str, str], uri: str, root: str) -> None:
    bench.network = {"sections": {"fetcher.azure": section}}
    assert _Container(Reference(uri), bench.net()).root == root


def test_the_account_of_the_environment_is_taken(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DefinitionError, match="not known in which account"):
        bench.one(REF)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "mine1")
    assert _Container(Reference(REF), bench.net()).root == "https://mine1.blob.core.windows.net"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("az:container/a", "no valid container"),
        ("az://c/a", "no valid container"),
        ("abfss://container@elsewhere.example.org/a", "no valid account"),
        ("abfss://user:secret1@acc1.dfs.core.windows.net/a", "no valid container"),
        ("az://container/a?x=1", "'x' has no meaning here"),
    ],
)
def test_what_is_no_reference_is_said(bench: Any, uri: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem) as caught:
        bench.one(uri)
    assert "secret1" not in str(caught.value)


@pytest.mark.parametrize(
    "section", [{"endpoint": "host"}, {"what": 1}, {"account": "Not-One"}, {"anonymous": "yes"}, {"max_files": 0}],
    ids=["address", "unknown", "account", "type", "number"],
)  # fmt: skip
def test_settings_are_checked(bench: Any, section: dict[str, Any]) -> None:
    bench.network = {"sections": {"fetcher.azure": section}}
    with pytest.raises(DefinitionError, match=r"fetcher\.azure\."):
        bench.one(REF)
