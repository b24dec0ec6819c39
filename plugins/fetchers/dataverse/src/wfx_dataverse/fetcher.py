"""`dataverse+https://HOST/PID`, and the pages of datasets and their files: to the files, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wfx.deposits import Deposited, sources_of
from wfx.fetching import Net, Pinned, Reference, ResolverFetcher, Source
from wfx.listings import decode

from wfx_dataverse.addresses import HOSTS, DatasetAddress
from wfx_dataverse.dataset import Dataset, Listed


class DataverseResolver(ResolverFetcher):
    """Leads from a dataset to its files, as they were deposited."""

    keys: ClassVar[tuple[str, ...]] = (
        "dataverse", "dataverse+http", "dataverse+https", *(f"https://{host}" for host in HOSTS)
    )  # fmt: skip

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """Say so of a dataset with its version."""
        address = DatasetAddress.parse(ref)
        return address is not None and bool(address.version)

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Return the dataset with the newest version that is published, where none is named; None for other addresses."""
        address = DatasetAddress.parse(ref)
        if address is None or address.file:
            return None
        if address.version:
            return Pinned(address.with_version(address.version, net), address.version)
        version, licence = Dataset(address, net, ref).version()
        return Pinned(address.with_version(version, net), version, label="newest", licence=licence)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the files that are meant, with size, checksum and licence as stated."""
        address = DatasetAddress.parse(ref)
        if address is None:
            return [Source(ref)]
        dataset = Dataset(address, net, ref)
        if address.file:
            listed, licence = [dataset.one()], None
        else:
            version, licence = dataset.version()
            dataset = Dataset(replace(address, version=version), net, ref)
            listed = dataset.files()
        files = [each.file for each in listed] + _tables(listed, address.wanted.part)
        found = sources_of(files, address.wanted, ref, licence=licence)
        chosen = {source.reference.without_fragment().uri for source in found}
        dataset.hold_open(each for each in listed if each.file.reference.uri.partition("?")[0] in _places(chosen))
        return found


def _places(uris: set[str]) -> set[str]:
    return {uri.partition("?")[0] for uri in uris}


def _tables(listed: Sequence[Listed], part: str | None) -> list[Deposited]:
    """Return the table that is asked for by the name that the installation shows: nothing is stated of its bytes."""
    wanted = decode(part) if part else ""
    return [
        Deposited(
            each.table, Reference(each.file.reference.uri.partition("?")[0]), media_type="text/tab-separated-values"
        )
        for each in listed
        if each.table and each.table == wanted and all(other.file.path != wanted for other in listed)
    ]
