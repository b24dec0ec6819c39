"""Settings of the section `fetcher.oci`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wfx.errors import DefinitionError
from wfx.fetching import Net

SECTION = "fetcher.oci"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of registries."""

    mirrors: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Registry → (mirror's host, beginning of its repositories), in the order in which they are tried."""
    plain_http: tuple[str, ...] = ()
    """Registries beyond this machine that may be spoken with over http."""

    @classmethod
    def of(cls, net: Net) -> Settings:
        """Read them. Raises DefinitionError."""
        section = net.section(SECTION)
        for key in section:
            if key not in ("mirrors", "plain_http"):
                raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy="use mirrors or plain_http")
        mirrors: dict[str, list[tuple[str, str]]] = {}
        for text in _texts(section.get("mirrors"), "mirrors"):
            registry, equals, mirror = text.partition("=")
            host, _, prefix = mirror.strip().rstrip("/").partition("/")
            if not equals or not host or "://" in text:
                raise DefinitionError(
                    f"'{SECTION}.mirrors' has {text!r}",
                    remedy="write REGISTRY=HOST[/PREFIX], as docker.io=mirror.gcr.io",
                )
            mirrors.setdefault(registry.strip(), []).append((host, prefix))
        return cls(
            {key: tuple(value) for key, value in mirrors.items()},
            tuple(_texts(section.get("plain_http"), "plain_http")),
        )


def _texts(value: object, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"'{SECTION}.{name}' takes a list of texts")
    return value
