"""Container images: their names, the OCI layouts that the store keeps, and the archives that runtimes load.

`ImageName` reads what workflows write; `read_layout` reads a folder as the OCI image layout specification 1.1 has it;
`docker_archive` and `oci_archive` stream an image, byte by byte the same each time, without unpacking a layer, and
`unpack_image` makes a folder of it.
"""

from __future__ import annotations

from wfx.images.archives import docker_archive, layout_view, oci_archive
from wfx.images.layouts import Descriptor, Image, ImageFacts, image_facts, read_layout
from wfx.images.names import ImageName, Platform, local_tag
from wfx.images.unpacking import unpack_image

__all__ = [
    "Descriptor", "Image", "ImageFacts", "ImageName", "Platform", "docker_archive", "image_facts", "layout_view",
    "local_tag", "oci_archive", "read_layout", "unpack_image",
]  # fmt: skip
