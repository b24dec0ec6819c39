"""Names of images as workflows write them, and platforms.

The grammar is that of the distribution project's `reference` package, which Docker, Podman and the registries share:
the first part is a registry where it has a dot or a colon, or is `localhost`; else the registry is Docker's.
"""

from __future__ import annotations

import platform as machine_platform
import re
from dataclasses import dataclass

from wfx.errors import DefinitionError
from wfx.references import Reference

DOCKER_HUB = "docker.io"
SCHEMES = ("docker://", "oras://")
REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST = 255

# What `uname -m` says → what Go, and so every registry, calls it.
MACHINES = {
    "x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6",
    "i386": "386", "i686": "386", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64", "loongarch64": "loong64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageName:
    """Where an image lies in which registry."""

    registry: str
    """Host with its port: `docker.io`, `quay.io`, `localhost:5000`."""
    repository: str
    """`library/alpine`."""
    tag: str = ""
    digest: str = ""
    """`sha256:` and 64 hex digits."""

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Read `[docker://][REGISTRY/]NAME[:TAG][@sha256:HEX]`; without tag and digest the tag is `latest`.

        Raises DefinitionError for what is no image's name.
        """
        rest = text.partition("#")[0].strip()
        for scheme in SCHEMES:
            if rest.lower().startswith(scheme):
                rest = rest[len(scheme) :]
        rest, mark, digest = rest.partition("@")
        if mark and not DIGEST.fullmatch(digest):
            known = "a sha256 digest has 64 hex digits" if digest.startswith("sha256:") else "only sha256 is known"
            raise _broken(text, f"its digest is {digest[:80]!r}; {known}")
        first, slash, _ = rest.partition("/")
        is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest[len(first) + 1 :]) if is_registry else (DOCKER_HUB, rest)
        path, colon, tag = path.partition(":")
        if colon and not TAG.fullmatch(tag):
            raise _broken(text, f"its tag is {tag!r}")
        registry = registry.lower()
        if registry in ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"):
            registry = DOCKER_HUB
        if not REGISTRY.fullmatch(registry):
            raise _broken(text, f"{registry!r} is no registry")
        if registry == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        if len(path) > LONGEST or not all(PART.fullmatch(part) for part in path.split("/")):
            why = "capitals are not allowed" if path != path.lower() else f"{path!r} is no repository"
            raise _broken(text, why)
        return cls(registry, path, tag or ("" if digest else "latest"), digest)

    @property
    def text(self) -> str:
        """The whole name, with nothing left to a default."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    def __str__(self) -> str:
        return self.text

    def reference(self, platform: str = "", scheme: str = "docker") -> Reference:
        """Return it as a reference: `docker://docker.io/library/alpine:3.20#platform=linux/arm64`."""
        return Reference(f"{scheme}://{self.text}" + (f"#platform={platform}" if platform else ""))

    def at(self, digest: str) -> ImageName:
        """Return the name by digest, which stays the same when the tag moves."""
        return ImageName(self.registry, self.repository, "", digest)


def _broken(text: str, why: str) -> DefinitionError:
    return DefinitionError(
        f"it is no image's name: {text!r}", why=why, remedy="write [REGISTRY/]NAME[:TAG][@sha256:HEX]"
    )


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system, processor and its variant, as image indexes name them."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/arm64[/v8]`. Raises DefinitionError."""
        parts = text.lower().split("/")
        if len(parts) not in (2, 3) or not all(re.fullmatch(r"[a-z0-9_.\-]+", part) for part in parts):
            raise DefinitionError(f"it is no platform: {text!r}", remedy="write OS/ARCHITECTURE, as linux/amd64")
        return cls(*parts)

    @classmethod
    def here(cls) -> Platform:
        """Return the platform of containers on this machine; they are Linux's on every system."""
        machine = machine_platform.machine().lower()
        return cls.parse(f"linux/{MACHINES.get(machine, machine)}")

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def fit(self, offered: Platform) -> int | None:
        """Say how well an offered platform serves this one: 0 is exact, more is worse, None not at all."""
        if (self.os, self.architecture) != (offered.os, offered.architecture):
            return None
        mine, other = (_level(p) for p in (self, offered))
        if mine == other:
            return 0
        # An older variant's programs run on a newer processor; of amd64's levels only what everybody has is safe.
        return mine - other if other < mine else None


# The variant that a platform without one means.
BASE = {"arm64": 8, "arm": 7, "amd64": 1}


def _level(platform: Platform) -> int:
    digits = re.fullmatch(r"v(\d+)", platform.variant)
    return int(digits[1]) if digits else BASE.get(platform.architecture, 0)


def local_tag(name: str, digest: str) -> str:
    """Return the tag of ours for an image in a runtime that forgets `NAME@DIGEST` after a load from a file.

    `wfx.local` is no registry that anybody can own (RFC 6762 keeps `.local`), so nothing can be pulled by it.
    """
    try:
        path = ImageName.parse(name).repository
    except DefinitionError:
        path = "image"
    return f"wfx.local/{path}:sha256-{digest.removeprefix('sha256:')[:12]}"
