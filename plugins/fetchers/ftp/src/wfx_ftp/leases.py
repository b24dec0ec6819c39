"""Log-ins: made where none is kept, lent for one file or one listing, and kept for the next."""

from __future__ import annotations

import ftplib
import os
import ssl
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from wfx.errors import AccessDenied, FetchError, WfxError
from wfx.fetching import Net
from wfx.net import Access, TemporaryFailure

from wfx_ftp.addresses import Address, Settings
from wfx_ftp.connections import CROWDED, Connection, failure, words_of

IDLE_SECONDS = 20.0
IDLE_EACH = 8


class Pool:
    """The connections of one gate that nobody uses just now."""

    def __init__(self) -> None:
        self._idle: dict[tuple[Any, ...], list[Connection]] = {}
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def take(self, key: tuple[Any, ...], addresses: Sequence[str]) -> Connection | None:
        """Return one that can be used again."""
        with self._lock:
            kept = self._idle.get(key, [])
            while kept:
                connection = kept.pop()
                if time.monotonic() - connection.idle_since < IDLE_SECONDS and (
                    not addresses or connection.peer in addresses
                ):
                    return connection
                connection.discard()
        return None

    def give_back(self, key: tuple[Any, ...], connection: Connection) -> None:
        """Keep one for the next file."""
        connection.idle_since = time.monotonic()
        with self._lock:
            kept = self._idle.setdefault(key, [])
            if len(kept) < IDLE_EACH and not connection.ended:
                kept.append(connection)
                return
        connection.discard()

    def context(self, net: Net) -> ssl.SSLContext:
        """Return how certificates are looked at."""
        bundle = net.settings.ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or ""
        with self._lock:
            if bundle not in self._contexts:
                try:
                    self._contexts[bundle] = ssl.create_default_context(cafile=bundle or None)
                except OSError as error:
                    raise FetchError(
                        "the bundle of certificates cannot be read", where=bundle, why=str(error)
                    ) from error
            return self._contexts[bundle]

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            kept = [connection for each in self._idle.values() for connection in each]
            self._idle.clear()
        for connection in kept:
            connection.discard()


_pools: weakref.WeakKeyDictionary[Net, Pool] = weakref.WeakKeyDictionary()
_pools_lock = threading.Lock()


def pool_of(net: Net) -> Pool:
    """Return the pool of a gate; it is emptied when nobody has the gate any more."""
    with _pools_lock:
        if net not in _pools:
            pool = _pools[net] = Pool()
            weakref.finalize(net, pool.close)
        return _pools[net]


class Lease:
    """The use of a connection for one file or one listing: `with` gives it back, or closes it where it is broken."""

    def __init__(self, net: Net, address: Address, access: Access, where: str) -> None:
        """Take one that is kept, or log in. Nothing is sent before `start`."""
        settings = Settings.of(net)
        credential = access.credential
        user = address.user or (credential.username if credential else "")
        password = address.password
        if not password and credential is not None and user == credential.username:
            password = credential.password
        self.where, self.net, self.origin, self._addresses = where, net, access.origin, access.addresses
        self._address, self._implicit = address, address.is_implicit(settings)
        self._port = address.port_for(settings)
        self._user, self._password = user, password
        self._key = (address.scheme, address.host, self._port, self._implicit, user, hash(password))
        self._pool = pool_of(net)
        self._connection: Connection | None = None
        self._ended = False
        self.fresh = False

    def start(self, *, anew: bool = False) -> Connection:
        """Return the connection. Raises AccessDenied, TemporaryFailure and FetchError."""
        connection = None if anew else self._pool.take(self._key, self._addresses)
        self.fresh = connection is None
        if connection is None:
            context = self._pool.context(self.net) if self._address.scheme == "ftps" else None
            connection = Connection(self.net, self.where, context, self._addresses)
        connection.where = self.where
        self._connection = connection
        if self._ended:
            connection.end()
        if self.fresh:
            try:
                connection.open(self._address.host, self._port, implicit=self._implicit)
                connection.enter(self._user, self._password)
            except BaseException as error:
                connection.discard()
                if isinstance(error, Exception):
                    raise self._refused(error) from error
                raise
        return connection

    def end(self) -> None:
        """Break it, from another thread."""
        self._ended = True
        if self._connection is not None:
            self._connection.end()

    def give_back(self) -> None:
        """Keep the connection for others."""
        if self._connection is not None:
            self._pool.give_back(self._key, self._connection)
            self._connection = None

    def discard(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.discard()
            self._connection = None

    def _refused(self, error: Exception) -> WfxError:
        text = words_of(error)
        if isinstance(error, ftplib.error_perm):
            code = text[:3]
            if code in ("530", "532", "331", "332") and not CROWDED.search(text[3:]):
                who = f"the user {self._user}" if self._user else "anonymous"
                return AccessDenied(
                    f"the server does not let {who} in", where=self.where, why=text,
                    remedy=f"give credentials for {self._address.scheme}://{self._address.host}"
                    " (docs/tasks/credentials.md), or check those that you gave",
                )  # fmt: skip
            if self._address.scheme == "ftps" and code in ("431", "500", "502", "503", "504", "534", "536"):
                return FetchError(
                    "the server offers no encryption", where=self.where, why=text,
                    remedy="write ftp:// where it may be fetched in clear, or :990 where TLS comes first",
                )  # fmt: skip
            if code == "530":
                return TemporaryFailure("the server has too many guests", where=self.where, why=text)
        return failure(error, self.where)
