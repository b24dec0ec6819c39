"""AWS Signature Version 4, for requests without a body.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()
# RFC 3986 §2.3: what stands for itself; a slash does in a path alone.
UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def path_text(path: str) -> str:
    """Return a path as it is sent and signed."""
    return quote(path.encode("utf-8", "surrogateescape"), safe=UNRESERVED + "/")


def query_text(parameters: Iterable[tuple[str, str]]) -> str:
    """Return a query as it is sent and signed."""

    def text(value: str) -> str:
        return quote(value.encode("utf-8", "surrogateescape"), safe=UNRESERVED)

    return "&".join(sorted(f"{text(name)}={text(value)}" for name, value in parameters))


def signed(
    url: str, headers: Mapping[str, str], keys: Keys, region: str, moment: datetime, *, method: str = "GET",
    service: str = "s3", payload: str = EMPTY,
) -> dict[str, str]:  # fmt: skip
    """Return the headers with those that prove who asks; `moment` is in UTC, and all given ones are signed.

    `url` has path and query as `path_text` and `query_text` give them.
    """
    parts = urlsplit(url)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    mine = {**headers, "x-amz-date": stamp}
    if service == "s3":
        mine["x-amz-content-sha256"] = payload
    if keys.session_token:
        mine["x-amz-security-token"] = keys.session_token
    lower = {name.lower(): " ".join(value.split()) for name, value in mine.items()} | {"host": host_of(url)}
    names = ";".join(sorted(lower))
    canonical = "\n".join([
        method, parts.path or "/", parts.query, *(f"{name}:{lower[name]}" for name in sorted(lower)), "", names, payload,
    ])  # fmt: skip
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    mine["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return mine


def host_of(url: str) -> str:
    """Return the Host header that goes with a URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, standard) else f"{host}:{parts.port}"
