"""The archive of Nextflow's classes: made once, used by each start, and no harm where it does not fit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from wfx.engines import Installation
from wfx.provided import Kept
from wfx_nextflow import classes, programs

pytestmark = pytest.mark.real


def archive_of(program: programs.Program) -> Path:
    [word] = [word for word in program.command if word.startswith("-XX:SharedArchiveFile=")]
    return Path(word.partition("=")[2])


def start(command: list[str], cwd: Path) -> tuple[str, str]:
    """Return what Nextflow says of its version, and from where Java has loaded its classes."""
    loads = cwd / "loads.txt"
    words = [*command[:-3], f"-Xlog:class+load:file={loads}", *command[-3:], "-v"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "NXF_HOME": str(cwd / "nxf"), "NXF_OFFLINE": "true"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, loads.read_text()


def test_nextflow_starts_from_the_archive_that_lies_beside_it(installed: Kept, tmp_path: Path) -> None:
    program = programs.kept(installed.installation)
    archive = archive_of(program)
    assert archive.parent == installed.installation.folder.parent / ".classes"
    assert archive.parent in program.readable
    made = archive.stat().st_mtime_ns
    assert programs.kept(installed.installation) == program
    assert archive.stat().st_mtime_ns == made
    said, loads = start(list(program.command), tmp_path)
    assert installed.version in said
    assert "nextflow.cli.Launcher source: shared objects file (top)" in loads


def test_an_archive_that_does_not_fit_does_no_harm(installed: Kept, tmp_path: Path) -> None:
    program = programs.kept(installed.installation)
    other = tmp_path / "other.jsa"
    other.write_bytes(b"no archive" * 1000)
    command = [f"-XX:SharedArchiveFile={other}" if "Shared" in word else word for word in program.command]
    said, loads = start(command, tmp_path)
    assert said.startswith("nextflow version")
    assert "nextflow.cli.Launcher source: jar:file" in loads or "nextflow.cli.Launcher source: file" in loads


def test_where_none_can_be_made_nextflow_starts_without(installed: Kept, tmp_path: Path) -> None:
    java = programs.java_for(installed.version)
    folder = tmp_path / "engines/1.0"
    folder.mkdir(parents=True)
    nowhere = Installation("1.0", folder)
    command = (str(java), "-cp", str(folder), "nextflow.cli.Launcher")
    assert classes.options(nowhere, java, command) == ()
    [marker] = (tmp_path / "engines/.classes").glob("*.jsa")
    assert marker.read_bytes() == b""
    assert classes.options(nowhere, java, ("/no/such/java", *command[1:])) == ()
    (tmp_path / "engines/.classes").chmod(0o555)
    assert classes.options(Installation("2.0", tmp_path / "engines/2.0"), Path("/no/java"), command) == ()
