from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    return run_bare
