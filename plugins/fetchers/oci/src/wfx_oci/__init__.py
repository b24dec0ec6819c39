"""Fetch container images and other artifacts from registries in wfx."""

from __future__ import annotations

from wfx.fetching import Fetcher
from wfx.hookspecs import hookimpl

from wfx_oci.artifacts import ArtifactFetcher
from wfx_oci.blobs import AddressFetcher, BlobFetcher
from wfx_oci.images import ImageFetcher
from wfx_oci.library import LibraryFetcher

__version__ = "0.1.0"
__all__ = ["AddressFetcher", "ArtifactFetcher", "BlobFetcher", "ImageFetcher", "LibraryFetcher"]


@hookimpl
def wfx_fetchers() -> list[type[Fetcher]]:
    """Offer images, artifacts, SIF files of libraries, and the blobs that images are made of."""
    return [ImageFetcher, ArtifactFetcher, LibraryFetcher, BlobFetcher, AddressFetcher]
