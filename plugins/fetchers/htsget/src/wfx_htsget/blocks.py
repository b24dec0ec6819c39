"""Blocks one after the other as one stream; a block that is cut goes on where it was cut."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from wfx.errors import FetchError
from wfx.fetching import Body, ByteStream, Net, Reference, Span
from wfx.net import TemporaryFailure

from wfx_htsget.tickets import Block, Ticket

TRIES: Final = 3
SKIPPED: Final = 64 * 1024


class BlockStream:
    """The blocks of a ticket, from an offset on."""

    def __init__(self, ticket: Ticket, net: Net, offset: int = 0) -> None:
        """Open the first block with any bytes, so that what is wrong with it is told at once."""
        self._blocks: Sequence[Block] = ticket.blocks
        # A server may not lead into a private network that is not its own.
        self._net, self._where = net.on_behalf_of(Reference(ticket.url), "fetch"), ticket.url
        self._index, self._at = _position(ticket.blocks, offset)
        self._stream: ByteStream | None = None
        self._body: Body | None = None
        self._ahead = b""
        self._closed = self._started = False
        self._failures = 0
        self._left: int | None = None
        self.beginning = self._peek(2)

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning; 0 at the end of the last block. Raises OSError where one is cut for good."""
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
            return count
        while self._index < len(self._blocks):
            if self._closed:
                raise ConnectionError("it was closed")
            block = self._blocks[self._index]
            count = self._from_web(block, buffer) if block.url else self._inline(block, buffer)
            if count:
                self._at += count
                return count
            self._next()
        return 0

    def close(self) -> None:
        """Close what is open."""
        self._closed = True
        stream = self._stream
        if stream is not None:
            stream.close()

    def _peek(self, count: int) -> bytes:
        buffer, ahead = memoryview(bytearray(SKIPPED)), b""
        # Where one is cut here, whoever reads on is told.
        with contextlib.suppress(OSError):
            while len(ahead) < count and (size := self.readinto(buffer)):
                ahead += bytes(buffer[:size])
        self._ahead = ahead
        return ahead[:count]

    def _inline(self, block: Block, buffer: memoryview) -> int:
        part = block.data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def _from_web(self, block: Block, buffer: memoryview) -> int:
        while True:
            try:
                if self._stream is None:
                    self._open(block)
                assert self._stream is not None
                limit = len(buffer) if self._left is None else min(len(buffer), self._left)
                count = self._stream.readinto(buffer[:limit]) if limit else 0
            except OSError as error:
                self._cut(error)
                continue
            except TemporaryFailure as error:
                if not self._started:
                    raise
                # For whoever reads on, a block that cannot be had just now is a cut: what has come is kept.
                raise ConnectionError(str(error)) from error
            self._started = True
            if count and self._left is not None:
                self._left -= count
            if count == 0 and self._left:
                raise FetchError(
                    "a block is shorter than the ticket says", where=str(Reference(block.url)),
                    why=f"{self._left} bytes are missing",
                )  # fmt: skip
            self._failures = 0 if count else self._failures
            return count

    def _open(self, block: Block) -> None:
        start = block.start + self._at
        before = self._body.validator if self._body is not None else None
        span = Span(start, block.stop, before) if start or block.stop is not None else None
        body = self._net.http(block.url, span, headers=dict(block.headers), anonymous=block.proves)
        self._stream = body.stream
        if self._body is not None and (body.start != start or body.validator != before):
            body.stream.close()
            raise FetchError("a block has changed while it was fetched", where=str(Reference(block.url)))
        self._left = None if block.stop is None else block.stop - start
        if body.start > start:
            raise FetchError("a block begins elsewhere than was asked", where=str(Reference(block.url)))
        # A place without ranges sends all, of which only a part is the block.
        skip, trash = start - body.start, memoryview(bytearray(SKIPPED))
        while skip:
            count = body.stream.readinto(trash[: min(skip, SKIPPED)])
            if not count:
                raise FetchError("a block begins behind the end of what is there", where=str(Reference(block.url)))
            skip -= count
        self._body = body

    def _cut(self, error: OSError) -> None:
        """Make ready to go on with the same block. Raises the error where that cannot be."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
        self._failures += 1
        known = self._body is not None and self._body.validator is not None
        if self._closed or self._failures >= TRIES or (self._at and not known):
            raise error

    def _next(self) -> None:
        stream, self._stream, self._body = self._stream, None, None
        if stream is not None:
            stream.close()
        self._index, self._at, self._failures, self._left = self._index + 1, 0, 0, None


def _position(blocks: Sequence[Block], offset: int) -> tuple[int, int]:
    """Return the block that an offset into all of them is in, and the offset into that."""
    for index, block in enumerate(blocks):
        if not offset or block.size is None or offset < block.size:
            return index, offset
        offset -= block.size
    return len(blocks), 0
