"""Run container images with Docker in wfx."""

from __future__ import annotations

from wfx.containers import ContainerFactory
from wfx.hookspecs import hookimpl

from wfx_docker.factory import DockerFactory

__version__ = "0.1.0"
__all__ = ["DockerFactory"]


@hookimpl
def wfx_container_factories() -> list[type[ContainerFactory]]:
    """Offer the one factory."""
    return [DockerFactory]
