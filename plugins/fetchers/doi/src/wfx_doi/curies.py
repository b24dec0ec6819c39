"""Identifiers by a prefix of identifiers.org: `curie:PREFIX:ACCESSION`, and those of articles and people by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote, urlsplit

from wfx.errors import DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_doi.landing import land
from wfx_doi.services import address_of, ask

NO_DATA: Final = {
    "arxiv": ("the article {id} at arXiv", "https://arxiv.org/abs/{id}"),
    "isbn": ("a book", "https://isbnsearch.org/isbn/{id}"),
    "orcid": ("a person", "https://orcid.org/{id}"),
    "pmc": ("the article {id} in PubMed Central", "https://www.ncbi.nlm.nih.gov/pmc/articles/{id}"),
    "pmid": ("the article {id} in PubMed", "https://pubmed.ncbi.nlm.nih.gov/{id}"),
    "ror": ("an organisation", "https://ror.org/{id}"),
    "rrid": (
        "a resource of a laboratory (an antibody, a cell line, a tool)",
        "https://scicrunch.org/resolver/RRID:{id}",
    ),
}
SAME: Final = {"pubmed": "pmid", "pmcid": "pmc"}
CURIE: Final = re.compile(r"(?:(?P<provider>[A-Za-z0-9_\-]+)/)?(?P<prefix>[A-Za-z0-9._]+):(?P<accession>\S+)")
OBJECTS: Final = "/ga4gh/drs/v1/objects/"


class CurieResolver(ResolverFetcher):
    """Leads from a prefix and an accession to what they name, or says why that is no data."""

    keys: ClassVar[tuple[str, ...]] = (
        "curie", "arxiv", "isbn", "orcid", "pmc", "pmid", "pubmed", "ror", "rrid", "https://identifiers.org",
        "http://identifiers.org",
    )  # fmt: skip

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return where identifiers.org leads. Raises FetchError that says what an identifier of no data is."""
        curie = _read(ref)
        if curie is None:
            return [Source(ref)]
        provider, prefix, accession = curie
        known = SAME.get(prefix.lower(), prefix.lower())
        if known in NO_DATA:
            what, page = (text.format(id=accession) for text in NO_DATA[known])
            raise FetchError(
                f"it is the identifier of {what}, which is no data", where=str(ref), why=f"see {page}",
                remedy="give the identifier of the data: a DOI, an accession, or the address of the file",
            )  # fmt: skip
        if known in ("doi", "hdl"):
            return [Source(Reference(f"{known}:{quote(accession, safe='/:;()<>.,!*+=@~-_$&')}"))]
        service = address_of("identifiers", net)
        head = f"{provider}/" if provider else ""
        target = _look_up(f"{head}{prefix}:{accession}", service, ref, net)
        parts = urlsplit(target.uri)
        if parts.path.startswith(OBJECTS):
            identifier = quote(unquote(parts.path.removeprefix(OBJECTS)), safe="")
            return [Source(Reference(f"drs://{parts.netloc}/{identifier}"))]
        return [land(target, ref, net.on_behalf_of(Reference(service), "fetch"), f"{prefix} {accession}")]


def _read(ref: Reference) -> tuple[str, str, str] | None:
    """Return provider, prefix and accession; None for a page of the site that is no identifier."""
    if ref.scheme in ("http", "https"):
        text = unquote(urlsplit(ref.uri).path.strip("/"))
        if ":" not in text and text.count("/") == 1:
            # The older form has a slash: identifiers.org/pdb/2gc4.
            text = text.replace("/", ":")
        match = CURIE.fullmatch(text)
        return (match["provider"] or "", match["prefix"], match["accession"]) if match else None
    text = unquote(ref.without_fragment().uri.partition(":")[2]).lstrip("/")
    if ref.scheme != "curie":
        # `rrid:RRID:AB_1` and `pmid:pmid:1` are written too.
        return "", ref.scheme, re.sub(rf"^{re.escape(ref.scheme)}:", "", text, flags=re.I)
    match = CURIE.fullmatch(text)
    if match is None:
        raise DefinitionError("it is no identifier", where=str(ref), remedy="write curie:PREFIX:ACCESSION")
    return match["provider"] or "", match["prefix"], match["accession"]


def _look_up(curie: str, service: str, ref: Reference, net: Net) -> Reference:
    """Ask identifiers.org. Raises ReferenceNotFound for a prefix that it does not know."""
    url = f"{service}/{quote(curie, safe=':/')}"
    try:
        answer = ask(net, url)
    except FetchError as error:
        if not isinstance(error, ReferenceNotFound) and getattr(error, "status", 0) != 400:
            raise
        raise ReferenceNotFound(
            "identifiers.org does not know the identifier", where=str(ref), why=str(error)
        ) from error
    payload = answer.get("payload") if isinstance(answer, dict) else None
    items = payload.get("resolvedResources") if isinstance(payload, dict) else None
    if not isinstance(items, list):
        raise FetchError("the answer of identifiers.org is not understood", where=url)
    rows = [row for item in items if (row := _row(item)) is not None]
    if not rows:
        raise ReferenceNotFound("identifiers.org leads nowhere from there", where=str(ref))
    return Reference(max(rows, key=lambda row: row[:2])[2])


def _row(item: Any) -> tuple[bool, int, str] | None:
    target = item.get("compactIdentifierResolvedUrl") if isinstance(item, dict) else None
    if not isinstance(target, str) or not re.fullmatch(r"https?://\S+", target):
        return None
    recommended = item.get("recommendation")
    index = recommended.get("recommendationIndex") if isinstance(recommended, dict) else 0
    return item.get("official") is True, index if isinstance(index, int) else 0, target
