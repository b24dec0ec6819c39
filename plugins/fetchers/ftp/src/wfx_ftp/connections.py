"""Connections to FTP servers: to the addresses that the policy allows, ended from any thread, and kept for the next file.

The control connection is read and written as Latin-1, that is byte for byte: names are in whatever encoding the server has.
"""

from __future__ import annotations

import contextlib
import ftplib
import os
import re
import socket
import ssl
from collections.abc import Sequence

from wfx.errors import AccessDenied, FetchError, ReferenceNotFound, WfxError
from wfx.fetching import Net
from wfx.net import TemporaryFailure
from wfx.redaction import redact

LONGEST_ANSWER = 256 * 1024
LARGEST_LISTING = 64 * 2**20
# What a server says that has enough guests: it may let us in a moment later.
CROWDED = re.compile(r"(?i)too many|maximum|max\b|limit|busy|later|full")
FORBIDDEN = re.compile(r"(?i)permission|denied|not permitted|forbidden|not allowed|unauthori[sz]ed|privilege|access")


class Connection(ftplib.FTP_TLS):
    """One log-in at a server, with one transfer at a time."""

    def __init__(self, net: Net, where: str, context: ssl.SSLContext | None, addresses: Sequence[str]) -> None:
        super().__init__(timeout=net.settings.idle_timeout, encoding="latin-1", context=context)
        self.where = where
        self._settings, self._addresses = net.settings, addresses
        self._sockets: set[socket.socket] = set()
        self.ended = False
        self._answered = 0
        self.secure = context is not None
        self.implicit = False
        self.features: frozenset[str] = frozenset()
        self.base = "/"
        self.peer = ""
        self.idle_since = 0.0

    # -- sockets

    def open(self, host: str, port: int, *, implicit: bool) -> None:
        """Connect to the first address that answers, and read the greeting."""
        self.host, self.port, self.implicit = host, port, implicit
        sock = self._connected([(address, port) for address in self._addresses] or [(host, port)])
        self.peer = str(sock.getpeername()[0])
        self.af = sock.family
        self.sock = self._wrapped(sock, None) if implicit else sock
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        if self.secure and not implicit:
            self.auth()

    def _connected(self, places: Sequence[tuple[str, int]]) -> socket.socket:
        problem: OSError | None = None
        for host, port in places:
            for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                sock = socket.socket(family, kind, protocol)
                try:
                    self._hold(sock)
                    sock.settimeout(self._settings.connect_timeout)
                    sock.connect(address)
                except OSError as error:
                    self.release(sock)
                    problem = error
                    continue
                sock.settimeout(self._settings.idle_timeout)
                return sock
        raise problem or OSError("no address")

    def _hold(self, sock: socket.socket) -> None:
        self._sockets.add(sock)
        if self.ended:
            raise ConnectionError("the transfer was ended")

    def release(self, sock: socket.socket) -> None:
        """Close a socket."""
        self._sockets.discard(sock)
        sock.close()

    def _wrapped(self, sock: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        plain = sock
        wrapped = self.context.wrap_socket(sock, server_hostname=self.host, session=session)
        self._hold(wrapped)
        self._sockets.discard(plain)
        return wrapped

    def auth(self) -> str:
        """Begin with TLS on the control connection (RFC 4217 §4)."""
        answer = self.voidcmd("AUTH TLS")
        assert self.sock is not None
        self.sock = self._wrapped(self.sock, None)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        return answer

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open the data connection, always to the host that the control connection has reached, and send the command."""
        _, port = self.makepasv()
        data = self._connected([(self.peer, port)])
        try:
            if rest:
                self.sendcmd(f"REST {rest}")
            answer = self.sendcmd(cmd)
            if answer[0] == "2":
                answer = self.getresp()
            if answer[0] != "1":
                raise ftplib.error_reply(answer)  # noqa: S321 (it is what the plugin is for)
            if self.secure:
                # Many servers want the session of the control connection, as proof that it is the same client.
                data = self._wrapped(data, self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None)
        except BaseException:
            self.release(data)
            raise
        told = re.search(r"\((\d+) bytes?\)", answer, re.I)
        return data, int(told[1]) if told else None

    def end(self) -> None:
        """End it from another thread: whoever waits for a byte fails at once."""
        self.ended = True
        for sock in list(self._sockets):
            # One that is not connected yet fails by this as well.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close everything, without a goodbye that somebody might have to wait for."""
        self.end()
        with contextlib.suppress(OSError, AttributeError):
            self.file.close()  # type: ignore[union-attr]
        for sock in list(self._sockets):
            self.release(sock)
        self.sock = None

    # -- lines

    def getline(self) -> str:
        """Read a line of an answer, and no answer without end."""
        line = super().getline()
        self._answered += len(line)
        if self._answered > LONGEST_ANSWER:
            raise ConnectionError("an answer of the server has no end")
        return line

    def putline(self, line: str) -> None:
        """Send a line."""
        self._answered = 0
        super().putline(line)

    # -- log-in

    def enter(self, user: str, password: str) -> None:
        """Log in, and find out what the server can do."""
        self.login(user or "anonymous", password if user else "wfx@", secure=False)
        if self.secure:
            self.prot_p()
        with contextlib.suppress(ftplib.error_perm):
            self.features = frozenset(line.strip().upper() for line in self.sendcmd("FEAT").splitlines()[1:-1])
        if "UTF8" in self.features:
            with contextlib.suppress(ftplib.error_perm):
                self.sendcmd("OPTS UTF8 ON")
        with contextlib.suppress(ftplib.error_perm):
            self.base = self.pwd() or "/"
        self.voidcmd("TYPE I")

    def can(self, feature: str) -> bool:
        """Say whether the server has told of a feature (RFC 2389)."""
        return any(line == feature or line.startswith(f"{feature} ") for line in self.features)

    def path_of(self, names: Sequence[str], *, absolute: bool) -> str:
        """Return the server's own path of some names, as Latin-1."""
        path = "/".join(os.fsencode(name).decode("latin-1") for name in names)
        return f"{'/' if absolute else self.base.rstrip('/') + '/'}{path}"

    # -- questions

    def read_all(self, command: str) -> list[bytes]:
        """Return the lines that come over a data connection."""
        data, _ = self.ntransfercmd(command)
        parts, size = [], 0
        try:
            while part := data.recv(65536):
                size += len(part)
                if size > LARGEST_LISTING:
                    raise FetchError(f"a listing has more than {LARGEST_LISTING >> 20} MiB", where=self.where)
                parts.append(part)
        finally:
            self.release(data)
        self.voidresp()
        return [line for line in b"".join(parts).replace(b"\r\n", b"\n").split(b"\n") if line]

    def size_of(self, path: str) -> int | None:
        """Return the size of a file (RFC 3659 §4); None where the server does not tell."""
        try:
            answer = self.sendcmd(f"SIZE {path}")
        except ftplib.error_perm as error:
            if str(error).startswith("550"):
                raise
            return None
        digits = answer[4:].strip()
        return int(digits) if answer.startswith("213") and digits.isdecimal() else None

    def time_of(self, path: str) -> str | None:
        """Return when a file was changed (RFC 3659 §3), as the server writes it; None where it does not tell."""
        with contextlib.suppress(ftplib.error_perm):
            answer = self.sendcmd(f"MDTM {path}")
            if answer.startswith("213"):
                return answer[4:].strip()
        return None

    def is_folder(self, path: str) -> bool:
        """Say whether there is such a folder; the log-in is in it afterwards."""
        try:
            self.voidcmd(f"CWD {path}")
        except ftplib.error_perm:
            return False
        return True


def failure(error: Exception, where: str) -> WfxError:
    """Return what wfx calls an error of a connection."""
    if isinstance(error, WfxError):
        return error
    text = words_of(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchError(
            "the server's certificate is not trusted", where=where, why=error.verify_message,
            remedy="set net.ca_bundle where it is your organisation's own",
        )  # fmt: skip
    if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return FetchError("the server does not speak TLS as it should", where=where, why=error.reason or text)
    if isinstance(error, socket.gaierror):
        return TemporaryFailure("the host is not found", where=where, why=text, remedy="check the name and the network")
    if isinstance(error, ftplib.error_perm):
        if text.startswith("550"):
            if FORBIDDEN.search(text):
                return AccessDenied("the server refuses it", where=where, why=text)
            return ReferenceNotFound("the server has no such file", where=where, why=text, remedy="check the address")
        if text.startswith(("530", "532")):
            return AccessDenied("the server refuses it", where=where, why=text)
        return FetchError("the server refuses it", where=where, why=text)
    if isinstance(error, ftplib.error_temp):
        return TemporaryFailure("the server refuses it for now", where=where, why=text)
    if isinstance(error, EOFError):
        return TemporaryFailure("the connection broke", where=where, why="the server closed it")
    return TemporaryFailure("the server cannot be reached", where=where, why=text)


def words_of(error: Exception) -> str:
    """Return what the server says in an error, on one line and without secrets."""
    text = str(error)
    if isinstance(error, ftplib.Error):
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return " ".join(redact(text).split())[:200] or type(error).__name__
