"""A loopback web server that misbehaves as it is told, for tests of fetchers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""


@dataclass(slots=True)
class Resource:
    """What lies at a path, and how the server goes wrong with it. Faults with a number wear off after so many requests."""

    body: bytes | Path = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = '"1"'
    ranges: bool = True
    """Whether Range is honoured."""
    chunked: bool = False
    length: int | None = None
    """Content-Length to claim in place of the true one."""
    cut: list[int] = field(default_factory=list)
    """The n-th request's connection is closed after so many bytes of the body; -1: before the answer."""
    stall: list[float] = field(default_factory=list)
    """The n-th request waits so many seconds in the middle of the body."""
    rate: float = 0.0
    """Bytes a second for each connection; 0 is no limit."""
    refuse: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """The n-th request gets this status with these headers."""
    flip: bool = False
    """Whether one bit of the body is wrong."""
    authorization: str = ""
    """What the header must be; else 401."""
    on_request: Callable[[Request, Resource], None] | None = None


class FaultServer:
    """Serves resources over HTTP/1.1 on a free port of 127.0.0.1; use it as a context.

    ::

        with FaultServer() as server:
            url = server.add("/a.fa", b">a", cut=[1])

    With `tls`, a context that has a certificate (`wfx.testing.certificates`), it speaks https.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.requests: list[Request] = []
        self.resources: dict[str, Resource] = {}
        self.connections = 0
        self._listener = socket.create_server((address, port), backlog=512)
        self.address, self.port = self._listener.getsockname()[:2]
        self._lock = threading.Lock()
        self._closing = False
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, name="fault server", daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, or https with `tls`."""
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}"

    def add(self, path: str, body: bytes | Path = b"", **options: Any) -> str:
        """Put something at a path (with its faults); return its URL."""
        self.resources[path] = Resource(body, **options)
        return self.url + path

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        """Lead from a path to a URL."""
        return self.add(path, status=status, headers={"Location": target})

    def folder(self, path: str, folder: Path) -> str:
        """Put all files of a folder below a path; return the URL of the folder."""
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.add(f"{path.rstrip('/')}/{file.relative_to(folder).as_posix()}", file)
        return self.url + path

    def move(self, other: FaultServer) -> None:
        """Take everything to another server, and lead there from here; who was asked for here is not asked there."""
        for path, resource in list(self.resources.items()):
            other.resources[path] = Resource(resource.body, headers=dict(resource.headers), etag=resource.etag)
            self.resources[path] = Resource(
                status=302, headers={"Location": other.url + path}, authorization=resource.authorization
            )

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path."""
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def __enter__(self) -> FaultServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain = connection
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.add(connection)
            with connection, connection.makefile("rb") as stream:
                while not self._closing:
                    request = read_request(stream)
                    if request is None or not self._answer(connection, request):
                        return
        except OSError:
            return
        finally:
            plain.close()
            with self._lock:
                self._open -= {plain, connection}

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; say whether the connection goes on."""
        with self._lock:
            self.requests.append(request)
            resource = self.resources.get(request.path)
            number = sum(1 for other in self.requests if other.path == request.path) - 1
        if resource is None:
            return _simple(connection, 404, {"Content-Type": "text/plain"}, b"no such thing")
        if resource.on_request is not None:
            resource.on_request(request, resource)
        if resource.authorization and request.headers.get("authorization") != resource.authorization:
            return _simple(connection, 401, {"WWW-Authenticate": "Basic"}, b"who are you?")
        if number < len(resource.refuse):
            status, headers = resource.refuse[number]
            return _simple(connection, status, headers, b"")
        if resource.status != 200:
            return _simple(connection, resource.status, resource.headers, _bytes(resource))
        cut = resource.cut[number] if number < len(resource.cut) else None
        if cut == -1:
            return False
        stall = resource.stall[number] if number < len(resource.stall) else 0.0
        return self._send(connection, request, resource, cut, stall)

    def _send(
        self, connection: socket.socket, request: Request, resource: Resource, cut: int | None, stall: float
    ) -> bool:
        body = _bytes(resource)
        if resource.flip and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        start, stop, status = 0, len(body), 200
        headers = {"Content-Type": "application/octet-stream", **resource.headers}
        wanted = request.headers.get("range", "")
        condition = request.headers.get("if-range")
        if resource.etag:
            headers["ETag"] = resource.etag
        if resource.ranges:
            headers["Accept-Ranges"] = "bytes"
        if resource.ranges and wanted.startswith("bytes=") and condition in (None, resource.etag):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first)
            stop = min(len(body), int(last) + 1) if last else len(body)
            if start >= len(body):
                return _simple(connection, 416, {"Content-Range": f"bytes */{len(body)}"}, b"")
            status = 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        if resource.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(resource.length if resource.length is not None else stop - start)
        connection.sendall(head(status, headers))
        if request.method == "HEAD":
            return True
        part = body[start:stop]
        sent = part if cut is None else part[:cut]
        # Views, so that a test can measure what the client holds of a large body.
        pieces = list(_pieces(memoryview(sent), resource.rate))
        began, size = time.monotonic(), 0
        for index, piece in enumerate(pieces):
            if stall and index == len(pieces) // 2:
                time.sleep(stall)
            if resource.chunked:
                connection.sendall(b"%x\r\n" % len(piece) + bytes(piece) + b"\r\n")
            else:
                connection.sendall(piece)
            size += len(piece)
            if resource.rate:
                time.sleep(max(0.0, began + size / resource.rate - time.monotonic()))
        if cut is not None and cut < len(part):
            return False
        if resource.chunked:
            connection.sendall(b"0\r\n\r\n")
        return resource.length is None


def _bytes(resource: Resource) -> bytes:
    return resource.body if isinstance(resource.body, bytes) else resource.body.read_bytes()


def _pieces(data: memoryview, rate: float) -> Iterator[memoryview]:
    block = max(1, min(BLOCK, int(rate / 20))) if rate else max(1, min(1024 * 1024, len(data) // 2 or 1))
    for at in range(0, len(data), block):
        yield data[at : at + block]


def read_request(stream: Any) -> Request | None:
    """Read one request from a binary stream; None at its end."""
    line = stream.readline(65536).decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (text := stream.readline(65536).decode("latin-1").strip()) != "":
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    return Request(line[0], line[1], headers, stream.read(size) if size else b"")


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Whatever'}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _simple(connection: socket.socket, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    connection.sendall(head(status, {"Content-Length": str(len(body)), **headers}) + body)
    return True
