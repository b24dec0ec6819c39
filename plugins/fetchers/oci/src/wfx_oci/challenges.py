"""What a registry asks for when it answers 401: WWW-Authenticate (RFC 9110 §11.6.1), and the token that satisfies it.

The token protocol is the distribution project's: the challenge names a realm, a service and a scope, and the realm
gives a token for them, to anybody or to who has a login.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from wfx.errors import AccessDenied, FetchError, PolicyError
from wfx.net import Net
from wfx.redaction import redact, redact_uri
from wfx.references import Reference

from wfx_oci.logins import Login

CHALLENGE = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~\-]*)(?:\s+|(?=,)|$)(?=[^=]|$)")
PARAMETER = re.compile(r'\s*,?\s*([A-Za-z][A-Za-z0-9_\-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
# Without a statement a token is good for a minute (token specification); a little is lost on the way.
LIFETIME = 60.0
MARGIN = 5.0
LARGEST_ANSWER = 2**20
CLIENT = "wfx"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in which a registry would be satisfied."""

    scheme: str
    """In lower case: `bearer`, `basic`."""
    parameters: Mapping[str, str]


def read_challenges(header: str) -> list[Challenge]:
    """Read the header; what is no challenge is left out."""
    found: list[Challenge] = []
    at = 0
    while match := CHALLENGE.match(header, at):
        at, parameters = match.end(), {}
        while part := PARAMETER.match(header, at):
            at = part.end()
            value = part[3] if part[2] is None else re.sub(r"\\(.)", r"\1", part[2])
            parameters[part[1].lower()] = value
        found.append(Challenge(match[1].lower(), parameters))
    return found


@dataclass(frozen=True, slots=True)
class Proof:
    """An Authorization header, and until when it is good."""

    header: str = field(repr=False)
    until: float = float("inf")
    """By the monotonic clock."""
    anonymous: bool = False

    @property
    def fresh(self) -> bool:
        """Whether it is still good."""
        return time.monotonic() < self.until


def prove(net: Net, base: str, header: str, scope: str, login: Login | None) -> Proof | None:
    """Return what satisfies the challenge of the registry at `base`; None where a login is wanted and there is none.

    Raises AccessDenied where the login is refused, PolicyError for a realm that no secret may be sent to, FetchError.
    """
    challenges = read_challenges(header)
    if login is not None and login.access_token:
        return Proof(f"Bearer {login.access_token}")
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return _token(net, base, challenge, challenge.parameters.get("scope") or scope, login)
    if any(challenge.scheme == "basic" for challenge in challenges):
        return Proof(login.basic()) if login is not None and login.username else None
    raise AccessDenied(
        "the registry wants a proof of another kind than token or password", where=base,
        why=", ".join(challenge.scheme for challenge in challenges) or None,
    )  # fmt: skip


def _token(net: Net, base: str, challenge: Challenge, scope: str, login: Login | None) -> Proof:
    realm = challenge.parameters["realm"]
    parts = urlsplit(realm)
    if parts.scheme != "https" and not (parts.scheme == "http" and base.startswith("http:")):
        raise PolicyError("the registry sends for a token over an open connection", where=base, why=redact_uri(realm))
    service = challenge.parameters.get("service", "")
    # What the registry names may not lead into another private network than its own.
    gate = net.on_behalf_of(Reference(base), "fetch")
    fields = {"service": service, "scope": scope}
    if login is not None and login.identity_token:
        form = {**fields, "grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": CLIENT}
        data: bytes | None = urlencode(form).encode()
        headers, url = {"Content-Type": "application/x-www-form-urlencoded"}, realm
    else:
        query = urlencode({key: value for key, value in fields.items() if value})
        url, data, headers = realm + ("&" if parts.query else "?") + query, None, {}
        if login is not None:
            headers["Authorization"] = login.basic()
    try:
        body = gate.http(url, headers=headers, method="POST" if data else "GET", data=data, anonymous=True)
    except AccessDenied as error:
        if login is None:
            raise
        raise AccessDenied(
            "the login is refused", where=base, why=f"it comes from {login.origin}",
            remedy="log in again, or correct the credentials",
        ) from error  # fmt: skip
    try:
        answer = json.loads(body.read(LARGEST_ANSWER))
        token = str(answer.get("token") or answer["access_token"])
        lifetime = float(answer.get("expires_in") or LIFETIME)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FetchError("the registry's token service gives no token", where=redact_uri(realm)) from error
    redact.learn(token)
    if any(c in token for c in "\r\n\0"):
        raise FetchError("the registry's token has a control character", where=redact_uri(realm))
    return Proof(f"Bearer {token}", time.monotonic() + max(0.0, lifetime - MARGIN), login is None)
