"""Read the headers of an answer that say what its bytes are."""

from __future__ import annotations

import base64
import binascii
import contextlib
import email.utils
import re
import time
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from wfx.errors import FetchError

ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "sha-1": "sha1", "md5": "md5"}
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


def refuse_encoding(headers: Mapping[str, str], url: str, name: str | None, where: str) -> None:
    """Raise FetchError for an answer that is compressed on its way: those are not the bytes that were published."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    # Many servers call a .gz file "encoded"; its bytes are the published ones all the same.
    path = (name or urlsplit(url).path).lower()
    if encoding in ("identity", "") or (
        encoding in ("gzip", "x-gzip") and path.endswith((".gz", ".tgz", ".bgz", ".svgz"))
    ):
        return
    raise FetchError(
        f"the server sends it {encoding}-encoded, though it was asked not to", where=where,
        why="those are not the bytes that were published",
    )  # fmt: skip


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what changes when the bytes do: a strong ETag, or a Last-Modified that can be relied on."""
    etag = headers.get("etag", "").strip()
    if STRONG_ETAG.fullmatch(etag):
        return etag
    modified, date = headers.get("last-modified"), headers.get("date")
    if modified and date:
        # RFC 9110 §8.8.2.2: strong only when it is well older than the answer.
        then, now = (email.utils.parsedate_to_datetime(text) for text in (modified, date))
        with contextlib.suppress(TypeError):
            if (now - then).total_seconds() > 1:
                return modified
    return None


def digests_of(headers: Mapping[str, str], *, whole: bool) -> tuple[tuple[str, str], ...]:
    """Read Repr-Digest (RFC 9530 §3), which is of the whole, and of a whole answer Content-Digest and Digest."""
    found = {}
    fields = [headers.get("repr-digest", "")]
    if whole:
        fields += [headers.get("content-digest", ""), headers.get("digest", "")]
    for text in fields:
        for part in text.split(","):
            name, mark, value = part.strip().partition("=")
            algorithm = ALGORITHMS.get(name.strip().lower())
            if mark and algorithm and algorithm not in found:
                with contextlib.suppress(binascii.Error, ValueError):
                    found[algorithm] = base64.b64decode(value.strip().strip(":"), validate=True).hex()
    return tuple(found.items())


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3): seconds, or a date by the server's own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
        now = email.utils.parsedate_to_datetime(headers["date"]) if "date" in headers else None
    except (TypeError, ValueError):
        return None
    if now is None:
        return max(0.0, then.timestamp() - time.time())
    return max(0.0, (then - now).total_seconds())


def file_name_of(headers: Mapping[str, str]) -> str:
    """Return the name in Content-Disposition (RFC 6266), never with a folder."""
    text = headers.get("content-disposition", "")
    match = re.search(r"filename\*\s*=\s*(?:UTF-8|utf-8)''([^;]+)", text)
    if match:
        name = unquote(match[1].strip())
    else:
        match = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', text)
        name = latin_to_utf8(match[1] if match[1] is not None else match[2]) if match else ""
    return name.replace("\\", "/").rpartition("/")[2]


def latin_to_utf8(text: str) -> str:
    """Read a header's bytes, which http.client takes for Latin-1, as UTF-8 where they are."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
