"""`osf:ID`, and OSF's pages: to the files, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wfx.deposits import sources_of
from wfx.errors import DefinitionError
from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_osf.addresses import OsfAddress
from wfx_osf.storage import Storage


class OsfResolver(ResolverFetcher):
    """Leads from a project, registration, preprint or file to the files in OSF's storage."""

    keys: ClassVar[tuple[str, ...]] = ("osf", "https://osf.io")

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the files that are meant, with size, checksums and licence as stated."""
        address = OsfAddress.parse(ref)
        if address is None:
            return [Source(ref)]
        storage = Storage(address, net, ref)
        files, wanted = storage.files()
        found = sources_of(files, wanted, ref, licence=storage.licence())
        if address.version and len(found) > 1:
            raise DefinitionError("a version is that of one file", where=str(ref), remedy="name the file")
        return found
