"""Rules that run notebooks."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from wfx.testing.requirements import require

pytestmark = pytest.mark.real

SNAKEFILE = """\
rule count:
    input: "lines.txt"
    output: "count.txt"
    log: notebook="executed.ipynb"
    notebook: "count.ipynb"
"""
CODE = """\
lines = open(snakemake.input[0]).read().splitlines()
print("found", len(lines))
open(snakemake.output[0], "w").write(f"{len(lines)}\\n")
"""


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "w"
    top.mkdir()
    (top / "Snakefile").write_text(SNAKEFILE)
    (top / "lines.txt").write_text("a\nb\n")
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": CODE}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": [cell], "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
    }  # fmt: skip
    (top / "count.ipynb").write_text(json.dumps(notebook))
    return top


def test_a_notebook_is_run_where_its_program_is_on_path(wfx, folder, outputs, record, tmp_path, monkeypatch):
    beside = str(Path(sys.executable).parent)
    there = shutil.which("jupyter-nbconvert", path=beside) is not None
    require(there, "jupyter-nbconvert is not installed (pip install nbconvert ipykernel)")
    monkeypatch.setenv("PATH", f"{beside}{os.pathsep}{os.environ['PATH']}")
    wfx("run", folder, "-o", "run")
    assert outputs(tmp_path / "run") == {"count.txt": b"2\n"}
    [event] = record(tmp_path / "run").events
    assert event.command == ("jupyter", "workflow/count.ipynb")
    # What it printed stands in the notebook as it was executed, which is the rule's log.
    assert "found 2" in (tmp_path / "run" / event.log).read_text()


def test_a_notebook_without_a_program_for_it_is_refused_before_anything_runs(wfx, folder, tmp_path, monkeypatch):
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("bash", "sh", "bwrap", "cat", "python3"):
        found = shutil.which(name)
        if found:
            (bare / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(bare))
    line = wfx("run", folder, check=6).stderr.strip().splitlines()[-1]
    assert "the rule 'count' runs a notebook" in line
    assert "jupyter-nbconvert" in line
