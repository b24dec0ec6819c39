"""`wfx plugins`: what is installed, and what one plugin can do."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from wfx.cli.shared import common, print_json, print_table
from wfx.errors import UsageError
from wfx.plugins import KINDS, PluginManager
from wfx.records import encode


@click.group()
def plugins() -> None:
    """List and show the installed plugins."""


@plugins.command("list")
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="Only this kind.")
@common
def list_plugins(kind: str | None, as_json: bool, level: int) -> None:
    """List kind, key, distribution and version of every plugin, from metadata alone: nothing is imported."""
    found = [p for p in PluginManager().providers() if kind in (None, p.kind)]
    if as_json:
        print_json({"plugins": [encode(p) for p in found]})
        return
    print_table(("KIND", "KEY", "DISTRIBUTION", "VERSION"), [(p.kind, p.key, p.distribution, p.version) for p in found])


@plugins.command("show")
@click.argument("key")
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="Where several kinds have the key.")
@common
def show_plugin(key: str, kind: str | None, as_json: bool, level: int) -> None:
    """Import the plugin of a key and show what it says of itself."""
    manager = PluginManager()
    kinds = [k for k in KINDS if kind in (None, k) and key in manager.keys(k)]
    if len(kinds) > 1:
        raise UsageError(f"'{key}' is a key of several kinds: {', '.join(kinds)}", remedy="choose with --kind")
    chosen = kinds[0] if kinds else kind or ("engine" if "." in key else "fetcher")
    cls = manager.load(chosen, key)
    provider = manager.provider(chosen, key)
    shown: dict[str, Any] = {
        "kind": chosen,
        "key": key,
        "keys": list(cls.keys),
        "distribution": provider.distribution if provider else "",
        "version": provider.version if provider else "",
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "summary": (inspect.getdoc(cls) or "").partition("\n")[0],
        "shape": next((base.__name__ for base in cls.__mro__[1:] if base.__module__.startswith("wfx.")), ""),
    }
    capabilities = getattr(cls, "capabilities", None)
    if dataclasses.is_dataclass(capabilities):
        shown["capabilities"] = {
            f.name: encode(getattr(capabilities, f.name)) for f in dataclasses.fields(capabilities)
        }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for inner, item in value.items():
                click.echo(f"  {inner}: {_text(item)}")
        else:
            click.echo(f"{name}: {_text(value)}")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
