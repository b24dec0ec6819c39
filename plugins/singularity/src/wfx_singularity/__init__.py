"""Run container images with Singularity and Apptainer in wfx."""

from __future__ import annotations

from wfx.containers import ContainerFactory
from wfx.hookspecs import hookimpl

from wfx_singularity.factory import SingularityFactory

__version__ = "0.1.0"
__all__ = ["SingularityFactory"]


@hookimpl
def wfx_container_factories() -> list[type[ContainerFactory]]:
    """Offer the one factory."""
    return [SingularityFactory]
