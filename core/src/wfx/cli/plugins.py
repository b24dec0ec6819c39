"""`wfx plugins`: what is installed, what one plugin can do, what is wrong with it, and a new one's beginning."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfx.cli.shared import common, print_json, print_table
from wfx.errors import PluginError, UsageError
from wfx.installed import KINDS
from wfx.plugins import PluginManager
from wfx.records import encode

if TYPE_CHECKING:
    from wfx.diagnosis import Finding

kind_option = click.option("--kind", type=click.Choice(sorted(KINDS)), help="Only this kind.")


@click.group()
def plugins() -> None:
    """List, show and check the installed plugins, and begin a new one.

    WFX_PLUGINS=NAME,NAME restricts every command to the plugins of these distributions; empty, it means none.
    """


@plugins.command("list")
@kind_option
@common
def list_plugins(kind: str | None, as_json: bool, level: int) -> None:
    """List kind, key, distribution and version of every plugin, from metadata alone: nothing is imported."""
    manager = PluginManager()
    found = [(p, manager.objection(p)) for p in manager.providers() if kind in (None, p.kind)]
    if as_json:
        print_json({
            "plugins": [{**encode(p), "problem": None if problem is None else str(problem)} for p, problem in found]
        })  # fmt: skip
        return
    rows = [(p.kind, p.key, p.distribution, p.version) for p, _ in found]
    print_table(("KIND", "KEY", "DISTRIBUTION", "VERSION"), rows)
    # On stderr, so that a script reads rows alone; once for a conflict, which both sides have.
    for message in dict.fromkeys(str(problem) for _, problem in found if problem is not None):
        click.echo(f"wfx: {message}", err=True)


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
        "requires": provider.requires if provider else "",
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


@plugins.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@common
def check_plugins(names: tuple[str, ...], as_json: bool, level: int) -> int:
    """Import plugins and look whether they keep to the rules.

    NAME is a distribution or a key; without any, all are looked at. Made for authors: the contract classes of
    wfx.testing then test what a plugin does.
    """
    from wfx.diagnosis import check

    return _report(check(PluginManager(), names), as_json, level)


@plugins.command("doctor")
@common
def doctor_plugins(as_json: bool, level: int) -> int:
    """Look what is wrong with what is installed: conflicts, broken plugins, missing engines and runtimes."""
    from wfx.config import Config
    from wfx.diagnosis import doctor

    return _report(list(doctor(PluginManager(), Config.load().section)), as_json, level)


def _report(findings: Sequence[Finding], as_json: bool, level: int) -> int:
    good = all(finding.state != "missing" for finding in findings)
    if as_json:
        print_json({"ok": good, "findings": findings})
    else:
        for finding in findings:
            if level >= 0 or finding.state == "missing":
                click.echo(finding_line(finding))
    return 0 if good else PluginError.exit_code


def finding_line(finding: Finding) -> str:
    """Return a finding for people."""
    marks = {"ok": click.style("ok     ", fg="green"), "missing": click.style("missing", fg="red"), "note": "note   "}
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{marks[finding.state]}  {finding.subject}: {finding.text}{remedy}"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@plugins.command("new")
@click.argument("kind", type=click.Choice(["fetcher", "container-factory", "engine", "exporter"]))
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="Folder to make; it must not exist. Default: the name.")
@common
def new_plugin(kind: str, name: str, into: Path | None, as_json: bool, level: int) -> None:
    """Write a new plugin: a whole distribution that works, with its tests, to be changed into yours.

    NAME is the distribution's, and may leave out the wfx- before it: `wfx plugins new fetcher ipfs` makes wfx-ipfs.
    """
    from wfx.templates import write_plugin

    made = write_plugin(kind, name, into)
    if as_json:
        print_json(made)
        return
    click.echo(f"{made.folder}: {made.distribution}, with the {KINDS[kind][2]} '{made.key}'")
    if level >= 0:
        click.echo(f"try it:  pip install -e '{made.folder}[test]' && pytest {made.folder}")
