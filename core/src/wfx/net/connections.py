"""Connections for HTTP: to the addresses that the policy allows, with limits on every wait, and ended from any thread."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from typing import TYPE_CHECKING, Any

from wfx.net.addresses import Resolved
from wfx.net.hops import Hop

if TYPE_CHECKING:
    from wfx.net.http import Client


class Timed(io.RawIOBase):
    """A socket's raw stream that waits no longer than idle time, and, for a head, than its deadline."""

    def __init__(self, raw: Any, sock: socket.socket, idle: float) -> None:
        self._raw, self._sock, self._idle = raw, sock, idle
        self.deadline: float | None = time.monotonic() + idle

    def readable(self) -> bool:
        """Say yes; io asks."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read what there is. Raises TimeoutError when nothing has come in time."""
        too_long = f"no whole answer within {self._idle:g} s"
        if self.deadline is not None:
            rest = self.deadline - time.monotonic()
            if rest <= 0:
                raise TimeoutError(too_long)
            self._sock.settimeout(min(rest, self._idle))
        try:
            return self._raw.readinto(buffer)  # type: ignore[no-any-return]
        except TimeoutError as error:
            late = self.deadline is not None and time.monotonic() >= self.deadline
            raise TimeoutError(too_long if late else f"not a byte for {self._idle:g} s") from error

    def wait_idle(self) -> None:
        """From here on only idle time counts."""
        self.deadline = None
        self._sock.settimeout(self._idle)

    def close(self) -> None:
        """Close the raw stream too."""
        if not self.closed:
            self._raw.close()
        super().close()


class Response(http.client.HTTPResponse):
    """An answer that is read over a timed stream."""

    timed: Timed

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        raw = self.fp.detach()
        self.timed = Timed(raw, sock, sock.gettimeout() or 60.0)
        self.fp = io.BufferedReader(self.timed)

    def head_is_read(self) -> None:
        """From here on only idle time counts."""
        self.timed.wait_idle()


class Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that the policy allows."""

    response_class = Response

    def __init__(self, hop: Hop, client: Client, addresses: list[Resolved]) -> None:
        super().__init__(hop.host, hop.port, timeout=client.settings.idle_timeout)
        self.hop, self._client, self._addresses = hop, client, addresses
        self.address = ""
        self._connecting: socket.socket | None = None
        self.idle_since = 0.0
        self.served = 0
        if hop.proxy and hop.scheme == "https":
            self.set_tunnel(hop.host, hop.port, headers=hop.proxy_headers())

    def connect(self) -> None:
        """Connect to the first address that answers; through a proxy's tunnel, and with TLS, where the hop says so."""
        settings = self._client.settings
        problem: OSError | None = None
        for family, address in self._addresses:
            sock = self._connecting = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(settings.connect_timeout)
            try:
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
                continue
            finally:
                self._connecting = None
            self.sock = sock
            self.address = str(address[0])
            break
        else:
            raise problem or OSError("no address")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(settings.idle_timeout)
        if self.hop.proxy and self.hop.scheme == "https":
            self._tunnel()  # type: ignore[attr-defined]
        if self.hop.scheme == "https":
            self.sock = self._client.tls().wrap_socket(sock, server_hostname=self.hop.host)

    def abort(self) -> None:
        """End it from another thread."""
        sock = self.sock or self._connecting
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
