"""Nextflow for the tests: the pinned version, brought once and shared by all homes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import WfxError
from wfx.testing.commands import WfxRun
from wfx.testing.requirements import require, require_program
from wfx_nextflow import installing

PIPELINES = Path(__file__).with_name("pipelines")


@pytest.fixture(scope="session")
def nextflow() -> installing.Installation:
    """The pinned Nextflow."""
    require_program("java", package="openjdk-17-jre-headless")
    try:
        return installing.of_version(installing.PINNED, offline=shutil.which("mvn") is None)
    except WfxError as error:
        require(False, f"{error}; scripts/runtimes nextflow brings it")
        raise


@pytest.fixture
def wfx(tmp_path: Path, nextflow: installing.Installation) -> WfxRun:
    """`wfx` with a home of its own that has Nextflow already."""
    wfx_run = WfxRun(tmp_path / "home", tmp_path)
    engines = wfx_run.home / "cache" / "engines"
    engines.mkdir(parents=True, exist_ok=True)
    (engines / "nextflow").symlink_to(installing.folder(), target_is_directory=True)
    return wfx_run


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the pipelines."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(PIPELINES / name, tmp_path / name))

    return copy


@pytest.fixture
def bare(nextflow: installing.Installation, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Nextflow itself, without wfx."""

    def run(pipeline: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
        cwd = tmp_path / "bare"
        cwd.mkdir(exist_ok=True)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "NXF_HOME": str(cwd / "nxf"), "NXF_OFFLINE": "true"}
        return subprocess.run(
            [*nextflow.command, "run", str(pipeline), "-ansi-log", "false", *map(str, arguments)], cwd=cwd,
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run
