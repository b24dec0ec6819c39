"""Which addresses may be connected to: the rule against being led into a private network (SSRF)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wfx.errors import FetchError, PolicyError

if TYPE_CHECKING:
    from wfx.net import NetSettings

PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418, "ftp": 21, "sftp": 22}
# (family, address as getaddrinfo gives it)
Resolved = tuple[int, tuple[str, int] | tuple[str, int, int, int]]


def split_origin(origin: str) -> tuple[str, int]:
    """Return host and port of `SCHEME://HOST[:PORT]`."""
    parts = urlsplit(origin)
    try:
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise FetchError("the address has no valid port", where=origin) from error


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the open Internet; embedded IPv4 addresses are looked at too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        # 64:ff9b::/96, RFC 6052: a translator's view of an IPv4 address.
        if embedded is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast


def resolve(host: str, port: int, where: str) -> list[Resolved]:
    """Ask the name service. Raises TemporaryFailure where it has no answer."""
    from wfx.net import TemporaryFailure

    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise TemporaryFailure(
            f"the host {host!r} is not found", where=where, why=reason, remedy="check the name and the network"
        ) from error
    found: list[Resolved] = []
    for family, _, _, _, address in answers:
        if (family, address) not in found:
            found.append((family, address))  # type: ignore[arg-type]
    return found


def allowed_addresses(
    host: str, port: int, *, trusted: Collection[str] | None, settings: NetSettings, where: str,
    known: Collection[str] = (),
) -> list[Resolved]:  # fmt: skip
    """Return the addresses of a host that may be connected to.

    `trusted` are hosts that may lie in a private network (None: any may, the user named it himself), `known` addresses
    that have been reached on the user's word. The caller connects to just these addresses, so that a name that changes
    its meaning between check and connect gains nothing. Raises PolicyError.
    """
    addresses = resolve(host, port, where)
    if trusted is None or host in trusted or host in settings.allow_private_hosts:
        return addresses
    allowed = [item for item in addresses if is_public(str(item[1][0])) or item[1][0] in known]
    if not allowed:
        raise PolicyError(
            "a redirect or a document leads into a private network", where=where,
            why=f"{host} is {addresses[0][1][0]}",
            remedy=f"if that is right, add {host} to the setting net.allow_private_hosts",
        )  # fmt: skip
    return allowed
