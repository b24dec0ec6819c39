"""What the archive is asked over its Web API (version 1), with patience where it asks for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from wfx.documents import load_document
from wfx.errors import DocumentError, FetchError, IntegrityError, ReferenceNotFound
from wfx.fetching import Net
from wfx.net.bodies import HttpBody
from wfx.net.headers import retry_after_of

from wfx_swh.objects import Entry, body_of, branches_of, directory_hash, entries_of, object_hash, target_of
from wfx_swh.settings import Settings, settings_of
from wfx_swh.swhids import Swhid

LARGEST_ANSWER: Final = 64 * 2**20
LONGEST_CHAIN: Final = 16
SHORTEST_WAIT: Final = 1.0
SHOWN: Final = 10
TELL: Final = "tell those who run the archive"

log = logging.getLogger(__name__)


class Archive:
    """One archive, asked on behalf of one reference."""

    def __init__(self, net: Net, where: Swhid) -> None:
        self.net, self.where = net, where
        self.settings: Settings = settings_of(net)
        self._listings: dict[str, list[Entry]] = {}

    def directory_of(self, swhid: Swhid) -> str:
        """Return the hash of the directory that an identifier leads to. Raises ReferenceNotFound, DefinitionError."""
        kind, value = swhid.type, swhid.hash
        for _ in range(LONGEST_CHAIN):
            if kind == "dir":
                return value
            if kind == "cnt":
                raise FetchError(
                    "it leads to a file, and to no directory", where=str(swhid), remedy=f"fetch swh:1:cnt:{value}"
                )
            at = Swhid(kind, value)
            body = self.raw(at)
            kind, value = _main_branch(body, at) if kind == "snp" else target_of(kind, body, str(at))
        raise FetchError("the release is of a release without end", where=str(swhid))

    def raw(self, swhid: Swhid) -> bytes:
        """Return an object's raw form without its header, when it has the hash that it is asked by."""
        data = self.ask(f"raw/{swhid}/", swhid).read(LARGEST_ANSWER)
        _hold(object_hash(data), swhid)
        return body_of(data, swhid.type, str(swhid))

    def listing(self, value: str) -> list[Entry]:
        """Return the entries of a directory, when they have the hash that it is asked by."""
        known = self._listings.get(value)
        if known is not None:
            return known
        at = Swhid("dir", value)
        entries = _listed(self.json(f"directory/{value}/", at), str(at))
        if entries is None or directory_hash(entries) != value:
            # Names that are no UTF-8 do not stand in JSON as they are, and neither do older modes; in the raw form they do.
            entries = entries_of(self.raw(at), str(at))
        self._listings[value] = entries
        return entries

    def content(self, value: str) -> tuple[HttpBody, int]:
        """Open the bytes of a file; return them and their number, for the hash begins with that."""
        at = Swhid("cnt", value)
        body = self.ask(f"content/sha1_git:{value}/raw/", at)
        if body.total is not None:
            return body, body.total
        try:
            size = self.json(f"content/sha1_git:{value}/", at)
            size = size.get("length") if isinstance(size, dict) else None
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise FetchError("the archive does not say how long the file is", where=str(at))
        except BaseException:
            body.stream.close()
            raise
        return body, size

    def json(self, path: str, swhid: Swhid, *, method: str = "GET") -> Any:
        """Return the JSON at a path of the interface."""
        body = self.ask(path, swhid, method=method, headers={"Accept": "application/json"})
        try:
            return load_document(body.read(LARGEST_ANSWER), "answer.json").value
        except DocumentError as error:
            raise FetchError(
                "the archive's answer is no JSON", where=body.url, why=error.what,
                remedy="check the setting fetcher.swh.server",
            ) from error  # fmt: skip

    def ask(
        self, path: str, swhid: Swhid, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> HttpBody:
        """Ask for a path of the interface; where too much was asked, wait until it may be asked again."""
        url, waited = f"{self.settings.server}/api/1/{path}", 0.0
        while True:
            try:
                body = self.net.http(
                    url, headers=headers, method=method, data=b"" if method == "POST" else None, also=(429,)
                )
            except ReferenceNotFound as error:
                raise ReferenceNotFound(
                    f"the archive has no such {swhid.kind}", where=str(swhid), why=f"{error.where}: {error.what}"
                ) from error
            if body.status != 429:
                return body
            delay = _delay(body)
            body.stream.close()
            if waited + delay > self.settings.wait:
                raise FetchError(
                    "the archive was asked too often", where=str(swhid),
                    why=f"it allows the next question in {delay:.0f} s{_limit(body)}",
                    remedy="give a token for the archive, which raises its limit, or come again later",
                )  # fmt: skip
            log.info("%s: the archive was asked too often%s; again in %.0f s", swhid, _limit(body), delay)
            self.pause(delay)
            waited += max(delay, SHORTEST_WAIT)

    def pause(self, seconds: float) -> None:
        """Wait. Raises FetchError where the fetch is broken off meanwhile."""
        ended = threading.Event()
        with self.net.ending_with(ended.set):
            if ended.wait(seconds):
                raise FetchError("it was broken off", where=str(self.where))


def _listed(answer: Any, where: str) -> list[Entry] | None:
    """Read a listing; None where it says itself that it has names otherwise than they are."""
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise FetchError("the archive's answer is not understood", where=where, why="it is no list of entries")
    found = []
    for item in answer:
        perms, name, target = item.get("perms"), item.get("name"), item.get("target")
        if item.get("decoding_failures"):
            return None
        if (
            not isinstance(perms, int) or perms < 0 or not isinstance(name, str)
            or not isinstance(target, str) or len(target) != 40 or set(target) - set("0123456789abcdef")
        ):  # fmt: skip
            raise FetchError("the archive's answer is not understood", where=where, why="an entry is none")
        raw = name.encode("utf-8", "surrogatepass")
        found.append(Entry(perms, raw, target, absent=item.get("status") in ("absent", "hidden")))
    return found


def _main_branch(body: bytes, at: Swhid) -> tuple[str, str]:
    """Return what a snapshot's HEAD is, or its only branch."""
    branches = branches_of(body, str(at))
    name = b"HEAD" if b"HEAD" in branches else next(iter(branches)) if len(branches) == 1 else b""
    for _ in range(LONGEST_CHAIN):
        kind, target = branches.get(name, ("", b""))
        if kind != "alias":
            break
        name = target
    if kind in ("dir", "rev", "rel", "snp", "cnt") and len(target) == 20:
        return kind, target.hex()
    known = [each.decode("utf-8", "replace") for each, (kind, _) in sorted(branches.items()) if kind]
    raise FetchError(
        "the snapshot does not say which of its branches is meant", where=str(at),
        why=f"it has {', '.join(known[:SHOWN])}{' and more' if len(known) > SHOWN else ''}" if known else "it is empty",
        remedy="name a revision or a release of it",
    )  # fmt: skip


def _delay(body: HttpBody) -> float:
    """Return the seconds after which the archive may be asked again, by either way that it says so."""
    stated = retry_after_of(body.headers)
    if stated is not None:
        return max(0.0, stated)
    reset = body.headers.get("x-ratelimit-reset", "")
    return max(SHORTEST_WAIT, int(reset) - time.time()) if reset.isdigit() else 60.0


def _limit(body: HttpBody) -> str:
    limit = body.headers.get("x-ratelimit-limit", "")
    return f" (its limit is {limit})" if limit.isdigit() else ""


def _hold(actual: str, swhid: Swhid) -> None:
    if actual != swhid.hash:
        raise IntegrityError(
            f"the archive gave another {swhid.kind}", where=str(swhid), why=f"its hash is {actual}", remedy=TELL
        )
