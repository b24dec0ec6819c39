"""A small real proxy on loopback: it forwards plain requests, and tunnels with CONNECT (RFC 9110 §9.3.6)."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

from wfx.testing.servers import Request, head, read_request

BLOCK = 65536
SECONDS = 10.0


class Proxy:
    """Stands between, and notes who asked for what; use it as a context.

    With `user` and `password` it asks for Basic credentials. `hosts` says where names really are, so that a test can
    ask for `data.example.org` and get a loopback server: `{"data.example.org": ("127.0.0.1", 8080)}`.
    """

    def __init__(
        self, *, user: str = "", password: str = "", hosts: dict[str, tuple[str, int]] | None = None
    ) -> None:  # fmt: skip
        self.user, self.password, self.hosts = user, password, hosts or {}
        self.requests: list[Request] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """`http://[user:password@]127.0.0.1:PORT`."""
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"http://{login}127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException), connection:
            # Unbuffered: after CONNECT what follows is not ours to read.
            stream = connection.makefile("rb", buffering=0)
            request = read_request(stream)
            if request is None:
                return
            self.requests.append(request)
            if self.user:
                expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
                if request.headers.get("proxy-authorization") != f"Basic {expected}":
                    connection.sendall(head(407, {"Proxy-Authenticate": "Basic", "Content-Length": "0"}))
                    return
            if request.method == "CONNECT":
                self._tunnel(connection, request)
            else:
                self._forward(connection, request)
        self._open.discard(connection)

    def _address(self, host: str, port: int) -> tuple[str, int]:
        return self.hosts.get(host, (host, port))

    def _tunnel(self, connection: socket.socket, request: Request) -> None:
        host, _, port = request.path.rpartition(":")
        with socket.create_connection(self._address(host.strip("[]"), int(port)), SECONDS) as there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {connection: there, there: connection}
            while True:
                ready, _, _ = select.select(list(ends), [], [], SECONDS)
                for end in ready:
                    data = end.recv(BLOCK)
                    if not data:
                        return
                    ends[end].sendall(data)

    def _forward(self, connection: socket.socket, request: Request) -> None:
        parts = urlsplit(request.path)
        there = http.client.HTTPConnection(*self._address(parts.hostname or "", parts.port or 80), timeout=SECONDS)
        kept = {k: v for k, v in request.headers.items() if not k.startswith("proxy-") and k != "connection"}
        there.request(request.method, parts.path + (f"?{parts.query}" if parts.query else ""), request.body, kept)
        answer = there.getresponse()
        body = answer.read()
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")}
        headers |= {"Content-Length": str(len(body)), "Connection": "close"}
        connection.sendall(head(answer.status, headers) + body)
        there.close()
