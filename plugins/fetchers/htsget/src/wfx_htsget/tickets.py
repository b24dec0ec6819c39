"""Tickets: what a server answers to a query, read with care (htsget 1.0 to 1.3)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from wfx.documents import load_document
from wfx.errors import AccessDenied, DocumentError, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.redaction import redact

from wfx_htsget.addresses import Query, is_this_machine

LARGEST_TICKET: Final = 64 * 2**20
ACCEPT: Final = "application/vnd.ga4gh.htsget.v1.3.0+json, application/json;q=0.9"
READ_HERE: Final = (400, 401, 403, 404, 405, 413, 415)
RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+")
VALUE: Final = re.compile(r"[\x20-\x7e\x80-\xff]*")
# What the connection and the transfer are ruled by is not the server's to say.
NOT_ITS: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "if-range", "accept-encoding", "te", "upgrade", "expect",
    "proxy-authorization",
})  # fmt: skip
SHOWN: Final = 300
OPAQUE: Final = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of the data: here already, or at an address of its own."""

    url: str = ""
    """Of the web; empty: the bytes are in `data`."""
    headers: tuple[tuple[str, str], ...] = ()
    start: int = 0
    stop: int | None = None
    """Bytes [start, stop) of what is at the address; None: to its end."""
    data: bytes = b""
    kind: str = ""
    """`header`, `body`, or nothing where the server does not say."""

    @property
    def size(self) -> int | None:
        """Bytes, where they are known before they come."""
        if not self.url:
            return len(self.data)
        return None if self.stop is None else self.stop - self.start

    @property
    def proves(self) -> bool:
        """Whether the ticket says itself who asks."""
        return any(name.lower() in OPAQUE for name, _ in self.headers)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a server answers."""

    url: str
    blocks: tuple[Block, ...]
    format: str
    md5: str = ""

    @property
    def size(self) -> int | None:
        """Bytes of all, where they are known before they come."""
        sizes = [block.size for block in self.blocks]
        return None if None in sizes else sum(size or 0 for size in sizes)


def ask_ticket(query: Query, ref: Reference, net: Net) -> Ticket:
    """Ask for a ticket. Raises ReferenceNotFound, AccessDenied, FetchError, each with what the server says of it."""
    headers = {"Accept": ACCEPT, **_proof(query, ref, net)}
    if query.regions:
        headers["Content-Type"] = "application/json"
        data = json.dumps(query.body()).encode()
        body = net.http(query.ticket, headers=headers, method="POST", data=data, also=READ_HERE)
    else:
        body = net.http(query.ticket, headers=headers, also=READ_HERE)
    content = body.read(LARGEST_TICKET)
    try:
        answer = load_document(content, "ticket.json").value
    except DocumentError as error:
        if body.status in READ_HERE:
            raise _refusal(body.status, "", "", ref) from error
        raise FetchError(
            "the server's answer is no ticket", where=body.url, why=error.what,
            remedy="check the address, and the setting fetcher.htsget.servers",
        ) from error  # fmt: skip
    inner = answer.get("htsget") if isinstance(answer, dict) else None
    if body.status in READ_HERE:
        said = inner if isinstance(inner, dict) else {}
        raise _refusal(body.status, str(said.get("error") or ""), str(said.get("message") or ""), ref)
    if not isinstance(inner, dict):
        raise _odd("no ticket in it", body.url)
    return _read(inner, query, body.url, net)


def _proof(query: Query, ref: Reference, net: Net) -> dict[str, str]:
    """Return headers of what is given for `htsget://HOST`; what is given for the address the gate sends itself."""
    credential = net.credential(ref.without_fragment().uri)
    if credential is None or net.credential(query.url) is not None:
        return {}
    secure = query.url.startswith("https:") or is_this_machine(urlsplit(query.url).hostname or "")
    return credential.headers() if secure else {}


def _refusal(status: int, kind: str, message: str, ref: Reference) -> FetchError:
    """Return the error for an answer that is a refusal, by the specification's name for it, else by its status."""
    why = redact(" ".join(f"{kind}: {message}".strip(": ").split()))[:SHOWN] or f"status {status}"
    where = str(ref)
    found: FetchError
    if kind in ("InvalidAuthentication", "PermissionDenied") or status in (401, 403):
        known = status == 403 or kind == "PermissionDenied"
        found = AccessDenied(
            "the server refuses this" if known else "the server does not know who asks", where=where, why=why,
            remedy="give a token for the server that may read it",
        )  # fmt: skip
    elif kind == "NotFound" or status == 404:
        found = ReferenceNotFound("the server has no such reads, variants or reference sequence", where=where, why=why)
    elif kind == "UnsupportedFormat":
        found = FetchError("the server does not have it in this format", where=where, why=why, remedy="ask for another")
    elif kind == "InvalidRange":
        found = FetchError("the server does not have this range", where=where, why=why, remedy="look at start and end")
    elif kind == "PayloadTooLarge" or status == 413:
        found = FetchError("the server finds this too many regions", where=where, why=why, remedy="ask for fewer")
    elif status == 405:
        found = FetchError(
            "the server takes no lists of regions", where=where, why=why,
            remedy="ask for one at a time, by referenceName, start and end",
        )  # fmt: skip
    else:
        found = FetchError("the server does not understand the query", where=where, why=why)
    found.status = status
    return found


def _read(inner: dict[str, Any], query: Query, url: str, net: Net) -> Ticket:
    given, kind, md5 = inner.get("urls"), inner.get("format"), inner.get("md5")
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise _odd("no list of blocks", url)
    if kind is not None and str(kind).upper() != query.format:
        raise FetchError(f"the server has it as {str(kind)!r:.40}, and {query.format} was asked for", where=url)
    if md5 is not None and not (isinstance(md5, str) and re.fullmatch(r"[0-9A-Fa-f]{32}", md5)):
        raise _odd("an md5 that is none", url)
    blocks = [_block(item, query, url) for item in given]
    if query.wanted and all(block.kind for block in blocks):
        # A server may answer with more than was asked for, and says then which is which.
        blocks = [block for block in blocks if block.kind == query.wanted] or blocks
        md5 = md5 if len(blocks) == len(given) else None
    return Ticket(query.ticket, tuple(blocks), query.format, (md5 or "").lower())


def _block(item: dict[str, Any], query: Query, url: str) -> Block:
    target, headers, kind = item.get("url"), item.get("headers") or {}, item.get("class") or ""
    if not isinstance(target, str) or not isinstance(headers, dict) or not isinstance(kind, str):
        raise _odd("a block that is none", url)
    if target[:5].lower() == "data:":
        return Block(data=_inline(target, url), kind=kind)
    if any(ord(c) <= 0x20 for c in target) or not re.match(r"https?://[^/?#@]+([/?]|$)", target, re.I):
        raise FetchError("a block is at no address of the web", where=url, why=str(Reference(target[:SHOWN])))
    host = urlsplit(target).hostname or ""
    if (headers or query.url.startswith("https:")) and target[:5].lower() == "http:" and not is_this_machine(host):
        raise PolicyError("the server leads from https to http", where=url, why=str(Reference(target)))
    start, stop, kept = 0, None, []
    for name, value in headers.items():
        if not isinstance(value, str) or not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise _odd("a header that is none", url)
        if name.lower() in NOT_ITS:
            raise PolicyError(f"the server asks to send the header {name!r}", where=url)
        if name.lower() != "range":
            redact.learn(value)
            redact.learn(value.partition(" ")[2])
            kept.append((name, value))
        elif match := RANGE.fullmatch(value.strip()):
            start, stop = int(match[1]), int(match[2]) + 1 if match[2] else None
        else:
            raise _odd(f"a range {value!r:.40}", url)
    if stop is not None and stop <= start:
        raise _odd("a range that ends before it begins", url)
    return Block(target, tuple(kept), start, stop, kind=kind)


def _inline(target: str, url: str) -> bytes:
    head, comma, payload = target.partition(",")
    try:
        if not comma or not head.lower().endswith(";base64"):
            raise ValueError("it is not in base64")
        return base64.b64decode("".join(unquote(payload).split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise FetchError("a block that is in the ticket is broken", where=url, why=str(error)) from error


def _odd(why: str, url: str) -> FetchError:
    return FetchError("the server's ticket is not understood", where=url, why=f"it has {why}")
