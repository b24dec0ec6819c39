"""Tickets become one stream: in order, held, resumed, with proofs only where they belong."""

from __future__ import annotations

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
    WfxError,
)
from wfx.fetching import Reference, Span
from wfx.testing.benches import FetchBench
from wfx.testing.fetchers import read
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_htsget import HtsgetFetcher

DATA = b"".join(b"%05d " % number for number in range(20_000))
TOKEN = "canary-2ab7e1f09c"


def opened(bench: FetchBench, ref: Reference, span: Span | None = None) -> tuple[Any, bytes]:
    net = bench.net()
    try:
        body = HtsgetFetcher().open(ref, net, span)
        return body, read(body)
    finally:
        net.close()


def test_blocks_are_joined_in_their_order(server: Any, elsewhere: FaultServer, bench: FetchBench) -> None:
    bench.private = ("127.0.0.1",)
    part = server.Part
    ref = server.publish("/reads/a/sample?referenceName=chr1&start=5&end=90", [
        part(DATA[:10], inline=True, kind="header"), part(DATA[10:5000], before=b"xx", after=b"yyy", kind="body"),
        part(DATA[5000:9000], kind="body"), part(b"", inline=True, kind="body"), part(b"", kind="body"),
        part(DATA[9000:50_000], at=elsewhere, before=b"zz", kind="body", options={"chunked": True}),
        part(DATA[50_000:], inline=True, kind="body"),
    ], md5=True)  # fmt: skip
    answer = bench.one(ref)
    assert bench.bytes_of(answer) == DATA
    assert answer.name == "sample.bam"
    assert answer.media_type == "application/vnd.ga4gh.bam"


def test_a_place_without_ranges_sends_all_and_the_part_is_taken(server: Any, bench: FetchBench) -> None:
    part = server.Part(DATA[:70_000], before=b"x" * 100_000, after=b"y" * 100_000, options={"ranges": False})
    ref = server.publish("/reads/s", [part, server.Part(b"end", inline=True)])
    assert bench.bytes_of(bench.one(ref)) == DATA[:70_000] + b"end"


def test_the_md5_of_the_ticket_is_held(server: Any, bench: FetchBench) -> None:
    ref = server.publish("/reads/s", [server.Part(DATA[:9], inline=True), server.Part(DATA[9:])], md5=True)
    server.resources["/blocks/reads/s/1"].flip = True
    with pytest.raises(IntegrityError, match="md5"):
        bench.one(ref)
    assert bench.store.known(ref) is None


def test_a_block_that_is_cut_goes_on_by_the_same_ticket(server: Any, bench: FetchBench) -> None:
    parts = [server.Part(DATA[:9], inline=True), server.Part(DATA[9:], before=b"xx", options={"cut": [40_000, 30_000]})]
    ref = server.publish("/reads/s", parts)
    assert bench.bytes_of(bench.one(ref)) == DATA
    assert len(server.asked("/reads/s")) == 1
    ranges = [request.headers["range"] for request in server.asked("/blocks/reads/s/1")]
    assert ranges == [f"bytes=2-{len(DATA) - 8}", f"bytes=40002-{len(DATA) - 8}", f"bytes=70002-{len(DATA) - 8}"]


def test_a_block_that_changes_meanwhile_is_not_spliced(server: Any, bench: FetchBench) -> None:
    def change(request: Request, resource: Resource) -> None:
        if "if-range" in request.headers:
            resource.body, resource.etag = b"z" * len(DATA), '"2"'

    ref = server.publish("/reads/s", [server.Part(DATA, options={"cut": [40_000], "on_request": change})])
    with pytest.raises(FetchError, match="changed while"):
        bench.one(ref)


def test_it_goes_on_at_an_offset_where_md5_and_sizes_are_known(server: Any, bench: FetchBench) -> None:
    part = server.Part
    parts = [part(DATA[:100], inline=True), part(DATA[100:5000], before=b"x"), part(DATA[5000:], before=b"x")]
    ref = server.publish("/reads/s", parts, md5=True)
    whole, data = opened(bench, ref)
    assert (data, whole.total) == (DATA, len(DATA))
    server.requests.clear()
    for start in (50, 100, 4999, 5000, 60_000):
        body, data = opened(bench, ref, Span(start, None, whole.validator))
        assert (body.start, data, body.total) == (start, DATA[start:], len(DATA))
    assert len(server.asked("/blocks/reads/s/1")) == 3
    for other in (server.publish("/reads/t", parts), server.publish("/reads/u", [part(DATA)], md5=True)):
        body, data = opened(bench, other, Span(60_000, None, "something"))
        assert (body.start, data, body.validator) == (0, DATA, None)


def test_a_transfer_that_is_cut_for_good_goes_on_in_the_next_run(server: Any, bench: FetchBench) -> None:
    large = DATA * 40
    parts = [
        server.Part(large[:3_000_000], before=b"x"),
        server.Part(large[3_000_000:], before=b"x", options={"cut": [-1] * 3}),
    ]
    ref = server.publish("/reads/s", parts, md5=True)
    with pytest.raises(WfxError):
        bench.one(ref)
    assert bench.bytes_of(bench.one(ref)) == large
    assert len(server.asked("/blocks/reads/s/0")) == 1


# -- what is asked


def test_regions_are_asked_by_post(server: Any, bench: FetchBench) -> None:
    server.publish("/reads/s", [server.Part(DATA)])
    ref = f"htsget://{server.host}/reads/s?format=bam&fields=QNAME,POS&tags=&region=chr1:10-20&region=HLA:01:5-&region=chr2"
    assert bench.bytes_of(bench.one(ref)) == DATA
    [request] = server.asked("/reads/s")
    assert request.method == "POST"
    assert server.posted(request) == {
        "format": "BAM", "fields": ["QNAME", "POS"], "tags": [],
        "regions": [{"referenceName": "chr1", "start": 10, "end": 20}, {"referenceName": "HLA:01", "start": 5},
                    {"referenceName": "chr2"}],
    }  # fmt: skip


def test_only_the_class_that_was_asked_for_is_taken(server: Any, bench: FetchBench) -> None:
    parts = [server.Part(b"head", inline=True, kind="header"), server.Part(DATA, kind="body")]
    assert bench.bytes_of(bench.one(server.publish("/reads/s?class=header", parts, md5=True))) == b"head"


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"##fileformat=VCFv4.3\n", "calls.vcf"), (b"\x1f\x8b\x08rest", "calls.vcf.gz")],
    ids=["plain", "packed"],
)
def test_variants_are_named_by_what_they_are(data: bytes, name: str, server: Any, bench: FetchBench) -> None:
    ref = server.publish(
        "/ga4gh/v1/variants/calls", [server.Part(data[:1], inline=True), server.Part(data[1:])], kind="VCF"
    )
    answer = bench.one(ref)
    assert (answer.name, bench.bytes_of(answer)) == (name, data)


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("/other/s", "neither reads nor variants"), ("/reads/", "neither reads nor variants"),
        ("/reads/s?format=VCF", "BAM or CRAM"), ("/reads/s?referencename=x", "unknown parameter"),
        ("/reads/s?start=1", "no referenceName"), ("/reads/s?referenceName=a&start=9&end=2", "start is behind end"),
        ("/reads/s?referenceName=a&start=x", "no number"), ("/reads/s?class=tail", "header or body"),
        ("/reads/s?class=header&referenceName=a", "no regions"), ("/reads/s?region=a&referenceName=b", "cannot go together"),
        ("/reads/s?region=a:9-2", "region 'a:9-2' is none"), ("/reads/s?format=BAM&format=CRAM", "twice"),
        ("/reads/a/%2e%2e/s", "leads elsewhere"), ("/reads/s/", "no slash"),
    ],
    ids=["other", "no id", "format", "unknown", "start", "order", "number", "class", "header", "both", "region", "twice",
         "dots", "slash"],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_without_a_question(tail: str, told: str, server: Any, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match=told):
        bench.one(f"htsget://{server.host}{tail}")
    assert not server.requests


# -- refusals


@pytest.mark.parametrize(
    ("status", "error", "kind", "told"),
    [
        (401, "InvalidAuthentication", AccessDenied, "does not know who asks"),
        (403, "PermissionDenied", AccessDenied, "refuses this"),
        (404, "NotFound", ReferenceNotFound, "no such reads"),
        (400, "UnsupportedFormat", FetchError, "does not have it in this format"),
        (400, "InvalidInput", FetchError, "does not understand"),
        (400, "InvalidRange", FetchError, "does not have this range"),
        (413, "PayloadTooLarge", FetchError, "too many regions"),
    ],
    ids=["InvalidAuthentication", "PermissionDenied", "NotFound", "UnsupportedFormat", "InvalidInput", "InvalidRange",
         "PayloadTooLarge"],
)  # fmt: skip
def test_refusals_are_told_apart(
    status: int, error: str, kind: type[FetchError], told: str, server: Any, bench: FetchBench
) -> None:
    ref = server.refuse("/reads/s", status, error)
    with pytest.raises(kind, match=f"{told}.*{error}: it says so") as caught:
        bench.one(ref)
    assert type(caught.value) is kind


def test_a_server_that_takes_no_lists_says_so(server: Any, bench: FetchBench) -> None:
    server.add("/reads/s", b"", status=405)
    with pytest.raises(FetchError, match="takes no lists of regions.*one at a time"):
        bench.one(f"htsget://{server.host}/reads/s?region=chr1")


@pytest.mark.parametrize(
    ("urls", "more", "told"),
    [
        ([], {}, "no list of blocks"),
        ([{"url": 1}], {}, "a block that is none"),
        ([{"url": "ftp://x/y"}], {}, "no address of the web"),
        ([{"url": "file:///etc/passwd"}], {}, "no address of the web"),
        ([{"url": "data:,abc"}], {}, "not in base64"),
        ([{"url": "data:;base64,@@@@"}], {}, "broken"),
        ([{"url": "https://x.example/", "headers": {"Range": "lines=1"}}], {}, "a range"),
        ([{"url": "https://x.example/", "headers": {"Range": "bytes=9-2"}}], {}, "ends before it begins"),
        ([{"url": "https://x.example/", "headers": {"Host": "y"}}], {}, "asks to send the header 'Host'"),
        ([{"url": "https://x.example/", "headers": {"X": "a\nb"}}], {}, "a header that is none"),
        ([{"url": "http://x.example/", "headers": {"X": "a"}}], {}, "from https to http"),
        ([{"url": "http://10.0.0.1/"}], {}, "private|10.0.0.1"),
        ([{"url": "data:;base64,"}], {"md5": "xyz"}, "an md5 that is none"),
        ([{"url": "data:;base64,"}], {"format": "CRAM"}, "'CRAM', and BAM was asked for"),
    ],
    ids=["empty", "number", "ftp", "file", "plain", "base64", "unit", "backwards", "host", "injected", "downgrade", "private",
         "md5", "format"],
)  # fmt: skip
def test_a_ticket_that_cannot_be_followed_is_told(
    urls: list[Any], more: dict[str, str], told: str, server: Any, bench: FetchBench
) -> None:
    server.add("/reads/s", json.dumps({"htsget": {"format": "BAM", "urls": urls, **more}}).encode())
    with pytest.raises((FetchError, PolicyError), match=told):
        bench.one(f"htsget://{server.host}/reads/s")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 1}'], ids=["page", "list", "other"])
def test_what_is_no_ticket_is_told(body: bytes, server: Any, bench: FetchBench) -> None:
    server.add("/reads/s", body)
    with pytest.raises(FetchError, match="ticket"):
        bench.one(f"htsget://{server.host}/reads/s")


# -- proofs


def test_headers_of_a_block_go_to_its_address_alone(server: Any, elsewhere: FaultServer, bench: FetchBench) -> None:
    bench.private = ("127.0.0.1",)
    part, proof = server.Part, {"Authorization": f"Bearer {TOKEN}", "X-Block": "one"}
    ref = server.publish("/reads/s", [
        part(b"a", headers=proof), part(b"b"), part(b"c", at=elsewhere), part(b"d", at=elsewhere, headers={"X-Block": "two"}),
    ])  # fmt: skip
    elsewhere.add("/moved", b"a")
    elsewhere_url = elsewhere.url + "/moved"
    server.redirect("/blocks/reads/s/0", elsewhere_url)
    bench.environment[f"WFX_TOKEN_127_0_0_1_{server.port}"] = "mine-66d1c0ffee"
    assert bench.bytes_of(bench.one(ref)) == b"abcd"

    def sent(requests: list[Request]) -> list[tuple[str | None, str | None]]:
        return [(request.headers.get("authorization"), request.headers.get("x-block")) for request in requests]

    mine = "Bearer mine-66d1c0ffee"
    assert sent(server.requests) == [(mine, None), (f"Bearer {TOKEN}", "one"), (mine, None)]
    assert sent(elsewhere.requests) == [(None, None), (None, None), (None, "two")]


def test_a_token_for_the_reference_is_for_the_ticket_alone(
    server: Any, bench: FetchBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    ref = server.publish("/reads/s", [server.Part(DATA, headers={"X-Signed": "canary-signed-11"})])
    server.resources["/reads/s"].authorization = f"Bearer {TOKEN}"
    bench.config.mkdir(parents=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["htsget://{server.host}"]\ntoken = "{TOKEN}"\n')
    path.chmod(0o600)
    assert bench.bytes_of(bench.one(ref)) == DATA
    [block] = server.asked("/blocks/reads/s/0")
    assert "authorization" not in block.headers
    server.resources["/blocks/reads/s/0"].status = 403
    with pytest.raises(AccessDenied) as caught:
        bench.one(ref)
    assert not any(secret in str(caught.value) + caplog.text for secret in (TOKEN, "canary-signed-11"))


@pytest.mark.parametrize("section", [{"server": "x"}, {"servers": "x"}, {"servers": ["a=b"]}], ids=str)
def test_a_wrong_setting_is_told(section: dict[str, Any], server: Any, bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.htsget": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.htsget\."):
        bench.one(f"htsget://{server.host}/reads/s")
