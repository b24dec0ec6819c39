"""`b2share:ID`, and the pages of records: to their files, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wfx.deposits import sources_of
from wfx.fetching import Net, Pinned, Reference, ResolverFetcher, Source

from wfx_b2share.addresses import RecordAddress
from wfx_b2share.record import read_record


class B2shareResolver(ResolverFetcher):
    """Leads from a record to its files, as its depositor named them."""

    keys: ClassVar[tuple[str, ...]] = ("b2share", "https://b2share.eudat.eu", "https://trng-b2share.eudat.eu")

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so of a record but for the newest version of one: files of a published record cannot be changed."""
        address = RecordAddress.parse(ref)
        return address is not None and not address.latest

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Return the record, or the newest version of it; None for an address of something else."""
        address = RecordAddress.parse(ref)
        if address is None:
            return None
        if not address.latest:
            return Pinned(address.reference(address.id), address.id)
        record = read_record(address, net, ref)
        return Pinned(address.reference(record.id), record.id, label="latest", licence=record.licence)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the files that are meant, with size, checksum and licence as stated."""
        address = RecordAddress.parse(ref)
        if address is None:
            return [Source(ref)]
        record = read_record(address, net, ref)
        return sources_of(record.files(net, ref), address.wanted, ref, licence=record.licence)
