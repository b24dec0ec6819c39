"""`drs:` identifiers: by host, or compact by a registered prefix; and where a server has its objects."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from wfx.errors import DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference

from wfx_drs.answers import ask

SECTION: Final = "fetcher.drs"
SETTINGS: Final = ("resolver", "servers")
RESOLVER: Final = "https://resolver.api.identifiers.org"
OBJECTS: Final = "/ga4gh/drs/v1/objects/"
OBJECT: Final = "drs-object+"
ELSEWHERE: Final = "elsewhere"
BY_HOST: Final = re.compile(r"(?P<host>[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?/(?P<id>[^?#]+)")
COMPACT: Final = re.compile(r"(?:(?P<provider>[A-Za-z0-9_\-]+)/)?(?P<prefix>[A-Za-z0-9._]+):(?P<accession>[^?#]+)")
REMEDY: Final = "write drs://HOST/ID, or drs://PREFIX:ACCESSION with a prefix of identifiers.org"


@dataclass(frozen=True, slots=True)
class DrsObject:
    """Where one object is described."""

    url: str
    """`https://HOST/ga4gh/drs/v1/objects/ID`."""
    named: bool = True
    """Whether the user has named its server, and not only a bundle of another: credentials for all servers are for it."""

    @property
    def reference(self) -> Reference:
        """The reference by which its bytes are opened."""
        return Reference(OBJECT + self.url + ("" if self.named else f"#{ELSEWHERE}"))

    @property
    def name(self) -> str:
        """Its identifier by host."""
        base, _, identifier = self.url.rpartition("/objects/")
        return f"drs://{urlsplit(base).netloc}/{identifier}"

    @property
    def id(self) -> str:
        """The object's own identifier."""
        return unquote(self.url.rpartition("/objects/")[2])

    def access(self, identifier: str) -> str:
        """Return where the address of its bytes is asked for."""
        return f"{self.url}/access/{quote(identifier, safe='')}"

    def sibling(self, identifier: str) -> DrsObject:
        """Return another object of the same server."""
        base = self.url.rpartition("/objects/")[0]
        return DrsObject(f"{base}/objects/{quote(identifier, safe='')}", self.named)


def is_compact(ref: Reference) -> bool:
    """Say whether an identifier is compact: a prefix in place of a host. Raises DefinitionError for neither."""
    rest = _rest(ref)
    match = BY_HOST.fullmatch(rest)
    # An id has its colon escaped, and so a colon behind a name that is no host's is that of a prefix.
    if match is not None and not (":" in match["id"] and "." not in match["host"] and not match["port"]):
        return False
    if match is not None and match["host"] == "localhost":
        return False
    if COMPACT.fullmatch(rest):
        return True
    raise DefinitionError("it is no identifier of a data repository", where=str(ref), remedy=REMEDY)


def object_of(ref: Reference, net: Net, *, named: bool = True) -> DrsObject:
    """Return the object of an identifier by host. Raises DefinitionError."""
    match = BY_HOST.fullmatch(_rest(ref))
    if match is None:
        raise DefinitionError("it is no identifier of a data repository", where=str(ref), remedy=REMEDY)
    host = f"{match['host'].lower()}{match['port'] or ''}"
    base = _servers(net).get(host)
    if base is None:
        scheme = "http" if is_this_machine(match["host"]) else "https"
        base = f"{scheme}://{host}{OBJECTS.removesuffix('/objects/')}"
    # Slashes that somebody has not escaped belong to the id (Gen3: dg.4503/…), and every other escape stays.
    return DrsObject(f"{base}/objects/{quote(unquote(match['id']), safe='')}", named)


def look_up(ref: Reference, net: Net) -> Reference:
    """Ask identifiers.org what a compact identifier stands for; return the identifier by host.

    Raises ReferenceNotFound for an unknown prefix, FetchError where the prefix is none of a data repository.
    """
    match = COMPACT.fullmatch(_rest(ref))
    assert match is not None
    provider = f"{match['provider']}/" if match["provider"] else ""
    prefix, accession = match["prefix"], unquote(match["accession"])
    url = f"{_setting(net, 'resolver') or RESOLVER}/{provider}{prefix}:{quote(accession, safe=':/')}"
    try:
        answer = ask(net, url)
    except ReferenceNotFound as error:
        raise ReferenceNotFound(f"the prefix {prefix!r} is not known", where=str(ref), why=str(error)) from error
    except FetchError as error:
        if getattr(error, "status", 0) != 400:
            raise
        raise ReferenceNotFound(f"the prefix {prefix!r} is not known", where=str(ref), why=str(error)) from error
    found = _resources(answer, url)
    for target in found:
        parts = urlsplit(target)
        if parts.scheme in ("http", "https") and parts.path.startswith(OBJECTS) and not parts.username:
            identifier = quote(unquote(parts.path.removeprefix(OBJECTS)), safe="")
            return Reference(f"drs://{parts.netloc.lower()}/{identifier}")
    raise FetchError(
        f"the prefix {prefix!r} is none of a data repository", where=str(ref),
        why=f"identifiers.org leads to {Reference(found[0])}" if found else "identifiers.org leads nowhere",
    )  # fmt: skip


def is_this_machine(host: str) -> bool:
    """Say whether a host is this machine, to which plain http is good enough."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _rest(ref: Reference) -> str:
    return ref.without_fragment().uri.partition("://")[2].rstrip("/")


def _resources(answer: Any, url: str) -> list[str]:
    """Return the addresses that a prefix leads to, the official and the best recommended first."""
    payload = answer.get("payload") if isinstance(answer, dict) else None
    items = payload.get("resolvedResources") if isinstance(payload, dict) else None
    if not isinstance(items, list):
        raise FetchError("the answer of identifiers.org is not understood", where=url)
    rows = []
    for item in items:
        target = item.get("compactIdentifierResolvedUrl") if isinstance(item, dict) else None
        if isinstance(target, str):
            recommended = item.get("recommendation")
            index = recommended.get("recommendationIndex", 0) if isinstance(recommended, dict) else 0
            rows.append((item.get("official") is True, index if isinstance(index, int) else 0, target))
    return [target for _, _, target in sorted(rows, key=lambda row: row[:2], reverse=True)]


def _section(net: Net) -> dict[str, object]:
    section = net.section(SECTION)
    for key in section:
        if key not in SETTINGS:
            raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SETTINGS)}")
    return dict(section)


def _setting(net: Net, name: str) -> str:
    value = _section(net).get(name) or ""
    if not isinstance(value, str) or (value and not re.fullmatch(r"https?://[^\s@?#]+", value)):
        raise DefinitionError(f"'{SECTION}.{name}' is {value!r}", why="it is no address", remedy="write https://HOST")
    return value.rstrip("/")


def _servers(net: Net) -> dict[str, str]:
    value = _section(net).get("servers", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"'{SECTION}.servers' takes a list of texts")
    found = {}
    for text in value:
        host, equals, url = text.partition("=")
        if not equals or not host.strip() or not re.fullmatch(r"https?://[^\s@?#]+", url.strip()):
            raise DefinitionError(
                f"'{SECTION}.servers' has {text!r}", remedy="write HOST=https://HOST/PATH, as far as before /objects"
            )
        found[host.strip().lower()] = url.strip().rstrip("/")
    return found
