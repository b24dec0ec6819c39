"""Container factories: plugins for one runtime, which make a stored, pinned image usable by an engine offline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FactoryCapabilities:
    """What the core compares with an engine's need."""

    formats: tuple[str, ...] = ("oci",)
    """Image forms that the runtime loads: `oci` (layout folder), `sif`."""
    rootless: bool = False
    cuts_network: bool = True
    """Whether it can run a container without a network."""
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the runtime can be used here and now."""

    version: str = ""
    """Empty where it cannot."""
    problem: str = ""
    remedy: str = ""


class ContainerFactory(ABC):
    """A plugin for one runtime."""

    keys: ClassVar[tuple[str, ...]] = ()
    """The runtime: `docker`, `podman`, `singularity`; the names of the package's entry points."""
    capabilities: ClassVar[FactoryCapabilities] = FactoryCapabilities()

    @abstractmethod
    def available(self) -> Availability:
        """Look whether the runtime is installed and answers; never raises."""

    @abstractmethod
    def load(self, image: Path, name: str, digest: str) -> str:
        """Load a stored image (OCI layout or SIF); return how an engine must name it. Raises ContainerError."""

    @abstractmethod
    def clean(self, run: str) -> None:
        """Remove the containers labelled `wfx.run=RUN`."""
