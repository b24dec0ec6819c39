"""The fetcher: a file as a stream that can begin anywhere, and a folder as its files."""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import Entry, decode, encode, walk

from wfx_ftp.addresses import Address, Settings
from wfx_ftp.connections import Connection, failure, words_of
from wfx_ftp.leases import Lease
from wfx_ftp.listings import Line, list_folder

T = TypeVar("T")
# The servers' clocks are told to the second: a time of change tells two contents apart when it lies back this far.
SETTLED = 60.0
LAST_WORD = 2.0

log = logging.getLogger(__name__)


class FtpFetcher(StreamFetcher):
    """Opens files of FTP servers, and lists their folders.

    Settings, in `[fetcher.ftp]`: see `wfx_ftp.addresses.Settings`.
    """

    keys = ("ftp", "ftps")
    own_network = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open a file, from `span` where the server can and the bytes are the same."""
        address = Address.parse(ref)
        if address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        lease = Lease(net, address, net.connect(ref.uri), str(ref))

        def opened(connection: Connection) -> Body:
            return _open(connection, lease, address, ref, span)

        return _with(lease, opened)

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the files below a folder (a slash at the end), or those that wildcards mean."""
        address = Address.parse(ref)
        if not address.is_folder:
            return None
        lease = Lease(net, address, net.connect(ref.uri), str(ref))

        def listed(connection: Connection) -> list[Source]:
            found = walk(
                lambda folder: _entries(connection, folder, address),
                address.parts, where=str(ref), limit=Settings.of(net).max_files,
            )  # fmt: skip
            if not found and address.parts[-1]:
                raise ReferenceNotFound("nothing there has such a name", where=str(ref), remedy="check the wildcards")
            return [
                Source(_reference(ref, address, each.path), Expected(size=each.entry.size), name=each.name)
                for each in found
            ]

        try:
            return _with(lease, listed)
        finally:
            lease.give_back()


def _with(lease: Lease, act: Callable[[Connection], T]) -> T:
    """Do something over a connection; a kept one that the server has closed meanwhile is worth a second try."""
    with lease.net.ending_with(lease.end):
        for last in (False, True):
            try:
                connection = lease.start(anew=last)
                return act(connection)
            except (EOFError, ConnectionError, ftplib.error_temp) as error:
                again = not last and not lease.fresh and not connection.ended
                lease.discard()
                if not again:
                    raise failure(error, lease.where) from error
            except (OSError, ftplib.Error, ValueError) as error:
                lease.discard()
                raise failure(error, lease.where) from error
            except ReferenceNotFound:
                lease.give_back()
                raise
            except BaseException:
                lease.discard()
                raise
    raise AssertionError("the second try has an end")


# -- files


def _open(connection: Connection, lease: Lease, address: Address, ref: Reference, span: Span | None) -> Body:
    path = connection.path_of([decode(part) for part in address.parts], absolute=address.absolute)
    try:
        size = connection.size_of(path)
        validator = _validator(connection.time_of(path), size)
        start = span.start if span is not None and span.validator in (None, validator) else 0
        begun = start
        try:
            data, announced = connection.ntransfercmd(f"RETR {path}", start or None)
        except ftplib.error_perm as error:
            # RFC 3659 §5: a server that cannot begin in the middle refuses REST, and one byte too far as well.
            if not start or str(error).startswith("530"):
                raise
            begun, (data, announced) = 0, connection.ntransfercmd(f"RETR {path}")
    except ftplib.error_perm as error:
        raise _no_file(error, connection, path, ref) from error
    if size is None and announced is not None and not begun:
        size = announced
    stop = span.stop if span is not None and begun == start else None
    stream = FtpStream(lease, connection, data, None if size is None else size - begun, stop and stop - begun)
    return Body(
        stream, start=begun, total=size, validator=validator,
        accepts_ranges=validator is not None and begun == start, name=decode(address.parts[-1]),
    )  # fmt: skip


def _no_file(error: ftplib.error_perm, connection: Connection, path: str, ref: Reference) -> Exception:
    """Return what it means that a server refuses a path."""
    if str(error).startswith("550") and connection.is_folder(path):
        return FetchError(
            "it is a folder", where=str(ref), remedy=f"write {ref.without_fragment()}/ to fetch the files below it"
        )
    return failure(error, str(ref))


def _validator(told: str | None, size: int | None) -> str | None:
    """Return what changes when the bytes do; None where the server tells no time, or one that is too fresh."""
    if told is None:
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(told.partition(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
        if "." in told or time.time() - moment > SETTLED:
            return hashlib.sha256(f"{told} {size}".encode()).hexdigest()
    return None


class FtpStream:
    """The bytes of one file, which are all there when the server says so and as many as it has told."""

    def __init__(
        self, lease: Lease, connection: Connection, data: socket.socket, left: int | None, wanted: int | None
    ) -> None:
        """Take over the data connection; `left` bytes are to come, of which the first `wanted` are asked for."""
        self._lease, self._connection, self._data = lease, connection, data
        self._left, self._wanted = left, wanted
        self._size = 0
        self._reading = self._closed = self._heard = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning. Raises ConnectionError where the file is cut short."""
        if self._closed or self._heard:
            return 0
        wanted = len(buffer) if self._wanted is None else min(len(buffer), self._wanted - self._size)
        if not wanted:
            return 0
        self._reading = True
        try:
            count = self._data.recv_into(buffer[:wanted])
            if count == 0:
                self._last_word()
        except TimeoutError as error:
            raise TimeoutError(f"not a byte for {self._connection.timeout:g} s") from error
        except (EOFError, ftplib.Error, ValueError) as error:
            raise ConnectionError(f"the transfer was broken off: {words_of(error)}") from error
        finally:
            self._reading = False
        if self._closed or self._connection.ended:
            raise ConnectionError("it was closed")
        self._size += count
        return count

    def _last_word(self) -> None:
        """Hear whether that was all: the end of a data connection alone says nothing (RFC 959 §3.4)."""
        self._connection.release(self._data)
        self._heard = True
        self._connection.voidresp()
        if self._left is not None and self._size < self._left:
            raise ConnectionError(f"the file ended too early, {self._left - self._size} bytes are missing")

    def close(self) -> None:
        """Give the connection back where that can be; from another thread, the read that waits fails."""
        if self._closed:
            return
        self._closed = True
        self._lease.net.journal(self._lease.origin, 0, self._size)
        if self._reading:
            self._connection.end()
            return
        try:
            if not self._heard:
                self._stop_early()
            self._lease.give_back()
        except (OSError, EOFError, ftplib.Error, ValueError):
            self._lease.discard()

    def _stop_early(self) -> None:
        """Close the data connection, and hear what the server says of that: then the log-in can be used again."""
        self._connection.release(self._data)
        assert self._connection.sock is not None
        self._connection.sock.settimeout(LAST_WORD)
        with contextlib.suppress(ftplib.error_temp, ftplib.error_perm):
            self._connection.voidresp()
        self._connection.sock.settimeout(self._connection.timeout)


# -- folders


def _entries(connection: Connection, folder: tuple[str, ...], address: Address) -> Iterator[Entry]:
    path = connection.path_of(folder, absolute=address.absolute)
    connection.voidcmd(f"CWD {path}")
    for line in list(list_folder(connection)):
        if line.kind == "link":
            yield from _link(connection, folder, line, address)
        elif line.kind == "other":
            log.warning("%s: %s is neither file nor folder, and is left out", connection.where, line.name)
        else:
            yield Entry(line.name, line.kind == "folder", line.size)


def _link(connection: Connection, folder: tuple[str, ...], line: Line, address: Address) -> Iterator[Entry]:
    """Yield what a link leads to; one that leads nowhere is left out, and said."""
    path = connection.path_of((*folder, line.name), absolute=address.absolute)
    if connection.is_folder(path):
        yield Entry(line.name, folder=True, identity=connection.pwd())
        return
    try:
        yield Entry(line.name, size=connection.size_of(path))
    except ftplib.error_perm:
        log.warning("%s: the link %s leads nowhere, and is left out", connection.where, line.name)


def _reference(ref: Reference, address: Address, path: Sequence[str]) -> Reference:
    """Return the reference of a file, with whatever else the folder's had."""
    head, mark, rest = ref.without_fragment().uri.partition("://")
    root = "/%2F" if address.absolute else "/"
    return Reference(head + mark + rest.partition("/")[0] + root + "/".join(encode(name) for name in path))
