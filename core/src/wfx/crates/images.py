"""The container images that a crate records, by the digests that its writer stated."""

from __future__ import annotations

import contextlib
import re

from wfx.crates.reading import Crate, Entity, kinds, text
from wfx.errors import DefinitionError
from wfx.images.names import ImageName
from wfx.references import Reference

HEX = re.compile(r"[0-9a-f]{64}")
WITHIN = re.compile(r"@(sha256:[0-9a-f]{64})\b")


class RecordedImages:
    """Knows the digest of each image of a registry that a crate names."""

    def __init__(self, crate: Crate) -> None:
        self._digests: dict[tuple[str, str, str], str] = {}
        for entity in crate.graph:
            if "ContainerImage" in kinds(entity):
                with contextlib.suppress(DefinitionError):
                    self._enter(entity)

    def _enter(self, entity: Entity) -> None:
        digest, name = _digest(entity), text(entity.get("name"))
        if not digest or not name:
            return
        registry, tag = text(entity.get("registry")), text(entity.get("tag"))
        first = name.partition("/")[0]
        # Some writers have the registry in the name, and say it again.
        whole = name if not registry or first == registry or "." in first else f"{registry}/{name}"
        key = _key(ImageName.parse(f"{whole}:{tag}" if tag else whole))
        # One name with two digests says nothing.
        self._digests[key] = digest if self._digests.get(key, digest) == digest else ""

    def pinned(self, image: str) -> Reference | None:
        """Return the reference by digest of an image as a workflow writes it; None where the crate states none."""
        try:
            name = ImageName.parse(image)
        except DefinitionError:
            return None
        digest = self._digests.get(_key(name), "")
        if name.digest or not digest:
            return None
        return ImageName(name.registry, name.repository, name.tag, digest).reference()


def _key(name: ImageName) -> tuple[str, str, str]:
    return name.registry, name.repository, name.tag


def _digest(entity: Entity) -> str:
    """Return the digest that is stated: as `sha256`, or within a text of the version, as WfExS has it."""
    stated = text(entity.get("sha256")).lower().removeprefix("sha256:")
    if HEX.fullmatch(stated):
        return f"sha256:{stated}"
    found = WITHIN.search(text(entity.get("softwareVersion")))
    return found[1] if found else ""
