"""The HTTP/1.1 client behind `Net.http`: http.client with connections kept open, and every limit held.

`requests` and its like are not used for two reasons: they follow redirects with `X-Api-Key` and its like still in the
headers, and they copy every byte twice. Here a redirect is followed by us, credentials are chosen anew at each hop, and
the socket is read straight into the caller's buffer.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import email.utils
import http.client
import io
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Body, Span
from wfx.net import AuthenticationNeeded, NetSettings, TemporaryFailure
from wfx.net.addresses import Resolved, allowed_addresses
from wfx.net.credentials import Credential
from wfx.redaction import redact, redact_uri

if TYPE_CHECKING:
    import ssl

    from wfx.net import Net

IDLE_PER_ORIGIN = 32
# A kept connection that the server may have closed meanwhile is not worth a try after this.
IDLE_SECONDS = 20.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
# What is left of a body that nobody wants is read up to this, to keep the connection.
DRAIN = 64 * 1024
DRAIN_SECONDS = 0.2
LONGEST_CHUNK_LINE = 4096
ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "sha-1": "sha1", "md5": "md5"}
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


def _user_agent() -> str:
    from wfx import __version__

    return f"wfx/{__version__}"


@dataclass(slots=True)
class HttpBody(Body):
    """A body with what only HTTP has."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case; of repeated ones the last."""
    url: str = ""
    """Of the last hop, without secrets."""

    def read(self, limit: int = 16 * 2**20) -> bytes:
        """Read it all and close it. Raises FetchError above `limit` bytes."""
        buffer, parts, size = memoryview(bytearray(65536)), [], 0
        try:
            while count := self.stream.readinto(buffer):
                parts.append(bytes(buffer[:count]))
                size += count
                if size > limit:
                    raise FetchError(f"the answer has more than {limit / 1e6:.0f} MB", where=self.url)
        except OSError as error:
            raise TemporaryFailure("the connection broke", where=self.url, why=str(error)) from error
        finally:
            self.stream.close()
        return b"".join(parts)


class _Timed(io.RawIOBase):
    """A socket's raw stream that waits no longer than idle time, and, for a head, than its deadline."""

    def __init__(self, raw: Any, sock: socket.socket, idle: float) -> None:
        self._raw, self._sock, self._idle = raw, sock, idle
        self.deadline: float | None = time.monotonic() + idle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
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

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    timed: _Timed

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        raw = self.fp.detach()
        self.timed = _Timed(raw, sock, sock.gettimeout() or 60.0)
        self.fp = io.BufferedReader(self.timed)

    def head_is_read(self) -> None:
        """From here on only idle time counts."""
        self.timed.deadline = None
        self.timed._sock.settimeout(self.timed._idle)  # noqa: SLF001 (the same module)


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that the policy allows."""

    response_class = _Response

    def __init__(self, hop: _Hop, client: Client, addresses: list[Resolved]) -> None:
        super().__init__(hop.host, hop.port, timeout=client.settings.idle_timeout)
        self._hop, self._client, self._addresses = hop, client, addresses
        self.address = ""
        self._connecting: socket.socket | None = None
        self.idle_since = 0.0
        self.served = 0
        if hop.proxy and hop.scheme == "https":
            self.set_tunnel(hop.host, hop.port, headers=hop.proxy_headers())

    def connect(self) -> None:
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
        if self._hop.proxy and self._hop.scheme == "https":
            self._tunnel()  # type: ignore[attr-defined]
        if self._hop.scheme == "https":
            self.sock = self._client.tls().wrap_socket(sock, server_hostname=self._hop.host)

    def abort(self) -> None:
        """End it from another thread."""
        sock = self.sock or self._connecting
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class _Hop:
    """One request's address, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they go on the wire."""
    user: str = ""
    password: str = field(default="", repr=False)
    proxy: str = ""

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == standard else f":{self.port}")

    @property
    def url(self) -> str:
        return self.origin + self.target

    @classmethod
    def parse(cls, url: str) -> _Hop:
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (
                (parts.hostname or "").encode("idna").decode()
                if not (parts.hostname or "").isascii()
                else parts.hostname
            )
        except (ValueError, UnicodeError) as error:
            raise FetchError("it is not a valid address", where=redact_uri(url), why=str(error)) from error
        scheme = parts.scheme.lower()
        if scheme not in ("http", "https"):
            raise PolicyError(f"{scheme}: is no address of the web", where=redact_uri(url))
        if not host:
            raise FetchError("the address has no host", where=redact_uri(url))
        # Everything that may not stand in a request line is escaped; what is escaped already stays.
        target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe="/?:@!$&'()*+,;=%-._~[]")
        return cls(
            scheme, host, port or (443 if scheme == "https" else 80), target, unquote(parts.username or ""),
            unquote(parts.password or ""), _proxy_for(scheme, host),
        )  # fmt: skip

    def proxy_headers(self) -> dict[str, str]:
        parts = urlsplit(self.proxy)
        if not parts.username:
            return {}
        redact.learn(unquote(parts.password or ""))
        text = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def _proxy_for(scheme: str, host: str) -> str:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    import urllib.request

    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]
        return ""
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    proxy = proxy if not proxy or "://" in proxy else f"http://{proxy}"
    if proxy and not proxy.lower().startswith("http://"):
        raise FetchError(
            "a proxy is set that speaks no plain HTTP", where=redact_uri(proxy),
            remedy=f"set {scheme}_proxy to an http:// one, or except {host} with no_proxy",
        )  # fmt: skip
    return proxy


class Client:
    """Keeps connections open and sends requests over them; safe for several threads."""

    def __init__(self, settings: NetSettings) -> None:
        self.settings = settings
        self._idle: dict[tuple[str, str], list[_Connection]] = {}
        self._active: set[_Connection] = set()
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def tls(self) -> ssl.SSLContext:
        """Return the one TLS context."""
        with self._lock:
            if self._tls is None:
                import ssl

                bundle = self.settings.ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or None
                try:
                    self._tls = ssl.create_default_context(cafile=bundle)
                except OSError as error:
                    raise FetchError(
                        "the bundle of certificates cannot be read", where=bundle, why=str(error)
                    ) from error
            return self._tls

    def request(
        self, net: Net, url: str, span: Span | None, headers: Mapping[str, str], method: str, data: bytes | None,
        *, anonymous: bool = False,
    ) -> HttpBody:  # fmt: skip
        """Follow redirects to an answer; see `Net.http`."""
        hop = first = _Hop.parse(url)
        own_headers = dict(headers)
        known: set[str] = set()
        for count in range(self.settings.max_redirects + 1):
            # The user's own reference may lead anywhere; what it leads to may not.
            trusted = net.trusted if count == 0 else frozenset({first.host} | (net.trusted or set()))
            sent = self._headers(net, hop, first, own_headers, span, anonymous=anonymous)
            connection, response = self._send(net, hop, sent, method, data, trusted, known)
            if count == 0:
                known.add(connection.address)
            location = response.getheader("Location")
            if response.status not in REDIRECTS or not location:
                return self._answer(net, hop, connection, response, span, bool(data) or method != "GET")
            self._finish(connection, response)
            try:
                target = _Hop.parse(urljoin(hop.url, _latin_to_utf8(location)))
            except (PolicyError, FetchError) as error:
                # The place that leads astray is what the user knows and can complain of.
                raise type(error)(
                    f"it leads elsewhere: {error.what}", where=redact_uri(url), why=error.where
                ) from error
            if hop.scheme == "https" and target.scheme == "http":
                raise PolicyError(
                    "a redirect leads from https to http", where=redact_uri(url), why=redact_uri(target.url)
                )
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, data = "GET", None
            if target.origin != hop.origin:
                # What the caller added was meant for the first place alone.
                own_headers = {k: v for k, v in own_headers.items() if k.lower() in ("accept", "content-type", "range")}
            hop = target
        raise FetchError(f"more than {self.settings.max_redirects} redirects", where=redact_uri(url))

    def _headers(
        self, net: Net, hop: _Hop, first: _Hop, own: Mapping[str, str], span: Span | None, *, anonymous: bool
    ) -> dict[str, str]:
        # RFC 9110 §8.4.1: the bytes that were published, not a compressed form of them.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": _user_agent(), **own}
        if span is not None and (span.start or span.stop is not None):
            headers["Range"] = f"bytes={span.start}-{'' if span.stop is None else span.stop - 1}"
            if span.validator:
                headers["If-Range"] = span.validator
        if anonymous:
            return headers
        if hop.user or hop.password:
            credential: Credential | None = Credential(username=hop.user, password=hop.password)
            redact.learn(hop.password)
        else:
            credential = net.credentials.find(hop.origin)
            if credential is None and hop is not first and hop.origin == first.origin and first.password:
                credential = Credential(username=first.user, password=first.password)
        given = {name.lower() for name in own}
        proof = credential.headers() if credential else {}
        return headers | {name: value for name, value in proof.items() if name.lower() not in given}

    # -- connections

    def _send(
        self, net: Net, hop: _Hop, headers: dict[str, str], method: str, data: bytes | None,
        trusted: frozenset[str] | None, known: set[str],
    ) -> tuple[_Connection, _Response]:  # fmt: skip
        while True:
            connection, fresh = self._take(hop, trusted, known)
            target = hop.target
            if hop.proxy and hop.scheme == "http":
                target = hop.url
                headers = {**headers, **hop.proxy_headers()}
            try:
                connection.request(method, target, body=data, headers=headers)
                response = connection.getresponse()
                assert isinstance(response, _Response)
                response.head_is_read()
            except (OSError, http.client.HTTPException) as error:
                self._drop(connection)
                broken = isinstance(error, (ConnectionError, http.client.RemoteDisconnected, http.client.BadStatusLine))
                if not fresh and broken and method in ("GET", "HEAD"):
                    continue  # the server had closed it while it was idle
                raise self._failure(error, hop) from error
            except BaseException:
                self._drop(connection)
                raise
            net.journal(hop.origin, 1, 0)
            return connection, response

    def _take(self, hop: _Hop, trusted: frozenset[str] | None, known: set[str]) -> tuple[_Connection, bool]:
        key = (hop.origin, hop.proxy)
        with self._lock:
            idle = self._idle.get(key, [])
            while idle:
                connection = idle.pop()
                young = time.monotonic() - connection.idle_since < IDLE_SECONDS
                if young and _may_reuse(connection, trusted, known, hop, self):
                    self._active.add(connection)
                    return connection, False
                connection.close()
        where = redact_uri(hop.url)
        if hop.proxy:
            from wfx.net.addresses import split_origin

            if trusted is not None and hop.host not in trusted:
                # The proxy does the name service; what is no public name is refused here at least.
                _refuse_private_name(hop, self.settings, where)
            proxy_host, proxy_port = split_origin(hop.proxy)
            addresses = allowed_addresses(
                proxy_host, proxy_port or 3128, trusted=None, settings=self.settings, where=where
            )
        else:
            addresses = allowed_addresses(
                hop.host, hop.port, trusted=trusted, settings=self.settings, where=where, known=known
            )
        connection = _Connection(hop, self, addresses)
        with self._lock:
            self._active.add(connection)
        return connection, True

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            self._active.discard(connection)
            idle = self._idle.setdefault((connection._hop.origin, connection._hop.proxy), [])  # noqa: SLF001
            if len(idle) < IDLE_PER_ORIGIN and connection.sock is not None:
                connection.idle_since = time.monotonic()
                idle.append(connection)
                return
        connection.close()

    def _drop(self, connection: _Connection) -> None:
        with self._lock:
            self._active.discard(connection)
        connection.close()

    def _finish(self, connection: _Connection, response: _Response) -> None:
        """Be done with an answer whose body nobody wants."""
        stream = _Stream(self, connection, response)
        stream.close()

    def cancel(self) -> None:
        """Break all connections that are in use; a later request makes new ones."""
        with self._lock:
            active = list(self._active)
        for connection in active:
            connection.abort()

    def close(self) -> None:
        """Close what is kept open."""
        with self._lock:
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    # -- answers

    def _answer(
        self, net: Net, hop: _Hop, connection: _Connection, response: _Response, span: Span | None, is_call: bool
    ) -> HttpBody:
        status = response.status
        headers = {name.lower(): value for name, value in response.getheaders()}
        if status == 416 and span is not None and span.start:
            # The bytes that we have are more than there are now: the whole thing anew.
            self._finish(connection, response)
            return self.request(net, hop.url, None, {}, "GET", None)
        if status not in (200, 206) and not (is_call and 200 <= status < 300):
            text = self._beginning(connection, response)
            headers["www-authenticate"] = response.getheader("WWW-Authenticate", "")  # all of them, joined
            raise self._refusal(status, headers, text, hop)
        stream = _Stream(self, connection, response, lambda size: net.journal(hop.origin, 0, size))
        try:
            return self._body(hop, response, headers, stream, span)
        except BaseException:
            stream.abort()
            raise

    def _body(
        self, hop: _Hop, response: _Response, headers: dict[str, str], stream: _Stream, span: Span | None
    ) -> HttpBody:
        where = redact_uri(hop.url)
        name = _file_name(headers) or None
        _refuse_encoding(headers, hop, name, where)
        start, total = 0, response.length if response.status == 200 else None
        if response.status == 206:
            match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("content-range", ""))
            if match is None:
                raise FetchError("an answer to a range does not say which one it is", where=where)
            start = int(match[1])
            total = int(match[3]) if match[3] != "*" else None
            if span is None or start != span.start:
                raise FetchError("another range came than was asked for", where=where)
        return HttpBody(
            stream=stream, start=start, total=total, validator=_validator(headers),
            accepts_ranges=response.status == 206 or headers.get("accept-ranges", "").lower() == "bytes",
            media_type=headers.get("content-type", "").partition(";")[0].strip() or None, name=name,
            checksums=_digests(headers, whole=response.status == 200), status=response.status, headers=headers, url=where,
        )  # fmt: skip

    def _beginning(self, connection: _Connection, response: _Response) -> str:
        """Return the first words of an error's page, for the message."""
        stream = _Stream(self, connection, response)
        buffer = bytearray(2048)
        try:
            size = stream.readinto(memoryview(buffer))
        except (OSError, FetchError):
            size = 0
        finally:
            stream.close()
        kind = response.getheader("Content-Type") or ""
        text = bytes(buffer[:size]).decode("utf-8", "replace")
        return " ".join(redact(text).split())[:160] if kind.startswith(("text/plain", "application/json")) else ""

    def _refusal(self, status: int, headers: dict[str, str], text: str, hop: _Hop) -> FetchError:
        where = redact_uri(hop.url)
        reason = f"the server answers {status} {http.client.responses.get(status, '')}".rstrip()
        why = text or None
        if status in (404, 410):
            return ReferenceNotFound(f"not found ({status})", where=where, why=why, remedy="check the address")
        if status in (401, 403, 407):
            remedy = f"give credentials for {hop.origin} (docs/tasks/credentials.md), or check those that you gave"
            what = f"access is refused ({status})"
            if status == 401:
                challenge = headers.get("www-authenticate", "")
                return AuthenticationNeeded(what, where=where, why=why, remedy=remedy, challenge=challenge)
            return AccessDenied(what, where=where, why=why, remedy=remedy)
        if status in TEMPORARY:
            return TemporaryFailure(reason, where=where, why=why, retry_after=_retry_after(headers))
        return FetchError(reason, where=where, why=why)

    def _failure(self, error: Exception, hop: _Hop) -> FetchError:
        where = redact_uri(hop.url)
        if type(error).__name__ == "SSLCertVerificationError":
            return FetchError(
                "the server's certificate is not trusted", where=where, why=getattr(error, "verify_message", str(error)),
                remedy="set net.ca_bundle where it is your organisation's own",
            )  # fmt: skip
        reason = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        # Behind a proxy it is as likely the proxy that is in the way.
        through = f" through the proxy {redact_uri(hop.proxy)}" if hop.proxy else ""
        return TemporaryFailure(f"the server cannot be reached{through}", where=where, why=redact(reason))


class _Stream:
    """The bytes of one answer; gives its connection back when it has been read to the end."""

    def __init__(
        self, client: Client, connection: _Connection, response: _Response, count: Any = lambda _size: None
    ) -> None:
        self._client, self._connection, self._response, self._count = client, connection, response, count
        self._left: int | None = None if response.chunked else response.length
        self._chunked = bool(response.chunked)
        self._chunk = 0
        self._keep = not response.will_close
        self._done = response.length == 0
        self._closed = False
        self._reading = False
        self._size = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the beginning of the buffer with what there is; 0 at the end. Raises OSError where it is cut short."""
        if self._done or self._closed:
            return 0
        fp = self._response.fp
        self._reading = True
        try:
            if self._chunked and self._chunk == 0 and not self._next_chunk(fp):
                return 0
            limit = self._chunk if self._chunked else self._left
            view = buffer if limit is None else buffer[:limit]
            size: int = fp.readinto1(view)
        except (ValueError, AttributeError) as error:
            raise ConnectionError("it was closed") from error
        finally:
            self._reading = False
        if self._closed:
            # What came last is no end: whoever closed it from another thread has cut it.
            raise ConnectionError("it was closed")
        if size == 0:
            if self._chunked or self._left:
                missing = "" if self._left is None else f", {self._left} bytes are missing"
                raise ConnectionError(f"the connection ended too early{missing}")
            # Without a length the end of the connection is the end of the body (RFC 9112 §6.3, rule 8).
            self._done = True
            return 0
        self._size += size
        if self._chunked:
            self._chunk -= size
            if self._chunk == 0:
                self._line(fp)
        elif self._left is not None:
            self._left -= size
            self._done = self._left == 0
        return size

    def _next_chunk(self, fp: Any) -> bool:
        line = self._line(fp)
        try:
            self._chunk = int(line.partition(b";")[0].strip(), 16)
        except ValueError as error:
            raise ConnectionError(f"a chunk's length is {line[:20]!r}") from error
        if self._chunk < 0:
            raise ConnectionError("a chunk's length is negative")
        if self._chunk:
            return True
        while self._line(fp).strip():
            pass  # trailers
        self._done = True
        return False

    def _line(self, fp: Any) -> bytes:
        line: bytes = fp.readline(LONGEST_CHUNK_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection ended within a chunk")
        return line

    def close(self) -> None:
        """Give the connection back where the body has been read, or nearly; else close it."""
        if self._closed:
            return
        if self._reading:
            # Another thread waits for bytes here: it is to be woken, not to be waited for.
            self.abort()
            return
        with contextlib.suppress(OSError):
            if not self._done and self._keep and self._left is not None and self._left <= DRAIN:
                buffer = memoryview(bytearray(DRAIN))
                # A connection is worth no waiting: a server that drips would hold up the error about it.
                self._response.timed.deadline = time.monotonic() + DRAIN_SECONDS
                while self.readinto(buffer):
                    pass
                self._response.head_is_read()
        self._closed = True
        self._count(self._size)
        if self._done and self._keep:
            # http.client wants its answer closed before the next request; that leaves the socket open.
            self._response.close()
            self._client._give_back(self._connection)  # noqa: SLF001 (the same module)
        else:
            self.abort()

    def abort(self) -> None:
        """Close the connection, whatever is still to come."""
        self._closed = True
        self._connection.abort()
        with contextlib.suppress(OSError):
            self._response.close()
        self._client._drop(self._connection)  # noqa: SLF001


def _may_reuse(
    connection: _Connection, trusted: frozenset[str] | None, known: set[str], hop: _Hop, client: Client
) -> bool:
    from wfx.net.addresses import is_public

    if trusted is None or hop.host in trusted or hop.host in client.settings.allow_private_hosts:
        return True
    return connection.address in known or (bool(connection.address) and is_public(connection.address))


def _refuse_private_name(hop: _Hop, settings: NetSettings, where: str) -> None:
    import ipaddress

    from wfx.net.addresses import is_public

    if hop.host in settings.allow_private_hosts:
        return
    try:
        public = is_public(str(ipaddress.ip_address(hop.host)))
    except ValueError:
        public = "." in hop.host and not hop.host.endswith((".local", ".internal", ".localhost", ".lan"))
    if not public:
        raise PolicyError("a redirect or a document leads into a private network", where=where, why=hop.host)


def _refuse_encoding(headers: Mapping[str, str], hop: _Hop, name: str | None, where: str) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    # Many servers call a .gz file "encoded"; its bytes are the published ones all the same.
    path = (name or urlsplit(hop.url).path).lower()
    if encoding in ("identity", "") or (
        encoding in ("gzip", "x-gzip") and path.endswith((".gz", ".tgz", ".bgz", ".svgz"))
    ):
        return
    raise FetchError(
        f"the server sends it {encoding}-encoded, though it was asked not to", where=where,
        why="those are not the bytes that were published",
    )  # fmt: skip


def _validator(headers: Mapping[str, str]) -> str | None:
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


def _digests(headers: Mapping[str, str], *, whole: bool) -> tuple[tuple[str, str], ...]:
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


def _retry_after(headers: Mapping[str, str]) -> float | None:
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


def _file_name(headers: Mapping[str, str]) -> str:
    """Return the name in Content-Disposition (RFC 6266), never with a folder."""
    text = headers.get("content-disposition", "")
    match = re.search(r"filename\*\s*=\s*(?:UTF-8|utf-8)''([^;]+)", text)
    if match:
        name = unquote(match[1].strip())
    else:
        match = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', text)
        name = _latin_to_utf8(match[1] if match[1] is not None else match[2]) if match else ""
    return name.replace("\\", "/").rpartition("/")[2]


def _latin_to_utf8(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
