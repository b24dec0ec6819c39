"""Runs of the real engine, from the command line to a valid crate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wfx.testing.crates import validate
from wfx.testing.requirements import require

pytestmark = pytest.mark.real

RUNCRATE = next(
    (p / "shared/cases/cwl/runcrate" for p in Path(__file__).parents if (p / "shared/cases/cwl").is_dir()), None
)
CASES = {
    "conditional_wf": ("revsortlcase.cwl", "revsortlcase-job.yml"), "dirarray": ("wf.cwl", "params.yml"),
    "greprevgrep": ("greprevgrep.cwl", "params.yml"), "grepsort": ("grepsort.cwl", "params.yml"),
    "grepucase": ("grepucase.cwl", "grepucase-job.yml"), "multioutputsource": ("wf.cwl", "params.yml"),
    "multisource": ("wf.cwl", "params.yml"), "revsort_inline": ("revsort.cwl", "params.yml"),
    "revsortlcase": ("revsortlcase.cwl", "revsortlcase-job.yml"), "step_valuefrom": ("wf.cwl", "params.yml"),
    "type_zoo": ("type_zoo.cwl", "type_zoo.yml"),
}  # fmt: skip
LONE_TOOLS = {"type_zoo"}
PERSON = """\
[person]
name = "Ada Lovelace"
orcid = "0000-0002-1825-0097"
affiliation = "Analytical Society"
affiliation_url = "https://society.example/"
[crate]
licence = "CC-BY-4.0"
publisher = "Analytical Society"
publisher_url = "https://society.example/"
"""


def run(home: Path, workflow: Path, inputs: Path, into: Path) -> int:
    environment = {
        **os.environ, "WFX_HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
    }  # fmt: skip
    command = [sys.executable, "-m", "wfx", "run", str(workflow), str(inputs), "-o", str(into), "--json", "--trust"]
    return subprocess.run(
        command, env=environment, cwd=into.parent, capture_output=True, timeout=300, check=False
    ).returncode


@pytest.mark.parametrize("case", CASES)
def test_each_case_of_runcrate_ends_in_a_valid_crate(case: str, tmp_path: Path) -> None:
    require(RUNCRATE is not None, "the cases of runcrate are not here (shared/cases/cwl/runcrate)")
    assert RUNCRATE is not None
    (tmp_path / "home/config").mkdir(parents=True)
    (tmp_path / "home/config/config.toml").write_text(PERSON)
    workflow, inputs = CASES[case]
    crate = tmp_path / "crate"
    assert run(tmp_path / "home", RUNCRATE / case / workflow, RUNCRATE / case / inputs, crate) == 0
    profile = "workflow-run-crate" if case in LONE_TOOLS else "provenance-run-crate"
    assert validate(crate, profile, "RECOMMENDED") == []
    for name in ("ro-crate-metadata.json", "ro-crate-preview.html"):
        text = (crate / name).read_text("utf-8")
        assert str(tmp_path) not in text
        assert str(RUNCRATE) not in text


def test_a_failing_workflow_ends_in_a_valid_crate(tmp_path: Path) -> None:
    (tmp_path / "fail.cwl").write_text(
        json.dumps(
            {
                "cwlVersion": "v1.2",
                "class": "Workflow",
                "inputs": {},
                "outputs": {},
                "steps": {
                    "breaks": {
                        "in": {},
                        "out": [],
                        "run": {
                            "class": "CommandLineTool",
                            "baseCommand": ["sh", "-c", "echo no index >&2; exit 3"],
                            "inputs": {},
                            "outputs": {},
                        },
                    }
                },
            }
        )
    )
    (tmp_path / "job.json").write_text("{}")
    crate = tmp_path / "crate"
    assert run(tmp_path / "home", tmp_path / "fail.cwl", tmp_path / "job.json", crate) == 1
    assert validate(crate, "provenance-run-crate", "REQUIRED") == []
    assert "no index" in (crate / "ro-crate-preview.html").read_text("utf-8")
