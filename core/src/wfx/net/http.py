"""The HTTP/1.1 client behind `Net.http`: http.client with connections kept open, and every limit held.

`requests` and its like are not used for two reasons: they follow redirects with `X-Api-Key` and its like still in the
headers, and they copy every byte twice. Here a redirect is followed by us, credentials are chosen anew at each hop, and
the socket is read straight into the caller's buffer.
"""

from __future__ import annotations

import http.client
import os
import re
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Span
from wfx.net import AuthenticationNeeded, NetSettings, TemporaryFailure
from wfx.net.addresses import allowed_addresses, is_public, split_origin
from wfx.net.bodies import HttpBody, HttpStream
from wfx.net.connections import Connection, Response
from wfx.net.credentials import Credential
from wfx.net.headers import digests_of, file_name_of, latin_to_utf8, refuse_encoding, retry_after_of, validator_of
from wfx.net.hops import Hop, refuse_private_name
from wfx.redaction import redact, redact_uri

if TYPE_CHECKING:
    import ssl

    from wfx.net import Net

__all__ = ["Client", "HttpBody"]

IDLE_PER_ORIGIN = 32
# A kept connection that the server may have closed meanwhile is not worth a try after this.
IDLE_SECONDS = 20.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# 202 to a GET: what was asked for is being made ready (RFC 9110 §15.3.3), and `Retry-After` says when to come again.
TEMPORARY = frozenset({202, 408, 425, 429, 500, 502, 503, 504})


def _user_agent() -> str:
    from wfx import __version__

    return f"wfx/{__version__}"


class Client:
    """Keeps connections open and sends requests over them; safe for several threads."""

    def __init__(self, settings: NetSettings) -> None:
        self.settings = settings
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._active: set[Connection] = set()
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
        *, anonymous: bool = False, also: Collection[int] = (),
    ) -> HttpBody:  # fmt: skip
        """Follow redirects to an answer; see `Net.http`."""
        hop = first = Hop.parse(url)
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
            if _is_of_other_bytes(response, span):
                self._finish(connection, response)
                return self.request(net, url, None, headers, method, data, anonymous=anonymous, also=also)
            if response.status in also or response.status not in REDIRECTS or not location:
                return self._answer(net, hop, connection, response, span, bool(data) or method != "GET", also)
            self._finish(connection, response)
            try:
                target = Hop.parse(urljoin(hop.url, latin_to_utf8(location)))
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
                if data is not None:
                    raise PolicyError(
                        "a redirect leads what was sent to another host",
                        where=redact_uri(url),
                        why=redact_uri(target.url),
                    )
                # What the caller added was meant for the first place alone.
                own_headers = {k: v for k, v in own_headers.items() if k.lower() in ("accept", "content-type", "range")}
            hop = target
        raise FetchError(f"more than {self.settings.max_redirects} redirects", where=redact_uri(url))

    def _headers(
        self, net: Net, hop: Hop, first: Hop, own: Mapping[str, str], span: Span | None, *, anonymous: bool
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
            credential = net.credentials.find(hop.url)
            if credential is None and hop is not first and hop.origin == first.origin and first.password:
                credential = Credential(username=first.user, password=first.password)
        given = {name.lower() for name in own}
        proof = credential.headers() if credential else {}
        return headers | {name: value for name, value in proof.items() if name.lower() not in given}

    # -- connections

    def _send(
        self, net: Net, hop: Hop, headers: dict[str, str], method: str, data: bytes | None,
        trusted: frozenset[str] | None, known: set[str],
    ) -> tuple[Connection, Response]:  # fmt: skip
        while True:
            connection, fresh = self._take(hop, trusted, known)
            target = hop.target
            if hop.proxy and hop.scheme == "http":
                target = hop.url
                headers = {**headers, **hop.proxy_headers()}
            try:
                connection.request(method, target, body=data, headers=headers)
                response = connection.getresponse()
                assert isinstance(response, Response)
                response.head_is_read()
            except (OSError, http.client.HTTPException) as error:
                self.drop(connection)
                broken = isinstance(error, (ConnectionError, http.client.RemoteDisconnected, http.client.BadStatusLine))
                if not fresh and broken and method in ("GET", "HEAD"):
                    continue  # the server had closed it while it was idle
                raise self._failure(error, hop) from error
            except BaseException:
                self.drop(connection)
                raise
            net.journal(hop.origin, 1, 0)
            return connection, response

    def _take(self, hop: Hop, trusted: frozenset[str] | None, known: set[str]) -> tuple[Connection, bool]:
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
            if trusted is not None and hop.host not in trusted:
                # The proxy does the name service; what is no public name is refused here at least.
                refuse_private_name(hop, self.settings, where)
            proxy_host, proxy_port = split_origin(hop.proxy)
            addresses = allowed_addresses(
                proxy_host, proxy_port or 3128, trusted=None, settings=self.settings, where=where
            )
        else:
            addresses = allowed_addresses(
                hop.host, hop.port, trusted=trusted, settings=self.settings, where=where, known=known
            )
        connection = Connection(hop, self, addresses)
        with self._lock:
            self._active.add(connection)
        return connection, True

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer has been read for the next request."""
        with self._lock:
            self._active.discard(connection)
            idle = self._idle.setdefault((connection.hop.origin, connection.hop.proxy), [])
            if len(idle) < IDLE_PER_ORIGIN and connection.sock is not None:
                connection.idle_since = time.monotonic()
                idle.append(connection)
                return
        connection.close()

    def drop(self, connection: Connection) -> None:
        """Close a connection that is of no more use."""
        with self._lock:
            self._active.discard(connection)
        connection.close()

    def _finish(self, connection: Connection, response: Response) -> None:
        """Be done with an answer whose body nobody wants."""
        stream = HttpStream(self, connection, response)
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
        self, net: Net, hop: Hop, connection: Connection, response: Response, span: Span | None, is_call: bool,
        also: Collection[int],
    ) -> HttpBody:  # fmt: skip
        status = response.status
        headers = {name.lower(): value for name, value in response.getheaders()}
        if status not in (200, 206) and status not in also and not (is_call and 200 <= status < 300):
            text = self._beginning(connection, response)
            headers["www-authenticate"] = response.getheader("WWW-Authenticate", "")  # all of them, joined
            refusal = self._refusal(status, headers, text, hop)
            refusal.status = status
            raise refusal
        stream = HttpStream(self, connection, response, lambda size: net.journal(hop.origin, 0, size))
        try:
            return self._body(hop, response, headers, stream, span)
        except BaseException:
            stream.abort()
            raise

    def _body(
        self, hop: Hop, response: Response, headers: dict[str, str], stream: HttpStream, span: Span | None
    ) -> HttpBody:
        where = redact_uri(hop.url)
        name = file_name_of(headers) or None
        refuse_encoding(headers, hop.url, name, where)
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
            stream=stream, start=start, total=total, validator=validator_of(headers),
            accepts_ranges=response.status == 206 or headers.get("accept-ranges", "").lower() == "bytes",
            media_type=headers.get("content-type", "").partition(";")[0].strip() or None, name=name,
            checksums=digests_of(headers, whole=response.status == 200), status=response.status, headers=headers, url=where,
        )  # fmt: skip

    def _beginning(self, connection: Connection, response: Response) -> str:
        """Return the first words of an error's page, for the message."""
        stream = HttpStream(self, connection, response)
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

    def _refusal(self, status: int, headers: dict[str, str], text: str, hop: Hop) -> FetchError:
        where = redact_uri(hop.url)
        reason = f"the server answers {status} {http.client.responses.get(status, '')}".rstrip()
        why = text or None
        if status in (404, 410):
            return ReferenceNotFound(f"not found ({status})", where=where, why=why, remedy="check the address")
        if status in (401, 403, 407):
            remedy = (
                f"give credentials for {hop.origin} (docs/tasks/credentials.md), or try `wfx config credentials test`"
            )
            what = f"access is refused ({status})"
            if status == 401:
                challenge = headers.get("www-authenticate", "")
                return AuthenticationNeeded(what, where=where, why=why, remedy=remedy, challenge=challenge)
            return AccessDenied(what, where=where, why=why, remedy=remedy)
        if status in TEMPORARY:
            return TemporaryFailure(reason, where=where, why=why, retry_after=retry_after_of(headers))
        return FetchError(reason, where=where, why=why)

    def _failure(self, error: Exception, hop: Hop) -> FetchError:
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


def _is_of_other_bytes(response: Response, span: Span | None) -> bool:
    """Say whether the bytes that we have are no longer those of the place: then the whole is asked for anew."""
    if span is None or not span.start:
        return False
    if response.status == 416:
        return True
    # A server that knows no If-Range (RFC 9110 §13.1.5) sends the end of whatever it has now.
    etag = response.getheader("ETag", "")
    known = span.validator or ""
    return response.status == 206 and known.startswith('"') and etag.startswith('"') and etag != known


def _may_reuse(
    connection: Connection, trusted: frozenset[str] | None, known: set[str], hop: Hop, client: Client
) -> bool:

    if trusted is None or hop.host in trusted or hop.host in client.settings.allow_private_hosts:
        return True
    return connection.address in known or (bool(connection.address) and is_public(connection.address))
