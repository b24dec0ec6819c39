"""Nextflow for the tests: the pinned version, brought once and shared by all homes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx import provided
from wfx.config import Directories
from wfx.errors import WfxError
from wfx.testing.commands import WfxRun
from wfx.testing.requirements import require, require_program
from wfx_nextflow import NextflowEngine, installing, programs

PIPELINES = Path(__file__).with_name("pipelines")


@pytest.fixture(scope="session")
def engines() -> Path:
    """Where versions of engines are kept for all tests."""
    return Directories.find().cache / "engines"


@pytest.fixture(scope="session")
def installed(engines: Path) -> provided.Kept:
    """The pinned Nextflow, as wfx keeps it."""
    require_program("java", package="openjdk-17-jre-headless")
    try:
        return provided.install(engines, NextflowEngine, installing.PINNED)
    except WfxError as error:
        require(False, f"{error}; scripts/runtimes nextflow brings it")
        raise


@pytest.fixture(scope="session")
def nextflow(installed: provided.Kept) -> programs.Program:
    """The pinned Nextflow, as it is started."""
    return programs.kept(installed.installation)


@pytest.fixture
def wfx(tmp_path: Path, installed: provided.Kept, engines: Path) -> WfxRun:
    """`wfx` with a home of its own, and the Nextflow that all tests share."""
    wfx_run = WfxRun(tmp_path / "home", tmp_path)
    wfx_run.environment["WFX_ENGINES_FOLDER"] = str(engines)
    return wfx_run


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the pipelines."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(PIPELINES / name, tmp_path / name))

    return copy


@pytest.fixture
def bare(nextflow: programs.Program, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
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
