"""The plugin manager: from a key to a class, importing nothing but the plugin that has the key.

Entry points are read once and as metadata; their name is the key, their value the module with the hook
implementation. A broken plugin is met only by whoever asks for its key.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from wfx import hookspecs
from wfx.errors import DuplicateKey, PluginLoadError, UnknownKey

if TYPE_CHECKING:
    from wfx.containers import ContainerFactory
    from wfx.engines import Engine
    from wfx.exporting import Exporter
    from wfx.fetching import Fetcher
    from wfx.references import Reference

# kind → (entry-point group, hook, what people call it)
KINDS = {
    "fetcher": ("wfx.fetchers", "wfx_fetchers", "fetcher"),
    "container-factory": ("wfx.container_factories", "wfx_container_factories", "container factory"),
    "engine": ("wfx.engines", "wfx_engines", "engine"),
    "exporter": ("wfx.exporters", "wfx_exporters", "exporter"),
}

# Keys of our own published distributions, so that a missing one can be named. Never guess beyond this table.
PUBLISHED = {
    "engine": {"cwl.cwltool": "wfx-cwl"},
    "exporter": {"ro-crate": "wfx-ro-crate", "zip": "wfx-ro-crate"},
    "fetcher": {
        "data": "wfx-file", "file": "wfx-file", "git+file": "wfx-git", "git+git": "wfx-git", "git+http": "wfx-git",
        "git+https": "wfx-git", "git+ssh": "wfx-git", "http": "wfx-http", "https": "wfx-http",
    },
    "container-factory": {},
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provider:
    """A plugin as its metadata tells, without import."""

    kind: str
    key: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class PluginManager:
    """Finds, loads and hands out plugins. Make one a process; tests make their own and `register` fakes."""

    def __init__(self, restrict: Sequence[str] | None = None) -> None:
        """Take the names of the distributions to look at; None means all, or `WFX_PLUGINS` (empty means none)."""
        if restrict is None and "WFX_PLUGINS" in os.environ:
            restrict = [name.strip() for name in os.environ["WFX_PLUGINS"].split(",") if name.strip()]
        self._restrict = None if restrict is None else {_normal(name) for name in restrict}
        self._providers: dict[tuple[str, str], list[Provider]] | None = None
        self._classes: dict[tuple[str, str], type[Any]] = {}
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(hookspecs)

    # -- typed look-ups

    def fetcher(self, reference: Reference) -> type[Fetcher]:
        """Return the most specific fetcher: `SCHEME://HOST`, then `SCHEME`, then the fallback `*`."""
        return self.fetchers(reference)[0]

    def fetchers(self, reference: Reference) -> list[type[Fetcher]]:
        """Return all fetchers that claim a reference, the most specific first. Raises UnknownKey where there is none."""
        candidates = [f"{reference.scheme}://{reference.host}", reference.scheme, "*"]
        found = [self._load("fetcher", key) for key in candidates if self._has("fetcher", key)]
        if not found:
            raise self._unknown("fetcher", reference.scheme, f"no fetcher for '{reference.scheme}:' references")
        return found

    def engine(self, key: str) -> type[Engine]:
        """Return the engine of a key, `LANGUAGE.ENGINE`, or of a language or program that only one key has."""
        matches = [k for k in self.keys("engine") if key in (k, *k.split(".", 1))]
        if len(matches) > 1:
            raise UnknownKey(f"'{key}' fits several engines: {', '.join(matches)}", remedy="name one of them")
        return self._load("engine", matches[0] if matches else key)

    def container_factory(self, key: str) -> type[ContainerFactory]:
        """Return the container factory of a runtime."""
        return self._load("container-factory", key)

    def exporter(self, key: str) -> type[Exporter]:
        """Return the exporter of a form."""
        return self._load("exporter", key)

    def keys(self, kind: str) -> list[str]:
        """Return the installed keys of a kind, sorted."""
        registered = [key for k, key in self._classes if k == kind]
        return sorted({*registered, *(key for k, key in self._index() if k == kind)})

    def providers(self) -> list[Provider]:
        """Return everything installed, from metadata alone, sorted by kind and key."""
        return sorted(
            (p for found in self._index().values() for p in found), key=lambda p: (p.kind, p.key, p.distribution)
        )

    def provider(self, kind: str, key: str) -> Provider | None:
        """Return who provides a key; None where a test registered it."""
        found = self._index().get((kind, key), [])
        return found[0] if found else None

    def load(self, kind: str, key: str) -> type[Any]:
        """Return the class of a key of any kind."""
        return self._load(kind, key)

    def register(self, plugin: object) -> None:
        """Take a plugin from memory: an object with hook implementations."""
        self._pluggy.register(plugin)
        self._check_hooks("a registered plugin")
        for kind, (_, hook, _) in KINDS.items():
            for cls in self._offered(plugin, hook):
                for key in cls.keys:
                    self._classes[kind, key] = cls

    # -- inside

    def _index(self) -> dict[tuple[str, str], list[Provider]]:
        if self._providers is None:
            # Several threads may come at once: what they see is whole, and the same whoever of them reads it.
            providers: dict[tuple[str, str], list[Provider]] = {}
            groups = {group: kind for kind, (group, _, _) in KINDS.items()}
            for distribution in metadata.distributions():
                # Reading `entry_points` parses a file; most distributions have none of ours.
                for point in distribution.entry_points:
                    kind = groups.get(point.group)
                    if kind is None:
                        continue
                    name = distribution.metadata["Name"]
                    if self._restrict is not None and _normal(name) not in self._restrict:
                        continue
                    found = providers.setdefault((kind, point.name), [])
                    provider = Provider(kind, point.name, point.value, name, distribution.version)
                    # An editable install beside an older one shows the same distribution twice: the first on the path wins.
                    if all(_normal(other.distribution) != _normal(name) for other in found):
                        found.append(provider)
            self._providers = providers
        return self._providers

    def _has(self, kind: str, key: str) -> bool:
        return (kind, key) in self._classes or (kind, key) in self._index()

    def _load(self, kind: str, key: str) -> type[Any]:
        if (kind, key) in self._classes:
            return self._classes[kind, key]
        providers = self._index().get((kind, key))
        if not providers:
            raise self._unknown(kind, key, f"no {KINDS[kind][2]} '{key}' is installed")
        if len(providers) > 1:
            raise DuplicateKey(
                f"{KINDS[kind][2]} '{key}' is claimed by {' and by '.join(map(str, providers))}",
                remedy="uninstall one, or set WFX_PLUGINS to the distributions to use",
            )
        provider = providers[0]
        module = self._import(provider)
        for cls in self._offered(module, KINDS[kind][1], provider):
            if key in cls.keys:
                self._classes[kind, key] = cls
                return cls
        raise PluginLoadError(
            f"{provider} has the entry point '{key}' in {KINDS[kind][0]}, but offers no class with that key",
            remedy="please report it to its author",
        )

    def _import(self, provider: Provider) -> Any:
        try:
            module = importlib.import_module(provider.module)
        except Exception as error:  # any failure of foreign code is this plugin's own
            raise PluginLoadError(
                f"{provider} cannot be imported", why=f"{type(error).__name__}: {error}",
                remedy=f"reinstall {provider.distribution}, or report it to its author",
            ) from error  # fmt: skip
        if not self._pluggy.has_plugin(provider.module):
            self._pluggy.register(module, name=provider.module)
            self._check_hooks(str(provider))
        return module

    def _check_hooks(self, who: str) -> None:
        try:
            self._pluggy.check_pending()
        except pluggy.PluginValidationError as error:
            self._pluggy.unregister(error.plugin)
            raise PluginLoadError(f"{who} implements a hook that does not exist", why=str(error)) from error

    def _offered(self, plugin: object, hook: str, provider: Provider | None = None) -> Iterable[type[Any]]:
        implementation = getattr(plugin, hook, None)
        if implementation is None:
            return []
        try:
            return list(implementation())
        except Exception as error:
            raise PluginLoadError(
                f"{provider or plugin}: {hook} failed", why=f"{type(error).__name__}: {error}"
            ) from error

    def _unknown(self, kind: str, key: str, what: str) -> UnknownKey:
        package = PUBLISHED[kind].get(key)
        if package is None and kind == "engine":
            package = next((p for k, p in PUBLISHED[kind].items() if key in k.split(".", 1)), None)
        if package:
            return UnknownKey(what, remedy=f"install {package}: pip install {package}")
        near = difflib.get_close_matches(key, [*self.keys(kind), *PUBLISHED[kind]], n=3)
        remedy = (
            f"did you mean {' or '.join(repr(n) for n in near)}?"
            if near
            else "see `wfx plugins list` for what is installed"
        )
        return UnknownKey(what, remedy=remedy)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
