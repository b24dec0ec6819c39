"""References of records: `b2share:ID/PATH`, and the pages of B2SHARE and of its site for training."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wfx.deposits import Wanted, setting_url, split_reference
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.b2share"
SITES: Final = {"server": "https://b2share.eudat.eu", "training": "https://trng-b2share.eudat.eu"}
ID: Final = r"[a-z0-9]{5}-[a-z0-9]{5}|[0-9a-f]{32}"
NAME: Final = re.compile(rf"(?P<id>{ID})(?P<latest>@latest)?")
PAGE: Final = re.compile(rf"records/(?P<id>{ID})(?P<latest>/latest)?(?:/files/(?P<path>.+))?/?")


@dataclass(frozen=True, slots=True)
class RecordAddress:
    """A version of a record, or the newest of those that it is one of."""

    site: str
    """The setting that has its address: `server` or `training`."""
    id: str
    wanted: Wanted = Wanted()
    latest: bool = False

    @classmethod
    def parse(cls, ref: Reference) -> RecordAddress | None:
        """Read a reference; None for an address of the site that is no record's page. Raises DefinitionError."""
        identifier, wanted = split_reference(ref)
        if ref.scheme == "b2share":
            name = NAME.fullmatch(identifier)
            if name is None:
                raise DefinitionError(
                    "not a record of B2SHARE", where=str(ref), why=f"{identifier!r:.80} is no identifier",
                    remedy="write b2share:ID or b2share:ID/FILE, as b2share:abcde-12345/reads.fq.gz",
                )  # fmt: skip
            return cls("server", name["id"], wanted, bool(name["latest"]))
        site = next((name for name, url in SITES.items() if ref.host == url.partition("://")[2]), "")
        page = PAGE.fullmatch(wanted.path)
        if not site or page is None:
            return None
        return cls(site, page["id"], Wanted(page["path"] or "", wanted.part), bool(page["latest"]))

    def reference(self, identifier: str) -> Reference:
        """Return the one way to write the same part of a version."""
        path, part = self.wanted.path, self.wanted.part
        if self.site == "server":
            uri = f"b2share:{identifier}" + (f"/{path}" if path else "")
        else:
            uri = f"{SITES[self.site]}/records/{identifier}" + (f"/files/{path}" if path else "")
        return Reference(uri if part is None else f"{uri}#path={part}")

    def api(self, net: Net) -> str:
        """Return the address of the site's interface. Raises DefinitionError for wrong settings."""
        for key in net.section(SECTION):
            if key not in SITES:
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SITES)}")
        return f"{setting_url(net, SECTION, self.site, SITES[self.site])}/api"
