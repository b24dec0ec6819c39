"""The body of an answer: a stream that notices when it is cut short, and gives its connection back at its end."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfx.errors import FetchError
from wfx.fetching import Body
from wfx.net import TemporaryFailure
from wfx.net.connections import Connection, Response

if TYPE_CHECKING:
    from wfx.net.http import Client

# What is left of a body that nobody wants is read up to this, to keep the connection.
DRAIN = 64 * 1024
DRAIN_SECONDS = 0.2
LONGEST_CHUNK_LINE = 4096


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


class HttpStream:
    """The bytes of one answer; gives its connection back when it has been read to the end."""

    def __init__(
        self, client: Client, connection: Connection, response: Response, count: Any = lambda _size: None
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
            self._client.give_back(self._connection)
        else:
            self.abort()

    def abort(self) -> None:
        """Close the connection, whatever is still to come."""
        self._closed = True
        self._connection.abort()
        with contextlib.suppress(OSError):
            self._response.close()
        self._client.drop(self._connection)
