"""Notebooks need a program to run them, which is missed before anything is run and not when their turn comes."""

from __future__ import annotations

import shutil
from typing import Any

from .problems import Broken, Places

RUNNERS = ("papermill", "jupyter-nbconvert")
"""Either will do (snakemake.notebook)."""


def need_their_program(workflow: Any, places: Places, containers: bool) -> None:
    """Refuse to begin when a notebook is to be run and nothing can run it."""
    if any(map(shutil.which, RUNNERS)):
        return
    for job in workflow.dag.needrun_jobs():
        if job.rule.notebook and not (containers and job.container_img_url):
            raise Broken(
                "engine", f"the rule '{job.rule.name}' runs a notebook, and no program for that is on PATH", places.entry,
                "Snakemake runs notebooks with papermill or jupyter-nbconvert",
                "pip install nbconvert ipykernel, in an environment whose programs are on PATH",
            )  # fmt: skip
