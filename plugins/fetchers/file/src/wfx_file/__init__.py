"""Fetch local files and data: URIs in wfx."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from urllib.parse import unquote_to_bytes

from wfx import hookimpl
from wfx.errors import FetchError, MachineError, ReferenceNotFound
from wfx.fetching import Body, Fetcher, LocalFetcher, Net, Reference, Span, StreamFetcher

__version__ = "0.1.0"

# A data: URI is for small things; a larger one is a mistake or an attack on the memory.
LARGEST = 16 * 2**20


class FileFetcher(LocalFetcher):
    """Find `file:` references, and bare paths, on this machine."""

    keys = ("file",)

    def locate(self, ref: Reference) -> Path:
        """Return the path of a file or folder. Raises ReferenceNotFound, MachineError where it cannot be read."""
        path = ref.path
        try:
            if path.is_dir():
                next(path.iterdir(), None)
            else:
                with path.open("rb"):
                    pass
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ReferenceNotFound("no such file or folder", where=str(path)) from error
        except OSError as error:
            raise MachineError.of(error) from error
        return path


class DataFetcher(StreamFetcher):
    """Read `data:` references (RFC 2397): the bytes stand in the reference itself."""

    keys = ("data",)
    immutable = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Decode the reference. Raises FetchError for one that is broken or larger than 16 MiB."""
        head, comma, text = ref.uri.removeprefix("data:").partition(",")
        if not comma:
            raise FetchError("a data: reference without a comma", where=ref.uri[:40])
        if len(text) > 2 * LARGEST:
            raise FetchError(f"a data: reference of more than {LARGEST >> 20} MiB", where=ref.uri[:40])
        data = unquote_to_bytes(text)
        media_type, _, encoding = head.rpartition(";")
        if encoding.strip().lower() == "base64":
            try:
                data = base64.b64decode(data.replace(b"-", b"+").replace(b"_", b"/"), validate=True)
            except binascii.Error as error:
                raise FetchError(f"a data: reference that is not base64: {error}", where=ref.uri[:40]) from error
        else:
            media_type = head
        start = span.start if span is not None else 0
        return Body(
            io.BytesIO(data[start:]), start=start, total=len(data), validator="data", accepts_ranges=True,
            media_type=media_type or "text/plain;charset=US-ASCII", name="data",
        )  # fmt: skip


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer both."""
    return [FileFetcher, DataFetcher]
