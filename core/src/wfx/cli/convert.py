"""`wfx convert`: write a definition of wfx from a stage definition of WfExS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from wfx.cli.shared import common, open_session, print_json
from wfx.errors import InputError, MachineError, UsageError


@click.command()
@click.argument("stage", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write the definition; else it is printed."
)
@click.option(
    "--security-context", type=click.Path(path_type=Path), metavar="FILE",
    help="The file of its security contexts; their credentials go into a file of their own.",
)  # fmt: skip
@click.option(
    "--credentials", type=click.Path(path_type=Path), metavar="FILE",
    help="Where to write those credentials, readable by you alone.",
)  # fmt: skip
@common
def convert(
    stage: Path, output: Path | None, security_context: Path | None, credentials: Path | None, as_json: bool, level: int
) -> None:
    """Write a definition file from STAGE, a stage definition of WfExS.

    What has no counterpart is said in comments at its head. The tables of credentials belong in credentials.toml of the
    configuration; none of their values stands in the definition.
    """
    from wfx.wfexs import stages
    from wfx.wfexs.contexts import read_contexts
    from wfx.wfexs.places import places_of

    if (security_context is None) != (credentials is None):
        raise UsageError("--security-context and --credentials belong together")
    with open_session(level=level) as (session, _):
        converted = stages.convert(_read(stage), str(stage))
        notes = list(converted.notes)
        if security_context is not None and credentials is not None:
            tables, more = read_contexts(_read(security_context), str(security_context), converted.contexts)
            notes += more
            _write(credentials, _toml(tables), secret=True)
        places = places_of(converted.definition, session)
        text = _yaml(converted.definition, notes)
        if output is not None:
            _write(output, text)
    if as_json:
        print_json({
            "definition": converted.definition, "notes": notes, "references": places,
            "output": str(output) if output else None,
        })  # fmt: skip
        return
    for place in places if level >= 0 else ():
        by = f"by {place.plugin}" if place.plugin else "by no plugin that is installed"
        click.echo(f"fetched {by}: {place.parameter}: {place.reference}", err=True)
    if output is None:
        click.echo(text, nl=False)
    elif level >= 0:
        for note in notes:
            click.echo(f"note: {note}", err=True)
        click.echo(f"written: {output}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"no such file: {path}") from error
    except OSError as error:
        raise MachineError.of(error) from error


def _write(path: Path, text: str, *, secret: bool = False) -> None:
    """Write a new file; one that is there is somebody's."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already", remedy="name another file, or remove it") from error
    except OSError as error:
        raise MachineError.of(error) from error


def _yaml(definition: dict[str, Any], notes: list[str]) -> str:
    import yaml

    comments = "".join(f"# {' '.join(note.split())}\n" for note in notes)
    return comments + str(yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=120))


def _toml(tables: dict[str, dict[str, str]]) -> str:
    import json

    # A basic string of TOML 1.0 is written as one of JSON.
    lines: list[str] = []
    for prefix, table in tables.items():
        lines.append(f"[{json.dumps(prefix)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)
