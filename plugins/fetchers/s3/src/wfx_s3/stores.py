"""Requests to a store: where a bucket is, signed where there are keys, and what the store's refusals mean."""

from __future__ import annotations

import email.utils
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Net, Reference, Span
from wfx.net import TemporaryFailure
from wfx.net.http import HttpBody
from wfx.xmlanswers import read_xml, text_of

from wfx_s3.addresses import LABEL, Address
from wfx_s3.keys import Login, login_for
from wfx_s3.settings import Settings
from wfx_s3.signing import path_text, query_text, signed

FIRST_REGION = "us-east-1"
# Statuses whose answers say in XML what is wrong.
TOLD = (301, 307, 400, 403, 404, 405)
LARGEST_ANSWER = 32 * 2**20
LARGEST_REFUSAL = 64 * 2**10
NOWHERE = {
    "NoSuchKey": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "NoSuchVersion": "there is no such version",
    "MethodNotAllowed": "this version says that it was deleted",
}
TRY_AGAIN = ("SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "Busy", "OperationAborted")
STALE = ("ExpiredToken", "TokenRefreshRequired")
# The last one is what versitygw says, with 404.
WRONG_KEYS = (
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed", "XAdminUserNotFound",
)  # fmt: skip

_lock = threading.Lock()
# Bucket at an endpoint → the region that the store has told.
_regions: dict[tuple[str, str], str] = {}
# Endpoint → how far its clock is from this machine's.
_clocks: dict[str, timedelta] = {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a store says in place of an answer."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""


class Store:
    """One bucket, as somebody with these keys sees it."""

    def __init__(self, ref: Reference, net: Net) -> None:
        """Read settings and keys; nothing is asked yet."""
        self.ref, self.net = ref, net
        self.address = Address.parse(ref)
        self.settings = Settings.of(net, self.address.bucket)
        self.login: Login = login_for(ref, net, self.settings)

    def get(
        self, key: str, parameters: Iterable[tuple[str, str]] = (), span: Span | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpBody:  # fmt: skip
        """Ask for an object, or with an empty key something of the bucket."""
        parameters, told = list(parameters), set[str]()
        while True:
            url, region = self._url(key), self._region()
            query = query_text(parameters)
            body = self.net.http(
                f"{url}?{query}" if query else url, span, headers=self._headers(url, query, region, headers or {}),
                anonymous=True, also=TOLD,
            )  # fmt: skip
            if body.status in (200, 206):
                return body
            refusal = _refusal(body)
            # A store that says where the bucket is, or what time it is, is asked once more.
            if refusal.region and refusal.region != region and "region" not in told:
                told.add("region")
                with _lock:
                    _regions[self.settings.endpoint, self.address.bucket] = refusal.region
                continue
            if refusal.code == "RequestTimeTooSkewed" and "clock" not in told and self._set_clock(body):
                told.add("clock")
                continue
            error = self._error(refusal)
            error.status = refusal.status
            raise error

    # -- where

    def _region(self) -> str:
        with _lock:
            known = _regions.get((self.settings.endpoint, self.address.bucket))
        return known or self.settings.region or self.login.region or FIRST_REGION

    def _url(self, key: str) -> str:
        bucket, endpoint = self.address.bucket, self.settings.endpoint
        addressing = self.settings.addressing
        if addressing == "auto":
            # A key that begins with a slash would make two of them at the beginning of the path.
            usual = not endpoint and LABEL.fullmatch(bucket) and not key.startswith("/")
            addressing = "virtual" if usual else "path"
        if not endpoint:
            endpoint = f"https://s3.{self._region()}.amazonaws.com"
        if addressing == "path":
            return f"{endpoint}/{path_text(bucket)}/{path_text(key)}" if key else f"{endpoint}/{path_text(bucket)}"
        scheme, _, rest = endpoint.partition("://")
        return f"{scheme}://{bucket}.{rest}/{path_text(key)}"

    # -- who

    def _headers(self, url: str, query: str, region: str, more: Mapping[str, str]) -> dict[str, str]:
        headers = dict(more)
        if self.settings.requester_pays:
            headers["x-amz-request-payer"] = "requester"
        if self.login.keys is None:
            return headers
        with _lock:
            moment = datetime.now(UTC) + _clocks.get(self.settings.endpoint, timedelta())
        return signed(f"{url}?{query}" if query else url, headers, self.login.keys, region, moment)

    def _set_clock(self, body: HttpBody) -> bool:
        try:
            there = email.utils.parsedate_to_datetime(body.headers.get("date", ""))
            difference = there - datetime.now(UTC)
        except (TypeError, ValueError):
            return False
        with _lock:
            _clocks[self.settings.endpoint] = difference
        return True

    # -- what went wrong

    def _error(self, refusal: Refusal) -> FetchError:
        where = str(self.ref)
        why = ": ".join(filter(None, (refusal.code, refusal.message))) or f"status {refusal.status}"
        if refusal.code in TRY_AGAIN:
            return TemporaryFailure("the store asks to wait", where=where, why=why)
        if refusal.code in NOWHERE or (refusal.status == 404 and refusal.code not in WRONG_KEYS):
            return ReferenceNotFound(
                NOWHERE.get(refusal.code, "there is no such object"), where=where, why=why, remedy="check the reference"
            )
        if refusal.code == "InvalidObjectState":
            return FetchError("the object is archived", where=where, why=why, remedy="restore it, then run again")
        if refusal.code in STALE:
            return AccessDenied(
                "the keys are no longer valid", where=where, why=why, remedy=f"renew those in {self.login.given_in}"
            )
        if refusal.status == 403 or refusal.code in WRONG_KEYS:
            if self.login.keys is None:
                remedy = (
                    f'give keys for it: ["s3://{self.address.bucket}"] in credentials.toml, or the setting'
                    " fetcher.s3.profile (docs/tasks/credentials.md)"
                )
                return AccessDenied("the store lets nobody read it without keys", where=where, why=why, remedy=remedy)
            remedy = f"check the keys in {self.login.given_in}; a store also says this of what is not there"
            return AccessDenied("the store refuses these keys", where=where, why=why, remedy=remedy)
        if refusal.status in (301, 307):
            return FetchError(
                "the bucket is elsewhere", where=where, why=why, remedy="set fetcher.s3.region or fetcher.s3.endpoint"
            )
        return FetchError("the store refuses it", where=where, why=why)


def _refusal(body: HttpBody) -> Refusal:
    region = body.headers.get("x-amz-bucket-region", "")
    try:
        root = read_xml(body.read(LARGEST_REFUSAL), body.url)
    except (FetchError, TemporaryFailure):
        return Refusal(body.status, region=region)
    return Refusal(
        body.status, text_of(root, "Code"), " ".join(text_of(root, "Message").split())[:200],
        region or text_of(root, "Region"),
    )  # fmt: skip
