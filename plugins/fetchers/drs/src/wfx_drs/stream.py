"""`drs-object+https://HOST/ga4gh/drs/v1/objects/ID`: the bytes of one object.

The address of the bytes is asked for each time anew, for it may be signed and good for minutes only; so it stands in no
record either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from wfx.errors import AccessDenied, DefinitionError, FetchError, PolicyError
from wfx.fetching import Body, Net, Reference, Source, Span, StreamFetcher
from wfx.net import TemporaryFailure
from wfx.redaction import redact

from wfx_drs.addresses import ELSEWHERE, OBJECT, DrsObject, is_this_machine
from wfx_drs.bundles import walk
from wfx_drs.described import Described, Way, describe, opened_way


class ObjectFetcher(StreamFetcher):
    """Opens what a repository has, by the first of its ways that goes."""

    keys: ClassVar[tuple[str, ...]] = ("drs-object+https", "drs-object+http")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the object. What a way needs (headers, a token) goes to that way's own host alone."""
        described = describe(_object(ref), net)
        ways = sorted((way for way in described.ways if way.web or way.access_id), key=lambda way: not way.web)
        problem: FetchError | None = None
        for way in ways:
            try:
                return _open(way, described, net, span)
            except TemporaryFailure:
                raise
            except (FetchError, AccessDenied) as error:
                problem = problem or error
        if problem is not None:
            raise problem
        raise FetchError("the repository names no address of the web for it", where=str(ref))

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return what is in a bundle, whose reference ends with a slash."""
        return walk(_object(ref), net) if ref.without_fragment().uri.endswith("/") else None


def _object(ref: Reference) -> DrsObject:
    url = ref.without_credentials().without_fragment().uri.removeprefix(OBJECT).removesuffix("/")
    if not re.fullmatch(r"https?://[^/?#]+(/[^?#]*)?/objects/[^/?#]+", url):
        raise DefinitionError("it is no object of a data repository", where=str(ref))
    return DrsObject(url, ref.fragment != ELSEWHERE)


def _open(way: Way, described: Described, net: Net, span: Span | None) -> Body:
    opened = opened_way(way, described.at, net)
    if not opened.web:
        raise FetchError(
            "the repository leads to no address of the web", where=described.at.url, why=f"type {way.kind}"
        )
    target = Reference(opened.url)
    guarded = bool(opened.headers) or described.at.url.startswith("https:")
    if guarded and opened.url.startswith("http:") and not is_this_machine(target.host):
        raise PolicyError("the repository leads from https to http", where=described.at.url, why=str(target))
    for _, value in opened.headers:
        redact.learn(value)
        redact.learn(value.partition(" ")[2])
    # A repository may not lead into a private network that is not its own.
    gate = net.on_behalf_of(Reference(described.at.url), "fetch")
    body = gate.http(opened.url, span, headers=dict(opened.headers))
    stated = described.expected
    known = (*stated.checksums, *([("sha256", stated.sha256)] if stated.sha256 else []))
    body.checksums = tuple({*body.checksums, *known})
    return body
