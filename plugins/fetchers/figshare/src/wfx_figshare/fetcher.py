"""`figshare:ID`, and the pages of items: to their files, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wfx.deposits import sources_of
from wfx.errors import ReferenceNotFound
from wfx.fetching import Net, Pinned, Reference, ResolverFetcher, Source

from wfx_figshare.addresses import PORTALS, ItemAddress
from wfx_figshare.item import Item


class FigshareResolver(ResolverFetcher):
    """Leads from an item to its files, as they were deposited."""

    keys: ClassVar[tuple[str, ...]] = (
        "figshare", "https://figshare.com", *(f"https://{name}.figshare.com" for name in PORTALS)
    )  # fmt: skip

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so of an item with its version."""
        address = ItemAddress.parse(ref)
        return address is not None and bool(address.version)

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Return the item with its newest version, where none is named; None for addresses of something else."""
        address = ItemAddress.parse(ref)
        if address is None or address.file:
            return None
        if address.version:
            return Pinned(address.reference(), address.version)
        item = Item(address, net, ref)
        return Pinned(
            address.with_version(item.version).reference(), item.version, label="newest", licence=item.licence
        )

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the files that are meant, with size, checksum and licence as stated."""
        address = ItemAddress.parse(ref)
        if address is None:
            return [Source(ref)]
        item = Item(address, net, ref)
        files = item.files()
        if address.file:
            files = [(number, file) for number, file in files if number == address.file]
            if not files:
                raise ReferenceNotFound(f"the item has no file with the number {address.file}", where=str(ref))
        return sources_of([file for _, file in files], address.wanted, ref, licence=item.licence)
