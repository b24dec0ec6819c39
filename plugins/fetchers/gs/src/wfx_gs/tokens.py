"""Access tokens: given as they are, or got for a service account's key or a user's own log-in (OAuth 2.0)."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from wfx.errors import AccessDenied, DefinitionError, FetchError, MachineError, PluginError
from wfx.fetching import Net, Reference
from wfx.net.credentials import refuse_readable_by_others
from wfx.redaction import redact

from wfx_gs.settings import Settings

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
TOKENS = "https://oauth2.googleapis.com/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1
HOUR = 3600
# A token is renewed so many seconds before its end.
SPARE = 120
LARGEST_FILE = 64 * 1024

_lock = threading.Lock()
# File with its content's time → token, and when it ends by the clock of this process.
_known: dict[tuple[str, int], tuple[str, float]] = {}


def headers_for(ref: Reference, net: Net, settings: Settings) -> tuple[dict[str, str], str]:
    """Return what proves who asks, and where it was found, for people; nothing where nobody gives anything.

    1. `credentials.toml` or the environment for the bucket as a host: a token, or the file of a key;
    2. `CLOUDSDK_AUTH_ACCESS_TOKEN`, then the file that `GOOGLE_APPLICATION_CREDENTIALS` names.

    Raises DefinitionError, AccessDenied, FetchError, and PluginError where a package is missing.
    """
    if settings.anonymous:
        return {}, ""
    credential = net.credential(ref.uri)
    if credential is not None:
        if credential.key_file:
            return _bearer(_token(credential.key_file, net)), credential.given_in
        if not credential.token:
            raise DefinitionError(
                "the credentials for it are no token and no key file", where=str(ref), why=credential.given_in or None,
                remedy="write token, or key_file with the JSON of a service account",
            )  # fmt: skip
        return _bearer(credential.token), credential.given_in
    token = os.environ.get("CLOUDSDK_AUTH_ACCESS_TOKEN")
    if token:
        redact.learn(token)
        return _bearer(token), "CLOUDSDK_AUTH_ACCESS_TOKEN"
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if path:
        refuse_readable_by_others(Path(path).expanduser())
        return _bearer(_token(str(Path(path).expanduser()), net)), f"GOOGLE_APPLICATION_CREDENTIALS ({path})"
    return {}, ""


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _token(path: str, net: Net) -> str:
    """Return a token for what a file holds; one that is good for a while yet is used again."""
    data, changed = _read(path)
    with _lock:
        # One thread asks, the others wait for what it gets.
        token, ends = _known.get((path, changed), ("", 0.0))
        if time.monotonic() < ends - SPARE:
            return token
        if data.get("type") == "service_account":
            form = {"grant_type": JWT_BEARER, "assertion": assertion(data, path, int(time.time()))}
        elif data.get("type") == "authorized_user":
            form = {"grant_type": "refresh_token", **{name: _text(data, name, path) for name in
                    ("client_id", "client_secret", "refresh_token")}}  # fmt: skip
        else:
            raise DefinitionError(
                f"a file of the type {str(data.get('type'))[:40]!r} cannot be used", where=path,
                remedy="give the key of a service account, or a token: gcloud auth print-access-token",
            )  # fmt: skip
        token, lasts = _asked(str(data.get("token_uri") or TOKENS), form, path, net)
        _known[path, changed] = (token, time.monotonic() + lasts)
        return token


def _read(path: str) -> tuple[dict[str, Any], int]:
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST_FILE)
            changed = os.fstat(file.fileno()).st_mtime_ns
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        data = json.loads(text)
    except ValueError:
        # The parser's message would show a part of it.
        raise DefinitionError("it is not valid JSON", where=path) from None
    if not isinstance(data, dict):
        raise DefinitionError("it is no file of credentials", where=path)
    return data, changed


def _text(data: dict[str, Any], name: str, path: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise DefinitionError(f"it has no {name}", where=path)
    if "secret" in name or "token" in name:
        redact.learn(value)
    return value


def assertion(data: dict[str, Any], path: str, now: int) -> str:
    """Return a signed statement of who asks, for an hour (RFC 7523 §3, RFC 7518 §3.3: RS256)."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise PluginError(
            "keys of service accounts need the package cryptography", where=path, remedy="pip install 'wfx-gs[keys]'"
        ) from error
    try:
        key = serialization.load_pem_private_key(_text(data, "private_key", path).encode(), password=None)
    except (ValueError, TypeError):
        raise DefinitionError("its private_key cannot be read", where=path) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise DefinitionError("its private_key is no RSA key", where=path)
    head = {"alg": "RS256", "typ": "JWT", "kid": data.get("private_key_id", "")}
    claims = {
        "iss": _text(data, "client_email", path), "scope": SCOPE, "aud": str(data.get("token_uri") or TOKENS),
        "iat": now, "exp": now + HOUR,
    }  # fmt: skip
    signed = ".".join(_packed(json.dumps(part).encode()) for part in (head, claims))
    made = f"{signed}.{_packed(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
    redact.learn(made)
    return made


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _asked(url: str, form: dict[str, str], path: str, net: Net) -> tuple[str, float]:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise DefinitionError("its token_uri is not https", where=path)
    body = net.http(
        url, method="POST", data=urlencode(form).encode(), anonymous=True, also=(400, 401, 403),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
    )  # fmt: skip
    text = body.read(LARGEST_FILE)
    try:
        answer = json.loads(text)
        if body.status != 200:
            why = redact(": ".join(str(answer[key]) for key in ("error", "error_description") if key in answer))[:200]
            raise AccessDenied(
                "no token is given for this key", where=path, why=why or f"status {body.status}",
                remedy="check that it is still valid, and this machine's clock",
            )  # fmt: skip
        token, lasts = answer["access_token"], float(answer.get("expires_in", HOUR))
    except (ValueError, KeyError, TypeError) as error:
        raise FetchError("the answer holds no token", where=body.url) from error
    redact.learn(str(token))
    return str(token), lasts
