"""DOIs, handles and prefixes: how they are written, where they lead, and what is explained instead."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, OfflineError, PolicyError, ReferenceNotFound
from wfx.fetching import Body, Net, Reference, ResolverFetcher, Source, Span, StreamFetcher
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.distributions import write_distribution
from wfx.testing.servers import FaultServer
from wfx_doi import CurieResolver, HandleResolver
from wfx_doi.handles import handle_of

DATA = b"ACGT" * 100


class RecordFetcher(ResolverFetcher):
    """The fetcher of a repository, as another distribution would have it: for pages at one host."""

    keys = ("https://zenodo.org", "http://127.0.0.1")

    def resolve(self, ref: Reference, net: Net) -> list[Source]:
        if "/records/" not in ref.uri:
            return [Source(ref)]
        return [Source(Reference(f"record:{ref.uri.rpartition('/')[2]}"))]


class Records(StreamFetcher):
    keys = ("record",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        raise ReferenceNotFound(f"asked for the record {ref.uri}")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: Any) -> Any:
    """A bench on which a repository's own fetcher is installed."""
    points = {"wfx.fetchers": dict.fromkeys(RecordFetcher.keys, "make_believe")}
    write_distribution(tmp_path / "site", "wfx-make-believe", entry_points=points)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    made = FetchBench(tmp_path / "records", [PlainHttp, HandleResolver, CurieResolver, RecordFetcher, Records])
    made.settings = {"retries": 0}
    made.network = {"sections": services.sections}
    yield made
    made.close()


# -- to the record's own fetcher


@pytest.mark.parametrize("url", ["https://zenodo.org/records/7", "http://zenodo.org/records/7"])
def test_a_record_goes_to_the_fetcher_of_its_host_and_nobody_else_is_asked(
    services: Any, installed: FetchBench, url: str
) -> None:
    services.handle("10.5281/zenodo.7", ("URL", url))
    for text in ("doi:10.5281/zenodo.7", "https://doi.org/10.5281/zenodo.7", "http://dx.doi.org/10.5281/zenodo.7"):
        with pytest.raises(ReferenceNotFound, match="record:7"):
            installed.one(Reference(text))
    assert {request.path for request in services.requests} == {"/api/handles/10.5281/zenodo.7"}


def test_a_page_that_moves_to_a_host_with_a_fetcher_is_followed(
    services: Any, installed: FetchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer("127.0.0.2") as before:
        services.page("/records/9")
        services.handle("10.5072/moved", ("URL", before.redirect("/old/9", services.url + "/records/9")))
        installed.private = ("127.0.0.2",)
        with pytest.raises(ReferenceNotFound, match="record:9"):
            installed.one(Reference("doi:10.5072/moved"))


def test_a_page_that_the_fetcher_of_its_host_passes_on_is_not_taken_for_data(
    services: Any, installed: FetchBench
) -> None:
    services.handle("10.5072/about", ("URL", services.page("/about")))
    with pytest.raises(FetchError, match=r"^doi:10.5072/about: it leads to a page for people"):
        installed.one(Reference("doi:10.5072/about"))
    assert not services.asked("/about")


# -- to the bytes


def test_a_name_that_leads_to_a_file_is_the_file(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/file", ("URL", services.add("/data/reads.fq", DATA)))
    answer = bench.one(Reference("doi:10.5072/file"))
    assert (bench.bytes_of(answer), answer.name) == (DATA, "reads.fq")
    assert [str(hop) for hop in answer.hops] == ["doi:10.5072/file"]
    assert bench.bytes_of(bench.one(Reference("doi:10.5072/file"), net=bench.net(offline=True))) == DATA


def test_datacite_tells_where_the_bytes_are_and_their_licence(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/Set", ("URL", services.page("/landing")))
    services.record("10.5072/Set", [services.add("/files/a.fq", DATA)])
    answer = bench.one(Reference("doi:10.5072/Set"))
    assert bench.bytes_of(answer) == DATA
    assert answer.licence == "https://creativecommons.org/licenses/by/4.0/legalcode"
    assert not services.asked("/landing")


def test_several_contents_are_a_folder(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/many", ("URL", services.page("/landing")))
    one, two = services.add("/1/a.tar.gz", b"one"), services.add("/2/a.tar.gz", b"two")
    services.record("10.5072/many", [one, two, one, "file:///etc/passwd", "not an address"])
    assert bench.files_of(bench.one(Reference("doi:10.5072/many"))) == {"a.tar.gz": b"one", "a-2.tar.gz": b"two"}


@pytest.mark.parametrize("url", ["http://169.254.169.254/x", "http://10.0.0.1/x", "ftp://192.168.0.1/x"])
def test_no_record_leads_into_a_private_network(services: Any, bench: FetchBench, url: str) -> None:
    services.handle("10.5072/set", ("URL", services.page("/landing")))
    services.record("10.5072/set", [url])
    with pytest.raises(PolicyError):
        bench.one(Reference("doi:10.5072/set"))
    if url.startswith("http:"):
        services.handle("20.500.1/x", ("URL", url))
        with pytest.raises(PolicyError):
            bench.one(Reference("hdl:20.500.1/x"))


# -- explained


def test_a_page_is_no_data_and_what_it_is_of_is_said(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/page", ("URL", services.page("/landing")))
    services.record("10.5072/page")
    with pytest.raises(FetchError) as caught:
        bench.one(Reference("doi:10.5072/page"))
    text = str(caught.value)
    assert "leads to a page for people" in text
    assert "Dataset “Reads of a culture” at Lab" in text
    assert services.url + "/landing" in text
    assert bench.store.known(Reference("doi:10.5072/page")) is None


def test_an_articles_doi_is_told_by_its_agency(services: Any, bench: FetchBench) -> None:
    services.handle("10.1038/x", ("URL", services.page("/article")))
    services.add("/doiRA/10.1038", b'[{"DOI": "10.1038", "RA": "Crossref"}]')
    with pytest.raises(FetchError, match="registered with Crossref; most of those are articles"):
        bench.one(Reference("doi:10.1038/x"))


def test_a_page_that_keeps_programs_out_is_told_from_one_that_is_not_there(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/shy", ("URL", services.add("/shy", status=403)))
    with pytest.raises(AccessDenied, match="look at it with a browser"):
        bench.one(Reference("doi:10.5072/shy"))
    services.handle("10.5072/gone", ("URL", services.url + "/gone"))
    with pytest.raises(ReferenceNotFound, match="/gone"):
        bench.one(Reference("doi:10.5072/gone"))
    services.handle("10.5072/busy", ("URL", services.add("/busy", status=429)))
    with pytest.raises(FetchError, match="429"):
        bench.one(Reference("doi:10.5072/busy"))


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pmid:12345678", "the article 12345678 in PubMed.*pubmed.ncbi.nlm.nih.gov/12345678"),
        ("pubmed:12345678", "in PubMed"),
        ("pmc:PMC13900", "PubMed Central"),
        ("arxiv:2101.00001", "at arXiv"),
        ("orcid:0000-0002-1825-0097", "a person"),
        ("isbn:9783161484100", "a book"),
        ("ror:05a28rw58", "an organisation"),
        ("rrid:RRID:AB_262044", "an antibody"),
        ("https://identifiers.org/pubmed:16333295", "in PubMed"),
        ("http://identifiers.org/pubmed/16333295", "in PubMed"),
        ("curie:pubmed:1", "in PubMed"),
    ],
)
def test_what_names_no_data_says_what_it_is_and_asks_nobody(
    services: Any, bench: FetchBench, uri: str, said: str
) -> None:
    with pytest.raises(FetchError, match=said):
        bench.one(Reference(uri))
    assert services.requests == []


# -- identifiers.org


def test_a_prefix_leads_to_the_official_provider(services: Any, bench: FetchBench) -> None:
    services.prefix("pdb:2gc4", [services.url + "/other", services.add("/2gc4.cif", DATA)], official=1)
    for uri in ("https://identifiers.org/pdb:2gc4", "https://identifiers.org/pdb/2gc4", "curie:pdb:2gc4"):
        assert bench.bytes_of(bench.one(Reference(uri))) == DATA
    services.prefix("p1/pdb:2gc4", [services.add("/mirror.cif", b"mirror")])
    assert bench.bytes_of(bench.one(Reference("curie:p1/pdb:2gc4"))) == b"mirror"


def test_a_prefix_of_data_repositories_leads_to_their_identifiers(services: Any, bench: FetchBench) -> None:
    services.prefix("drs.42:31/4", ["https://drs.example.org/ga4gh/drs/v1/objects/31/4"])
    net = bench.net()
    [source] = CurieResolver().resolve(Reference("curie:drs.42:31/4"), net)
    net.close()
    assert source.reference == Reference("drs://drs.example.org/31%2F4")


def test_dois_and_handles_go_to_their_own_system(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/file", ("URL", services.add("/data/reads.fq", DATA)))
    assert bench.bytes_of(bench.one(Reference("https://identifiers.org/doi:10.5072/file"))) == DATA


def test_a_prefix_whose_pages_are_for_people_says_so(services: Any, bench: FetchBench) -> None:
    services.prefix("go:0006915", [services.page("/term")])
    with pytest.raises(FetchError, match="a page for people"):
        bench.one(Reference("curie:go:0006915"))
    services.add(
        "/nons:1", b'{"apiVersion": "1.0", "errorMessage": "no", "payload": {"resolvedResources": null}}', status=400
    )
    with pytest.raises(ReferenceNotFound, match="does not know"):
        bench.one(Reference("curie:nons:1"))


# -- the handle system


def test_an_alias_is_followed_and_a_circle_ends(services: Any, bench: FetchBench) -> None:
    services.handle("10/abcde", ("HS_ALIAS", "10.5072/file"))
    services.handle("10.5072/file", ("URL", services.add("/f", DATA)))
    answer = bench.one(Reference("https://doi.org/10/abcde"))
    assert bench.bytes_of(answer) == DATA
    services.handle("20.500.1/a", ("HS_ALIAS", "20.500.1/b"))
    services.handle("20.500.1/b", ("HS_ALIAS", "20.500.1/a"))
    with pytest.raises(FetchError, match="more than 10 times"):
        bench.one(Reference("hdl:20.500.1/a"))


def test_a_name_that_leads_to_itself_ends(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/self", ("URL", "https://doi.org/10.5072/SELF"))
    services.handle("20.500.1/self", ("HS_ALIAS", "20.500.1/self"))
    for uri in ("doi:10.5072/self", "https://doi.org/10.5072/self", "hdl:20.500.1/self"):
        with pytest.raises(FetchError, match="the name leads to itself"):
            bench.one(Reference(uri))
    services.handle("10.5072/a", ("URL", "https://dx.doi.org/10.5072/b"))
    services.handle("10.5072/b", ("URL", "http://doi.org/10.5072/a"))
    with pytest.raises(FetchError, match="more than 10 times"):
        bench.one(Reference("doi:10.5072/a"))


def test_a_loop_of_redirects_ends(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/loop", ("URL", services.redirect("/a", services.url + "/b")))
    services.redirect("/b", services.url + "/a")
    with pytest.raises(FetchError, match="more than 10 redirects"):
        bench.one(Reference("doi:10.5072/loop"))


@pytest.mark.parametrize("status", [200, 404])
def test_a_name_that_nobody_has_registered_is_not_found(services: Any, bench: FetchBench, status: int) -> None:
    services.add("/api/handles/10.5072/no", b'{"responseCode":100,"handle":"10.5072/no"}', status=status)
    with pytest.raises(ReferenceNotFound, match="the DOI is not registered"):
        bench.one(Reference("doi:10.5072/no"))


@pytest.mark.parametrize(
    "values", [[], [("EMAIL", "a@b.example")], [("URL", "file:///etc/passwd")], [("URL", "javascript:x")]], ids=str
)
def test_a_name_that_leads_nowhere_says_so(services: Any, bench: FetchBench, values: list[tuple[str, str]]) -> None:
    services.handle("20.500.1/x", *values, code=1 if values else 200)
    with pytest.raises(FetchError, match="leads to no address"):
        bench.one(Reference("hdl:20.500.1/x"))


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"null", b'{"responseCode": 1, "values": {}}', b'{"responseCode": 2}', b'{"a":' * 999],
)
def test_an_answer_that_is_none_is_an_error(services: Any, bench: FetchBench, answer: bytes) -> None:
    services.add("/api/handles/20.500.1/x", answer)
    with pytest.raises(FetchError):
        bench.one(Reference("hdl:20.500.1/x"))


def test_a_record_of_datacite_that_is_none_is_an_error(services: Any, bench: FetchBench) -> None:
    services.handle("10.5072/x", ("URL", services.page("/landing")))
    for answer in (b"[]", b'{"data": []}', b"<html>"):
        services.add("/dois/10.5072/x", answer)
        with pytest.raises(FetchError, match="DataCite is not understood|is no JSON"):
            bench.one(Reference("doi:10.5072/x"))


def test_offline_nobody_is_asked(services: Any, bench: FetchBench) -> None:
    with pytest.raises(OfflineError):
        bench.one(Reference("doi:10.5072/x"), net=bench.net(offline=True))
    assert services.requests == []


# -- how they are written


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("doi:10.5281/zenodo.7", "10.5281/zenodo.7"),
        ("DOI:10.5281/ZENODO.7", "10.5281/ZENODO.7"),
        ("doi://10.5281/zenodo.7", "10.5281/zenodo.7"),
        ("doi:https://doi.org/10.5281/zenodo.7", "10.5281/zenodo.7"),
        ("doi:doi.org/10.5281/zenodo.7", "10.5281/zenodo.7"),
        ("doi:doi:10.5281/zenodo.7", "10.5281/zenodo.7"),
        ("https://doi.org/10.1002/(SICI)1096%3C1::AID-X%3E3.0", "10.1002/(SICI)1096<1::AID-X>3.0"),
        ("https://dx.doi.org/10.1000.10/a/b?x=y", "10.1000.10/a/b"),
        ("https://hdl.handle.net/20.500.12345/678", "20.500.12345/678"),
        ("hdl:20.500.12345/678", "20.500.12345/678"),
        ("hdl:hdl:21.T11148/c2c8c452912d57a44117", "21.T11148/c2c8c452912d57a44117"),
    ],
)
def test_a_name_is_read_however_it_is_written(uri: str, name: str) -> None:
    handle = handle_of(Reference(uri))
    assert handle is not None
    assert handle.name == name


@pytest.mark.parametrize(
    "uri", ["doi:", "doi:zenodo.7", "doi:10.5281", "doi:10.52/x", "hdl:x", "hdl:/x", "curie:x", "curie:"]
)
def test_what_is_no_name_is_refused(uri: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match="it is no"):
        bench.one(Reference(uri))


@pytest.mark.parametrize(
    "uri", ["https://doi.org/the-identifier", "https://identifiers.org/", "https://hdl.handle.net/help"]
)
def test_a_page_of_the_resolvers_own_is_left_to_the_web(uri: str) -> None:
    resolver = CurieResolver() if "identifiers" in uri else HandleResolver()
    assert resolver.resolve(Reference(uri), Net(offline=True)) == [Source(Reference(uri))]


@pytest.mark.parametrize("section", [{"resolver": 5}, {"datacite": "x"}, {"other": "https://x"}])
def test_a_wrong_setting_is_named(services: Any, bench: FetchBench, section: dict[str, Any]) -> None:
    services.handle("10.5072/x", ("URL", services.page("/landing")))
    bench.network["sections"] = {"fetcher.doi": {"resolver": services.url, **section}}
    with pytest.raises(DefinitionError, match=f"fetcher.doi.{next(iter(section))}"):
        bench.one(Reference("doi:10.5072/x"))
