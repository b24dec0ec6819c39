"""`wfx engines`: the engines that are found here, and the versions of them that wfx keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wfx.cli.display import show_size
from wfx.cli.shared import common, open_session, print_json, print_table
from wfx.errors import EngineError, PluginError, UsageError, WfxError
from wfx.records import encode

if TYPE_CHECKING:
    from wfx.engines import Engine
    from wfx.provided import Kept
    from wfx.session import Session


@click.group()
def engines() -> None:
    """List the engines that run workflows, install versions of them, and remove such versions.

    A workflow is run with the engine that is found on this machine, where its version fits; else with one that wfx
    keeps, which is brought when it is first needed, or by `wfx engines install`.
    """


@engines.command("list")
@click.option("--verify", is_flag=True, help="Read every file of what is kept, and compare it with its digest.")
@common
def list_engines(verify: bool, as_json: bool, level: int) -> int:
    """List the engines that are found on this machine, and the versions that wfx keeps."""
    with open_session(level=level) as (session, _):
        rows = [row for key in session.plugins.keys("engine") for row in _rows(key, session, verify)]
    broken = [row for row in rows if row["state"] == "broken"]
    if as_json:
        print_json({"ok": not broken, "engines": rows})
    else:
        shown = [(r["key"], r["version"] or "-", r["state"], show_size(r["size"]) if r["size"] else "-", r["where"])
                 for r in rows]  # fmt: skip
        print_table(("ENGINE", "VERSION", "STATE", "SIZE", "WHERE"), shown)
        for row in broken:
            click.echo(f"wfx: {row['problem']}", err=True)
    return PluginError.exit_code if broken else 0


def _rows(key: str, session: Session, verify: bool) -> list[dict[str, Any]]:
    from wfx import provided
    from wfx.choosing import found_version

    try:
        engine = session.plugins.engine(key)
    except PluginError as error:
        return [_row(key, "", "broken", problem=str(error))]
    try:
        rows = [_row(key, found_version(engine, session), "found")]
    except EngineError as error:
        rows = [_row(key, "", "not found", problem=str(error))]
    try:
        for each in provided.kept(provided.root_of(session), engine):
            try:
                (provided.verify if verify else provided.check)(each)
            except WfxError as error:
                rows.append(_row(key, each.version, "broken", each, problem=str(error)))
            else:
                rows.append(_row(key, each.version, "installed", each))
    except WfxError as error:
        rows.append(_row(key, "", "broken", problem=str(error)))
    return rows


def _row(key: str, version: str, state: str, kept: Kept | None = None, problem: str = "") -> dict[str, Any]:
    return {
        "key": key, "version": version, "state": state, "where": str(kept.folder) if kept else "this machine",
        "size": kept.size if kept else 0, "digest": kept.digest if kept else "", "created": kept.created if kept else "",
        "packages": [encode(package) for package in kept.packages] if kept else [], "problem": problem,
    }  # fmt: skip


@engines.command("install")
@click.argument("names", nargs=-1, required=True, metavar="NAME[@VERSION]...")
@common
def install_engines(names: tuple[str, ...], as_json: bool, level: int) -> None:
    """Install a version of an engine and keep it, with the digests of all its files.

    NAME is an engine's, as `wfx plugins list` has it: cwltool, snakemake, nextflow. Without @VERSION it is the one that
    wfx provides where nobody asks for another. Package clients bring it (pip, mvn), with their own settings.
    """
    from wfx import provided

    made = []
    with open_session(level=level) as (session, display):
        for name in names:
            engine, version = _named(name, session)
            made.append(
                provided.install(
                    provided.root_of(session), engine, version or _usual(engine), display.note if level >= 0 else _mute
                )
            )
    if as_json:
        print_json({"engines": made})
    elif level >= 0:
        for each in made:
            click.echo(f"{each.engine} {each.version}  {show_size(each.size)}  {each.folder}")


@engines.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME@VERSION...")
@common
def remove_engines(names: tuple[str, ...], as_json: bool, level: int) -> None:
    """Remove a version that wfx keeps; one that a run uses stays. @VERSION may be left out where there is only one."""
    from wfx import provided

    removed = []
    with open_session(level=level) as (session, _):
        root = provided.root_of(session)
        for name in names:
            engine, version = _named(name, session)
            here = [each.version for each in provided.kept(root, engine)] if not version else []
            if len(here) > 1:
                raise UsageError(
                    f"several versions of {name} are kept: {', '.join(here)}", remedy=f"write {name}@VERSION"
                )
            removed.append(provided.remove(root, engine, version or next(iter(here), "")))
    if as_json:
        print_json({"removed": removed})
    elif level >= 0:
        for each in removed:
            click.echo(f"{each.engine} {each.version}  {show_size(each.size)} freed")


def _named(text: str, session: Session) -> tuple[type[Engine], str]:
    """Return what `cwltool@3.1` names."""
    name, mark, version = text.partition("@")
    if mark and not version:
        raise UsageError(f"'{text}' names no version", remedy=f"write {name}@VERSION")
    return session.plugins.engine(name), version


def _usual(engine: type[Engine]) -> str:
    if not engine.capabilities.provides:
        raise EngineError(
            f"{engine.capabilities.name} cannot be provided by wfx", remedy="install it as its documentation says"
        )
    return engine.capabilities.provides


def _mute(text: str) -> None:
    """Say nothing."""
