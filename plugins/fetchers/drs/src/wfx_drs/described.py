"""What a repository says of an object, read with care (DRS 1.2 to 1.5, `DrsObject`)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from wfx.errors import FetchError, IntegrityError, PolicyError
from wfx.fetching import Expected, Net, Reference

from wfx_drs.addresses import DrsObject
from wfx_drs.answers import ask_object

WEB: Final = ("https", "http")
# Ways that are addresses of their own, for the fetchers of their schemes.
SCHEMES: Final = ("s3", "gs", "ftp", "ftps", "sftp", "az", "abfs")
ALGORITHMS: Final = {
    "sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512",
    "crc-32c": "crc32c",
}  # fmt: skip
DIGITS: Final = {
    "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "crc32c": 8, "crc32": 8,
    "adler32": 8, "trunc512": 48,
}  # fmt: skip
HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~\-]+):[ \t]*([\x20-\x7e\x80-\xff]*)")
# What the connection and the transfer are ruled by is not the repository's to say.
NOT_ITS: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "range", "if-range", "accept-encoding", "te", "upgrade",
    "expect", "proxy-authorization",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the bytes (`AccessMethod`)."""

    kind: str
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    access_id: str = ""

    @property
    def web(self) -> bool:
        """Whether it leads to the web, as far as can be told before it is asked."""
        return self.url.startswith(("https://", "http://")) if self.url else self.kind in WEB


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a bundle (`ContentsObject`)."""

    name: str
    id: str
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """An object or a bundle."""

    at: DrsObject
    name: str
    expected: Expected
    media_type: str | None
    ways: tuple[Way, ...]
    parts: tuple[Part, ...] | None
    """None for what is no bundle."""


def describe(at: DrsObject, net: Net) -> Described:
    """Ask what an object is."""
    answer = ask_object(net, at.url, at.name, everywhere=at.named)
    ways = tuple(_way(item, at) for item in _objects(answer, "access_methods", at))
    contents = answer.get("contents")
    parts = None
    if contents or (contents is not None and not ways):
        parts = tuple(_part(item, at) for item in _objects(answer, "contents", at))
    size = answer.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise _odd(f"the size {size!r}", at)
    kind = answer.get("mime_type")
    checksums = checksums_of(answer.get("checksums"))
    expected = Expected(
        dict(checksums).get("sha256"), size if parts is None else None,
        tuple(each for each in checksums if each[0] != "sha256"),
    )  # fmt: skip
    name = answer.get("name")
    shown = name.rstrip("/").rpartition("/")[2] if isinstance(name, str) else ""
    return Described(
        at, shown if shown not in (".", "..") and shown.isprintable() else "", expected,
        kind if isinstance(kind, str) and kind else None, ways, parts,
    )  # fmt: skip


def checksums_of(value: Any) -> tuple[tuple[str, str], ...]:
    """Read checksums in hex, or in base64 as object stores write them; one of another kind (`etag`) is passed over."""
    found = {}
    for item in value if isinstance(value, list) else ():
        if not isinstance(item, dict):
            continue
        name = str(item.get("type", "")).strip().lower()
        algorithm = ALGORITHMS.get(name, name)
        digits, stated = DIGITS.get(algorithm, 0), str(item.get("checksum", "")).strip()
        if not digits:
            continue
        if len(stated) != digits or not re.fullmatch(r"[0-9A-Fa-f]+", stated):
            try:
                stated = base64.b64decode(stated, validate=True).hex()
            except (binascii.Error, ValueError):
                continue
        if len(stated) == digits:
            found[algorithm] = stated.lower()
    return tuple(sorted(found.items()))


def opened_way(way: Way, at: DrsObject, net: Net) -> Way:
    """Return the way with its address, which is asked for where the object has an `access_id` in its place.

    Raises AccessDenied, TemporaryFailure where the repository fetches it from an archive first (202), FetchError.
    """
    if way.url or not way.access_id:
        return way
    answer = ask_object(net, at.access(way.access_id), at.name, everywhere=at.named)
    opened = _way({"type": way.kind, "access_url": answer}, at)
    if not opened.url:
        raise _odd("an access without an address", at)
    return opened


def hold_bundle(bundle: Described, children: list[Described]) -> None:
    """Hold a bundle's checksum: of the sorted checksums of what is directly in it, names left out. Raises IntegrityError."""
    import hashlib

    stated = dict(bundle.expected.checksums)
    if bundle.expected.sha256:
        stated["sha256"] = bundle.expected.sha256
    for algorithm, checksum in stated.items():
        if algorithm not in hashlib.algorithms_available:
            continue
        below = [_checksum(child, algorithm) for child in children]
        if not below or not all(below):
            continue
        joined = "".join(sorted(below)).encode()
        actual = hashlib.new(algorithm, joined, usedforsecurity=False).hexdigest()
        if actual != checksum:
            raise IntegrityError(
                f"the bundle's {algorithm} is {actual} where {checksum} is stated", where=bundle.at.url,
                why="what the repository lists in it is not what it was made of",
            )  # fmt: skip


def _checksum(child: Described, algorithm: str) -> str:
    if algorithm == "sha256":
        return child.expected.sha256 or ""
    return dict(child.expected.checksums).get(algorithm, "")


def _way(item: dict[str, Any], at: DrsObject) -> Way:
    kind, access_id, given = item.get("type"), item.get("access_id"), item.get("access_url")
    if isinstance(given, str):
        given = {"url": given}
    url = given.get("url") if isinstance(given, dict) else None
    headers = given.get("headers") if isinstance(given, dict) else None
    if not isinstance(url, str) or any(ord(c) <= 0x20 for c in url):
        url = ""
    if headers is not None and not isinstance(headers, list):
        raise _odd("headers that are no list", at)
    return Way(
        kind.lower() if isinstance(kind, str) else "", url, tuple(_header(text, at) for text in headers or ()),
        access_id if isinstance(access_id, str) else "",
    )  # fmt: skip


def _header(text: Any, at: DrsObject) -> tuple[str, str]:
    match = HEADER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise FetchError("the repository's answer has a header that is none", where=at.url)
    if match[1].lower() in NOT_ITS:
        raise PolicyError(f"the repository asks to send the header {match[1]!r}", where=at.url)
    return match[1], match[2].strip()


def _part(item: dict[str, Any], at: DrsObject) -> Part:
    name, identifier, uris = item.get("name"), item.get("id"), item.get("drs_uri") or ()
    if not isinstance(name, str) or not all(part not in ("", ".", "..") for part in name.split("/")):
        raise PolicyError(f"something in the bundle has the name {name!r:.200}", where=at.url)
    if not name.isprintable() or len(name) > 1000:
        raise PolicyError(f"something in the bundle has the name {name!r:.200}", where=at.url)
    uris = [uris] if isinstance(uris, str) else uris
    known = tuple(uri for uri in uris if isinstance(uri, str) and Reference(uri).scheme == "drs")
    if not known and not (isinstance(identifier, str) and identifier):
        raise _odd(f"nothing that says where {name!r} is", at)
    return Part(name, identifier if isinstance(identifier, str) else "", known)


def _objects(answer: dict[str, Any], name: str, at: DrsObject) -> list[dict[str, Any]]:
    value = answer.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _odd(f"{name} that are no list", at)
    return value


def _odd(why: str, at: DrsObject) -> FetchError:
    return FetchError("the repository's answer is not understood", where=at.url, why=f"it has {why}")
