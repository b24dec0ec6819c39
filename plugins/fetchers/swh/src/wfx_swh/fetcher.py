"""`swh:1:…`: a file as a stream, anything else as the tree that it leads to; what comes is held against its identifier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from wfx.errors import DefinitionError, PolicyError, ReferenceNotFound
from wfx.fetching import (
    Body,
    ByteStream,
    Net,
    Pinned,
    Reference,
    ResolverFetcher,
    Source,
    Span,
    StreamFetcher,
    TreeFetcher,
)

from wfx_swh.archive import Archive
from wfx_swh.objects import content_hash
from wfx_swh.swhids import Swhid, parse_swhid
from wfx_swh.vault import bring_bundle
from wfx_swh.walking import hold_content, survey, write

# Questions up to which a tree is listed and its files fetched one by one: a third of what an hour allows (120).
FEW: Final = 40
DEEPEST_MODULE: Final = 5

log = logging.getLogger(__name__)


class SwhResolver(ResolverFetcher):
    """Leads from an identifier to the file or the tree that it is of."""

    keys: ClassVar[tuple[str, ...]] = ("swh",)
    immutable = True

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the reference of the file, with the name that the identifier tells, or of the tree. Asks nobody."""
        swhid = parse_swhid(ref)
        if swhid.type != "cnt":
            return [Source(swhid.reference("swh-tree"), name=swhid.path.rpartition("/")[2])]
        found = swhid.reference("swh-content")
        # A path behind a # is within the file: that is an archive.
        part = f"#{ref.fragment}" if "path=" in ref.fragment else ""
        return [Source(Reference(found.uri + part), name="" if part else swhid.path.rpartition("/")[2])]


class ContentFetcher(StreamFetcher):
    """Opens the bytes of one file."""

    keys: ClassVar[tuple[str, ...]] = ("swh-content",)
    immutable = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the file, always from its start: the archive knows no ranges, and the hash is of the whole."""
        swhid = parse_swhid(ref)
        if swhid.type != "cnt":
            raise DefinitionError("it is no SWHID of a file", where=str(ref))
        body, size = Archive(net, swhid).content(swhid.hash)
        return Body(_Held(body.stream, swhid.hash, size), total=size, validator=swhid.hash)


class SwhTreeFetcher(TreeFetcher):
    """Writes the directory that a directory, revision, release or snapshot is of."""

    keys: ClassVar[tuple[str, ...]] = ("swh-tree",)
    immutable = True

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Return the SWHID without what only says where it was found."""
        swhid = _tree(ref)
        return Pinned(swhid.reference(), str(swhid))

    def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
        """Write the tree, in the way that the settings say."""
        swhid = _tree(ref)
        archive = Archive(net, swhid)
        _bring(archive, archive.directory_of(swhid), into, 0)
        return swhid.path


def _tree(ref: Reference) -> Swhid:
    swhid = parse_swhid(ref)
    if swhid.type == "cnt":
        raise DefinitionError("it is the SWHID of a file, and of no tree", where=str(ref))
    return swhid


def _bring(archive: Archive, value: str, into: Path, level: int) -> None:
    """Write one directory with its submodules, which are empty folders in it."""
    way = archive.settings.trees
    found = None if way == "vault" else survey(archive, value, limit=FEW if way == "auto" else None)
    if found is None:
        modules = bring_bundle(archive, value, into)
    else:
        write(archive, found, into)
        modules = found.modules
        for path, _ in modules:
            (into / path).mkdir()
    for path, revision in modules:
        module = Swhid("rev", revision)
        if not archive.settings.submodules:
            log.warning("%s: the submodule %s is left empty: %s", archive.where, path, module)
            continue
        if level == DEEPEST_MODULE:
            raise PolicyError(f"submodules are deeper than {DEEPEST_MODULE} levels", where=str(archive.where))
        try:
            below = archive.directory_of(module)
        except ReferenceNotFound as error:
            raise ReferenceNotFound(
                f"the archive does not have the submodule {path!r}", where=str(archive.where), why=str(module),
                remedy="set fetcher.swh.submodules = false, and its folder stays empty",
            ) from error  # fmt: skip
        _bring(archive, below, into / path, level + 1)


class _Held:
    """Passes bytes on; with the last of them, or too few, it raises IntegrityError where they are others."""

    def __init__(self, stream: ByteStream, target: str, size: int) -> None:
        self._stream, self._target, self._left = stream, target, size
        self._hash = content_hash(size)
        self._checked = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning."""
        count = self._stream.readinto(buffer)
        self._hash.update(buffer[:count])
        self._left -= count
        if not self._checked and (count == 0 or self._left <= 0):
            self._checked = True
            hold_content(self._hash.hexdigest(), self._target)
        return count

    def close(self) -> None:
        """Close what is behind it."""
        self._stream.close()
