"""How wfx and its plugins reach the network: one gate, which checks policy, chooses credentials and keeps a journal.

`Net.http` is the only HTTP client. Other protocols ask `Net.connect` for the right to speak to an origin, and for its
credentials. With `offline` no socket is opened at all.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfx.errors import AccessDenied, FetchError, OfflineError

if TYPE_CHECKING:
    from wfx.fetching import Span
    from wfx.net.credentials import Credential, Credentials
    from wfx.net.http import Client, HttpBody
    from wfx.references import Reference

__all__ = ["Access", "AuthenticationNeeded", "Contact", "Net", "NetSettings", "TemporaryFailure"]


class TemporaryFailure(FetchError):
    """A transfer failed in a way that may be over soon: try again."""

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:  # fmt: skip
        """`retry_after`: seconds that the place asks to wait."""
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.retry_after = retry_after


class AuthenticationNeeded(AccessDenied):
    """A web server answers 401: it wants to know who asks, and says how (RFC 9110 §15.5.2)."""

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, remedy: str | None = None,
        challenge: str = "",
    ) -> None:  # fmt: skip
        """`challenge`: the WWW-Authenticate header, for protocols that answer it themselves."""
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.challenge = challenge


@dataclass(frozen=True, slots=True)
class NetSettings:
    """What the configuration says of the network."""

    idle_timeout: float = 60.0
    """Seconds without a byte, and for the whole of an answer's head, after which a connection is given up."""
    connect_timeout: float = 30.0
    ca_bundle: str | None = None
    """File of certificates to trust, in place of the system's."""
    allow_private_hosts: tuple[str, ...] = ()
    """Hosts in private networks that redirects and documents may lead to."""
    max_redirects: int = 10
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    """The configuration's sections of fetchers: `fetcher.oci` → its keys."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A host that was reached, for the journal and the crate."""

    origin: str
    purpose: str
    """`fetch`, `workflow`, `run`."""
    requests: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """The right to speak to an origin."""

    origin: str
    credential: Credential | None = None
    addresses: tuple[str, ...] = ()
    """Of the host, where they were judged: connect to just these, whatever the name service says a moment later."""


@dataclass(slots=True)
class _Journal:
    """Counts what was asked of whom; shared by a gate and those made from it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def count(self, origin: str, purpose: str, requests: int, size: int) -> None:
        with self.lock:
            entry = self.counts.setdefault((origin, purpose), [0, 0])
            entry[0] += requests
            entry[1] += size


class Net:
    """The gate. Safe for several threads; those made by `on_behalf_of` share its connections and journal."""

    def __init__(
        self, *, offline: bool = False, settings: NetSettings | None = None, credentials: Credentials | None = None
    ) -> None:
        """Open no socket yet. Without `credentials` only what stands in the environment and netrc is known."""
        self.offline = offline
        self.settings = settings or NetSettings()
        self._credentials = credentials
        self._trusted: frozenset[str] | None = None
        self._purpose = "fetch"
        self._journal = _Journal()
        self._shared: list[Client] = []
        self._ends: list[Callable[[], None]] = []
        self._count: Callable[[int], None] | None = None
        self._lock = threading.Lock()

    @property
    def credentials(self) -> Credentials:
        """The credentials by place."""
        if self._credentials is None:
            from wfx.net.credentials import Credentials

            self._credentials = Credentials()
        return self._credentials

    @property
    def trusted(self) -> frozenset[str] | None:
        """Hosts whose private addresses may be reached; None: whatever the user's own reference names."""
        return self._trusted

    def on_behalf_of(self, reference: Reference, purpose: str = "workflow") -> Net:
        """Return a gate for what a document names: it leads into no private network but the document's own host."""
        host = {reference.host} if reference.host else set()
        trusted = frozenset(host) if self._trusted is None else self._trusted
        return self._another(trusted, purpose, self._count)

    def counting(self, count: Callable[[int], None]) -> Net:
        """Return the same gate, which also tells `count` of the bytes that are journalled: to show how far a tree is."""
        return self._another(self._trusted, self._purpose, count)

    def _another(self, trusted: frozenset[str] | None, purpose: str, count: Callable[[int], None] | None) -> Net:
        other = Net(offline=self.offline, settings=self.settings, credentials=self._credentials)
        other._trusted, other._purpose, other._count = trusted, purpose, count
        other._journal, other._shared, other._ends, other._lock = self._journal, self._shared, self._ends, self._lock
        return other

    def http(
        self,
        url: str,
        span: Span | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        data: bytes | None = None,
        anonymous: bool = False,
        also: Collection[int] = (),
    ) -> HttpBody:
        """Ask a web server, following redirects; the answer's body is a stream that notices when it is cut short.

        Credentials are chosen for each hop by its address; with `anonymous` none are sent but what `headers` has, for
        protocols with a log-in of their own. `also` are statuses whose answers the caller reads himself, redirects too: they
        are returned like any other (`HttpBody.status`).

        Raises OfflineError, PolicyError (a private address, a downgrade to http), ReferenceNotFound
        (404, 410), AccessDenied (403, 407; 401 as AuthenticationNeeded), TemporaryFailure (429, 5xx, a connection that
        breaks) and FetchError.
        """
        self._check_online(url)
        return self._client().request(self, url, span, headers or {}, method, data, anonymous=anonymous, also=also)

    def section(self, name: str) -> Mapping[str, Any]:
        """Return the configuration's section of a fetcher, `fetcher.NAME`; empty where there is none."""
        return self.settings.sections.get(name, {})

    def connect(self, reference: str) -> Access:
        """Return the right to speak another protocol than HTTP with the place of a reference, and its credentials.

        They are chosen by the whole reference; of `SCHEME://HOST[:PORT]` alone, only those for all of a host are found.
        Raises OfflineError, and PolicyError where a document may not lead there.
        """
        from wfx.references import Reference

        self._check_online(reference)
        origin = Reference(reference).origin
        addresses: tuple[str, ...] = ()
        if self._trusted is not None:
            from wfx.net.addresses import allowed_addresses, split_origin

            host, port = split_origin(origin)
            found = allowed_addresses(host, port, trusted=self._trusted, settings=self.settings, where=origin)
            addresses = tuple(str(address[0]) for _, address in found)
        self.journal(origin, 1, 0)
        return Access(origin, self.credential(reference), addresses)

    def credential(self, reference: str) -> Credential | None:
        """Return the credential for a reference, whatever its scheme; None where there is none.

        For protocols over HTTP that prove themselves in a way of their own (a signature by the keys for `s3://BUCKET`):
        `http` adds the credentials of the web address by itself, unless it is called with `anonymous`.
        """
        return self.credentials.find(reference)

    def journal(self, origin: str, requests: int, size: int) -> None:
        """Write down that an origin was asked, or that so many bytes came from it."""
        self._journal.count(origin, self._purpose, requests, size)
        if size and self._count is not None:
            self._count(size)

    def contacts(self) -> tuple[Contact, ...]:
        """Return whom this gate has reached, sorted by origin."""
        with self._journal.lock:
            items = sorted(self._journal.counts.items())
        return tuple(Contact(origin, purpose, *numbers) for (origin, purpose), numbers in items)

    @contextlib.contextmanager
    def ending_with(self, end: Callable[[], None]) -> Iterator[None]:
        """Have `end` called, from another thread, if the fetch is broken off while the block runs.

        For what is no connection of `http`, a plugin's own process or socket: `end` makes whoever waits for it fail
        at once. It may be called more than once, and must not raise.
        """
        with self._lock:
            self._ends.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)

    def cancel(self) -> None:
        """Break all connections that are in use, and what `ending_with` was told of, from another thread."""
        for client in self._shared:
            client.cancel()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            end()

    def close(self) -> None:
        """Close the connections that are kept open."""
        for client in self._shared:
            client.close()

    def _check_online(self, where: str) -> None:
        if self.offline:
            from wfx.redaction import redact_uri

            raise OfflineError(
                "the network is switched off", where=redact_uri(where), why="the store does not have it",
                remedy="run once without --offline",
            )  # fmt: skip

    def _client(self) -> Client:
        with self._lock:
            if not self._shared:
                from wfx.net.http import Client

                self._shared.append(Client(self.settings))
            return self._shared[0]
