"""Real workflows of others: the same outputs as from cwltool alone."""

from __future__ import annotations

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
