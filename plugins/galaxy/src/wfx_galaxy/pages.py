"""Fetch workflows from Galaxy servers by the addresses that people copy: of its interface, and of its pages.

The addresses of a server all lead to the document that `GET /api/workflows/{id}/download` gives, or, for one that is
published under a name, `GET /u/{user}/w/{slug}/json` (Galaxy's interface, release 26.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from wfx.fetching import Net, Reference, ResolverFetcher, Source

PUBLIC = (
    "https://usegalaxy.org", "https://usegalaxy.eu", "https://usegalaxy.org.au", "https://usegalaxy.fr",
    "https://usegalaxy.be", "https://usegalaxy.no", "https://usegalaxy.cz",
)  # fmt: skip
PREFIX = "galaxy+"
API = re.compile(r"(?P<base>.*)/api/workflows/(?P<id>[0-9a-f]+)(?:/download)?/?")
NAMED = re.compile(r"(?P<base>.*)/u/(?P<user>[^/]+)/w/(?P<slug>[^/]+?)(?:/json)?/?")
PAGE = re.compile(r"(?P<base>.*)/(?:published/workflow|workflows?/(?:run|edit|export_to_file|display_by_id|imp))/?")


class GalaxyWorkflowResolver(ResolverFetcher):
    """Workflows on the public servers by their pages, and on any server as `galaxy+https://HOST/…`."""

    keys = (*PUBLIC, "galaxy+http", "galaxy+https")

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """See `ResolverFetcher.resolve`. What is no workflow's address is not ours."""
        url = ref.uri.removeprefix(PREFIX)
        found = document_of(url)
        if found is None:
            return [Source(Reference(url))]
        address, name = found
        return [Source(Reference(address), name=f"{name}.ga", media_type="application/json")]


def document_of(url: str) -> tuple[str, str] | None:
    """Return where the document of a workflow's page is, and the workflow's name there; None for another page."""
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}"
    if match := API.fullmatch(parts.path):
        return f"{root}{match['base']}/api/workflows/{match['id']}/download?format=json-download", match["id"]
    if match := NAMED.fullmatch(parts.path):
        return f"{root}{match['base']}/u/{match['user']}/w/{match['slug']}/json", match["slug"]
    if match := PAGE.fullmatch(parts.path):
        [identifier, *_] = parse_qs(parts.query).get("id", [""])
        if re.fullmatch(r"[0-9a-f]+", identifier):
            return f"{root}{match['base']}/api/workflows/{identifier}/download?format=json-download", identifier
    return None
