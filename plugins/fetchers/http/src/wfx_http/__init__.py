"""Fetch `http:` and `https:` references in wfx.

The core's gate to the network does all the work, as it does for every fetcher of a few lines: redirects, credentials,
proxies, ranges, and what an answer means.
"""

from __future__ import annotations

from wfx.fetching import Body, Fetcher, Net, Reference, Span, StreamFetcher
from wfx.hookspecs import hookimpl

__version__ = "0.1.0"


class HttpFetcher(StreamFetcher):
    """Opens what a web server has."""

    keys = ("http", "https")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the reference; its fragment is the reader's, not the server's (RFC 9110 §4.2.5)."""
        return net.http(ref.without_fragment().uri, span)


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the one fetcher."""
    return [HttpFetcher]
