"""`library://[HOST/]ENTITY/COLLECTION/CONTAINER[:TAG]`: a SIF of a Singularity library, such as the Sylabs Cloud's.

The interface is the one of Sylabs' own client (scs-library-client): `/v1/images/…` says what an image is, and
`/v1/imagefile/…` leads to its bytes. Without a host it is the Sylabs Cloud Library; the library completes short names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from wfx.errors import ContainerError, DefinitionError, FetchError, ReferenceNotFound
from wfx.fetching import Expected, Net, Pinned, Reference, ResolverFetcher, Source
from wfx.images import Platform

from wfx_oci.blobs import plain_reference
from wfx_oci.registries import is_loopback

CLOUD = "library.sylabs.io"
SCHEME = "library://"
PATH = re.compile(r"[A-Za-z0-9._\-]+(?:/[A-Za-z0-9._\-]+){0,2}")
TAG = re.compile(r"[A-Za-z0-9._\-]+")
HASH = re.compile(r"sha256[.:]([0-9a-f]{64})")
LARGEST_ANSWER = 2**20


@dataclass(frozen=True, slots=True)
class LibraryName:
    """A reference, read."""

    host: str
    path: str
    tag: str
    architecture: str
    stated: bool
    """Whether the reference itself names the platform."""

    @classmethod
    def parse(cls, ref: Reference) -> LibraryName:
        """Read it. Raises DefinitionError."""
        rest, _, fragment = ref.uri.removeprefix(SCHEME).partition("#")
        key, _, value = fragment.partition("=")
        if key not in ("", "platform"):
            raise DefinitionError(f"a library's reference has no part '{key}'", where=str(ref))
        platform = Platform.parse(unquote(value)) if value else Platform.here()
        rest = rest.lstrip("/")
        host = CLOUD
        # As the programs have it: a fourth part is a host's name, at the front.
        if rest.count("/") > 2:
            host, _, rest = rest.partition("/")
        path, colon, tag = rest.partition(":")
        if not PATH.fullmatch(path) or (colon and not TAG.fullmatch(tag)):
            raise DefinitionError(
                f"it is no image of a library: {ref}", remedy="write library://ENTITY/COLLECTION/CONTAINER[:TAG]"
            )
        return cls(host, path, tag or "latest", platform.architecture, bool(value))

    def url(self, kind: str) -> str:
        """Return where the library says or gives something."""
        scheme = "http" if is_loopback(self.host) else "https"
        return f"{scheme}://{self.host}/v1/{kind}/{self.path}:{self.tag}?arch={quote(self.architecture)}"

    def reference(self, tag: str) -> Reference:
        """Return the reference with another tag."""
        host = "" if self.host == CLOUD else f"{self.host}/"
        return Reference(
            f"{SCHEME}{host}{self.path}:{tag}" + (f"#platform=linux/{self.architecture}" if self.stated else "")
        )


@dataclass(frozen=True, slots=True)
class LibraryImage:
    """What a library says of an image."""

    sha256: str | None
    size: int | None


def ask(name: LibraryName, ref: Reference, net: Net) -> LibraryImage:
    """Ask what an image is. Raises ReferenceNotFound, AccessDenied, ContainerError, FetchError."""
    try:
        data = net.http(name.url("images")).read(LARGEST_ANSWER)
    except ReferenceNotFound as error:
        raise ReferenceNotFound(
            f"the library has no such image for {name.architecture}", where=str(ref), why=error.why,
            remedy="check the name and the tag",
        ) from error  # fmt: skip
    try:
        value = json.loads(data)["data"]
        digest, size, uploaded = HASH.fullmatch(str(value["hash"])), value.get("size"), value.get("uploaded", True)
        architecture = value.get("arch") or name.architecture
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FetchError("the library's answer is not understood", where=str(ref)) from error
    if not uploaded:
        raise ReferenceNotFound("the image was begun and never uploaded", where=str(ref))
    if architecture != name.architecture:
        raise ContainerError(
            f"the image is not for {name.architecture}", where=str(ref), why=f"it is for {architecture}"
        )
    return LibraryImage(digest[1] if digest else None, size if isinstance(size, int) and size > 0 else None)


class LibraryFetcher(ResolverFetcher):
    """Turns the name of an image in a library into its SIF."""

    keys = ("library",)

    @classmethod
    def never_changes(cls, ref: Reference) -> bool:
        """A digest in the tag's place means the same bytes for ever."""
        return bool(HASH.fullmatch(LibraryName.parse(ref).tag))

    def pin(self, ref: Reference, net: Net) -> Pinned | None:
        """Ask the library what the tag means today; None where it gives no sha256."""
        name = LibraryName.parse(ref)
        image = ask(name, ref, net)
        if image.sha256 is None:
            return None
        label = "" if HASH.fullmatch(name.tag) else name.tag
        return Pinned(name.reference(f"sha256.{image.sha256}"), f"sha256:{image.sha256}", label)

    def resolve(self, ref: Reference, net: Net) -> Sequence[Source]:
        """Return the file, with digest and size as the library states them."""
        name = LibraryName.parse(ref)
        image = ask(name, ref, net)
        return [
            Source(
                plain_reference(name.url("imagefile")),
                Expected(sha256=image.sha256, size=image.size),
                name=f"{name.path.rpartition('/')[2]}.sif",
                media_type="application/vnd.sylabs.sif.layer.v1.sif",
            )
        ]
