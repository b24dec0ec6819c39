"""`wfx export` and `wfx check`: hand a crate on, and see that it is valid."""

from __future__ import annotations

from pathlib import Path

import click

from wfx.cli.shared import common, open_session, print_json
from wfx.errors import DefinitionError, MachineError


@click.command()
@click.argument("run")
@click.option("--form", default="zip", show_default=True, help="What to make: zip, or another exporter's key.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder to write; it must not exist.")
@common
def export(run: str, form: str, output: Path | None, as_json: bool, level: int) -> None:
    """Pack the crate of RUN (an id, a name, or a directory) to hand it on. What is in .wfx/ is never part of it."""
    from wfx.exporting import pack
    from wfx.runs import Register

    with open_session(level=level) as (session, _):
        crate = Register(session.directories.state).find(run).directory
        exporter = session.plugins.exporter(form)()
        target = output or Path.cwd() / f"{crate.resolve().name}{exporter.suffix}"
        if target.exists() or target.is_symlink():
            raise MachineError("there is something already", where=str(target), remedy="name another place with -o")
        written = pack(exporter, crate, target)
    if as_json:
        print_json({"crate": str(crate), "form": form, "path": str(written)})
    else:
        click.echo(str(written))


@click.command()
@click.argument("crate")
@click.option("--strict", is_flag=True, help="Count warnings (missed recommendations) as faults.")
@common
def check(crate: str, strict: bool, as_json: bool, level: int) -> int:
    """Check that CRATE (a directory or its metadata file, a zip, or a run) is a valid RO-Crate.

    The structure, the files with their sizes and digests, and the rules of the profiles are looked at; where
    roc-validator is installed its checks are run too.
    """
    from wfx.runs import Register

    with open_session(level=level) as (session, _):
        path = Path(crate)
        if not path.exists():
            path = Register(session.directories.state).find(crate).directory
        if path.name == "ro-crate-metadata.json":
            path = path.parent
        findings = session.plugins.exporter("ro-crate")().check(path)
    faults = [f for f in findings if f.severity == "error" or (strict and f.severity == "warning")]
    if as_json:
        print_json({"crate": str(path), "valid": not faults, "findings": findings})
    else:
        for finding in findings:
            if finding.severity != "note" or level > 0:
                where = f"{finding.where}: " if finding.where else ""
                click.echo(f"{finding.severity}: {where}{finding.message} [{finding.code}]")
        warnings = sum(1 for f in findings if f.severity == "warning")
        click.echo(
            f"{'not valid' if faults else 'valid'}: {_count(len(faults), 'error')}, {_count(warnings, 'warning')}"
        )
    return DefinitionError.exit_code if faults else 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
