"""Image needs: what the images that a workflow names mean, before anything is asked or fetched.

A workflow writes `name:tag`, a URI (`docker:`, `oras:`, `library:`, `https:`, `file:`), a path relative to the document
that names it, or a Dockerfile's text. What a workflow from elsewhere may not do is to name a file of this machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from wfx.engines import Description, ImageNeed
from wfx.errors import ContainerError, PolicyError
from wfx.references import SCHEME, Reference

if TYPE_CHECKING:
    from wfx.closures import Closure
    from wfx.images.carrying import BroughtImage
    from wfx.planning import PlannedImage

SIFS = (".sif", ".simg", ".img")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# What other programs write before the path of an archive (containers-transports(5)).
TRANSPORTS = ("docker-archive:", "oci-archive:")
ARTIFACTS = ("oras", "library")


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where an image comes from."""

    image: str
    """As the workflow writes it: what an engine knows it by."""
    kind: Literal["registry", "artifact", "file", "filesystem", "recipe", "carried"]
    """`artifact`: a place that gives out SIFs; `file`: a SIF or an archive; `filesystem`: a tar of one; `carried`: a copy
    that a crate has brought with it, which is in the store."""
    reference: Reference | None = None
    """None of a recipe."""
    name: str = ""
    """Which one, of an archive with several."""
    recipe: str = ""
    carried: tuple[PlannedImage, BroughtImage] | None = None
    """What the crate recorded of it, and the copy."""

    @property
    def is_sif(self) -> bool:
        """Whether it is a SIF for certain; of a file without a suffix only its bytes tell."""
        reference = self.reference
        if self.carried is not None:
            return self.carried[1].format == "sif"
        return self.kind == "artifact" or (
            self.kind == "file" and reference is not None and reference.name.lower().endswith(SIFS)
        )


def find(
    description: Description, closure: Closure, *, allow_local: bool = False, carried: Mapping[str, ImageSource] = {}
) -> dict[str, ImageSource]:
    """Return the source of each image that a workflow asks for, by the name that it writes.

    Of those that are `carried` nobody else is asked. Raises PolicyError where a workflow from elsewhere names a file of
    this machine and `allow_local` is not set, DefinitionError for what is no image's name, ContainerError for what nobody
    gives out any more.
    """
    found: dict[str, ImageSource] = {}
    for need in description.images:
        if need.image not in found:
            found[need.image] = carried.get(need.image) or _find(need, closure, allow_local)
    return found


def _find(need: ImageNeed, closure: Closure, allow_local: bool) -> ImageSource:
    from wfx.images import ImageName

    if need.source == "recipe":
        return ImageSource(need.image, "recipe", recipe=need.recipe)
    text = need.image.strip()
    for transport in TRANSPORTS:
        if text.lower().startswith(transport):
            text = text[len(transport) :].removeprefix("//")
    scheme = SCHEME.match(text)
    kind = scheme[1].lower() if scheme and text[scheme.end() :].startswith("//") else ""
    if kind in ARTIFACTS:
        return ImageSource(need.image, "artifact", Reference.parse(text))
    if kind == "shub":
        raise ContainerError(
            "Singularity Hub gives out no images any more", where=need.image, why="it was closed in 2021",
            remedy="name the image at another place",
        )  # fmt: skip
    if kind == "docker" or (need.source == "reference" and not _names_file(text, kind)):
        return ImageSource(need.image, "registry", ImageName.parse(text).reference())
    reference = _resolve(text, need, closure)
    # What is relative lies where the document does, be that a repository of this machine.
    if not _is_relative(text) and reference.on_this_machine and not closure.local and not allow_local:
        raise PolicyError(
            f"a workflow from elsewhere names an image file of this machine: {need.image}", where=need.tool,
            remedy="look at it, and give --allow-local if it may use that image",
        )  # fmt: skip
    how: Literal["file", "filesystem"] = "filesystem" if need.source == "filesystem" else "file"
    return ImageSource(need.image, how, reference, need.name)


def _names_file(text: str, scheme: str) -> bool:
    if scheme:
        return True
    return text.lower().startswith(("/", "./", "../", "~", "file:")) or text.lower().endswith((*SIFS, *ARCHIVES))


def _is_relative(text: str) -> bool:
    return not SCHEME.match(text) and not text.startswith(("/", "~"))


def _resolve(text: str, need: ImageNeed, closure: Closure) -> Reference:
    """Resolve a path against the document of the tool that names it, wherever that came from."""
    if not _is_relative(text):
        return Reference.parse(text)
    document = need.tool.partition("#")[0]
    origin = next((item.origin for item in closure.documents if item.path == document), None)
    if origin is None:
        origin = next(item.origin for item in closure.documents if item.path == closure.entry)
    if origin.fragment.startswith("path="):
        folder = origin.fragment.removeprefix("path=").rpartition("/")[0]
        path = os.path.normpath(os.path.join(folder, quote(os.fsencode(text))))
        if path.startswith("../"):
            raise PolicyError(f"it names a file outside of its repository: {text}", where=need.tool)
        return Reference(f"{origin.without_fragment().uri}#path={path}")
    if origin.is_local:
        return Reference.of_path(origin.path.parent / text)
    return origin.join(quote(os.fsencode(text)))
