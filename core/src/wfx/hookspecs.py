"""The hooks: what a plugin package can offer. Each returns classes; the core chooses one by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from wfx.containers import ContainerFactory
    from wfx.engines import Engine
    from wfx.exporting import Exporter
    from wfx.fetching import Fetcher

PROJECT = "wfx"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def wfx_fetchers() -> list[type[Fetcher]]:  # type: ignore[empty-body]
    """Offer fetchers, which turn references into bytes, trees or better references.

    :return: the classes; their `keys` are the names of the package's entry points in the group `wfx.fetchers`.

    versionadded: 0.1
    """


@hookspec
def wfx_container_factories() -> list[type[ContainerFactory]]:  # type: ignore[empty-body]
    """Offer container factories, one for each runtime, which make a stored image usable by an engine.

    :return: the classes; their `keys` are the names of the entry points in the group `wfx.container_factories`.

    versionadded: 0.1
    """


@hookspec
def wfx_engines() -> list[type[Engine]]:  # type: ignore[empty-body]
    """Offer engines, each for one workflow language.

    :return: the classes; their `keys` (`LANGUAGE.ENGINE`) are the names of the entry points in `wfx.engines`.

    versionadded: 0.1
    """


@hookspec
def wfx_exporters() -> list[type[Exporter]]:  # type: ignore[empty-body]
    """Offer exporters, which describe a run or pack a finished crate.

    :return: the classes; their `keys` are the names of the entry points in the group `wfx.exporters`.

    versionadded: 0.1
    """
