"""Fetch `ipfs://` references through an HTTP gateway."""

from wfx.fetching import Body, Fetcher, Net, Reference, Span, StreamFetcher
from wfx.hookspecs import hookimpl

GATEWAY = "https://ipfs.io/ipfs/"


class IpfsFetcher(StreamFetcher):
    """Opens what a gateway has under a content identifier."""

    keys = ("ipfs",)
    immutable = True  # a content identifier never means anything else

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Ask the gateway."""
        return net.http(GATEWAY + ref.uri.removeprefix("ipfs://"), span)


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [IpfsFetcher]
