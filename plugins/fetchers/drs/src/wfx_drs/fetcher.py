"""`drs://HOST/ID` and `drs://PREFIX:ACCESSION`: an object, or a bundle as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wfx.fetching import Net, Reference, ResolverFetcher, Source

from wfx_drs.addresses import is_compact, look_up, object_of
from wfx_drs.bundles import source_of
from wfx_drs.described import describe


class DrsResolver(ResolverFetcher):
    """Leads from an identifier to the bytes of the object, or of all that is in the bundle."""

    keys: ClassVar[tuple[str, ...]] = ("drs",)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return where the bytes are, with size and checksums as stated; of a bundle, the folder that it is."""
        if is_compact(ref):
            return [Source(look_up(ref, net))]
        described = describe(object_of(ref, net), net)
        if described.parts is not None:
            return [Source(Reference(f"{described.at.reference.uri}/"), name=described.name)]
        return [source_of(described, net)]
