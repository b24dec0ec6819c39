"""The one redactor: every string that goes into a log, an error or a crate passes here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote_plus

MARK = "REDACTED"

# Names of query parameters that carry a credential: OAuth, presigned S3/GCS/Azure URLs, and the common spellings.
SECRET_PARAMETER = re.compile(
    r"(?i)^(.*(token|secret|passw(or)?d|api[-_]?key|signature|credential).*|auth|key|sig|pwd|x-amz-.*|x-goog-.*"
    r"|awsaccesskeyid|googleaccessid|se|sp|sv|sr|skoid|sktid|ske|skt|sks|skv|policy|key-pair-id)$"
)
# An image by its digest (`docker://alpine@sha256:…`) is no host with user information.
AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{0,40}://)([^/?#\s]*@)(?!sha256:[0-9a-f]{64}(?![0-9a-f]))")
# Of Azure's references the container stands where others have a user.
CONTAINER = re.compile(r"(?i)abfss?://[a-z0-9$][a-z0-9\-]{2,62}@")
URI_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,40}://[^\s'\"<>]+")
HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|cookie|x-api-key|private-token|x-auth-token)(['\"]?\s*[:=]\s*)[^\r\n,}]+"
)
SEPARATOR = re.compile("([&;])")
SHORTEST = 6


def redact_uri(uri: str) -> str:
    """Return the URI without user information and with the values of secret query parameters replaced."""
    uri = AUTHORITY.sub(_without_user, uri)
    rest, hash_mark, fragment = uri.partition("#")
    head, mark, query = rest.partition("?")
    # Some answers of OAuth 2.0 carry the token in the fragment (RFC 6749 §4.2.2).
    return head + mark + _redact_parameters(query) + hash_mark + _redact_parameters(fragment)


def _without_user(match: re.Match[str]) -> str:
    # What stands there in `abfss://CONTAINER@ACCOUNT…` is a part of the name.
    return match[0] if CONTAINER.fullmatch(match[0]) else match[1]


def _redact_parameters(text: str) -> str:
    parts = []
    for part in SEPARATOR.split(text):
        name, equals, _ = part.partition("=")
        parts.append(f"{name}={MARK}" if equals and SECRET_PARAMETER.match(unquote_plus(name)) else part)
    return "".join(parts)


class Redactor:
    """Takes the secrets that wfx knows of, and all that looks like one, out of a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Remember a secret; one under six characters is ignored, it would blank out ordinary words."""
        if len(secret) >= SHORTEST:
            # As it stands, and as it stands in a URI.
            self._secrets |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MARK)
        text = HEADER.sub(rf"\1\2{MARK}", text)
        return URI_IN_TEXT.sub(lambda match: redact_uri(match[0]), text)


# What the process has learnt; a credential is entered at the moment it is read (wfx.net.credentials).
redact = Redactor()
