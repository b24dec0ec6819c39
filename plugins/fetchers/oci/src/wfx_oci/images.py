"""`docker://[REGISTRY/]NAME[:TAG][@sha256:HEX][#platform=OS/ARCH]`: an image, as an OCI layout of verified blobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from wfx.errors import ContainerError, IntegrityError
from wfx.fetching import Expected, Net, Pinned, Reference, ResolverFetcher, Source
from wfx.images import Descriptor, ImageName, Platform
from wfx.images.archives import index_json
from wfx.images.layouts import (
    CONFIGS,
    INDEXES,
    LAYOUT,
    manifest_parts,
    read_config,
)

from wfx_oci.blobs import blob_reference, fetch_blob, plain_reference
from wfx_oci.places import find_manifest, repositories
from wfx_oci.registries import Manifest, Repository

ATTESTATION = "vnd.docker.reference.type"
# An index may name another; a registry of attestations nests them once.
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Address:
    """A reference of an image, read."""

    name: ImageName
    platform: Platform | None
    """As the reference states it; None for this machine's."""

    @classmethod
    def parse(cls, ref: Reference) -> Address:
        """Read it. Raises DefinitionError."""
        from wfx.errors import DefinitionError

        platform = None
        for part in filter(None, ref.fragment.split("&")):
            key, _, value = part.partition("=")
            if key != "platform":
                raise DefinitionError(
                    f"an image's reference has no part '{key}'",
                    where=str(ref),
                    remedy="write #platform=OS/ARCHITECTURE",
                )
            platform = Platform.parse(unquote(value))
        return cls(ImageName.parse(ref.uri), platform)

    @property
    def wanted(self) -> str:
        """What to ask the registry for."""
        return self.name.digest or self.name.tag

    def pinned(self, digest: str, scheme: str = "docker") -> Reference:
        """Return the reference by digest."""
        return self.name.at(digest).reference(str(self.platform or ""), scheme)


class ImageFetcher(ResolverFetcher):
    """Turns an image's name into the blobs of an OCI layout."""

    keys = ("docker",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A digest means the same bytes for ever."""
        return bool(Address.parse(ref).name.digest)

    def pin(self, ref: Reference, net: Net) -> Pinned:
        """Ask the registry what the name means today: the digest of this platform's manifest."""
        address = Address.parse(ref)
        manifest, _ = choose(address, net)
        return Pinned(address.pinned(manifest.digest), manifest.digest, address.name.tag)

    def signer(self, ref: Reference, pinned: Reference, keys: Sequence[bytes], net: Net) -> str:
        """Return the key that cosign has signed the image with."""
        from wfx_oci.signatures import signer

        return signer(ref, pinned, keys, net)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the layout's files: what is small comes with the answer, layers by their digests."""
        address = Address.parse(ref)
        manifest, repository = choose(address, net)
        where = str(address.pinned(manifest.digest))
        config, layers = manifest_parts(manifest.value, where)
        if config.media_type not in CONFIGS:
            kind = manifest.value.get("artifactType") or config.media_type
            raise ContainerError(
                f"it is an artifact of type {kind}, and no container image", where=where,
                remedy=f"fetch it as oras://{address.name.text}",
            )  # fmt: skip
        descriptor = Descriptor(manifest.media_type, manifest.digest, len(manifest.data))
        places = [repository, *(place for place in repositories(address.name, net) if place.place != repository.place)]
        data = fetch_blob(places, config)
        facts, _ = read_config(data, descriptor, config, layers, where)
        _check_platform(address, facts.platform, where)
        descriptor = Descriptor(manifest.media_type, manifest.digest, len(manifest.data), platform=facts.platform)
        sources = [
            _content(ref, "oci-layout", LAYOUT, "application/json"),
            _content(ref, "index.json", index_json(descriptor), INDEXES[0]),
            _content(ref, f"blobs/sha256/{descriptor.hex}", manifest.data, manifest.media_type),
            _content(ref, f"blobs/sha256/{config.hex}", data, config.media_type),
        ]
        have = {descriptor.hex, config.hex}
        for layer in layers:
            if layer.hex not in have:
                have.add(layer.hex)
                sources.append(_layer(layer, places, where))
        return sources


def _content(ref: Reference, name: str, data: bytes, media_type: str) -> Source:
    return Source(
        Reference(f"{ref.without_fragment().uri}#file={name}"), name=name, media_type=media_type, content=data
    )


def _layer(layer: Descriptor, places: Sequence[Repository], where: str) -> Source:
    if layer.media_type.endswith("+encrypted"):
        raise ContainerError("a layer of the image is encrypted", where=where, why=layer.media_type)
    first, *others = places
    # A foreign layer's owner gives it out himself (image specification, "Non-Distributable Layers").
    owners = [plain_reference(url) for url in layer.urls if url.lower().startswith("https://")]
    return Source(
        blob_reference(first, layer.digest),
        Expected(sha256=layer.hex, size=layer.size),
        alternates=(*(blob_reference(place, layer.digest) for place in others), *owners),
        name=f"blobs/sha256/{layer.hex}",
        media_type=layer.media_type or None,
    )


def choose(address: Address, net: Net, *, any_platform: bool = False) -> tuple[Manifest, Repository]:
    """Return the manifest that a reference means on its platform, and who has it."""
    places = repositories(address.name, net)
    manifest, repository = find_manifest(places, address.wanted)
    for _ in range(DEEPEST):
        if not manifest.is_index:
            return manifest, repository
        where = f"{address.name}"
        entries = [Descriptor.read(item, where) for item in manifest.value["manifests"]]
        chosen = best(entries, address.platform or Platform.here(), where, any_platform=any_platform)
        manifest = repository.manifest(chosen.digest)
        if len(manifest.data) != chosen.size:
            raise IntegrityError(
                f"the manifest {chosen.digest} has {len(manifest.data)} bytes where {chosen.size} are stated",
                where=where,
            )
    raise ContainerError("the image's index names indexes without end", where=str(address.name))


def best(entries: Sequence[Descriptor], wanted: Platform, where: str, *, any_platform: bool = False) -> Descriptor:
    """Choose the entry of an index for a platform; of equal ones the first, as the specification says.

    Raises ContainerError, which lists the platforms that there are.
    """
    real = [entry for entry in entries if not _is_attestation(entry)]
    fitting = [
        (fit, place)
        for place, entry in enumerate(real)
        if entry.platform is not None and (fit := wanted.fit(entry.platform)) is not None
    ]
    if fitting:
        return real[min(fitting)[1]]
    # Without a statement its configuration says what it is, which is looked at later.
    unstated = [entry for entry in real if entry.platform is None]
    if len(unstated) == 1 and (len(real) == 1 or any_platform):
        return unstated[0]
    if any_platform and len(real) == 1:
        return real[0]
    have = ", ".join(dict.fromkeys(str(entry.platform) for entry in real if entry.platform)) or "none that it names"
    raise ContainerError(
        f"the image is not there for {wanted}", where=where, why=f"it is for {have}",
        remedy="choose one of them with #platform=, or another image",
    )  # fmt: skip


def _is_attestation(entry: Descriptor) -> bool:
    # BuildKit puts its statements about an image beside it, for a platform that nothing is.
    unknown = entry.platform is not None and "unknown" in (entry.platform.os, entry.platform.architecture)
    return unknown or ATTESTATION in entry.annotations


def _check_platform(address: Address, platform: Platform, where: str) -> None:
    wanted = address.platform or Platform.here()
    if not platform.architecture or wanted.fit(platform) is not None:
        return
    raise ContainerError(
        f"the image is not for {wanted}", where=where, why=f"it is for {platform}",
        remedy=f"choose another image, or fetch this one all the same with #platform={platform}",
    )  # fmt: skip
