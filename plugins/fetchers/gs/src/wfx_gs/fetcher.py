"""The fetcher: an object as a stream, and a prefix as the objects below it (JSON API of Cloud Storage)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from wfx.errors import AccessDenied, FetchError, ReferenceNotFound, WfxError
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import encode, safe_path
from wfx.net.http import HttpBody
from wfx.redaction import redact

from wfx_gs.settings import Address, Settings
from wfx_gs.tokens import headers_for

TOLD = (400, 401, 403, 404, 412)
GENERATION = "generation "
LARGEST_ANSWER = 64 * 2**20
PAGE = 1000
LENGTHS = {"md5": 16, "crc32c": 4}


class GsFetcher(StreamFetcher):
    """Opens objects, and lists what is below a prefix.

    Settings, in `[fetcher.gs]` and `[fetcher.gs.BUCKET]`: see `wfx_gs.settings.Settings`.
    """

    keys = ("gs",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A generation means the same bytes for ever."""
        return "generation=" in ref.uri and bool(Address.parse(ref).generation)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open an object."""
        bucket = _Bucket(ref, net)
        address = bucket.address
        if address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        parameters = {"alt": "media"} | ({"generation": address.generation} if address.generation else {})
        try:
            body = _media(bucket, f"/o/{encode(address.name)}", parameters, span)
        except ReferenceNotFound as error:
            if not address.generation and bucket.has_below(f"{address.name}/"):
                remedy = f"write {ref.without_fragment()}/ to fetch the objects below it"
                raise FetchError("it is a folder", where=str(ref), remedy=remedy) from error
            raise
        # What is stored compressed comes as it was before; the checksums are of what is stored.
        unpacked = body.headers.get("x-goog-stored-content-encoding", "identity") not in ("", "identity")
        unpacked = unpacked and not body.headers.get("content-encoding")
        checksums = dict(body.checksums) | ({} if unpacked else _hashes(body.headers.get("x-goog-hash", "")))
        generation = body.headers.get("x-goog-generation", "")
        return Body(
            body.stream, body.start, None if unpacked else body.total,
            f"{GENERATION}{generation}" if generation else body.validator, body.accepts_ranges and not unpacked,
            body.media_type, address.name.rpartition("/")[2], tuple(checksums.items()),
        )  # fmt: skip

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the objects below a prefix (a slash at the end, or a whole bucket)."""
        if not Address.parse(ref).is_folder:
            return None
        bucket = _Bucket(ref, net)
        prefix, found, seen = bucket.address.name, [], 0
        for item in bucket.listed(prefix):
            seen += 1
            if seen > bucket.settings.max_files:
                raise FetchError(
                    f"there are more than {bucket.settings.max_files} objects there", where=str(ref),
                    remedy="name a longer prefix, or raise fetcher.gs.max_files",
                )  # fmt: skip
            name, size = str(item.get("name", "")), str(item.get("size", ""))
            if not name.startswith(prefix):
                raise FetchError("the store lists what was not asked for", where=str(ref), why=repr(name[:80]))
            if name.endswith("/"):
                continue  # a folder's own mark
            stored = str(item.get("contentEncoding", ""))
            checksums = () if stored else tuple(_listed_hashes(item).items())
            found.append(
                Source(
                    bucket.address.below(name),
                    Expected(size=int(size) if size.isdecimal() and not stored else None, checksums=checksums),
                    name=safe_path(name[len(prefix) :], str(ref)),
                )
            )
        if not seen and prefix:
            raise ReferenceNotFound("there is nothing below this prefix", where=str(ref), remedy="check the reference")
        return found


def _media(bucket: _Bucket, path: str, parameters: Mapping[str, str], span: Span | None) -> HttpBody:
    """Ask for an object's bytes; from the start where it is another generation than the one that was begun with."""
    known = (span.validator or "") if span is not None else ""
    if span is None or not known.startswith(GENERATION):
        return bucket.get(path, parameters, span)
    # The JSON API's ETags are not of the form that If-Range wants.
    generation = known.removeprefix(GENERATION)
    try:
        body = bucket.get(path, {**parameters, "ifGenerationMatch": generation}, Span(span.start, span.stop))
    except FetchError as error:
        if error.status != 412:
            raise
        return bucket.get(path, parameters)
    if body.start and body.headers.get("x-goog-generation") != generation:
        body.stream.close()
        return bucket.get(path, parameters)
    return body


class _Bucket:
    """One bucket, as somebody with this token sees it."""

    def __init__(self, ref: Reference, net: Net) -> None:
        self.ref, self.net, self.address = ref, net, Address.parse(ref)
        self.settings = Settings.of(net, self.address.bucket)
        self.headers: Mapping[str, str] = {}
        self.given_in = ""
        if not net.offline:
            self.headers, self.given_in = headers_for(ref, net, self.settings)

    def get(self, path: str, parameters: Mapping[str, str], span: Span | None = None) -> HttpBody:
        """Ask for something of the bucket."""
        if self.settings.user_project:
            parameters = {**parameters, "userProject": self.settings.user_project}
        url = f"{self.settings.endpoint}/storage/v1/b/{encode(self.address.bucket)}{path}?{urlencode(parameters)}"
        body = self.net.http(url, span, headers=self.headers, anonymous=True, also=TOLD)
        if body.status in (200, 206):
            return body
        error = self._error(body)
        error.status = body.status
        raise error

    def listed(self, prefix: str, most: int = PAGE) -> Iterator[dict[str, Any]]:
        """Yield the entries below a prefix, page by page."""
        fields = "items(name,size,md5Hash,crc32c,contentEncoding),nextPageToken"
        token, seen = "", set[str]()
        while True:
            parameters = {"prefix": prefix, "maxResults": str(most), "fields": fields}
            body = self.get("/o", parameters | ({"pageToken": token} if token else {}))
            try:
                answer = json.loads(body.read(LARGEST_ANSWER))
                items = [dict(item) for item in answer.get("items", [])]
                token = str(answer.get("nextPageToken") or "")
            except (ValueError, TypeError, AttributeError) as error:
                raise FetchError("the store answers with no list", where=str(self.ref)) from error
            yield from items
            if not token or most < PAGE:
                return
            if token in seen:
                raise FetchError("the store's list has no end", where=str(self.ref))
            seen.add(token)

    def has_below(self, prefix: str) -> bool:
        """Say whether there is anything below a prefix; who may not list does not know."""
        with contextlib.suppress(WfxError):
            return any(True for _ in self.listed(prefix, 1))
        return False

    def _error(self, body: HttpBody) -> FetchError:
        where, why = str(self.ref), f"status {body.status}"
        with contextlib.suppress(WfxError, ValueError, TypeError, LookupError, AttributeError):
            text = body.read(64 * 1024).decode("utf-8", "replace")
            why = json.loads(text)["error"]["message"] if text.startswith("{") else text
            why = " ".join(redact(why).split())[:200]
        body.stream.close()
        if body.status == 404:
            return ReferenceNotFound(
                "there is no such object or bucket", where=where, why=why, remedy="check the reference"
            )
        if body.status in (401, 403):
            if not self.headers:
                remedy = (
                    f'give a token or key for it: ["gs://{self.address.bucket}"] in credentials.toml'
                    " (docs/tasks/credentials.md)"
                )
                return AccessDenied(
                    "the store lets nobody read it without a token", where=where, why=why, remedy=remedy
                )
            what = "the token is not accepted" if body.status == 401 else "the token does not allow it"
            return AccessDenied(what, where=where, why=why, remedy=f"check what is given in {self.given_in}")
        return FetchError("the store refuses it", where=where, why=why)


def _hashes(text: str) -> dict[str, str]:
    """Read `crc32c=…,md5=…` (x-goog-hash): the MD5, which is quicker to hold, or the other where there is none."""
    found = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        with contextlib.suppress(binascii.Error, ValueError):
            digest = base64.b64decode(value, validate=True)
            if len(digest) == LENGTHS.get(name):
                found[name] = digest.hex()
    return {"md5": found["md5"]} if "md5" in found else found


def _listed_hashes(item: Mapping[str, Any]) -> dict[str, str]:
    return _hashes(f"crc32c={item.get('crc32c', '')},md5={item.get('md5Hash', '')}")
