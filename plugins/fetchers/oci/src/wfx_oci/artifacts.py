"""`oras://REGISTRY/NAME[:TAG][@sha256:HEX]`: an artifact, as the file or files that it holds.

The layers are the files and `org.opencontainers.image.title` their names, as the oras program writes them; Singularity
images have a layer of their own type.
"""

from __future__ import annotations

from collections.abc import Sequence

from wfx.errors import ContainerError
from wfx.fetching import Expected, Net, Pinned, Reference, ResolverFetcher, Source
from wfx.images import Descriptor
from wfx.images.layouts import CONFIGS, manifest_parts

from wfx_oci.blobs import blob_reference
from wfx_oci.images import Address, choose
from wfx_oci.places import repositories

TITLE = "org.opencontainers.image.title"
# Of a folder that the oras program has packed, under the folder's name.
FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
PACKED = "io.deis.oras.content.unpack"
SIF_LAYER = "application/vnd.sylabs.sif.layer.v1.sif"
EMPTY = "application/vnd.oci.empty.v1+json"


class ArtifactFetcher(ResolverFetcher):
    """Turns an artifact's name into its files."""

    keys = ("oras",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A digest means the same bytes for ever."""
        return bool(Address.parse(ref).name.digest)

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Ask the registry what the name means today."""
        address = Address.parse(ref)
        manifest, _ = choose(address, net, any_platform=True)
        return Pinned(address.pinned(manifest.digest, "oras"), manifest.digest, address.name.tag)

    def signer(self, ref: Reference, pinned: Reference, keys: Sequence[bytes], net: Net) -> str:
        """Return the key that cosign has signed the artifact with."""
        from wfx_oci.signatures import signer

        return signer(ref, pinned, keys, net)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the artifact's files."""
        address = Address.parse(ref)
        manifest, repository = choose(address, net, any_platform=True)
        config, layers = manifest_parts(manifest.value, str(ref))
        if config.media_type in CONFIGS:
            raise ContainerError(
                "it is a container image", where=str(ref), remedy=f"fetch it as docker://{address.name.text}"
            )
        files = [layer for layer in layers if layer.media_type != EMPTY]
        if not files:
            raise ContainerError("the artifact holds no file", where=str(ref))
        others = [place for place in repositories(address.name, net) if place.place != repository.place]
        return [
            Source(
                blob_reference(repository, layer.digest),
                Expected(sha256=layer.hex, size=layer.size),
                alternates=tuple(blob_reference(place, layer.digest) for place in others),
                name=_name(layer, address),
                media_type=layer.media_type or None,
            )
            for layer in files
        ]


def _name(layer: Descriptor, address: Address) -> str:
    title = layer.annotations.get(TITLE, "")
    if title:
        # The program says so by an annotation, its Python client by the type alone.
        packed = layer.annotations.get(PACKED) == "true" or layer.media_type == FOLDER
        return f"{title}.tar.gz" if packed and not title.endswith((".gz", ".tgz")) else title
    last = address.name.repository.rpartition("/")[2]
    return f"{last}.sif" if layer.media_type == SIF_LAYER else layer.hex
