"""Fetchers: plugins that turn references of their keys into bytes, a tree, or better references.

An author picks the least of four shapes. A *stream* is the usual one, and for it the core owns the bytes: it copies,
hashes, limits, retries, resumes, runs in parallel and shows progress::

    class IpfsFetcher(StreamFetcher):
        keys = ("ipfs",)

        def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
            return net.http(GATEWAY + ref.uri.removeprefix("ipfs://"), span=span)

A *resolver* answers with better references (a DOI with its files), a *tree* writes a folder (git), a *local* one says
where on this machine the bytes already lie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from wfx.net import Net
from wfx.references import Reference

__all__ = [
    "Body", "ByteStream", "Expected", "Fetcher", "LocalFetcher", "Net", "Pinned", "Reference", "ResolverFetcher",
    "Source", "Span", "StreamFetcher", "TreeFetcher",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody states about bytes before they come; whatever is stated is held."""

    sha256: str | None = None
    size: int | None = None
    """Bytes."""
    checksums: tuple[tuple[str, str], ...] = ()
    """Other algorithms, as hashlib or `wfx.checksums` names them, with lower-case hex: `(("md5", "9e10…"),)`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A reference with all that is known about it before it is fetched."""

    reference: Reference
    expected: Expected = Expected()
    alternates: tuple[Reference, ...] = ()
    """Mirrors, tried in this order when the reference fails."""
    name: str = ""
    """File name to give; empty: the reference's own."""
    media_type: str | None = None
    licence: str | None = None
    """SPDX expression or URI, as the place states it."""
    archive: Expected = Expected()
    """Of the archive, where the reference names a member of one by `#path=`; `expected` is then the member's."""
    around: bool = False
    """Whether the whole tree is wanted of which the reference names a part, as of a workflow."""
    content: bytes | None = field(default=None, repr=False)
    """The bytes themselves, where the place gave them with its answer: then nothing more is fetched. For small things."""
    page: bool = False
    """Whether it is a page for people: then a fetcher of its host has to know what is behind it, and no web server's
    answer is taken for the data."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of a stream are wanted: `[start, stop)`; `stop` None is the end."""

    start: int = 0
    stop: int | None = None
    validator: str | None = None
    """Of the part already here: the place must answer from the start if its bytes have changed (RFC 9110 §13.1.5)."""


class ByteStream(Protocol):
    """The part of a binary file that the core uses."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning; return the number of bytes, 0 at the end."""

    def close(self) -> None:
        """Let go of what is behind it; may be called twice and from another thread to end a read."""


@dataclass(slots=True)
class Body:
    """An open stream and what the place says about the whole thing."""

    stream: ByteStream
    start: int = 0
    """Offset of the stream's first byte: `span.start`, or 0 where the place began anew."""
    total: int | None = None
    """Bytes of the whole, however much of it this stream brings."""
    validator: str | None = None
    """Changes when the bytes do: a strong ETag, a Last-Modified, a version id."""
    accepts_ranges: bool = False
    media_type: str | None = None
    name: str | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    """Of the whole, as in `Expected`; a header's, for instance (RFC 9530)."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a mutable reference means today."""

    reference: Reference
    """Immutable: with the commit in place of the tag."""
    revision: str
    """Commit or version."""
    label: str = ""
    """What the user named: tag or branch."""
    licence: str | None = None


class Fetcher(ABC):
    """The root of the four shapes; plugins inherit from one of them."""

    keys: ClassVar[tuple[str, ...]] = ()
    """`SCHEME`, or `SCHEME://HOST` where one host needs its own; the names of the package's entry points."""
    immutable: ClassVar[bool] = False
    """Whether a reference of this kind never changes its meaning, so that the store's answer is as good as the place's."""
    own_network: ClassVar[bool] = False
    """Whether it opens connections of its own, past `Net.http`: a plan says so. It asks `Net.connect` first all the same."""
    leads_to: ClassVar[str] = ""
    """Scheme of what a resolver always leads to, where it does: `git+https`. So the core knows what may be behind a page."""

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so of one reference, where not all of a kind are alike: a digest never changes, a tag does."""
        return cls.immutable


class ResolverFetcher(Fetcher):
    """Answers with better references."""

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Say what a mutable reference means today, which is then resolved in its place.

        None, the default, where the place knows no versions. Raises what `resolve` raises.
        """
        return None

    @abstractmethod
    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return what the reference stands for: one source, or a directory's many.

        The same reference alone means "not mine": the next less specific key is asked. The core follows at most ten
        resolutions and records each. Raises ReferenceNotFound, AccessDenied or FetchError.
        """

    def signer(self, ref: Reference, pinned: Reference, keys: Sequence[bytes], net: Net) -> str:
        """Say which of the public keys (PEM) has signed what `pinned` stands for: the sha256 of its DER form, in hex.

        `ref` is the reference as it was given, for a signature may be of all that a name stands for. Raises PolicyError
        where none has; by default its place knows of no signatures. Raises what `resolve` raises.
        """
        from wfx.errors import PolicyError

        raise PolicyError("it is not signed", where=str(pinned), why="its place knows of no signatures")


class StreamFetcher(Fetcher):
    """Opens a stream of bytes; must be safe to call from several threads."""

    @abstractmethod
    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the reference, from `span` where the place can, else from the start (`Body.start` says which).

        The core closes the stream. Raises ReferenceNotFound, AccessDenied or FetchError; an OSError while reading is
        taken as a cut and retried.
        """

    def files(self, ref: Reference, net: Net) -> Sequence[Source] | None:
        """Return the files of the folder that the reference means, each with its path within it as `name`.

        None, the default: it means no folder, and is opened. Say so by the reference alone (a slash at its end), so
        that a file costs no question. The core opens each file by its own reference, many at the same time.
        `wfx.listings` walks through folders. Raises what `open` raises, and PolicyError for names that lead elsewhere.
        """
        return None


class TreeFetcher(Fetcher):
    """Writes a folder."""

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Say what the reference means today, without fetching the tree. Immutable references pin to themselves."""
        return Pinned(ref, ref.uri)

    @abstractmethod
    def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
        """Write the tree of a pinned reference into the empty folder `into`; return the path within it that the
        reference means (`""` for all). The core looks at every entry: links out of the tree are refused, special
        files too. Raises ReferenceNotFound, AccessDenied or FetchError."""


class LocalFetcher(Fetcher):
    """Says where on this machine the bytes already lie; the core copies from there and never changes them."""

    @abstractmethod
    def locate(self, ref: Reference) -> Path:
        """Return the path of a file or folder. Raises ReferenceNotFound."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a reference turned out to be, as the lock records it."""

    reference: Reference
    """As it was asked for."""
    kind: str
    """`file` or `directory`."""
    sha256: str
    """Of the file's bytes, or of a directory's manifest (`wfx.store`)."""
    size: int
    """Bytes; of a directory, the sum over its files."""
    name: str = ""
    pinned: Reference | None = None
    """Where the bytes really came from, immutable where the place knows versions."""
    revision: str = ""
    """Commit or version."""
    label: str = ""
    """The tag or branch that the user named."""
    hops: tuple[Reference, ...] = ()
    """Resolutions between `reference` and `pinned`."""
    validator: str | None = None
    media_type: str | None = None
    licence: str | None = None
    local: Path | None = None
    """Where a local reference lies; such a one is not in the store."""
    entry: str = ""
    """Path within a tree that the reference means."""
    tree: str = ""
    """Of a part of a tree: the manifest digest of the whole tree; `kind`, `sha256` and `size` are those of the part."""
    from_store: bool = False
    """Whether nothing had to be transferred."""
    extra: tuple[tuple[str, str], ...] = field(default=(), compare=False)
