"""One request's address, taken apart; and by which proxy it goes."""

from __future__ import annotations

import base64
import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from wfx.errors import FetchError, PolicyError
from wfx.net import NetSettings
from wfx.net.addresses import is_public
from wfx.redaction import redact, redact_uri


@dataclass(frozen=True, slots=True)
class Hop:
    """One request's address, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they go on the wire."""
    user: str = ""
    password: str = field(default="", repr=False)
    proxy: str = ""

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`, the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == standard else f":{self.port}")

    @property
    def url(self) -> str:
        """The address without log-in and fragment."""
        return self.origin + self.target

    @classmethod
    def parse(cls, url: str) -> Hop:
        """Take an address apart. Raises FetchError for one that is none, PolicyError for another scheme."""
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (
                (parts.hostname or "").encode("idna").decode()
                if not (parts.hostname or "").isascii()
                else parts.hostname
            )
        except (ValueError, UnicodeError) as error:
            raise FetchError("it is not a valid address", where=redact_uri(url), why=str(error)) from error
        scheme = parts.scheme.lower()
        if scheme not in ("http", "https"):
            raise PolicyError(f"{scheme}: is no address of the web", where=redact_uri(url))
        if not host:
            raise FetchError("the address has no host", where=redact_uri(url))
        # Everything that may not stand in a request line is escaped; what is escaped already stays.
        target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe="/?:@!$&'()*+,;=%-._~[]")
        return cls(
            scheme, host, port or (443 if scheme == "https" else 80), target, unquote(parts.username or ""),
            unquote(parts.password or ""), proxy_for(scheme, host),
        )  # fmt: skip

    def proxy_headers(self) -> dict[str, str]:
        """Return the proof for the proxy that its address holds."""
        parts = urlsplit(self.proxy)
        if not parts.username:
            return {}
        redact.learn(unquote(parts.password or ""))
        text = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def proxy_for(scheme: str, host: str) -> str:
    """Return the proxy that the environment names; empty where there is none. Raises FetchError for one we cannot use."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    import urllib.request

    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]
        return ""
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    proxy = proxy if not proxy or "://" in proxy else f"http://{proxy}"
    if proxy and not proxy.lower().startswith("http://"):
        raise FetchError(
            "a proxy is set that speaks no plain HTTP", where=redact_uri(proxy),
            remedy=f"set {scheme}_proxy to an http:// one, or except {host} with no_proxy",
        )  # fmt: skip
    return proxy


def refuse_private_name(hop: Hop, settings: NetSettings, where: str) -> None:
    """Raise PolicyError for a name or address of a private network, where a proxy would look it up."""
    if hop.host in settings.allow_private_hosts:
        return
    try:
        public = is_public(str(ipaddress.ip_address(hop.host)))
    except ValueError:
        public = "." in hop.host and not hop.host.endswith((".local", ".internal", ".localhost", ".lan"))
    if not public:
        raise PolicyError("a redirect or a document leads into a private network", where=where, why=hop.host)
