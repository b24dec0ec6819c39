"""`zenodo:ID`, and the pages of records: to their files, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wfx.deposits import sources_of
from wfx.fetching import Net, Pinned, Reference, ResolverFetcher, Source

from wfx_zenodo.addresses import RecordAddress
from wfx_zenodo.record import read_record


class ZenodoResolver(ResolverFetcher):
    """Leads from a record to its files, as its depositor named them."""

    keys: ClassVar[tuple[str, ...]] = ("zenodo", "https://zenodo.org", "https://sandbox.zenodo.org")

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Return the record, for a concept its newest version; None for an address of something else."""
        address = RecordAddress.parse(ref)
        if address is None:
            return None
        record = read_record(address, net, ref)
        label = "" if record.id == address.id else address.id
        return Pinned(address.with_id(record.id).reference(), record.id, label=label, licence=record.licence)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the files that are meant, with size, checksum and licence as stated."""
        address = RecordAddress.parse(ref)
        if address is None:
            return [Source(ref)]
        record = read_record(address, net, ref)
        return sources_of(record.files(ref), address.wanted, ref, licence=record.licence)
