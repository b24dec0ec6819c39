"""`wfx export` and `wfx check`: hand a crate on, and see that it is valid."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfx.cli.display import show_size
from wfx.cli.shared import common, open_session, print_json
from wfx.errors import DefinitionError, MachineError

if TYPE_CHECKING:
    from wfx.parcels import Parcel

MOST = 10


@click.command()
@click.argument("run")
@click.option(
    "--form",
    default="zip",
    show_default=True,
    help="What to make: zip, directory, bagit, bagit-zip, or another exporter's key.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="LIST",
    help="Leave these behind: inputs, outputs, logs, or one as inputs/NAME or outputs/NAME.",
)
@click.option(
    "--with",
    "including",
    multiple=True,
    metavar="LIST",
    help="Take these: images, which are left behind otherwise, or what --without leaves out with more.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder to write; it must not exist.")
@click.option("--dry-run", is_flag=True, help="Only say what would be packed and left out, with sizes.")
@common
def export(
    run: str, form: str, without: tuple[str, ...], including: tuple[str, ...], output: Path | None, dry_run: bool,
    as_json: bool, level: int,
) -> None:  # fmt: skip
    """Pack the crate of RUN (an id, a name, or a directory) to hand it on. What is in .wfx/ is never part of it.

    A run that is only staged is packed too, as a crate to be run. What is left out stays in the metadata as a reference
    with its size and digest. What the definition does not let be disclosed is always left out.
    """
    from wfx.exporting import exporter_of
    from wfx.parcels import make_parcel
    from wfx.runs import Register

    with open_session(level=level) as (session, display):
        crate = Register(session.directories.state).find(run).directory
        exporter = exporter_of(form, session)
        target = output or Path.cwd() / f"{crate.resolve().name}{exporter.suffix}"
        if not dry_run and (target.exists() or target.is_symlink()):
            raise MachineError("there is something already", where=str(target), remedy="name another place with -o")
        parcel = make_parcel(
            crate, exporter_of("ro-crate", session), session, without=_listed(without),
            including=_listed(including),
        )  # fmt: skip
        for line in parcel_lines(parcel):
            if not dry_run:
                display.note(line)
            elif not as_json:
                click.echo(line)
        if not dry_run:
            parcel.pack(exporter, target)
    if as_json:
        files = [m for m in parcel.members if not m.is_folder]
        print_json({
            "crate": str(crate), "form": form, "path": None if dry_run else str(target), "files": len(files),
            "bytes": parcel.size, "left_out": parcel.omissions,
        })  # fmt: skip
    elif not dry_run:
        click.echo(str(target))


def _listed(texts: tuple[str, ...]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def parcel_lines(parcel: Parcel) -> Iterator[str]:
    """Yield for people what is packed and what is left out, with sizes."""
    files = sum(1 for member in parcel.members if not member.is_folder)
    yield f"packing {files} files, {show_size(parcel.size)}"
    for why in dict.fromkeys(omission.why for omission in parcel.omissions):
        left = [omission for omission in parcel.omissions if omission.why == why]
        names = ", ".join(o.shown or o.path for o in left[:MOST]) + (
            f", and {len(left) - MOST} more" if len(left) > MOST else ""
        )
        yield f"left out, {show_size(sum(o.size for o in left))}: {names}. {why}"


@click.command()
@click.argument("crate")
@click.option("--strict", is_flag=True, help="Count warnings (missed recommendations) as faults.")
@common
def check(crate: str, strict: bool, as_json: bool, level: int) -> int:
    """Check that CRATE (a directory or its metadata file, a zip, or a run) is a valid RO-Crate.

    The structure, the files with their sizes and digests, and the rules of the profiles are looked at; where
    roc-validator is installed its checks are run too. A bag is held to its manifests.
    """
    from wfx.exporting import exporter_of
    from wfx.runs import Register

    with open_session(level=level) as (session, _):
        path = Path(crate)
        if not path.exists():
            path = Register(session.directories.state).find(crate).directory
        if path.name == "ro-crate-metadata.json":
            path = path.parent
        findings = exporter_of("ro-crate", session).check(path)
        if _is_bag(path) and "bagit" in session.plugins.keys("exporter"):
            findings += exporter_of("bagit", session).check(path)
    faults = [f for f in findings if f.severity == "error" or (strict and f.severity == "warning")]
    if as_json:
        print_json({"crate": str(path), "valid": not faults, "findings": findings})
    else:
        for finding in findings:
            if finding.severity != "note" or level > 0:
                where = f"{finding.where}: " if finding.where else ""
                clause = f" ({finding.clause})" if finding.clause else ""
                click.echo(f"{finding.severity}: {where}{finding.message}{clause} [{finding.code}]")
        warnings = sum(1 for f in findings if f.severity == "warning")
        click.echo(
            f"{'not valid' if faults else 'valid'}: {_count(len(faults), 'error')}, {_count(warnings, 'warning')}"
        )
    return DefinitionError.exit_code if faults else 0


def _is_bag(path: Path) -> bool:
    if path.is_dir():
        return (path / "bagit.txt").is_file()
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(
            name == "bagit.txt" or (name.endswith("/bagit.txt") and name.count("/") == 1) for name in archive.namelist()
        )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
