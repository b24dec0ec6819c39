"""What proves who asks: a token, a shared access signature (SAS), or an account's key, with which one is made."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode

from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference
from wfx.redaction import redact

from wfx_azure.settings import Address, Settings

VERSION = "2021-12-02"
HOUR = timedelta(hours=1)
# Clocks may differ.
EARLIER = timedelta(minutes=15)
READ_AND_LIST = "rl"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is sent along with a request."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    signature: str = field(default="", repr=False)
    """Query parameters."""
    given_in: str = ""
    """Where it was found, for people; empty where there is nothing."""


def proof_for(ref: Reference, address: Address, account: str, net: Net, settings: Settings) -> Proof:
    """Return the proof for a reference.

    1. The signature in the reference itself;
    2. `credentials.toml` or the environment for the container as a host: a token (which may be a SAS), or the account's
       key as the password;
    3. `AZURE_STORAGE_SAS_TOKEN`, then `AZURE_STORAGE_KEY`.

    Raises DefinitionError.
    """
    if address.signature:
        return Proof(signature=address.signature, given_in="the reference")
    if settings.anonymous:
        return Proof()
    credential = net.credential(ref.uri)
    if credential is not None:
        if credential.token:
            return _token(credential.token, credential.given_in)
        if credential.password:
            return _key(credential.password, account, address, credential.given_in)
        raise DefinitionError(
            "the credentials for it are no token and no key", where=str(ref), why=credential.given_in or None,
            remedy="write token (an access token or a SAS), or password with the account's key",
        )  # fmt: skip
    signature = os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    if signature:
        return _token(signature, "AZURE_STORAGE_SAS_TOKEN")
    key = os.environ.get("AZURE_STORAGE_KEY")
    if key:
        redact.learn(key)
        return _key(key, account, address, "AZURE_STORAGE_KEY")
    return Proof()


def _token(token: str, given_in: str) -> Proof:
    redact.learn(token)
    pairs = dict(parse_qsl(token.lstrip("?")))
    if "sig" in pairs:
        redact.learn(pairs["sig"])
        return Proof(signature=token.lstrip("?"), given_in=given_in)
    return Proof({"Authorization": f"Bearer {token}"}, given_in=given_in)


def _key(key: str, account: str, address: Address, given_in: str) -> Proof:
    if not account:
        raise DefinitionError(
            "a key is of an account, and none is named", where=given_in, remedy="set fetcher.azure.account"
        )
    try:
        made = signature_by_key(
            key, account, address.container, datetime.now(UTC), blob=address.name,
            snapshot=dict(address.version).get("snapshot", ""),
        )  # fmt: skip
        return Proof(signature=made, given_in=given_in)
    except (binascii.Error, ValueError):
        raise DefinitionError("the account's key is no base64", where=given_in) from None


def signature_by_key(
    key: str, account: str, container: str, moment: datetime, *, blob: str = "", snapshot: str = ""
) -> str:
    """Return a service SAS for reading a container, for an hour from `moment` (UTC) on; a snapshot has one of its own.

    It is used in place of Shared Key in a header, which would have to be made anew for each range that is asked for.
    https://learn.microsoft.com/rest/api/storageservices/create-service-sas, version 2020-12-06 and later.
    """
    start, end = ((moment + shift).strftime("%Y-%m-%dT%H:%M:%SZ") for shift in (-EARLIER, HOUR))
    permissions, kind, resource = ("r", "bs", f"{container}/{blob}") if snapshot else (READ_AND_LIST, "c", container)
    text = "\n".join([
        permissions, start, end, f"/blob/{account}/{resource}", "", "", "", VERSION, kind, snapshot, "", "", "", "", "", "",
    ])  # fmt: skip
    made = base64.b64encode(hmac.digest(base64.b64decode(key, validate=True), text.encode(), hashlib.sha256)).decode()
    redact.learn(made)
    parameters = {"sv": VERSION, "st": start, "se": end, "sr": kind, "sp": permissions, "sig": made}
    return urlencode(parameters, quote_via=quote)
