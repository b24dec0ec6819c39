"""Run container images with Podman in wfx."""

from __future__ import annotations

from wfx.containers import ContainerFactory
from wfx.hookspecs import hookimpl

from wfx_podman.factory import PodmanFactory

__version__ = "0.1.0"
__all__ = ["PodmanFactory"]


@hookimpl
def wfx_container_factories() -> list[type[ContainerFactory]]:
    """Offer the one factory."""
    return [PodmanFactory]
