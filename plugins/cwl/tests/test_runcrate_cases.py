"""Real workflows of others: the same outputs as from cwltool alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.requirements import require

CASES = Path(__file__).parents[4] / "shared/cases/cwl/runcrate"
# name: main document, job file
WORKFLOWS = {
    "conditional_wf": ("revsortlcase.cwl", "revsortlcase-job.yml"),
    "dirarray": ("wf.cwl", "params.yml"),
    "greprevgrep": ("greprevgrep.cwl", "params.yml"),
    "grepsort": ("grepsort.cwl", "params.yml"),
    "grepucase": ("grepucase.cwl", "grepucase-job.yml"),
    "multioutputsource": ("wf.cwl", "params.yml"),
    "multisource": ("wf.cwl", "params.yml"),
    "revsort_inline": ("revsort.cwl", "params.yml"),
    "revsortlcase": ("revsortlcase.cwl", "revsortlcase-job.yml"),
    "step_valuefrom": ("wf.cwl", "params.yml"),
    "type_zoo": ("type_zoo.cwl", "type_zoo.yml"),
}

pytestmark = pytest.mark.real


def comparable(value: Any) -> Any:
    """Return an output with what says the same wherever it lies."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") in ("File", "Directory"):
        kept = ("class", "basename", "checksum", "size", "secondaryFiles", "listing")
        return {key: comparable(value[key]) for key in kept if value.get(key)}
    return {key: comparable(item) for key, item in value.items()}


@pytest.fixture(scope="session")
def bare_results(bare: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Any]]:
    """Start cwltool alone on all of them, two at a time; each test waits for its own."""
    require(CASES.is_dir(), "the cases of runcrate are not there")
    pool = ThreadPoolExecutor(2)
    return {
        name: pool.submit(bare, document, job, CASES / name, tmp_path_factory.mktemp(name))
        for name, (document, job) in WORKFLOWS.items()
    }


@pytest.mark.parametrize("name", WORKFLOWS)
def test_outputs_are_those_of_cwltool_alone(name: str, bench: Any, bare_results: dict[str, Future[Any]]) -> None:
    document, job = WORKFLOWS[name]
    case = bench.case(CASES / name, document)
    values = case.engine.read_inputs((CASES / name / job).read_bytes(), job)
    ran = case.run(values, base=CASES / name)
    assert ran.result.status == "completed", ran.result.error
    code, outputs, errors = bare_results[name].result()
    assert code == 0, errors
    assert comparable(ran.outputs) == comparable(outputs)


def test_steps_that_a_condition_leaves_out_are_told_as_skipped(bench: Any) -> None:
    require(CASES.is_dir(), "the cases of runcrate are not there")
    folder = CASES / "conditional_wf"
    case = bench.case(folder, "revsortlcase.cwl")
    values = case.engine.read_inputs((folder / "revsortlcase-job.yml").read_bytes(), "job")
    ends = case.run(values, base=folder).ends
    assert {event.state for event in ends.values()} >= {"skipped", "completed"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_command_gives_the_same_outputs(name: str, tmp_path: Path, bare_results: dict[str, Future[Any]]) -> None:
    document, job = WORKFLOWS[name]
    command = [sys.executable, "-m", "wfx", "run", document, job, "-o", str(tmp_path / "run"), "--json"]
    environment = os.environ | {"WFX_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        command, cwd=CASES / name, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["status"] == "completed"
    assert comparable(answer["outputs"]) == comparable(bare_results[name].result()[1])
    if name == "conditional_wf":
        assert {step["state"] for step in answer["steps"]} == {"completed", "skipped"}


def test_the_command_explains_a_failure_in_few_lines(tmp_path: Path) -> None:
    (tmp_path / "a.cwl").write_text(
        "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c, 'echo bad luck >&2; exit 3']\ninputs: []\noutputs: []\n"
    )
    command = [sys.executable, "-m", "wfx", "run", "a.cwl", "-o", str(tmp_path / "run")]
    environment = os.environ | {"WFX_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "bad luck" in done.stderr
    assert "exit code 3" in done.stderr
    assert "Traceback" not in done.stderr
