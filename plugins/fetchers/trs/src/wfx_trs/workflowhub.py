"""WorkflowHub: `workflowhub:ID@VERSION` and its pages, as the RO-Crate that it serves, else as a registry's tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from wfx.errors import AccessDenied, DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Pinned, Reference, ResolverFetcher, Source
from wfx.net import TemporaryFailure

from wfx_trs.addresses import USUAL, TrsAddress, setting_url
from wfx_trs.registry import Registry

SITE: Final = "https://workflowhub.eu"
NAME: Final = re.compile(r"(?P<id>[0-9]{1,12})(?:@(?P<version>[0-9]{1,9}))?")
PAGE: Final = re.compile(r"/workflows/(?P<id>[0-9]{1,12})/?")
REMEDY: Final = "write workflowhub:ID@VERSION, as workflowhub:123@2"


class WorkflowHubResolver(ResolverFetcher):
    """Leads from a workflow's number or page to its crate."""

    keys: ClassVar[tuple[str, ...]] = ("workflowhub", SITE)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so of a workflow with its version."""
        found = _read(ref)
        return found is not None and bool(found[1])

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Return the workflow with its newest version, where none is named; None for addresses of something else."""
        found = _read(ref)
        if found is None:
            return None
        identifier, version = found
        pinned = version or Registry(_address(identifier, "", net), net, ref).newest()
        return Pinned(Reference(f"workflowhub:{identifier}@{pinned}"), pinned)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the crate that the site makes of the version, else the files that its registry has."""
        found = _read(ref)
        if found is None:
            return [Source(ref)]
        identifier, version = found
        version = version or Registry(_address(identifier, "", net), net, ref).newest()
        url = f"{setting_url(net, 'workflowhub', SITE)}/workflows/{identifier}/ro_crate?version={version}"
        if _offers(url, net):
            name = f"workflow-{identifier}-{version}.crate.zip"
            return [Source(Reference(url), name=name, media_type="application/zip")]
        address = _address(identifier, version, net)
        Registry(address, net, ref).version(version)
        return [Source(address.reference())]


def _offers(url: str, net: Net) -> bool:
    """Say whether the site has a crate; where it does not want to be asked without giving it, suppose so."""
    try:
        net.http(url, method="HEAD").stream.close()
    except ReferenceNotFound:
        return False
    except (AccessDenied, TemporaryFailure):
        raise
    except FetchError:
        return True
    return True


def _address(identifier: str, version: str, net: Net) -> TrsAddress:
    site = setting_url(net, "workflowhub", SITE)
    host, _, path = site.partition("://")[2].partition("/")
    return TrsAddress(host, identifier, version, base="" if not path else f"/{path}{USUAL}")


def _read(ref: Reference) -> tuple[str, str] | None:
    """Return number and version; None for an address of the site that is no workflow's page. Raises DefinitionError."""
    if ref.scheme == "workflowhub":
        match = NAME.fullmatch(ref.without_fragment().uri.partition(":")[2].lstrip("/"))
        if match is None:
            raise DefinitionError("not a workflow of WorkflowHub", where=str(ref), remedy=REMEDY)
        return match["id"], match["version"] or ""
    parts = urlsplit(ref.uri)
    page = PAGE.fullmatch(parts.path)
    if page is None:
        return None
    version = parse_qs(parts.query).get("version", [""])[0]
    return page["id"], version if version.isascii() and version.isdigit() else ""
