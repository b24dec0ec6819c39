"""`htsget://HOST/reads/ID?…`: the blocks of a ticket as one stream."""

from __future__ import annotations

from typing import ClassVar, Final

from wfx.errors import DefinitionError
from wfx.fetching import Body, Net, Reference, Span, StreamFetcher

from wfx_htsget.addresses import parse_query
from wfx_htsget.blocks import BlockStream
from wfx_htsget.tickets import ask_ticket

GZIP: Final = b"\x1f\x8b"
MEDIA: Final = {"BAM": "application/vnd.ga4gh.bam", "CRAM": "application/vnd.ga4gh.cram"}


class HtsgetFetcher(StreamFetcher):
    """Opens reads or variants, all or those of regions."""

    keys: ClassVar[tuple[str, ...]] = ("htsget", "htsgets")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Ask for a ticket and open its first block.

        A ticket is good for a while and may lead elsewhere the next time, so where the stream goes on at an offset is
        known only by the ticket's md5, and where all blocks have sizes.
        """
        query = parse_query(ref, net)
        if query.id.endswith("/"):
            raise DefinitionError("the id of reads or variants has no slash at its end", where=str(ref))
        ticket = ask_ticket(query, ref, net)
        total = ticket.size
        validator = ticket.md5 if ticket.md5 and total is not None else None
        start = 0
        if span is not None and validator is not None and span.validator == validator and span.start < (total or 0):
            start = span.start
        stream = BlockStream(ticket, net, start)
        packed = ticket.format == "VCF" and start == 0 and stream.beginning == GZIP
        name = f"{query.id.rpartition('/')[2]}.{ticket.format.lower()}{'.gz' if packed else ''}"
        checksums = (("md5", ticket.md5),) if ticket.md5 else ()
        return Body(
            stream, start, total, validator, media_type=MEDIA.get(ticket.format), name=name, checksums=checksums
        )  # fmt: skip
