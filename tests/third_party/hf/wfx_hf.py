"""Fetch `hf://` references: files of the Hugging Face Hub."""

import re

from wfx import hookimpl
from wfx.errors import FetchError
from wfx.fetching import Body, Fetcher, Net, Reference, Span, StreamFetcher

HUB = "https://huggingface.co"
FORM = re.compile(r"hf://((?:datasets/|spaces/)?[^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


class HubFetcher(StreamFetcher):
    """Opens a file of a repository on the Hub."""

    keys = ("hf",)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Ask the Hub for the file at the revision."""
        match = FORM.fullmatch(ref.uri)
        if match is None:
            raise FetchError("it is not hf://ORG/NAME@REVISION/PATH", where=str(ref))
        repository, revision, path = match.groups()
        return net.http(f"{HUB}/{repository}/resolve/{revision or 'main'}/{path}", span)


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer the fetcher."""
    return [HubFetcher]
