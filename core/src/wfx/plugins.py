"""The plugin manager: from a key to a class, importing nothing but the plugin that has the key.

What is installed is read once and as metadata (`wfx.installed`). A broken plugin is met only by whoever asks for its
key, and every way in which one can be broken has a message that names its distribution and version.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pluggy

from wfx import __version__, hookspecs
from wfx.errors import DuplicateKey, PluginError, PluginLoadError, UnknownKey
from wfx.installed import CORE, KINDS, Installed, Provider, scan
from wfx.published import PUBLISHED
from wfx.versions import normal_name

if TYPE_CHECKING:
    from wfx.containers import ContainerFactory
    from wfx.engines import Engine
    from wfx.exporting import Exporter
    from wfx.fetching import Fetcher
    from wfx.references import Reference

__all__ = ["KINDS", "PUBLISHED", "PluginManager", "Provider", "blame"]

# Kind → where its interface is, so that a class can be checked against it without importing all four.
INTERFACES = {
    "fetcher": ("wfx.fetching", "Fetcher"),
    "container-factory": ("wfx.containers", "ContainerFactory"),
    "engine": ("wfx.engines", "Engine"),
    "exporter": ("wfx.exporting", "Exporter"),
}
FALLBACK = "*"

T = TypeVar("T")


class PluginManager:
    """Finds, loads and hands out plugins. Make one a process; tests make their own and `register` fakes."""

    def __init__(self, restrict: Sequence[str] | None = None) -> None:
        """Take the names of the distributions to look at; None means all, or `WFX_PLUGINS` (empty means none)."""
        self.by_environment = restrict is None and "WFX_PLUGINS" in os.environ
        if self.by_environment:
            restrict = [name.strip() for name in os.environ["WFX_PLUGINS"].split(",") if name.strip()]
        self.restrict = None if restrict is None else tuple(restrict)
        self._installed: Installed | None = None
        self._classes: dict[tuple[str, str], type[Any]] = {}
        self._lock = threading.RLock()
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(hookspecs)

    # -- typed look-ups

    def fetcher(self, reference: Reference) -> type[Fetcher]:
        """Return the most specific fetcher: `SCHEME://HOST`, then `SCHEME`, then the fallback `*`."""
        return self.fetchers(reference)[0]

    def fetchers(self, reference: Reference) -> Sequence[type[Fetcher]]:
        """Return all fetchers that claim a reference, the most specific first, each loaded when it is taken.

        The fallback `*` is asked only for schemes that nobody claims. Raises UnknownKey where there is none.
        """
        keys = self._fetcher_keys(reference)
        if not keys:
            raise self.unknown("fetcher", reference.scheme, f"no fetcher for '{reference.scheme}:' references")
        return _Loading(keys, lambda key: self._load("fetcher", key))

    def fetcher_provider(self, reference: Reference) -> Provider | None:
        """Return who has the most specific fetcher; None where nobody has one, or a test registered it."""
        keys = self._fetcher_keys(reference)
        return self.provider("fetcher", keys[0]) if keys else None

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
        return sorted({*registered, *(key for k, key in self.installed().providers if k == kind)})

    def providers(self) -> list[Provider]:
        """Return everything installed, from metadata alone, sorted by kind and key."""
        return sorted(
            (p for found in self.installed().providers.values() for p in found),
            key=lambda p: (p.kind, p.key, p.distribution),
        )

    def provider(self, kind: str, key: str) -> Provider | None:
        """Return who provides a key; None where a test registered it."""
        found = self.installed().providers.get((kind, key), [])
        return found[0] if found else None

    def load(self, kind: str, key: str) -> type[Any]:
        """Return the class of a key of any kind."""
        return self._load(kind, key)

    def register(self, plugin: object) -> None:
        """Take a plugin from memory: an object with hook implementations. Of two classes with one key the later wins."""
        with self._lock:
            name = self._register(plugin, None, "a registered plugin")
            for kind in KINDS:
                for cls in self._offered(name, kind, "a registered plugin"):
                    self._classes.update({(kind, key): cls for key in cls.keys})

    # -- for diagnosis

    def installed(self) -> Installed:
        """Return what the metadata tell, read once."""
        if self._installed is None:
            # Several threads may come at once: what they see is whole, and the same whoever of them reads it.
            self._installed = scan(self.restrict)
        return self._installed

    def objection(self, provider: Provider) -> PluginError | None:
        """Say why a plugin cannot be used, as far as metadata tell: a conflict, or another core; None where it can."""
        claims = self.installed().providers.get((provider.kind, provider.key), [])
        if len(claims) > 1:
            return _conflict(claims)
        if not provider.compatible:
            return PluginLoadError(
                f"{provider} does not go with this version of wfx",
                why=f"it asks for {CORE} {provider.requires}, and {CORE} {__version__} is installed",
                remedy=f"upgrade one of them: pip install --upgrade {CORE} {provider.distribution}",
            )
        return None

    def offers(self, provider: Provider) -> dict[str, type[Any]]:
        """Import a plugin and return its classes of the provider's kind by key. Raises PluginLoadError."""
        with self._lock:
            classes = self._offered(self._import(provider), provider.kind, str(provider))
        found: dict[str, type[Any]] = {}
        for cls in classes:
            for key in cls.keys:
                if found.setdefault(key, cls) is not cls:
                    raise DuplicateKey(
                        f"{provider} declares the {KINDS[provider.kind][2]} '{key}' twice",
                        why=f"in {found[key].__qualname__} and in {cls.__qualname__}",
                        remedy="please report it to its author",
                    )
        return found

    def unknown(self, kind: str, key: str, what: str) -> UnknownKey:
        """Return an error for a key that nobody has, with what to do: the package where it is one of ours, or near misses.

        For the fallback fetcher too, whose own library does not know a scheme either.
        """
        hidden = self.installed().left_out.get((kind, key))
        if hidden and self.by_environment:
            names = " and ".join(map(str, hidden))
            return UnknownKey(what, why=f"{names} has it, but WFX_PLUGINS leaves it out", remedy="unset WFX_PLUGINS")
        package = PUBLISHED[kind].get(key)
        if package is None and kind == "engine":
            package = next((p for k, p in PUBLISHED[kind].items() if key in k.split(".", 1)), None)
        if package:
            return UnknownKey(what, remedy=f"install {package}: pip install {package}")
        near = difflib.get_close_matches(key, sorted({*self.keys(kind), *PUBLISHED[kind]}), n=3)
        if near:
            return UnknownKey(what, remedy=f"did you mean {' or '.join(map(repr, near))}?")
        return UnknownKey(
            what,
            remedy="see `wfx plugins list` for what is installed and docs/plugins/ for the packages that are known",
        )

    # -- inside

    def _fetcher_keys(self, reference: Reference) -> list[str]:
        keys = [k for k in (f"{reference.scheme}://{reference.host}", reference.scheme) if self._has("fetcher", k)]
        if reference.scheme not in keys and self._has("fetcher", FALLBACK):
            keys.append(FALLBACK)
        return keys

    def _has(self, kind: str, key: str) -> bool:
        return (kind, key) in self._classes or (kind, key) in self.installed().providers

    def _load(self, kind: str, key: str) -> type[Any]:
        if (kind, key) in self._classes:
            return self._classes[kind, key]
        providers = self.installed().providers.get((kind, key))
        if not providers:
            raise self.unknown(kind, key, f"no {KINDS[kind][2]} '{key}' is installed")
        objection = self.objection(providers[0])
        if objection is not None:
            raise objection
        provider = providers[0]
        offered = self.offers(provider)
        if key not in offered:
            raise PluginLoadError(
                f"{provider} has the entry point '{key}' in {KINDS[kind][0]}, but offers no class with that key",
                why=f"its {KINDS[kind][1]} offers {', '.join(map(repr, sorted(offered))) or 'nothing'}",
                remedy="please report it to its author",
            )
        self._classes[kind, key] = offered[key]
        return offered[key]

    def _import(self, provider: Provider) -> str:
        """Import and register a plugin once; return its name in pluggy."""
        if self._pluggy.has_plugin(provider.module):
            return provider.module
        module, _, attribute = provider.module.partition(":")
        try:
            plugin: Any = importlib.import_module(module.strip())
            for part in filter(None, attribute.strip().split(".")):
                plugin = getattr(plugin, part)
        except (Exception, SystemExit) as error:  # any failure of foreign code is this plugin's own
            raise PluginLoadError(
                f"{provider} cannot be imported", why=f"{type(error).__name__}: {error}",
                remedy=f"reinstall {provider.distribution}, or report it to its author",
            ) from error  # fmt: skip
        return self._register(plugin, provider.module, str(provider))

    def _register(self, plugin: object, name: str | None, who: str) -> str:
        try:
            registered = self._pluggy.register(plugin, name=name)
            assert registered is not None
            self._pluggy.check_pending()
        except pluggy.PluginValidationError as error:
            # One with wrong arguments pluggy has thrown out itself, one with an unknown hook it keeps.
            if self._pluggy.is_registered(error.plugin):
                self._pluggy.unregister(error.plugin)
            raise _bad_hooks(who, error) from error
        return registered

    def _offered(self, name: str, kind: str, who: str) -> list[type[Any]]:
        """Call the hook of a registered plugin; return the classes, each looked at."""
        hook = KINDS[kind][1]
        mine = [h for h in getattr(self._pluggy.hook, hook).get_hookimpls() if h.plugin_name == name]
        if not mine and callable(getattr(self._pluggy.get_plugin(name), hook, None)):
            raise PluginLoadError(
                f"{who}: {hook} is not marked as a hook implementation", remedy="its author puts @wfx.hookimpl above it"
            )
        found: list[type[Any]] = []
        for implementation in mine:
            try:
                classes = list(implementation.function())
            except (Exception, SystemExit) as error:
                raise PluginLoadError(
                    f"{who}: {hook} failed", why=f"{type(error).__name__}: {error}",
                    remedy="please report it to its author",
                ) from error  # fmt: skip
            for cls in classes:
                _check_class(cls, kind, f"{who}: {hook}")
            found += classes
        return found


def blame(error: BaseException) -> PluginError | None:
    """Return an error that names the plugin in whose code an unexpected exception arose; None where in none's."""
    modules, traceback = [], error.__traceback__
    while traceback is not None:
        modules.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    providers = {p.module.partition(":")[0]: p for claims in scan().providers.values() for p in claims}
    for name in reversed(modules):
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            provider = providers.get(".".join(parts[:length]))
            if provider is not None:
                return PluginError(
                    f"{provider} failed",
                    why=f"{type(error).__name__}: {error}",
                    remedy="please report it to its author",
                )
    return None


class _Loading(Sequence[T]):
    """Classes by their keys, each loaded when it is first taken: a fallback is not imported to be passed over."""

    def __init__(self, keys: Sequence[str], load: Callable[[str], T]) -> None:
        self._keys, self._load = keys, load

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return _Loading(self._keys[index], self._load)
        return self._load(self._keys[index])

    def __len__(self) -> int:
        return len(self._keys)


def _conflict(claims: Sequence[Provider]) -> DuplicateKey:
    kind, key = KINDS[claims[0].kind][2], claims[0].key
    if len({normal_name(claim.distribution) for claim in claims}) == 1:
        return DuplicateKey(
            f"{claims[0]} declares the {kind} '{key}' twice", why=f"in {' and in '.join(c.module for c in claims)}",
            remedy="please report it to its author",
        )  # fmt: skip
    return DuplicateKey(
        f"{kind} '{key}' is claimed by {' and by '.join(map(str, claims))}",
        remedy="uninstall one, or set WFX_PLUGINS to the distributions to use",
    )


def _bad_hooks(who: str, error: pluggy.PluginValidationError) -> PluginLoadError:
    """Say what is wrong with a plugin's hook implementations, and which hook was meant."""
    names = [name for name in dir(error.plugin) if name.startswith("wfx_")]
    hooks = [hook for _, hook, _ in KINDS.values()]
    for name in names:
        if name not in hooks and repr(name) in str(error):
            near = difflib.get_close_matches(name, hooks, n=1)
            remedy = f"did its author mean '{near[0]}'?" if near else f"the hooks are {', '.join(hooks)}"
            return PluginLoadError(f"{who} implements a hook that does not exist: {name}", remedy=remedy)
    return PluginLoadError(
        f"{who} implements a hook in a wrong way", why=str(error), remedy="please report it to its author"
    )


def _check_class(cls: object, kind: str, who: str) -> None:
    """Look that what a hook offers is a class that follows the kind's interface. Raises PluginLoadError."""
    module, name = INTERFACES[kind]
    interface = getattr(importlib.import_module(module), name)
    remedy = "please report it to its author"
    if not inspect.isclass(cls):
        raise PluginLoadError(f"{who} offers {cls!r}, which is no class", remedy=remedy)
    if not issubclass(cls, interface):
        raise PluginLoadError(f"{who} offers {cls.__qualname__}, which is no {module}.{name}", remedy=remedy)
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise PluginLoadError(f"{who} offers {cls.__qualname__}, which lacks {missing}", remedy=remedy)
    keys = getattr(cls, "keys", ())
    if not isinstance(keys, tuple) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise PluginLoadError(
            f"{who} offers {cls.__qualname__}, whose keys are {keys!r}",
            why="a tuple of at least one text is expected", remedy=remedy,
        )  # fmt: skip
