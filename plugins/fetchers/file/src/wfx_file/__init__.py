"""Fetch local files and data: URIs in wfx."""

from __future__ import annotations

import base64
import binascii
import difflib
import io
import os
import stat
from pathlib import Path
from urllib.parse import unquote_to_bytes

from wfx import hookimpl
from wfx.errors import FetchError, MachineError, ReferenceNotFound
from wfx.fetching import Body, Fetcher, LocalFetcher, Net, Reference, Span, StreamFetcher

__version__ = "0.1.0"

# A data: URI is for small things; a larger one is a mistake or an attack on the memory.
LARGEST = 16 * 2**20
SHOWN = 40


class FileFetcher(LocalFetcher):
    """Find `file:` references, and bare paths, on this machine."""

    keys = ("file",)

    def locate(self, ref: Reference) -> Path:
        """Return the path of a file or folder.

        Raises ReferenceNotFound, MachineError where it cannot be read, and FetchError for what is neither of the two.
        """
        path = ref.path
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                next(path.iterdir(), None)
            elif stat.S_ISREG(mode):
                with path.open("rb"):
                    pass
        except (FileNotFoundError, NotADirectoryError) as error:
            if path.is_symlink():
                raise ReferenceNotFound(
                    "the link leads to nothing", where=str(path), why=f"it points to {os.readlink(path)!r}"
                ) from error
            raise ReferenceNotFound("no such file or folder", where=str(path), remedy=_near(path)) from error
        except OSError as error:
            raise MachineError.of(error) from error
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            # A pipe would be read by whoever hashes it, and be empty for the run; a device may never end.
            kind = next((name for test, name in KINDS if test(mode)), "something else")
            raise FetchError(
                f"it is {kind}, not a file or folder", where=str(path), remedy="write its bytes to a file first"
            )
        return path


KINDS = (
    (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def _near(path: Path) -> str | None:
    """Name what was probably meant."""
    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1)
    except OSError:
        return None
    return f"did you mean {near[0]!r}?" if near else None


class DataFetcher(StreamFetcher):
    """Read `data:` references (RFC 2397): the bytes stand in the reference itself."""

    keys = ("data",)
    immutable = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Decode the reference. Raises FetchError for one that is broken or larger than 16 MiB."""
        # A fragment is the reader's (RFC 3986 §3.5); a # of the data is written %23.
        where = ref.uri[:SHOWN] + ("…" if len(ref.uri) > SHOWN else "")
        head, comma, text = ref.without_fragment().uri.partition(":")[2].partition(",")
        if not comma:
            raise FetchError("a data: reference without a comma", where=where, remedy="write data:[TYPE][;base64],DATA")
        if len(text) > 3 * LARGEST:
            raise _too_large(where)
        data = unquote_to_bytes(text)
        media_type, _, encoding = head.rpartition(";")
        if encoding.strip().lower() == "base64":
            data = _from_base64(data, where)
        else:
            media_type = head
        if len(data) > LARGEST:
            raise _too_large(where)
        if media_type.startswith(";"):
            media_type = "text/plain" + media_type
        start = span.start if span is not None else 0
        return Body(
            io.BytesIO(data[start:]), start=start, total=len(data), validator="data", accepts_ranges=True,
            media_type=media_type or "text/plain;charset=US-ASCII", name="data",
        )  # fmt: skip


def _from_base64(data: bytes, where: str) -> bytes:
    """Decode both alphabets of RFC 4648, with or without the padding, which many leave out in a URI."""
    data = b"".join(data.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error as error:
        raise FetchError("a data: reference that is not base64", where=where, why=str(error)) from error


def _too_large(where: str) -> FetchError:
    return FetchError(f"a data: reference of more than {LARGEST >> 20} MiB", where=where, remedy="put it into a file")


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer both."""
    return [FileFetcher, DataFetcher]
