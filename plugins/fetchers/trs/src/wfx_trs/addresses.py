"""Addresses of workflows in registries: `trs://HOST/ID/VERSION`, and what the parts mean."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference

SECTION: Final = "fetcher.trs"
SETTINGS: Final = ("dockstore", "servers", "workflowhub")
USUAL: Final = "/ga4gh/trs/v2"
PATHS: Final = {"dockstore.org": "/api/ga4gh/trs/v2", "staging.dockstore.org": "/api/ga4gh/trs/v2"}
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
ROUTE: Final = re.compile(
    r"(?P<base>(?:/.*)?)/tools/(?P<id>[^/]+)(?:/versions/(?P<version>[^/]+)(?:/(?P<type>[A-Za-z_]+))?)?"
)
REMEDY: Final = "write trs://HOST/ID/VERSION, with every / and # of ID and VERSION as %2F and %23"


@dataclass(frozen=True, slots=True)
class TrsAddress:
    """One version of a workflow in one registry."""

    host: str
    """With the port, where there is one."""
    id: str
    version: str = ""
    """Empty: the newest."""
    type: str = ""
    """`CWL`, `NFL`, …; empty: the one that there is."""
    digest: str = ""
    """Of the version's files (`wfx_trs.listing`); with it the address never changes its meaning."""
    path: str = ""
    """Of one file in the tree; empty: the primary descriptor."""
    base: str = ""
    """Path of the registry's interface, where the reference states it."""

    @classmethod
    def parse(cls, ref: Reference) -> TrsAddress:
        """Read a reference. Raises DefinitionError."""
        head, _, fragment = ref.without_credentials().uri.partition("#")
        head, _, query = head.partition("?")
        authority, slash, rest = head.partition("://")[2].partition("/")
        if not authority or "@" in authority:
            raise DefinitionError("the reference names no registry", where=str(ref), remedy=REMEDY)
        parameters = dict(parse_qsl(query))
        digest = parameters.pop("sha256", "").lower()
        kind = parameters.pop("type", "")
        if parameters or (digest and not DIGEST.fullmatch(digest)):
            raise DefinitionError(
                "the reference's query is not understood",
                where=str(ref),
                remedy="use ?type=CWL, and leave the rest out",
            )
        path = ""
        for part in fragment.split("&"):
            if part.startswith("path="):
                path = os.fsdecode(unquote_to_bytes(part.removeprefix("path="))).strip("/")
        route = ROUTE.fullmatch(slash + rest.rstrip("/"))
        if route is not None:
            base, identifier, version = route["base"] or "/", route["id"], route["version"] or ""
            kind = kind or (route["type"] or "").upper().removeprefix("PLAIN_")
        else:
            base = ""
            parts = rest.rstrip("/").split("/")
            if len(parts) > 2:
                raise DefinitionError("the reference has too many parts", where=str(ref), remedy=REMEDY)
            identifier, version = (*parts, "")[:2]
        if not identifier:
            why = "what follows a bare # is no part of an id" if fragment and not path else None
            raise DefinitionError("the reference names no workflow", where=str(ref), why=why, remedy=REMEDY)
        return cls(authority.lower(), unquote(identifier), unquote(version), kind.upper(), digest, path, base)

    def reference(self) -> Reference:
        """Return the one way to write it."""
        identifier, version = quote(self.id, safe=""), quote(self.version, safe="")
        if self.base:
            uri = f"trs://{self.host}{self.base.rstrip('/')}/tools/{identifier}"
            uri += f"/versions/{version}" if version else ""
        else:
            uri = f"trs://{self.host}/{identifier}" + (f"/{version}" if version else "")
        query = {name: value for name, value in (("type", self.type), ("sha256", self.digest)) if value}
        if query:
            uri += f"?{urlencode(query)}"
        return Reference(uri + (f"#path={quote(os.fsencode(self.path))}" if self.path else ""))

    def api(self, net: Net) -> str:
        """Return the address of the registry's interface. Raises DefinitionError for wrong settings."""
        servers = setting_servers(net)
        if not self.base and self.host in servers:
            return servers[self.host]
        scheme = "http" if is_this_machine(self.host) else "https"
        path = self.base or PATHS.get(self.host, USUAL)
        return f"{scheme}://{self.host}{path.rstrip('/')}"


def is_this_machine(host: str) -> bool:
    """Say whether a host, with its port, is this machine, to which plain http is good enough."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def setting_servers(net: Net) -> dict[str, str]:
    """Return host → address of the interface, from the setting `servers`. Raises DefinitionError."""
    value = _section(net).get("servers", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"'{SECTION}.servers' takes a list of texts")
    found = {}
    for text in value:
        host, equals, url = text.partition("=")
        if not equals or not host.strip() or not re.fullmatch(r"https?://[^\s@?#]+", url.strip()):
            raise DefinitionError(
                f"'{SECTION}.servers' has {text!r}", remedy="write HOST=https://HOST/PATH, as far as before /tools"
            )
        found[host.strip().lower()] = url.strip().rstrip("/")
    return found


def setting_url(net: Net, name: str, default: str) -> str:
    """Return a setting that is an address. Raises DefinitionError."""
    value = _section(net).get(name) or default
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s@?#/]+(/[^\s@?#]*)?", value):
        raise DefinitionError(f"'{SECTION}.{name}' is {value!r}", why="it is no address", remedy="write https://HOST")
    return value.rstrip("/")


def _section(net: Net) -> dict[str, object]:
    section = net.section(SECTION)
    for key in section:
        if key not in SETTINGS:
            raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(SETTINGS)}")
    return dict(section)
