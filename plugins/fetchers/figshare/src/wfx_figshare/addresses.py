"""References of items: `figshare:ID@VERSION/PATH`, and the pages of figshare and of portals at figshare.com."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

from wfx.deposits import Wanted, setting_url, split_reference
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.figshare"
API: Final = "https://api.figshare.com/v2"
# Publishers' portals whose pages are understood as they stand in a browser.
PORTALS: Final = ("aacr", "acs", "frontiersin", "plos", "rs", "sage", "springernature", "tandf", "wiley")
NAME: Final = re.compile(r"(?P<id>[1-9][0-9]{0,11})(?:@(?P<version>[1-9][0-9]{0,5}))?")
PAGE: Final = re.compile(r"/articles/(?:[^/]+/){0,2}(?P<id>[0-9]{4,12})(?:/(?P<version>[0-9]{1,3}))?/?")


@dataclass(frozen=True, slots=True)
class ItemAddress:
    """An item, or a version of one."""

    id: str
    version: str = ""
    """Empty: the newest."""
    wanted: Wanted = Wanted()
    file: str = ""
    """Number of the one file that a page shows."""

    @classmethod
    def parse(cls, ref: Reference) -> ItemAddress | None:
        """Read a reference; None for an address of the web that is no item's page. Raises DefinitionError."""
        identifier, wanted = split_reference(ref)
        if ref.scheme == "figshare":
            match = NAME.fullmatch(identifier)
            if match is None:
                raise DefinitionError(
                    "not an item of figshare", where=str(ref), why=f"{identifier!r:.80} is no number",
                    remedy="write figshare:ID@VERSION or figshare:ID/FILE, as figshare:1234567@2/reads.fq.gz",
                )  # fmt: skip
            return cls(match["id"], match["version"] or "", wanted)
        parts = urlsplit(ref.uri)
        page = PAGE.fullmatch(parts.path)
        if page is None:
            return None
        file = parse_qs(parts.query).get("file", [""])[0]
        file = file if file.isascii() and file.isdigit() else ""
        return cls(page["id"], page["version"] or "", Wanted(part=wanted.part), file)

    def with_version(self, version: str) -> ItemAddress:
        """Return the same part of a version."""
        return replace(self, version=version)

    def reference(self) -> Reference:
        """Return the one way to write it."""
        path, part = self.wanted.path, self.wanted.part
        uri = f"figshare:{self.id}" + (f"@{self.version}" if self.version else "") + (f"/{path}" if path else "")
        return Reference(uri if part is None else f"{uri}#path={part}")

    def api(self, net: Net) -> str:
        """Return the address of the interface. Raises DefinitionError for wrong settings."""
        for key in net.section(SECTION):
            if key != "api":
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use api")
        return setting_url(net, SECTION, "api", API)
