"""The fetcher: an object as a stream, and a prefix as the objects below it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from wfx.errors import FetchError, ReferenceNotFound, WfxError
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import safe_path
from wfx.xmlanswers import Element, read_xml, text_of

from wfx_s3.addresses import Address
from wfx_s3.stores import LARGEST_ANSWER, Store

MD5 = re.compile(r'"([0-9a-f]{32})"')
# Those that the core can compute, in the order in which one is chosen: the first costs nothing, the last most.
CHECKSUMS = ("sha256", "sha1", "md5", "crc32", "crc32c")


class S3Fetcher(StreamFetcher):
    """Opens objects, and lists what is below a prefix.

    Settings, in `[fetcher.s3]` and `[fetcher.s3.BUCKET]`: see `wfx_s3.settings.Settings`.
    """

    keys = ("s3",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A version means the same bytes for ever."""
        return "versionId=" in ref.uri and bool(Address.parse(ref).version)

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open an object."""
        store = Store(ref, net)
        address = store.address
        if address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        parameters = [("versionId", address.version)] if address.version else []
        try:
            body = store.get(address.key, parameters, span, {"x-amz-checksum-mode": "ENABLED"})
        except ReferenceNotFound as error:
            if not address.version and _has_below(store):
                remedy = f"write {ref.without_fragment()}/ to fetch the objects below it"
                raise FetchError("it is a folder", where=str(ref), remedy=remedy) from error
            raise
        checksums = dict(body.checksums) | _checksums(body.headers, store)
        return Body(
            body.stream, body.start, body.total, body.validator, body.accepts_ranges, body.media_type,
            address.key.rpartition("/")[2], tuple(checksums.items()),
        )  # fmt: skip

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the objects below a prefix (a slash at the end, or a whole bucket)."""
        if not Address.parse(ref).is_folder:
            return None
        store = Store(ref, net)
        prefix, found = store.address.key, []
        seen = 0
        for item in _listed(store, prefix):
            seen += 1
            if seen > store.settings.max_files:
                raise FetchError(
                    f"there are more than {store.settings.max_files} objects there", where=str(ref),
                    remedy="name a longer prefix, or raise fetcher.s3.max_files",
                )  # fmt: skip
            key, size = _key_of(item), text_of(item, "Size")
            if not key.startswith(prefix):
                raise FetchError("the store lists what was not asked for", where=str(ref), why=repr(key[:80]))
            if key.endswith("/"):
                continue  # a folder's own mark, as consoles make it
            name = safe_path(key[len(prefix) :], str(ref))
            found.append(
                Source(store.address.below(key), Expected(size=int(size) if size.isdecimal() else None), name=name)
            )
        if not seen and prefix:
            raise ReferenceNotFound("there is nothing below this prefix", where=str(ref), remedy="check the reference")
        return found


def _listed(store: Store, prefix: str, most: int = 1000) -> Iterator[Element]:
    """Yield the entries below a prefix (ListObjectsV2), page by page."""
    parameters = [("list-type", "2"), ("prefix", prefix), ("max-keys", str(most)), ("encoding-type", "url")]
    token, seen = "", set[str]()
    while True:
        body = store.get("", [*parameters, *([("continuation-token", token)] if token else [])])
        root = read_xml(body.read(LARGEST_ANSWER), str(store.ref))
        if root.tag != "ListBucketResult":
            raise FetchError("the store answers with no list", where=str(store.ref), why=f"it is a {root.tag[:40]}")
        encoded = text_of(root, "EncodingType") == "url"
        for item in root.iter("Contents"):
            item.set("encoded", "url" if encoded else "")
            yield item
        token = text_of(root, "NextContinuationToken")
        if text_of(root, "IsTruncated") != "true" or most < 1000:
            return
        if not token or token in seen:
            raise FetchError("the store's list has no end", where=str(store.ref))
        seen.add(token)


def _key_of(item: Element) -> str:
    text = item.findtext("Key") or ""
    if item.get("encoded"):
        # As in a form: a plus is a blank.
        return os.fsdecode(unquote_to_bytes(text.replace("+", "%20")))
    return text


def _has_below(store: Store) -> bool:
    """Say whether the name of an object that is not there is that of a folder; who may not list does not know."""
    with contextlib.suppress(WfxError):
        return any(True for _ in _listed(store, f"{store.address.key}/", 1))
    return False


def _checksums(headers: Mapping[str, str], store: Store) -> dict[str, str]:
    """Return the best of what the store states of the whole object's bytes."""
    found = {}
    for name in CHECKSUMS:
        value = headers.get(f"x-amz-checksum-{name}", "")
        # Of an object that was put together the checksum is of its parts' checksums, with their number behind it.
        if value and "-" not in value and headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT":
            with contextlib.suppress(binascii.Error, ValueError):
                found[name] = base64.b64decode(value, validate=True).hex()
    etag = MD5.fullmatch(headers.get("etag", ""))
    encryption = {name: value for name, value in headers.items() if name.startswith("x-amz-server-side-encryption")}
    # AWS's own keys leave the ETag alone (API_Object, "ETag"); elsewhere nobody says so.
    plain = not encryption or (not store.settings.endpoint and set(encryption.values()) == {"AES256"})
    if etag and plain and store.settings.etag_md5:
        found["md5"] = etag[1]
    best = next((name for name in CHECKSUMS if name in found), "")
    return {best: found[best]} if best else {}
