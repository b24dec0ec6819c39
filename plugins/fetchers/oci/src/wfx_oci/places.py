"""Where an image may be had: the mirrors of its registry, and the registry itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from wfx.errors import FetchError, IntegrityError
from wfx.fetching import Net
from wfx.images import ImageName

from wfx_oci.registries import Manifest, Place, Repository
from wfx_oci.settings import Settings

log = logging.getLogger(__name__)


def repositories(name: ImageName, net: Net) -> list[Repository]:
    """Return where to ask, in order; the registry itself comes last."""
    mirrors = Settings.of(net).mirrors.get(name.registry, ())
    places = [Place(host, f"{prefix}/{name.repository}" if prefix else name.repository) for host, prefix in mirrors]
    return [Repository(net, place) for place in (*places, Place.of(name))]


def find_manifest(places: Sequence[Repository], wanted: str) -> tuple[Manifest, Repository]:
    """Return what a tag or digest means, and who said so. Raises what the registry itself raises."""
    for repository in places[:-1]:
        try:
            return repository.manifest(wanted), repository
        except (FetchError, IntegrityError) as error:
            log.info("mirror: %s", error)
    return places[-1].manifest(wanted), places[-1]
