"""Diagnosis of plugins: what is wrong with each, found by metadata, by import, and by trying what it drives.

Nothing here raises because of a plugin: what is found is returned, one plugin's fault hides no other's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wfx.containers import FactoryContext
from wfx.errors import EngineError, PluginError, UnknownKey, WfxError
from wfx.installed import CORE, KINDS, Provider
from wfx.plugins import PluginManager
from wfx.versions import normal_name

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """`engine cwl.cwltool`, `WFX_PLUGINS`."""
    state: State
    """`ok`; `missing`: something does not work without it; `note`."""
    text: str
    remedy: str = ""
    distribution: str = ""
    version: str = ""


def check(manager: PluginManager, names: Sequence[str] = ()) -> list[Finding]:
    """Import plugins and look whether they keep to the rules; `names` are distributions or keys, empty: all.

    Raises UnknownKey for a name that is neither.
    """
    chosen = [p for p in manager.providers() if not names or _named(p, names)]
    for name in names:
        if not any(_named(provider, [name]) for provider in chosen):
            raise UnknownKey(
                f"no installed plugin has the distribution or key '{name}'", remedy="see `wfx plugins list`"
            )
    return [finding for provider in chosen for finding in _check_one(manager, provider)]


def doctor(
    manager: PluginManager, settings: Callable[[str], Mapping[str, Any]] = lambda section: {}
) -> Iterator[Finding]:
    """Yield what is found about everything installed: conflicts, broken plugins, missing engines and runtimes.

    `settings` returns a section of the configuration, `engine.cwl.cwltool`.
    """
    installed = manager.installed()
    for name, why in installed.unreadable:
        yield Finding(name, "note", f"its metadata cannot be read: {why}", "reinstall it")
    if manager.by_environment:
        yield from _restricted(manager)
    for provider in manager.providers():
        yield _try(manager, provider, settings)
    for kind, remedy in (
        ("engine", "pip install wfx-cwl"),
        ("fetcher", "pip install wfx-file wfx-http wfx-git"),
        ("exporter", "pip install wfx-ro-crate"),
    ):
        if not manager.keys(kind):
            yield Finding(f"{kind}s", "missing", f"no {kind} is installed", remedy)


def _named(provider: Provider, names: Sequence[str]) -> bool:
    return any(name == provider.key or normal_name(name) == normal_name(provider.distribution) for name in names)


def _finding(provider: Provider, state: State, text: str, remedy: str = "") -> Finding:
    return Finding(f"{provider.kind} {provider.key}", state, text, remedy, provider.distribution, provider.version)


def _broken(provider: Provider, error: WfxError) -> Finding:
    text = error.what + (f": {error.why}" if error.why else "")
    return _finding(provider, "missing", text, error.remedy or "")


def _check_one(manager: PluginManager, provider: Provider) -> Iterator[Finding]:
    objection = manager.objection(provider)
    if objection is not None:
        yield _broken(provider, objection)
        return
    if not provider.requires:
        yield _finding(
            provider,
            "note",
            f"{provider} does not say which {CORE} it needs",
            f'add "{CORE}>=X,<Y" to its dependencies',
        )
    try:
        offered = manager.offers(provider)
        cls = manager.load(provider.kind, provider.key)
    except PluginError as error:
        yield _broken(provider, error)
        return
    undeclared = sorted(set(offered) - set(_declared(manager, provider)))
    if undeclared:
        yield _finding(
            provider, "missing", f"{provider} offers {', '.join(map(repr, undeclared))} without an entry point for it",
            f"its author adds it to {KINDS[provider.kind][0]}",
        )  # fmt: skip
    if provider.kind == "engine":
        yield from _check_engine(provider, cls)
    if not inspect.getdoc(cls):
        yield _finding(provider, "note", f"{cls.__qualname__} says nothing of itself", "give it a docstring")
    yield _finding(provider, "ok", f"{provider}: {cls.__module__}.{cls.__qualname__}")


def _declared(manager: PluginManager, provider: Provider) -> Iterator[str]:
    for other in manager.providers():
        if (other.kind, other.distribution) == (provider.kind, provider.distribution):
            yield other.key


def _check_engine(provider: Provider, cls: type[Any]) -> Iterator[Finding]:
    language = getattr(getattr(cls, "capabilities", None), "language", None)
    if language is None:
        yield _finding(provider, "missing", f"{cls.__qualname__} has no capabilities", "see wfx.engines")
    elif provider.key.partition(".")[0] != language or "." not in provider.key:
        yield _finding(
            provider, "missing", f"its key is not {language}.ENGINE, as its capabilities say",
            "a key is LANGUAGE.ENGINE",
        )  # fmt: skip


def _restricted(manager: PluginManager) -> Iterator[Finding]:
    names = manager.restrict or ()
    yield Finding("WFX_PLUGINS", "note", f"only these are looked at: {', '.join(names) or 'none'}")
    for name in names:
        if normal_name(name) not in manager.installed().names:
            yield Finding("WFX_PLUGINS", "missing", f"it names {name}, which has no plugin installed here")


def _try(manager: PluginManager, provider: Provider, settings: Callable[[str], Mapping[str, Any]]) -> Finding:
    """Load a plugin, and ask what it drives for its version."""
    objection = manager.objection(provider)
    if objection is not None:
        return _broken(provider, objection)
    try:
        cls = manager.load(provider.kind, provider.key)
        if provider.kind == "engine":
            version = cls(_Bare(settings(f"engine.{cls.keys[0]}"))).version()
            return _finding(provider, "ok", f"{cls.capabilities.name} {version} ({provider})")
        if provider.kind == "container-factory":
            context = FactoryContext(settings=settings(f"container.{provider.key}"))
            answer = cls(context).available()
            if not answer.version:
                return _finding(provider, "note", f"{answer.problem} ({provider})", answer.remedy)
            return _finding(provider, "ok", f"{provider.key} {answer.version} ({provider})")
    except EngineError as error:
        usual = cls.capabilities.provides
        if not usual:
            return _broken(provider, error)
        text = f"{error}; wfx provides {usual} when a workflow needs it"
        return _finding(provider, "note", text, f"wfx engines install {provider.key.partition('.')[2]}")
    except WfxError as error:
        return _broken(provider, error)
    except Exception as error:  # noqa: BLE001 (a stranger's code; what it does wrong is what is looked for)
        return _finding(
            provider, "missing", f"{provider} failed: {type(error).__name__}: {error}", "please report it to its author"
        )
    return _finding(provider, "ok", str(provider))


@dataclass(frozen=True, slots=True)
class _Bare:
    """A host for the methods of an engine that start no process."""

    settings: Mapping[str, Any]
    offline: bool = True
    installation: None = None
