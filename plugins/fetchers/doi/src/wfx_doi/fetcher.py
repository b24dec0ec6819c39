"""`doi:10.PREFIX/SUFFIX` and `hdl:PREFIX/SUFFIX`: to the record's own fetcher, else to the bytes that its record names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wfx.errors import FetchError
from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_doi.datacite import record_of, sources_of
from wfx_doi.handles import HOSTS, Handle, handle_of, look_up
from wfx_doi.landing import has_its_own_fetcher, land
from wfx_doi.services import address_of, ask


class HandleResolver(ResolverFetcher):
    """Leads from a persistent name to what it names."""

    keys: ClassVar[tuple[str, ...]] = (
        "doi", "hdl", "https://doi.org", "https://dx.doi.org", "https://hdl.handle.net",
        "http://doi.org", "http://dx.doi.org", "http://hdl.handle.net",
    )  # fmt: skip

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Ask the handle system, then the record's host or DataCite. Raises ReferenceNotFound, FetchError for a page."""
        handle = handle_of(ref)
        if handle is None:
            return [Source(ref)]
        target = look_up(handle, net, ref)
        if target.scheme in ("doi", "hdl") or target.host in HOSTS:
            # It stands for another name, whose turn it is.
            other = handle_of(target)
            if other is not None and other.name.lower() == handle.name.lower():
                raise FetchError("the name leads to itself", where=str(ref))
            target = other.reference if other is not None else target
        if ref.fragment and not target.fragment:
            target = Reference(f"{target.uri}#{ref.fragment}")
        own = has_its_own_fetcher(target)
        if own is not None:
            return [Source(own, page=own.scheme in ("http", "https"))]
        record = record_of(handle, net) if handle.is_doi else None
        if record is not None and (found := sources_of(record, net, ref)):
            return found
        gate = net.on_behalf_of(Reference(address_of("resolver" if handle.is_doi else "handles", net)), "fetch")
        try:
            source = land(target, ref, gate, str(record) if record is not None else "")
        except FetchError as error:
            if record is None and handle.is_doi and type(error) is FetchError:
                _explain(error, handle, net)
            raise
        return [replace(source, licence=record.licence if record is not None else None)]


def _explain(error: FetchError, handle: Handle, net: Net) -> None:
    """Say of a DOI of another agency whose it is: most of those are of articles."""
    prefix = handle.name.partition("/")[0]
    try:
        answer = ask(net, f"{address_of('resolver', net)}/doiRA/{prefix}")
    except FetchError:
        return
    agency = answer[0].get("RA") if isinstance(answer, list) and answer and isinstance(answer[0], dict) else None
    if isinstance(agency, str) and agency.isprintable():
        article = "; most of those are articles" if agency == "Crossref" else ""
        error.why = f"the DOI is registered with {agency[:40]}{article}: {error.why}"
