"""References of what OSF has: `osf:ID/PATH`, and its pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from wfx.deposits import Wanted, setting_url, split_reference
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.osf"
API: Final = "https://api.osf.io/v2"
GUID: Final = re.compile(r"[a-z0-9]{5}(?:_v[0-9]{1,4})?")
PAGE: Final = re.compile(
    r"/(?:preprints/(?:[a-z]+/)?)?(?P<id>[a-z0-9]{5}(?:_v[0-9]{1,4})?)(?:/files(?:/osfstorage)?)?/?"
)
FILE_PAGE: Final = re.compile(r"/[a-z0-9]{5}/files/osfstorage/(?P<file>[0-9a-f]{24})/?")
# Pages of the site that look like identifiers.
OTHERS: Final = frozenset({"about", "login", "terms", "files"})


@dataclass(frozen=True, slots=True)
class OsfAddress:
    """A project, component, registration, preprint or file."""

    id: str
    wanted: Wanted = Wanted()
    version: str = ""
    """Of the one file that is meant; empty: what it is now."""
    file: bool = False
    """Whether the identifier is that of a file in the storage."""

    @classmethod
    def parse(cls, ref: Reference) -> OsfAddress | None:
        """Read a reference; None for an address of the site that is no page of such a thing. Raises DefinitionError."""
        identifier, wanted = split_reference(ref)
        parts = urlsplit(ref.uri)
        version = parse_qs(parts.query).get("version", [""])[0]
        version = version if version.isascii() and version.isdigit() else ""
        if ref.scheme == "osf":
            if not GUID.fullmatch(identifier):
                raise DefinitionError(
                    "not an identifier of OSF", where=str(ref), why=f"{identifier!r:.80} is not five letters and digits",
                    remedy="write osf:ID or osf:ID/FILE, as osf:ab12c/reads.fq.gz",
                )  # fmt: skip
            return cls(identifier, wanted, version)
        file = FILE_PAGE.fullmatch(parts.path)
        if file is not None:
            return cls(file["file"], Wanted(part=wanted.part), version, file=True)
        page = PAGE.fullmatch(parts.path)
        if page is None or page["id"] in OTHERS:
            return None
        return cls(page["id"], Wanted(part=wanted.part), version)

    def api(self, net: Net) -> str:
        """Return the address of the interface. Raises DefinitionError for wrong settings."""
        for key in net.section(SECTION):
            if key != "api":
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use api")
        return setting_url(net, SECTION, "api", API)
