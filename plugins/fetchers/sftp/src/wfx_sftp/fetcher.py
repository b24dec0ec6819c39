"""The fetcher: a file as a stream that can begin anywhere, and a folder as its files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from wfx.errors import FetchError, ReferenceNotFound
from wfx.fetching import Body, Expected, Net, Reference, Source, Span, StreamFetcher
from wfx.listings import Entry, decode, encode, walk
from wfx.net import TemporaryFailure

from wfx_sftp.addresses import Address, Settings
from wfx_sftp.connections import Session, failure, sessions_of
from wfx_sftp.loops import Waits, leave

if TYPE_CHECKING:
    import asyncssh
    from wfx.net import Access

T = TypeVar("T")
BLOCK = 2**19
# Times of change come in seconds: one tells two contents apart when it lies back this far.
SETTLED = 60.0

log = logging.getLogger(__name__)


class SftpFetcher(StreamFetcher):
    """Opens files of SSH servers, and lists their folders.

    Settings, in `[fetcher.sftp]`: see `wfx_sftp.addresses.Settings`.
    """

    keys = ("sftp", "ssh")
    own_network = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open a file, from `span` where the bytes are the same."""
        address = Address.parse(ref)
        if address.is_folder:
            raise FetchError("it is a folder", where=str(ref), remedy="fetch it as a folder")
        access = net.connect(ref.uri)
        waits = Waits()
        with net.ending_with(waits.end):
            session, file, attributes = _twice(
                net,
                address,
                access,
                str(ref),
                waits,
                lambda session: _opened(session, address, ref, net.settings.idle_timeout),
            )
        size = attributes.size
        validator = _validator(attributes)
        start = span.start if span is not None and span.validator in (None, validator) else 0
        stop = span.stop if span is not None and start == span.start else None
        end = size if stop is None else stop if size is None else min(stop, size)
        stream = SftpStream(net, access.origin, session, file, waits, start, end)
        return Body(
            stream, start=start, total=size, validator=validator, accepts_ranges=validator is not None,
            name=decode(address.parts[-1]),
        )  # fmt: skip

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the files below a folder (a slash at the end), or those that wildcards mean."""
        address = Address.parse(ref)
        if not address.is_folder:
            return None
        access, settings = net.connect(ref.uri), Settings.of(net)
        waits = Waits()

        def ask(folder: tuple[str, ...]) -> list[Entry]:
            return _twice(
                net, address, access, str(ref), waits,
                lambda session: _entries(session, folder, address, settings.max_files, net.settings.idle_timeout),
            )  # fmt: skip

        with net.ending_with(waits.end):
            found = walk(ask, address.parts, where=str(ref), limit=settings.max_files)
        if not found and address.parts[-1]:
            raise ReferenceNotFound("nothing there has such a name", where=str(ref), remedy="check the wildcards")
        return [
            Source(_reference(ref, address, each.path), Expected(size=each.entry.size), name=each.name)
            for each in found
        ]


def _twice(
    net: Net, address: Address, access: Access, where: str, waits: Waits,
    act: Callable[[Session], Coroutine[Any, Any, T]],
) -> T:  # fmt: skip
    """Do something over a connection; one that was kept and is gone meanwhile is worth a second try."""
    sessions = sessions_of(net)

    async def once() -> tuple[T, bool]:
        session, fresh = await sessions.get(net, address, access, where)
        try:
            return await act(session), fresh
        except Exception as error:
            problem = failure(error, where)
            if session.broken and not fresh and isinstance(problem, TemporaryFailure):
                raise _Gone from error
            raise problem from error

    try:
        try:
            return waits.do(once())[0]
        except _Gone:
            return waits.do(once())[0]
    except ConnectionError as error:
        raise failure(error, where) from error


class _Gone(Exception):
    """A kept connection is there no more."""


# -- files


async def _opened(
    session: Session, address: Address, ref: Reference, idle: float
) -> tuple[Session, asyncssh.SFTPClientFile, asyncssh.SFTPAttrs]:
    path = session.path_of([decode(part) for part in address.parts], at_home=address.at_home)
    attributes = await asyncio.wait_for(session.sftp.stat(path), idle)
    mode = attributes.permissions
    if mode is not None and stat.S_ISDIR(mode):
        remedy = f"write {ref.without_fragment()}/ to fetch the files below it"
        raise FetchError("it is a folder", where=str(ref), remedy=remedy)
    if mode is not None and stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        raise FetchError("it is neither file nor folder", where=str(ref))
    file = await asyncio.wait_for(session.sftp.open(path, "rb"), idle)
    # Of the open file: what the path leads to may be another one by now.
    with contextlib.suppress(Exception):
        attributes = await asyncio.wait_for(file.stat(), idle)
    return session, file, attributes


def _validator(attributes: asyncssh.SFTPAttrs) -> str | None:
    """Return what changes when the bytes do; None where the time of change is too fresh."""
    moment, part = attributes.mtime, attributes.mtime_ns or 0
    if moment is None or (not part and time.time() - moment < SETTLED):
        return None
    return hashlib.sha256(f"{moment} {part} {attributes.size}".encode()).hexdigest()


class SftpStream:
    """The bytes of one file, with the next block on its way while one is used."""

    def __init__(
        self, net: Net, origin: str, session: Session, file: asyncssh.SFTPClientFile, waits: Waits, start: int,
        end: int | None,
    ) -> None:  # fmt: skip
        self._net, self._origin, self._session, self._file, self._waits = net, origin, session, file, waits
        self._first = self._position = start
        self._end = end
        self._ahead: Future[bytes] | None = None
        self._ahead_size = 0
        self._rest = b""
        self._closed = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning. Raises ConnectionError where the file is cut short."""
        if self._closed:
            return 0
        if not self._rest:
            self._rest = self._next(len(buffer))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._position += count
        return count

    def _next(self, wanted: int) -> bytes:
        left = None if self._end is None else self._end - self._position
        if left is not None and left <= 0:
            return b""
        size = min(BLOCK, left) if left is not None else min(BLOCK, wanted)
        try:
            future = self._ahead or self._waits.start(self._read(self._position, size))
            self._ahead = None
            data = self._waits.result(future)
            after = self._position + len(data)
            more = min(BLOCK, self._end - after) if self._end is not None else 0
            if data and more > 0:
                self._ahead = self._waits.start(self._read(after, more))
        except TimeoutError as error:
            raise TimeoutError(f"not a byte for {self._net.settings.idle_timeout:g} s") from error
        except ConnectionError:
            raise
        except Exception as error:
            raise ConnectionError(str(failure(error, ""))) from error
        if self._closed:
            raise ConnectionError("it was closed")
        if not data and left is not None:
            raise ConnectionError(f"the file ended too early, {left} bytes are missing")
        return data

    async def _read(self, offset: int, size: int) -> bytes:
        data = await asyncio.wait_for(self._file.read(size, offset), self._net.settings.idle_timeout)
        return memoryview(data)[:size].tobytes()  # type: ignore[arg-type]  # bytes, as the file was opened so

    def close(self) -> None:
        """Let go of the file; from another thread, the read that waits fails."""
        if self._closed:
            return
        self._closed = True
        self._waits.end()
        self._net.journal(self._origin, 0, self._position - self._first)
        if not self._session.broken:
            leave(self._file.close())


# -- folders


async def _entries(session: Session, folder: tuple[str, ...], address: Address, limit: int, idle: float) -> list[Entry]:
    """Return what a folder has. More than can be used is not listened to."""
    path = session.path_of(folder, at_home=address.at_home).rstrip(b"/")
    found: list[Entry] = []
    names = session.sftp.scandir(path or b"/")
    for _ in range(limit + 3):
        try:
            item = await asyncio.wait_for(anext(names), idle)
        except StopAsyncIteration:
            break
        name = item.filename if isinstance(item.filename, bytes) else os.fsencode(item.filename)
        if name not in (b".", b".."):
            entry = await asyncio.wait_for(_entry(session, path + b"/" + name, name, item.attrs), idle)
            if entry is not None:
                found.append(entry)
    else:
        # The walk counts, and says what is wrong.
        found += [Entry(f"and {number} more") for number in range(limit + 1 - len(found))]
    return found


async def _entry(session: Session, path: bytes, name: bytes, attributes: asyncssh.SFTPAttrs) -> Entry | None:
    shown, identity = os.fsdecode(name), ""
    if b"/" not in name and (attributes.permissions is None or stat.S_ISLNK(attributes.permissions)):
        try:
            attributes = await session.sftp.stat(path)
            if attributes.permissions is not None and stat.S_ISDIR(attributes.permissions):
                identity = os.fsdecode(await session.real_path(path))
        except Exception as error:
            if session.broken:
                raise
            log.warning("%s: the link %s leads nowhere, and is left out: %s", address_of(session), shown, error)
            return None
    mode = attributes.permissions or 0
    if stat.S_ISDIR(mode):
        return Entry(shown, folder=True, identity=identity)
    if stat.S_ISREG(mode) or not stat.S_IFMT(mode):
        return Entry(shown, size=attributes.size)
    log.warning("%s: %s is neither file nor folder, and is left out", address_of(session), shown)
    return None


def address_of(session: Session) -> str:
    """Return whose answer it is, for messages."""
    return str(session.connection.get_extra_info("host") or session.peer)


def _reference(ref: Reference, address: Address, path: Sequence[str]) -> Reference:
    """Return the reference of a file, with whatever else the folder's had."""
    head, mark, rest = ref.without_fragment().uri.partition("://")
    root = "/~/" if address.at_home else "/"
    return Reference(head + mark + rest.partition("/")[0] + root + "/".join(encode(name) for name in path))
