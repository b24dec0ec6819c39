from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wfx.rundirs import load_record
from wfx.running import RunRecord
from wfx.testing.commands import WfxRun

WORKFLOWS = Path(__file__).with_name("workflows")


@pytest.fixture
def workflow(tmp_path: Path):
    """Return a copy of one of the example workflows, to change."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(WORKFLOWS / name, tmp_path / name))

    return copy


def run_bare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake itself in a folder."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def bare():
    """Return a function that runs Snakemake itself in a folder."""
    return run_bare


@pytest.fixture(scope="session")
def outputs():
    """Return a function that gives a run's outputs by path."""
    return outputs_of


@pytest.fixture(scope="session")
def record():
    """Return a function that gives a run's record."""
    return record_of


@pytest.fixture
def wfx(tmp_path: Path) -> WfxRun:
    """Return the command line, with a home of its own, in the test's folder."""
    home = tmp_path / "wfx-home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(
        '[person]\nname = "Ann Example"\norcid = "0000-0002-1825-0097"\naffiliation = "Example Institute"\n'
        'affiliation_url = "https://ror.org/00x"\n[crate]\npublisher = "Example Institute"\n'
        'publisher_url = "https://ror.org/00x"\n'
    )
    return WfxRun(home, tmp_path)


def outputs_of(run: Path) -> dict[str, bytes]:
    """Return the files below `outputs/`, by their paths."""
    top = run / "outputs"
    return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}


def record_of(run: Path) -> RunRecord:
    """Return the record of a run."""
    return load_record(run, "record", RunRecord)
