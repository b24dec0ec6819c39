"""`oci-blob+https://HOST/v2/NAME/blobs/sha256:HEX`: one blob of a registry, as a stream that can be gone on with."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence

from wfx.errors import FetchError, IntegrityError
from wfx.fetching import Body, Net, Reference, Span, StreamFetcher
from wfx.images import Descriptor

from wfx_oci.registries import Place, Repository

PREFIX = "oci-blob+"
PLAIN = "oci-url+"
URL = re.compile(r"https?://([^/@]+)/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")
LARGEST_CONFIG = 16 * 2**20

log = logging.getLogger(__name__)


class BlobFetcher(StreamFetcher):
    """Opens blobs, with the registry's token."""

    keys = ("oci-blob+https", "oci-blob+http")
    immutable = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open a blob. Where the registry sends to another host, its token stays behind."""
        url = ref.without_fragment().uri.removeprefix(PREFIX)
        match = URL.fullmatch(url)
        if match is None:
            raise FetchError("it is no blob of a registry", where=str(ref))
        return Repository(net, Place.at_host(match[1], match[2])).request(url, span)


class AddressFetcher(StreamFetcher):
    """Opens what a registry or library leads to at a plain address: an owner's foreign layer, a library's file."""

    keys = ("oci-url+https", "oci-url+http")

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the address."""
        return net.http(ref.without_fragment().uri.removeprefix(PLAIN), span)


def plain_reference(url: str) -> Reference:
    """Return the reference of an address, for which no other package is needed."""
    return Reference(PLAIN + url)


def blob_reference(repository: Repository, digest: str) -> Reference:
    """Return the reference of a blob."""
    return Reference(PREFIX + repository.blob_url(digest))


def fetch_blob(places: Sequence[Repository], blob: Descriptor) -> bytes:
    """Return a small blob's bytes, verified, from the first place that has it. Raises IntegrityError, FetchError."""
    for repository in places[:-1]:
        try:
            return _fetch_blob(repository, blob)
        except (FetchError, IntegrityError) as error:
            log.info("mirror: %s", error)
    return _fetch_blob(places[-1], blob)


def _fetch_blob(repository: Repository, blob: Descriptor) -> bytes:
    where = f"{repository.place.registry}/{repository.place.repository}@{blob.digest}"
    if blob.size > LARGEST_CONFIG:
        raise FetchError(f"the image's configuration has {blob.size} bytes", where=where)
    data = repository.request(repository.blob_url(blob.digest)).read(LARGEST_CONFIG)
    actual = hashlib.sha256(data).hexdigest()
    if actual != blob.hex or len(data) != blob.size:
        raise IntegrityError(f"its sha256 is {actual} where {blob.hex} is stated", where=where, remedy="run again")
    return data
