"""References of datasets: `dataverse+https://HOST/PID@VERSION`, and the pages of installations that are known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from wfx.deposits import Wanted, setting_url
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.dataverse"
SETTINGS: Final = ("server", "servers")
SERVER: Final = "https://dataverse.harvard.edu"
# Installations whose pages are understood as they stand in a browser.
HOSTS: Final = (
    "archaeology.datastations.nl", "borealisdata.ca", "darus.uni-stuttgart.de",
    "data.goettingen-research-online.de", "data.sciencespo.fr", "dataverse.ada.edu.au", "dataverse.csuc.cat",
    "dataverse.harvard.edu", "dataverse.lib.virginia.edu", "dataverse.nl", "dataverse.no", "dataverse.tdl.org",
    "dataverse.unc.edu", "demo.dataverse.org", "edmond.mpg.de", "entrepot.recherche.data.gouv.fr",
    "heidata.uni-heidelberg.de", "lifesciences.datastations.nl", "phys-techsciences.datastations.nl",
    "rdr.kuleuven.be", "ssh.datastations.nl",
)  # fmt: skip
PID: Final = re.compile(r"(?:doi|hdl|ark|perma):[^\s@?#]+/[^\s@?#]+|perma:[^\s@?#]+")
VERSION: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
DOI_ADDRESS: Final = re.compile(r"https?://(?:dx\.)?(doi\.org|hdl\.handle\.net)/", re.I)
DATASET_PAGES: Final = ("/dataset.xhtml", "/citation")
FILE_PAGE: Final = "/file.xhtml"
REMEDY: Final = "write dataverse+https://HOST/doi:10.PREFIX/SUFFIX, with @VERSION and #path=FILE where they are meant"


@dataclass(frozen=True, slots=True)
class DatasetAddress:
    """A dataset, or one file with a persistent identifier of its own."""

    server: str
    """`https://HOST`; empty: that of the settings."""
    pid: str
    """`doi:10.7910/DVN/ABC`; of a file without one, its number."""
    version: str = ""
    """`2.1`; empty: the newest that is published."""
    wanted: Wanted = Wanted()
    file: bool = False
    """Whether the identifier is a file's."""

    @classmethod
    def parse(cls, ref: Reference) -> DatasetAddress | None:
        """Read a reference; None for an address of the web that is no dataset's page. Raises DefinitionError."""
        parts = urlsplit(ref.without_credentials().uri)
        part = next(
            (f.removeprefix("path=").lstrip("/") for f in parts.fragment.split("&") if f.startswith("path=")), None
        )
        scheme = parts.scheme.removeprefix("dataverse+") if parts.netloc else ""
        server = f"{scheme}://{parts.netloc.lower()}" if parts.netloc else ""
        if parts.path in (*DATASET_PAGES, FILE_PAGE) and parts.netloc:
            return cls._of_page(ref, server, parts.path == FILE_PAGE, parse_qs(parts.query), part)
        if not ref.scheme.startswith("dataverse"):
            return None
        if server and scheme not in ("http", "https"):
            raise DefinitionError("not a dataset", where=str(ref), remedy=REMEDY)
        name, _, version = unquote(parts.path).strip("/").partition("@")
        return cls(server, _pid(name, ref), _version(version, ref), Wanted(part=part))

    @classmethod
    def _of_page(
        cls, ref: Reference, server: str, file: bool, query: dict[str, list[str]], part: str | None
    ) -> DatasetAddress | None:
        pid, number = query.get("persistentId", [""])[0], query.get("fileId", [""])[0]
        if file and not pid and number.isascii() and number.isdigit():
            return cls(server, number, wanted=Wanted(part=part), file=True)
        if not pid:
            return None
        version = "" if file else query.get("version", [""])[0].strip(":").lower()
        return cls(
            server, _pid(pid, ref), _version("" if version.startswith("latest") else version, ref), Wanted(part=part), file
        )  # fmt: skip

    def with_version(self, version: str, net: Net) -> Reference:
        """Return the one way to write a version of it."""
        uri = f"dataverse+{self.server or self._usual(net)}/{quote(self.pid, safe=':/')}@{version}"
        return Reference(uri if self.wanted.part is None else f"{uri}#path={self.wanted.part}")

    def api(self, net: Net) -> str:
        """Return the address of the installation's interface. Raises DefinitionError for wrong settings."""
        for key in net.section(SECTION):
            if key not in SETTINGS:
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SETTINGS)}")
        server = self.server or self._usual(net)
        return f"{_servers(net).get(server.partition('://')[2], server)}/api"

    @staticmethod
    def _usual(net: Net) -> str:
        return setting_url(net, SECTION, "server", SERVER)


def _pid(text: str, ref: Reference) -> str:
    text = DOI_ADDRESS.sub(lambda match: "doi:" if match[1].lower() == "doi.org" else "hdl:", text.strip(), count=1)
    if text.startswith("10."):
        text = f"doi:{text}"
    if not PID.fullmatch(text):
        raise DefinitionError("not the identifier of a dataset", where=str(ref), why=f"{text!r:.100}", remedy=REMEDY)
    return text


def _version(text: str, ref: Reference) -> str:
    if text and not VERSION.fullmatch(text):
        why = "drafts change without notice" if text.lower() == "draft" else None
        raise DefinitionError(
            f"the version {text!r:.40} is none", where=str(ref), why=why, remedy="name one that is published, as @2.1"
        )
    return text if not text or "." in text else f"{text}.0"


def _servers(net: Net) -> dict[str, str]:
    value = net.section(SECTION).get("servers", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"'{SECTION}.servers' takes a list of texts")
    found = {}
    for text in value:
        host, equals, url = text.partition("=")
        if not equals or not host.strip() or not re.fullmatch(r"https?://[^\s@?#]+", url.strip()):
            raise DefinitionError(
                f"'{SECTION}.servers' has {text!r}", remedy="write HOST=https://HOST/PATH, as far as before /api"
            )
        found[host.strip().lower()] = url.strip().rstrip("/")
    return found
