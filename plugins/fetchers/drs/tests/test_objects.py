"""Objects: ways to the bytes, what is stated of them, proof, patience, and repositories that are not to be trusted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from wfx.errors import (
    AccessDenied,
    DefinitionError,
    FetchError,
    IntegrityError,
    PolicyError,
    ReferenceNotFound,
    UnknownKey,
)
from wfx.fetching import Expected, Net, Reference, Source
from wfx.redaction import redact
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_drs.addresses import is_compact, object_of

DATA = b"ACGT" * 5000
TOKEN = "canary-4be1c09d77"


def login(bench: FetchBench, text: str) -> None:
    bench.config.mkdir(exist_ok=True)
    path = bench.config / "credentials.toml"
    path.write_text(text)
    path.chmod(0o600)


# -- what is stated is held


@pytest.mark.parametrize("algorithm", ["sha-256", "sha256", "SHA-256", "md5", "sha1", "sha-512", "crc32c"])
def test_every_checksum_is_held(repository: Any, bench: FetchBench, algorithm: str) -> None:
    good = repository.put("good", DATA, algorithms=[algorithm])
    assert bench.bytes_of(bench.one(good)) == DATA
    other = repository.put("bad", DATA, algorithms=[algorithm])
    repository.resources["/data/bad"].body = DATA[:-1] + b"X"
    with pytest.raises(IntegrityError, match=algorithm.lower().replace("-", "")):
        bench.one(other)
    assert bench.store.known(other) is None


def test_every_one_of_several_checksums_is_held(repository: Any, bench: FetchBench) -> None:
    sums = [
        {"type": "sha-256", "checksum": hashlib.sha256(DATA).hexdigest()},
        {"type": "md5", "checksum": hashlib.md5(b"other").hexdigest()},
    ]
    ref = repository.put("x", DATA, checksums=sums)
    with pytest.raises(IntegrityError, match="md5"):
        bench.one(ref)


def test_a_checksum_in_base64_is_read_and_an_etag_is_none(repository: Any, bench: FetchBench) -> None:
    sums = [
        {"type": "etag", "checksum": "d41d8cd98f00b204e9800998ecf8427e-7"},
        {"type": "crc32c", "checksum": "AAAAAA=="},
    ]
    assert bench.bytes_of(bench.one(repository.put("empty", b"", checksums=sums))) == b""
    with pytest.raises(IntegrityError, match="crc32c"):
        bench.one(repository.put("full", DATA, checksums=sums))


def test_a_repository_that_lies_about_the_size_is_found_out(repository: Any, bench: FetchBench) -> None:
    for size in (len(DATA) - 1, len(DATA) + 1, 0):
        with pytest.raises(IntegrityError, match="bytes"):
            bench.one(repository.put(f"s{size}", DATA, size=size))
    with pytest.raises(FetchError, match="the size -5"):
        bench.one(repository.put("minus", DATA, size=-5))


def test_what_the_user_states_counts_beside_it(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    with pytest.raises(IntegrityError):
        bench.one(Source(ref, Expected(sha256="0" * 64)))


def test_name_and_media_type_are_the_repositorys(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("314159", DATA, name="folder/reads.fq", mime_type="text/plain")
    answer = bench.one(ref)
    assert (answer.name, answer.media_type, answer.size) == ("reads.fq", "text/plain", len(DATA))
    assert answer.hops == (ref,)


@pytest.mark.parametrize("name", ["..", "a/..", "\x1b[2J", ""])
def test_a_name_that_leads_astray_is_not_taken(repository: Any, bench: FetchBench, name: str) -> None:
    assert bench.one(repository.put("314159", DATA, name=name)).name == "314159"


# -- ways


def test_an_access_id_is_exchanged_and_its_headers_are_sent(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x y/z", DATA, methods=[{"type": "https", "access_id": "a/1"}])
    url = repository.add("/blob?X-Signature=very-secret", DATA, authorization="Basic Z2E0Z2g6ZHJz")
    repository.access("x y/z", "a/1", url, ["Authorization: Basic Z2E0Z2g6ZHJz", "X-Empty:"])
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert repository.asked("/blob?X-Signature=very-secret")[0].headers["x-empty"] == ""
    assert "very-secret" not in repr(bench.store.known(ref))


def test_an_object_stores_signed_address_is_taken_and_one_of_its_own_scheme_is_handed_on(
    repository: Any, bench: FetchBench
) -> None:
    ref = repository.put("signed", DATA, methods=[{"type": "s3", "access_id": "s3"}])
    repository.access("signed", "s3", repository.url + "/data/signed")
    assert bench.bytes_of(bench.one(ref)) == DATA
    ref = repository.put("raw", DATA, methods=[{"type": "s3", "access_id": "s3"}])
    repository.access("raw", "s3", "s3://bucket/key")
    with pytest.raises(UnknownKey, match="no fetcher for 's3:'"):
        bench.one(ref)
    from wfx_drs import DrsResolver

    net = bench.net()
    [source] = DrsResolver().resolve(ref, net)
    net.close()
    assert source.reference == Reference("s3://bucket/key")
    assert source.expected.sha256 == hashlib.sha256(DATA).hexdigest()


def test_the_next_way_is_gone_where_one_does_not_lead_there(repository: Any, bench: FetchBench) -> None:
    ways = [
        {"type": "s3", "access_url": {"url": "s3://bucket/key"}},
        {"type": "https", "access_url": {"url": repository.url + "/gone"}},
        {"type": "gs", "access_id": "gs"},
    ]
    ref = repository.put("x", DATA, methods=ways)
    repository.access("x", "gs", repository.url + "/data/x")
    assert bench.bytes_of(bench.one(ref)) == DATA


def test_ways_that_nobody_can_go_are_named(repository: Any, bench: FetchBench) -> None:
    ways = [
        {"type": "globus", "access_url": {"url": "globus://endpoint/x"}},
        {"type": "file", "access_url": {"url": "file:///etc/passwd"}},
    ]
    with pytest.raises(FetchError, match="it offers file, globus"):
        bench.one(repository.put("x", DATA, methods=ways))


def test_a_signed_address_that_has_run_out_is_asked_for_anew(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA, methods=[{"type": "https", "access_id": "1"}])
    path = repository.path("x") + "/access/1"
    repository.access("x", "1", repository.url + "/first")
    repository.add("/first", DATA, cut=[9000])
    repository.add("/second", DATA)

    def renew(request: Any, resource: Any) -> None:
        if repository.asked("/first"):
            resource.body = json.dumps({"url": repository.url + "/second"}).encode()

    repository.resources[path].on_request = renew
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert len(repository.asked("/second")) == 1


# -- patience


def test_what_is_being_thawed_is_waited_for(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA, methods=[{"type": "https", "access_id": "1"}])
    not_yet = (202, {"Retry-After": "0"})
    repository.resources[repository.path("x")].refuse = [not_yet]
    repository.access("x", "1", repository.url + "/data/x", refuse=[not_yet])
    assert bench.bytes_of(bench.one(ref)) == DATA


def test_a_server_that_is_busy_is_asked_again_and_at_last_given_up(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    repository.resources[repository.path("x")].refuse = [(429, {"Retry-After": "0"}), (503, {})]
    assert bench.bytes_of(bench.one(ref)) == DATA
    ref = repository.put("y", DATA)
    repository.resources[repository.path("y")].refuse = [(429, {"Retry-After": "0"})] * 9
    with pytest.raises(FetchError, match="429"):
        bench.one(ref)
    assert len(repository.asked(repository.path("y"))) == 3


# -- proof


def test_bearer_and_basic_are_the_gates(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    repository.resources[repository.path("x")].authorization = f"Bearer {TOKEN}"
    login(bench, f'["{repository.url}/ga4gh"]\ntoken = "{TOKEN}"\n')
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert "authorization" not in repository.asked("/data/x")[0].headers, "the token is for /ga4gh alone"


def test_passports_are_shown_by_post_for_object_and_access(repository: Any, bench: FetchBench) -> None:
    passports = [f"eyJ.{TOKEN}.one", f"eyJ.{TOKEN}.two"]
    ref = repository.put("x", DATA, methods=[{"type": "https", "access_id": "1"}])
    repository.access("x", "1", repository.url + "/data/x")
    repository.ask_passports("x", passports)
    repository.ask_passports("x", passports, "/access/1")
    login(bench, f'["{repository.url}"]\npassports = {json.dumps(passports)}\n')
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert {request.method for request in repository.asked(repository.path("x") + "/access/1")} == {"POST"}
    blob = repository.asked("/data/x")[0]
    assert TOKEN not in repr(blob)


@pytest.mark.parametrize("table", ["drs://HOST", "drs://HOST/x", "drs://"])
def test_credentials_may_be_given_for_the_identifier(repository: Any, bench: FetchBench, table: str) -> None:
    ref = repository.put("x", DATA, methods=[{"type": "https", "access_id": "1"}])
    repository.access("x", "1", repository.url + "/data/x")
    for tail in ("", "/access/1"):
        repository.resources[repository.path("x") + tail].authorization = f"Bearer {TOKEN}"
    login(bench, f'["{table.replace("HOST", repository.host)}"]\ntoken = "{TOKEN}"\n')
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert TOKEN not in repr(repository.asked("/data/x"))


def test_passports_for_all_repositories_are_not_for_those_that_a_bundle_names(
    repository: Any, another: Any, bench: FetchBench
) -> None:
    there = another.put("1", DATA, methods=[{"type": "https", "access_id": "a"}])
    another.access("1", "a", another.url + "/data/1")
    repository.put("2", b"two")
    ref = repository.bundle("b", {"a": {"drs_uri": [there.uri]}, "b": "2"})
    for identifier in ("2", "b"):
        repository.ask_passports(identifier, [f"eyJ.{TOKEN}"])
    login(bench, f'["drs://"]\npassports = ["eyJ.{TOKEN}"]\n')
    assert bench.files_of(bench.one(ref)) == {"a": DATA, "b": b"two"}
    assert TOKEN not in repr(another.requests)
    login(
        bench,
        f'["drs://{another.host}"]\npassports = ["eyJ.{TOKEN}"]\n["drs://{repository.host}"]\npassports = ["eyJ.{TOKEN}"]\n',
    )
    another.ask_passports("1", [f"eyJ.{TOKEN}"])
    assert bench.files_of(bench.one(ref)) == {"a": DATA, "b": b"two"}


def test_a_refusal_says_what_the_server_takes(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    repository.ask_passports("x", ["right"])
    with pytest.raises(AccessDenied, match=r"takes PassportAuth \(passports of https://login.elixir-czech.org\)"):
        bench.one(ref)


def test_401_403_and_404_are_told_apart(repository: Any, bench: FetchBench) -> None:
    kinds = {401: AccessDenied, 403: AccessDenied, 404: ReferenceNotFound}
    for status, kind in kinds.items():
        ref = repository.put(f"x{status}", DATA)
        repository.resources[repository.path(f"x{status}")].status = status
        with pytest.raises(kind, match=str(status)):
            bench.one(ref)


def test_passports_and_headers_go_to_no_other_host(repository: Any, another: FaultServer, bench: FetchBench) -> None:
    login(bench, f'["{repository.url}"]\npassports = ["eyJ.{TOKEN}.x"]\n')
    ref = repository.put("x", DATA)
    for status in (301, 302, 307, 308):
        repository.redirect(repository.path("x"), another.url + "/objects/x", status)
        with pytest.raises((FetchError, PolicyError)):
            bench.one(ref)
    ref = repository.put("y", DATA, methods=[{"type": "https", "access_url": {
        "url": repository.redirect("/moved", another.add("/blob", DATA)), "headers": [f"X-Key: {TOKEN}"]}}])  # fmt: skip
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert TOKEN not in repr(another.requests)


def test_secrets_of_an_answer_are_not_shown(repository: Any, bench: FetchBench) -> None:
    way = {
        "type": "https",
        "access_url": {"url": repository.url + "/no", "headers": [f"Authorization: Bearer {TOKEN}"]},
    }
    with pytest.raises(FetchError) as caught:
        bench.one(repository.put("x", DATA, methods=[way]))
    assert TOKEN not in str(caught.value)
    assert TOKEN not in redact(f"it said {TOKEN}")


# -- repositories that are not to be trusted


@pytest.mark.parametrize("header", ["Host: evil", "Range: bytes=0-1", "Content-Length: 5", "Accept-Encoding: gzip"])
def test_a_header_that_rules_the_transfer_is_refused(repository: Any, bench: FetchBench, header: str) -> None:
    way = {"type": "https", "access_url": {"url": repository.url + "/data/x", "headers": [header]}}
    with pytest.raises(PolicyError, match=r"asks to send the header"):
        bench.one(repository.put("x", DATA, methods=[way]))


@pytest.mark.parametrize("header", ["X: a\r\nY: b", "no header", "", ": x", "X\n: y"])
def test_a_header_that_is_none_is_refused(repository: Any, bench: FetchBench, header: str) -> None:
    way = {"type": "https", "access_url": {"url": repository.url + "/data/x", "headers": [header]}}
    with pytest.raises(FetchError, match="a header that is none"):
        bench.one(repository.put("x", DATA, methods=[way]))


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]:9/x"])
def test_it_may_not_lead_into_a_private_network(repository: Any, bench: FetchBench, url: str) -> None:
    way = {"type": "https", "access_url": {"url": url}}
    with pytest.raises(PolicyError):
        bench.one(repository.put("x", DATA, methods=[way]))


def test_headers_are_not_sent_in_clear(repository: Any, bench: FetchBench) -> None:
    way = {"type": "https", "access_url": {"url": "http://data.example.org/x", "headers": ["X-Key: secret-of-it"]}}
    with pytest.raises(PolicyError, match="from https to http"):
        bench.one(repository.put("x", DATA, methods=[way]))


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>log in</html>", b"[]", b"null", b'{"id": ', b'{"access_methods": {}}', b'{"access_methods": ["x"]}',
     b'{"contents": "x", "access_methods": []}', b'{"a":' * 5000, b'{"access_methods": [], "contents": [{"id": "x"}]}'],
    ids=["empty", "page", "list", "null", "cut", "object", "texts", "contents", "deep", "nameless"],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_that_says_so(repository: Any, bench: FetchBench, answer: bytes) -> None:
    repository.add(repository.path("x"), answer)
    with pytest.raises((FetchError, PolicyError)) as caught:
        bench.one(Reference(f"drs://{repository.host}/x"))
    assert repository.host in str(caught.value)


def test_a_cut_answer_is_tried_again(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    repository.resources[repository.path("x")].cut = [20, -1]
    assert bench.bytes_of(bench.one(ref)) == DATA


# -- identifiers


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("drs://drs.example.org/314159", "https://drs.example.org/ga4gh/drs/v1/objects/314159"),
        ("drs://DRS.example.org:8443/a%2Fb", "https://drs.example.org:8443/ga4gh/drs/v1/objects/a%2Fb"),
        ("drs://gen3.example.org/dg.4503/uuid", "https://gen3.example.org/ga4gh/drs/v1/objects/dg.4503%2Fuuid"),
        ("drs://127.0.0.1:8000/x", "http://127.0.0.1:8000/ga4gh/drs/v1/objects/x"),
        ("drs://localhost/a:b", "http://localhost/ga4gh/drs/v1/objects/a%3Ab"),
        ("drs://drs.example.org/a:b", "https://drs.example.org/ga4gh/drs/v1/objects/a%3Ab"),
    ],
)
def test_an_identifier_by_host_is_an_address(uri: str, url: str) -> None:
    assert not is_compact(Reference(uri))
    assert object_of(Reference(uri), Net()).url == url


@pytest.mark.parametrize(
    "uri", ["drs://dg.4503:00e6cfa9", "drs://drs.42:314159", "drs://dg.4503:dg.4503/x", "drs://nih/ns:1"]
)
def test_a_prefix_makes_a_compact_identifier(uri: str) -> None:
    assert is_compact(Reference(uri))


@pytest.mark.parametrize("uri", ["drs:x", "drs://", "drs://host", "drs://host/", "drs://ho st/x", "drs://a?b/c"])
def test_what_is_no_identifier_is_refused(uri: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError):
        bench.one(Reference(uri))


def test_a_compact_identifier_is_looked_up(repository: Any, bench: FetchBench, identifiers: Any) -> None:
    repository.put("dg.1/a b", DATA)
    identifiers("dg.1:a%20b", "https://example.org/page", f"{repository.url}{repository.path('dg.1/a b')}")
    answer = bench.one(Reference("drs://dg.1:a%20b"))
    assert bench.bytes_of(answer) == DATA
    assert [str(hop) for hop in answer.hops] == ["drs://dg.1:a%20b", f"drs://{repository.host}/dg.1%2Fa%20b"]


def test_a_prefix_that_is_unknown_or_of_something_else_is_explained(bench: FetchBench, identifiers: Any) -> None:
    identifiers("pubmed:1234", "https://pubmed.ncbi.nlm.nih.gov/1234")
    with pytest.raises(FetchError, match=r"none of a data repository.*pubmed.ncbi"):
        bench.one(Reference("drs://pubmed:1234"))
    identifiers("nons:1", status=400)
    for uri in ("drs://nons:1", "drs://nothing:1"):
        with pytest.raises(ReferenceNotFound, match="is not known"):
            bench.one(Reference(uri))


def test_a_server_may_be_elsewhere_than_its_name_says(repository: Any, bench: FetchBench) -> None:
    repository.put("x", DATA)
    base = repository.url + repository.objects.removesuffix("/objects")
    bench.network["sections"] = {"fetcher.drs": {"servers": [f"drs.example.org={base}"]}}
    assert bench.bytes_of(bench.one(Reference("drs://drs.example.org/x"))) == DATA


@pytest.mark.parametrize(
    "section", [{"servers": "x"}, {"servers": ["x"]}, {"resolver": 5}, {"resolver": "x"}, {"other": 1}]
)
def test_a_wrong_setting_is_named(repository: Any, bench: FetchBench, section: dict[str, Any]) -> None:
    bench.network["sections"] = {"fetcher.drs": section}
    with pytest.raises(DefinitionError, match=f"fetcher.drs.{next(iter(section))}"):
        bench.one(Reference("drs://dg.1:x") if "resolver" in section else repository.put("x", DATA))


def test_the_same_object_is_not_sent_twice(repository: Any, bench: FetchBench) -> None:
    ref = repository.put("x", DATA)
    bench.one(ref)
    again = bench.one(ref)
    assert again.from_store
    offline = bench.one(ref, net=bench.net(offline=True))
    assert bench.bytes_of(offline) == DATA
