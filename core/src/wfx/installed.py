"""What is installed, read from metadata alone: no plugin is imported here.

A plugin's distribution has one entry-point group a kind; an entry point's name is the key, its value the module with
the hook implementation. Whatever is broken in one distribution's metadata is noted and hurts no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib import metadata

from wfx import __version__
from wfx.versions import asked_of, normal_name, satisfies

CORE = "wfx-core"

# kind → (entry-point group, hook, what people call it)
KINDS = {
    "fetcher": ("wfx.fetchers", "wfx_fetchers", "fetcher"),
    "container-factory": ("wfx.container_factories", "wfx_container_factories", "container factory"),
    "engine": ("wfx.engines", "wfx_engines", "engine"),
    "exporter": ("wfx.exporters", "wfx_exporters", "exporter"),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A plugin as its metadata tells, without import."""

    kind: str
    key: str
    module: str
    """Module with the hook implementation, or `MODULE:OBJECT`."""
    distribution: str
    version: str
    requires: str = ""
    """What it asks of wfx-core: `>=0.1,<0.2`; empty where it says nothing."""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def compatible(self) -> bool:
        """Whether this core is one that it asks for; true too where that cannot be judged."""
        return satisfies(__version__, self.requires) is not False


@dataclass(slots=True)
class Installed:
    """All plugins on the path."""

    providers: dict[tuple[str, str], list[Provider]] = field(default_factory=dict)
    """(kind, key) → who claims it; more than one is a conflict."""
    left_out: dict[tuple[str, str], list[Provider]] = field(default_factory=dict)
    """What is installed and `WFX_PLUGINS` does not name."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """(distribution, why) of metadata that cannot be read."""
    names: set[str] = field(default_factory=set)
    """Distributions with plugins, in their one spelling."""


def scan(only: Collection[str] | None = None) -> Installed:
    """Read the metadata of everything on the path; `only` names the distributions to take (None: all)."""
    found = Installed()
    wanted = None if only is None else {normal_name(name) for name in only}
    groups = {group: kind for kind, (group, _, _) in KINDS.items()}
    for distribution in metadata.distributions():
        try:
            # Reading `entry_points` parses a file; most distributions have none of ours.
            points = [point for point in distribution.entry_points if point.group in groups]
            if not points:
                continue
            about = distribution.metadata
            name, version = about["Name"], about["Version"]
            if not name or not version:
                raise ValueError("no name or no version in its metadata")
            requires = next(filter(None, _asked(about.get_all("Requires-Dist") or [])), "")
        except Exception as error:  # noqa: BLE001 (whatever is wrong with a stranger's files is theirs alone)
            found.unreadable.append((_place(distribution), f"{type(error).__name__}: {error}"))
            continue
        if normal_name(name) in found.names:
            # The same distribution again, further down the path: an editable install beside an older one.
            continue
        found.names.add(normal_name(name))
        table = found.providers if wanted is None or normal_name(name) in wanted else found.left_out
        for point in points:
            provider = Provider(groups[point.group], point.name, point.value, name, version, requires)
            claims = table.setdefault((provider.kind, provider.key), [])
            if provider not in claims:
                claims.append(provider)
    return found


def _asked(requirements: list[str]) -> Iterator[str | None]:
    for requirement in requirements:
        yield asked_of(requirement, CORE)


def _place(distribution: metadata.Distribution) -> str:
    """Return the name of the folder that the metadata lie in, where they do not tell the distribution's own."""
    path = getattr(distribution, "_path", None)
    return path.name if path is not None else str(distribution.locate_file(""))
