"""Dockstore's names and pages: `dockstore:github.com/ORG/REPO/NAME:VERSION`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import unquote

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_trs.addresses import TrsAddress, setting_url

INTERFACE: Final = "https://dockstore.org/api/ga4gh/trs/v2"
# Dockstore's ids of what is in a repository of sources begin with a mark and the kind; a tool's is its image's name.
SOURCES: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "dockstore.org"})
KINDS: Final = {
    "workflows": "#workflow/",
    "notebooks": "#notebook/",
    "services": "#service/",
    "tools": "",
    "containers": "",
}
MARKED: Final = re.compile(r"#(workflow|notebook|service)/")
REMEDY: Final = "write dockstore:github.com/ORGANISATION/REPOSITORY/NAME:VERSION"


class DockstoreResolver(ResolverFetcher):
    """Leads from a name or a page to the workflow in Dockstore's registry."""

    keys: ClassVar[tuple[str, ...]] = ("dockstore", "https://dockstore.org")

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the `trs:` reference; of an address that is no workflow's page, the address itself."""
        page = ref.scheme == "https"
        entry = _of_page(ref) if page else _of_name(ref)
        if entry is None:
            return [Source(ref)]
        identifier, version = entry
        if MARKED.sub("", identifier, count=1).count("/") < 2 or "" in identifier.split("/"):
            raise DefinitionError("not the name of a workflow in Dockstore", where=str(ref), remedy=REMEDY)
        api = setting_url(net, "dockstore", INTERFACE)
        host, _, path = api.partition("://")[2].partition("/")
        base = "" if api == INTERFACE else f"/{path}"
        part = TrsAddress.parse(Reference(f"trs://x/x#{ref.fragment}")).path if "path=" in ref.fragment else ""
        return [Source(TrsAddress(host, identifier, version, base=base, path=part).reference())]


def _of_name(ref: Reference) -> tuple[str, str]:
    head, _, fragment = ref.uri.partition(":")[2].lstrip("/").partition("#")
    name = unquote(head)
    if not name and MARKED.match(f"#{fragment}"):
        # As Dockstore itself writes it, with the mark not escaped.
        name = unquote(f"#{fragment}")
    name, _, version = re.match(r"([^:@]*)([:@]?)(.*)", name, re.S).groups()  # type: ignore[union-attr]
    if not MARKED.match(name) and name.partition("/")[0] in SOURCES:
        name = f"#workflow/{name}"
    return name.rstrip("/"), version


def _of_page(ref: Reference) -> tuple[str, str] | None:
    """Read `/workflows/github.com/ORG/REPO/NAME:VERSION`; None for any other page."""
    location = ref.uri.partition("://")[2].partition("/")[2]
    kind, _, rest = re.split(r"[?#]", location, maxsplit=1)[0].partition("/")
    name, _, version = unquote(rest).strip("/").partition(":")
    if kind not in KINDS or name.count("/") < 2:
        return None
    return KINDS[kind] + name, version
