"""What the benchmarks of Nextflow share: the pinned version, kept aside, and a pipeline of a few tasks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pairs import program
from wfx import provided
from wfx.config import Directories
from wfx_nextflow import NextflowEngine, installing, programs

ENGINES = Directories.find().cache / "engines"
PIPELINE = Path(__file__).parent.parent / "plugins/nextflow/tests/pipelines/words"


def nextflow() -> list[str]:
    """Return the command of the pinned Nextflow, the same jars and Java that wfx starts."""
    program("java")
    kept = provided.install(ENGINES, NextflowEngine, installing.PINNED)
    # Nextflow's own launcher knows no archive of classes, with which wfx starts the same jars.
    return [
        word for word in programs.kept(kept.installation).command if not word.startswith(("-XX:Shared", "-Xs", "-Xl"))
    ]


def words(folder: Path, texts: int = 4) -> tuple[str, str]:
    """Write the pipeline and its inputs; return its path and the pattern of the inputs."""
    if not PIPELINE.is_dir():
        sys.exit("this benchmark needs the tests of wfx-nextflow beside it")
    shutil.copytree(PIPELINE, folder / "words")
    (folder / "texts").mkdir()
    for number in range(texts):
        (folder / f"texts/{number}.txt").write_text("the cat and the dog\n" * 1000)
    return str(folder / "words"), f"{folder}/texts/*.txt"


def ours(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment of wfx with the Nextflow that is kept."""
    return {**environment, "WFX_ENGINES_FOLDER": str(ENGINES)}


def bare(home: Path) -> dict[str, str]:
    """Return the environment of Nextflow alone."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "NXF_HOME": str(home / "nxf"), "NXF_OFFLINE": "true",
        "NXF_DISABLE_CHECK_LATEST": "true", "NXF_ANSI_LOG": "false", "NXF_PLUGINS_DEFAULT": "false",
    }  # fmt: skip
