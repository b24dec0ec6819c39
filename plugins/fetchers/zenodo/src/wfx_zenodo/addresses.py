"""References of records: `zenodo:ID/PATH`, and the pages of Zenodo and its sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from wfx.deposits import Wanted, setting_url, split_reference
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.zenodo"
SITES: Final = {"server": "https://zenodo.org", "sandbox": "https://sandbox.zenodo.org"}
NUMBER: Final = re.compile(r"[1-9][0-9]{0,11}")
PAGE: Final = re.compile(r"records?/(?P<id>[0-9]{1,12})(?:/files/(?P<path>.+))?/?")
DOI_PAGE: Final = re.compile(r"doi/10\.[0-9]+/zenodo\.(?P<id>[0-9]{1,12})/?", re.I)


@dataclass(frozen=True, slots=True)
class RecordAddress:
    """A record, or the concept that all versions of one have in common."""

    site: str
    """The setting that has its address: `server` or `sandbox`."""
    id: str
    wanted: Wanted = Wanted()

    @classmethod
    def parse(cls, ref: Reference) -> RecordAddress | None:
        """Read a reference; None for an address of the site that is no record's page. Raises DefinitionError."""
        identifier, wanted = split_reference(ref)
        if ref.scheme == "zenodo":
            if not NUMBER.fullmatch(identifier):
                raise DefinitionError(
                    "not a record of Zenodo", where=str(ref), why=f"{identifier!r:.80} is no number",
                    remedy="write zenodo:ID or zenodo:ID/FILE, as zenodo:1234567/reads.fq.gz",
                )  # fmt: skip
            return cls("server", identifier, wanted)
        site = next((name for name, url in SITES.items() if ref.host == url.partition("://")[2]), "")
        page = PAGE.fullmatch(wanted.path) or DOI_PAGE.fullmatch(unquote(wanted.path))
        if not site or page is None:
            return None
        path = page.groupdict().get("path") or ""
        return cls(site, page["id"], Wanted(path, wanted.part))

    def with_id(self, identifier: str) -> RecordAddress:
        """Return the same part of another record."""
        return replace(self, id=identifier)

    def reference(self) -> Reference:
        """Return the one way to write it."""
        path, part = self.wanted.path, self.wanted.part
        if self.site == "server":
            uri = f"zenodo:{self.id}" + (f"/{path}" if path else "")
        else:
            uri = f"{SITES[self.site]}/records/{self.id}" + (f"/files/{path}" if path else "")
        return Reference(uri if part is None else f"{uri}#path={part}")

    def api(self, net: Net) -> str:
        """Return the address of the site's interface. Raises DefinitionError for wrong settings."""
        for key in net.section(SECTION):
            if key not in SITES:
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SITES)}")
        return f"{setting_url(net, SECTION, self.site, SITES[self.site])}/api"
