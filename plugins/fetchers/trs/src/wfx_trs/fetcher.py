"""`trs://HOST/ID/VERSION`: a workflow of a registry, as the tree of its files, pinned to what they are."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, Protocol

from wfx.errors import FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Body, Net, Pinned, Reference, TreeFetcher

from wfx_trs.addresses import TrsAddress
from wfx_trs.listing import OPTIONAL, ListedFile, Listing, checksums_of, read_listing
from wfx_trs.registry import Registry, choose_type

TOGETHER: Final = 6
BLOCK: Final = 256 * 1024
LARGEST_TREE: Final = 4 * 2**30

log = logging.getLogger(__name__)


class TrsFetcher(TreeFetcher):
    """The files of one version of a workflow, with the primary descriptor as what the reference means."""

    keys: ClassVar[tuple[str, ...]] = ("trs",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so where the reference has the digest of the files."""
        return bool(TrsAddress.parse(ref).digest)

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Return the version with the digest of its files; without one only where the registry promises no change."""
        address = TrsAddress.parse(ref)
        if address.digest and address.version and address.type and address.path:
            return Pinned(ref, address.version)
        registry = Registry(address, net, ref)
        asked = address.version
        version = registry.version(address.version or registry.newest())
        kind = choose_type(version, address.type, ref)
        name = asked or version.name
        listing = read_listing(registry.files(name, kind), address.path, ref)
        digest = address.digest
        if not digest and listing.tells:
            digest = listing.digest({})
        elif not digest and not version.fixed:
            digest = listing.digest(_Tree(registry, name, kind).digests(listing))
        pinned = replace(address, version=name, type=kind, digest=digest, path=listing.entry)
        revision = name if version.fixed or not digest else f"{name} sha256:{digest}"
        return Pinned(pinned.reference(), revision, label="" if version.fixed else asked)

    def fetch_tree(self, ref: Reference, net: Net, into: Path) -> str:
        """Write the files of a version, each verified by the checksum that the registry states."""
        address = TrsAddress.parse(ref)
        registry = Registry(address, net, ref)
        listing = read_listing(registry.files(address.version, address.type), address.path, ref)
        for item in listing.files:
            (into / item.path).parent.mkdir(parents=True, exist_ok=True)
        computed = _Tree(registry, address.version, address.type).write(listing, into)
        if address.digest and listing.digest(computed) != address.digest:
            raise IntegrityError(
                "the registry has other files for this version than were pinned", where=str(ref),
                remedy="name the version without ?sha256=, to take what is there now",
            )  # fmt: skip
        return listing.entry


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _Nowhere:
    def write(self, data: bytes, /) -> None:
        pass


class _Tree:
    """Brings the files of one version, several at the same time."""

    def __init__(self, registry: Registry, version: str, kind: str) -> None:
        self.registry, self.version, self.kind = registry, version, kind
        self._left = LARGEST_TREE
        self._lock = threading.Lock()

    def digests(self, listing: Listing) -> dict[str, str]:
        """Return the sha256 of every file, keeping none."""
        return self._all(listing, lambda item: self._bring(item, _Nowhere()))

    def write(self, listing: Listing, into: Path) -> dict[str, str]:
        """Write every file; return their sha256."""

        def bring(item: ListedFile) -> str:
            path = into / item.path
            with path.open("xb") as file:
                found = self._bring(item, file)
            if not found:
                path.unlink()
            return found

        return self._all(listing, bring)

    def _all(self, listing: Listing, bring: Callable[[ListedFile], str]) -> dict[str, str]:
        with ThreadPoolExecutor(TOGETHER, thread_name_prefix="trs") as pool:
            futures = {pool.submit(bring, item): item for item in listing.files}
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                future.cancel()
        for future in futures:
            if not future.cancelled() and (problem := future.exception()) is not None:
                raise problem
        return {item.path: future.result() for future, item in futures.items()}

    def _bring(self, item: ListedFile, sink: _Sink) -> str:
        """Pass a file on to `sink`; return its sha256, or nothing for one that may be missing and is."""
        if item.asked.startswith(("https://", "http://")):
            return self._pass_on(item, self.registry.open_elsewhere(item.asked), item.checksums, sink)
        try:
            body = self.registry.open_plain(self.version, self.kind, item.asked)
        except ReferenceNotFound as error:
            return self._bring_wrapped(item, sink, error)
        return self._pass_on(item, body, item.checksums, sink)

    def _bring_wrapped(self, item: ListedFile, sink: _Sink, missing: ReferenceNotFound) -> str:
        """Take a file in the other form that the specification has: an object with its content or its address."""
        try:
            wrapper = self.registry.wrapped(self.version, self.kind, item.asked)
        except ReferenceNotFound:
            found = self._extra(item) if item.role in OPTIONAL else None
            if found is None and item.role in OPTIONAL:
                log.info("%s: the registry lists %s and does not have it", self.registry.where, item.asked)
                return ""
            if found is None:
                raise ReferenceNotFound(
                    f"the registry lists {item.asked!r} and does not have it", where=str(self.registry.where)
                ) from missing
            wrapper = found
        checksums = item.checksums or checksums_of(wrapper.get("checksum"))
        content, url = wrapper.get("content"), wrapper.get("url")
        if isinstance(content, str):
            data = content.encode("utf-8", "surrogateescape")
            self._spend(len(data))
            sink.write(data)
            _hold(item, {name: hashlib.new(name, data, usedforsecurity=False) for name, _ in checksums}, checksums)
            return hashlib.sha256(data).hexdigest()
        if isinstance(url, str) and url:
            return self._pass_on(item, self.registry.open_elsewhere(url), checksums, sink)
        raise FetchError(f"the registry gives neither content nor address of {item.asked!r}", where=self.registry.url)

    def _extra(self, item: ListedFile) -> dict[str, object] | None:
        try:
            found = self.registry.extras(self.version, self.kind, item.role)
        except ReferenceNotFound:
            return None
        near = [each for each in found if str(each.get("url") or "").endswith("/" + item.asked.lstrip("/"))]
        return near[0] if near else found[0] if len(found) == 1 else None

    def _pass_on(self, item: ListedFile, body: Body, checksums: tuple[tuple[str, str], ...], sink: _Sink) -> str:
        sha256 = hashlib.sha256()
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name, _ in checksums}
        buffer = memoryview(bytearray(BLOCK))
        try:
            while count := body.stream.readinto(buffer):
                block = bytes(buffer[:count])
                self._spend(count)
                for each in (sha256, *hashes.values()):
                    each.update(block)
                sink.write(block)
        finally:
            body.stream.close()
        _hold(item, hashes, checksums)
        return sha256.hexdigest()

    def _spend(self, size: int) -> None:
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise PolicyError(
                    f"the version has more than {LARGEST_TREE >> 30} GiB of files", where=str(self.registry.where)
                )


class _Hash(Protocol):
    def hexdigest(self) -> str: ...


def _hold(item: ListedFile, hashes: Mapping[str, _Hash], stated: tuple[tuple[str, str], ...]) -> None:
    for name, checksum in stated:
        actual = hashes[name].hexdigest()
        if actual != checksum:
            raise IntegrityError(
                f"the {name} of {item.path} is {actual} where the registry states {checksum}", where=item.asked,
                remedy="tell those who run the registry",
            )  # fmt: skip
