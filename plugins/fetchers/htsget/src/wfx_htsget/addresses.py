"""References of what an htsget server has: `htsget://HOST/reads/ID?…`, and where it is asked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.htsget"
# What the specification knows for GET (1.3 §"Query parameters"); `region` is ours, for its POST.
SINGLE: Final = ("format", "class", "referenceName", "start", "end", "encryptionScheme")
LISTS: Final = ("fields", "tags", "notags")
FORMATS: Final = {"reads": ("BAM", "CRAM"), "variants": ("VCF", "BCF")}
REGION: Final = re.compile(r"(?P<name>.+?)(?::(?P<start>\d+)-(?P<end>\d*))?")
REMEDY: Final = (
    "write htsget://HOST/reads/ID or htsget://HOST/variants/ID, and ?referenceName=…&start=…&end=… behind it"
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a server."""

    url: str
    """Of the ticket, without the parameters."""
    kind: str
    """`reads` or `variants`."""
    id: str
    parameters: tuple[tuple[str, str], ...]
    regions: tuple[dict[str, Any], ...]
    """Of a ticket by POST; empty: by GET."""

    @property
    def format(self) -> str:
        """The format that is asked for, or that the specification has where none is."""
        return dict(self.parameters).get("format") or FORMATS[self.kind][0]

    @property
    def wanted(self) -> str:
        """The class that is asked for; empty: all."""
        return dict(self.parameters).get("class", "")

    @property
    def ticket(self) -> str:
        """The address of the ticket, with the parameters where they stand in it."""
        if self.regions or not self.parameters:
            return self.url
        return f"{self.url}?{urlencode(self.parameters)}"

    def body(self) -> dict[str, Any]:
        """Return what is sent for a ticket by POST."""
        found: dict[str, Any] = {}
        for name, value in self.parameters:
            found[name] = [each for each in value.split(",") if each] if name in LISTS else value
        return {**found, "regions": list(self.regions)}


def parse_query(ref: Reference, net: Net) -> Query:
    """Read a reference. Raises DefinitionError."""
    parts = urlsplit(ref.without_credentials().without_fragment().uri)
    match = re.fullmatch(r"(?P<base>/.*?|)/(?P<kind>reads|variants)/(?P<id>.+)", parts.path)
    if not parts.netloc or match is None:
        raise DefinitionError("it names neither reads nor variants of a server", where=str(ref), remedy=REMEDY)
    if ".." in unquote(match["id"]).split("/"):
        raise DefinitionError("the id leads elsewhere on the server", where=str(ref))
    kind, found, regions = match["kind"], {}, []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "region":
            regions.append(_region(value, ref))
        elif name not in (*SINGLE, *LISTS):
            raise DefinitionError(
                f"the reference has an unknown parameter {name!r}", where=str(ref),
                remedy=f"use {', '.join((*SINGLE, *LISTS, 'region'))}",
            )  # fmt: skip
        elif name in found:
            raise DefinitionError(
                f"the reference has {name!r} twice",
                where=str(ref),
                remedy="several regions are written region=NAME:START-END",
            )
        else:
            found[name] = value
    _check(kind, found, regions, ref)
    return Query(
        _server(parts.scheme, parts.netloc.lower(), net) + parts.path, kind, unquote(match["id"]), tuple(found.items()),
        tuple(regions),
    )  # fmt: skip


def _check(kind: str, found: dict[str, str], regions: list[dict[str, Any]], ref: Reference) -> None:
    def refuse(what: str, remedy: str | None = None) -> DefinitionError:
        return DefinitionError(what, where=str(ref), remedy=remedy)

    if "format" in found:
        found["format"] = found["format"].upper()
        if found["format"] not in FORMATS[kind]:
            raise refuse(f"{kind} have no format {found['format']!r}", f"use {' or '.join(FORMATS[kind])}")
    if found.get("class", "header") not in ("header", "body"):
        raise refuse(f"there is no class {found['class']!r}", "use header or body")
    place = [name for name in ("referenceName", "start", "end") if name in found]
    if regions and place:
        raise refuse(f"region and {place[0]} cannot go together", "write all regions as region=NAME:START-END")
    if place and "referenceName" not in found:
        raise refuse(f"{place[0]} has no referenceName", "add &referenceName=")
    for name in ("start", "end"):
        if name in found and not re.fullmatch(r"\d{1,10}", found[name]):
            raise refuse(f"{name} is {found[name]!r}, and no number")
    if place and int(found.get("start", 0)) > int(found.get("end", 2**32)):
        raise refuse("start is behind end")
    if found.get("class") == "header" and (place or regions):
        raise refuse("a header has no regions", "leave the regions out, or class=header")


def _region(text: str, ref: Reference) -> dict[str, Any]:
    """Read NAME or NAME:START-END, whose positions count from 0 and whose end is not in it, as all of htsget's."""
    match = REGION.fullmatch(text)
    if match is None or (match["end"] and int(match["start"]) > int(match["end"])):
        raise DefinitionError(f"the region {text!r} is none", where=str(ref), remedy="write region=NAME:START-END")
    found: dict[str, Any] = {"referenceName": match["name"]}
    if match["start"]:
        found["start"] = int(match["start"])
    if match["end"]:
        found["end"] = int(match["end"])
    return found


def _server(scheme: str, host: str, net: Net) -> str:
    section = net.section(SECTION)
    for key in section:
        if key != "servers":
            raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use servers")
    value = section.get("servers", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"'{SECTION}.servers' takes a list of texts")
    for text in value:
        name, equals, url = text.partition("=")
        if not equals or not name.strip() or not re.fullmatch(r"https?://[^\s@?#]+", url.strip()):
            raise DefinitionError(
                f"'{SECTION}.servers' has {text!r}", remedy="write HOST=https://HOST/PATH, as far as before /reads"
            )
        if name.strip().lower() == host:
            return str(url).strip().rstrip("/")
    plain = scheme == "htsget" and is_this_machine(urlsplit(f"//{host}").hostname or "")
    return f"{'http' if plain else 'https'}://{host}"


def is_this_machine(host: str) -> bool:
    """Say whether a host is this machine, to which plain http is good enough."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
