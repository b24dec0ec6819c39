"""Every public crate at hand goes through inspect, check, and plan or run, with the class that is written here.

`runs`: it runs here, and compares with what it records. `refused CODE WORDS`: it is refused with this exit code, and
the reason has these words; with a language in place of `refused`, so where that language's engine is installed, and for
want of the engine elsewhere. The web is not asked, since not every machine has it: what a crate needs of it is named. A
crate that is not in the table is a failure of the test: what becomes of it has to be known.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.plugins import PluginManager
from wfx.testing.commands import WfxRun

pytestmark = pytest.mark.real

CASES = next((p / "shared/cases/crates" for p in Path(__file__).parents if (p / "shared/cases/crates").is_dir()), None)
NO_WORKFLOW = "refused 3 no main workflow"
GALAXY = "galaxy 0 "
TABLE = {
    "broken/missing_file": NO_WORKFLOW,
    "broken/no_graph": NO_WORKFLOW,
    "broken/no_metadata_entity": NO_WORKFLOW,
    "broken/no_root_entity": NO_WORKFLOW,
    "broken/not_json": "refused 3 it is not JSON",
    # It plans up to its image, which only a registry has.
    "cosifer-cwl_staged": "refused 4 tsenit/cosifer",
    # The workflow is not shipped; its repository and commit are stated.
    "cosifer-nxf_staged": "nextflow 4 github.com",
    "dirarray-run-1-crate": "runs",
    "fair-crcc-send-data": "refused 3 workflow/Snakefile is not in it",
    "five-safes/example-request/data": "refused 4 workflowhub.eu",
    "five-safes/example-request.bagit.zip": "refused 4 workflowhub.eu",
    "life-monitor/ro-crate-cwl-basefreqsum": "refused 3 'fasta_in' (File) is missing",
    "life-monitor/ro-crate-galaxy-sortchangecase": GALAXY,
    "nf-core-demo": "nextflow 3 main.nf is not in it",
    "parallel-accession-download": GALAXY,
    "ruby-arcp": NO_WORKFLOW,
    "ruby-crate-spec1.1": NO_WORKFLOW,
    "ruby-crate-spec1.2": NO_WORKFLOW,
    "ruby-crate-spec1.3": NO_WORKFLOW,
    "seek-zips/all_remote.crate.zip": GALAXY,
    "seek-zips/just-cwl-workflow.crate.zip": "refused 3 cwlVersion v1.2.0-dev2 is unknown",
    "seek-zips/missing-file.crate.zip": "refused 3 concat_two_files.ga is not in it",
    "type-zoo-run-1-crate": "runs",
    "wrroc-spec-0.5/process_run_crate/example1": NO_WORKFLOW,
    # Its author's own path is the default of an input.
    "wrroc-spec-0.5/provenance_run_crate/example3": "refused 8 file of this machine",
    "wrroc-spec-0.5/workflow_run_crate/example2": GALAXY,
}
# What `wfx check` finds wrong with each by our own rules; a crate of these that is valid would be news.
FAULTS = {
    "broken/missing_file": "descriptor-version missing root-datepublished root-description root-license root-name",
    "broken/no_graph": "graph",
    "broken/no_metadata_entity": "descriptor",
    "broken/no_root_entity": "descriptor-version root",
    "broken/not_json": "unreadable",
    "cosifer-cwl_staged": "main-action root-name",
    "cosifer-nxf_staged": "main-action missing root-name",
    "dirarray-run-1-crate": "root-description root-name",
    "fair-crcc-send-data": "missing root-description",
    "five-safes/example-request/data": "root-datepublished root-description root-license root-name",
    "five-safes/example-request.bagit.zip": "root-datepublished root-description root-license root-name",
    "life-monitor/ro-crate-cwl-basefreqsum": "root-datepublished",
    "life-monitor/ro-crate-galaxy-sortchangecase": "root-datepublished",
    "nf-core-demo": "missing",
    "parallel-accession-download": "root-description",
    "ruby-arcp": "root-description root-license root-name",
    "ruby-crate-spec1.1": "root-datepublished root-description root-license root-name",
    "ruby-crate-spec1.2": "root-datepublished root-description root-license root-name",
    "ruby-crate-spec1.3": "root-datepublished root-description root-license root-name",
    "seek-zips/all_remote.crate.zip": "root-datepublished root-description root-license root-name",
    "seek-zips/just-cwl-workflow.crate.zip": "root-datepublished root-description root-name size",
    "seek-zips/missing-file.crate.zip": "missing root-datepublished",
    "type-zoo-run-1-crate": "control root-description root-name workflow-tools",
    "wrroc-spec-0.5/process_run_crate/example1": "root-datepublished root-description",
    "wrroc-spec-0.5/provenance_run_crate/example3": "root-datepublished root-description root-license root-name",
    "wrroc-spec-0.5/workflow_run_crate/example2": "root-datepublished root-description root-name",
}
UNREADABLE = ("broken/not_json",)
UNREADABLE_VALIDATOR = 3


@pytest.fixture
def wfx_run(tmp_path: Path) -> WfxRun:
    return WfxRun(tmp_path / "home", tmp_path)


def place(name: str) -> Path:
    if CASES is None:
        pytest.skip("the public crates are not here (shared/cases/crates)")
    return CASES / name


def names() -> list[str]:
    """All crates but the validator's, which are metadata only and 377 of them."""
    assert CASES is not None
    found = {path.parent for path in CASES.rglob("ro-crate-metadata.json*")} | set(CASES.rglob("*.zip"))
    return sorted(p.relative_to(CASES).as_posix() for p in found if p.relative_to(CASES).parts[0] != "validator")


def test_the_table_has_every_crate() -> None:
    place("")
    assert sorted(TABLE) == sorted(FAULTS) == names()


@pytest.mark.parametrize("name", TABLE)
def test_inspect_and_check_have_a_word_on_it(wfx_run, name: str) -> None:
    crate = place(name)
    done = wfx_run.here("inspect", crate, "--json", check=None)
    assert done.exit_code == (3 if name in UNREADABLE else 0), done.stderr
    if done.exit_code == 0 and TABLE[name] != NO_WORKFLOW:
        assert done.json["workflow"]
        assert done.json["engine"] or "five-safes" in name
    checked = wfx_run.here("check", crate, "--json", check=None)
    assert checked.exit_code == (3 if FAULTS[name] else 0)
    found = {f["code"] for f in checked.json["findings"] if f["severity"] == "error" and f["code"].startswith("crate-")}
    assert found == {f"crate-{code}" for code in FAULTS[name].split()}
    assert all(f["clause"] for f in checked.json["findings"] if f["code"] in found - {"crate-unreadable"})


@pytest.mark.parametrize("name", TABLE)
def test_it_runs_or_plans_or_is_refused_with_the_reason(wfx_run, name: str) -> None:
    crate, expected = place(name), TABLE[name]
    if expected == "runs":
        done = wfx_run("rerun", crate, "--engine-version", "current", "-o", "out", "--json")
        assert done.json["comparison"]["reproduced"]
        assert all(output["verdict"] == "identical" for output in done.json["comparison"]["outputs"])
        return
    word, code, words = expected.split(" ", 2)
    if word != "refused":
        # The language's engine may be installed or not.
        if not any(key.startswith(f"{word}.") for key in PluginManager().keys("engine")):
            code, words = "6", "no engine for it is installed"
        elif code == "0":
            pytest.skip(f"the engine for {word} is installed: its own tests have its crates")
    done = wfx_run("plan", "--offline", crate, check=None)
    assert done.exit_code == int(code), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("wfx: ") for line in done.stderr.splitlines()) == 1


@pytest.mark.parametrize("test", ["test1", "test2"])
def test_base_frequencies_give_what_the_crate_expects(wfx_run, test: str) -> None:
    crate = place("life-monitor/ro-crate-cwl-basefreqsum")
    done = wfx_run("run", crate, crate / f"test/{test}/base_freq_sum_job.yml", "-o", test, "--json")
    made = Path(done.json["outputs"]["freqs_sum"]["path"]).read_text()
    assert made.split() == (crate / f"test/{test}/freqs_sum_exp.tsv").read_text().split()


def test_the_staged_crates_inputs_are_found_without_a_run(wfx_run) -> None:
    done = wfx_run("plan", place("cosifer-cwl_staged"), "--containers", "none", "--json", check=None)
    assert done.exit_code == 0, done.stderr
    plan = done.json
    assert plan["inputs"]["separator"] == ","
    assert plan["inputs"]["outdir"] == "output"
    [matrix] = plan["files"]
    assert matrix["expected"]["size"] == 98392


def test_the_validators_crates_are_all_read(wfx_run) -> None:
    if CASES is None:
        pytest.skip("the public crates are not here (shared/cases/crates)")
    refused = 0
    for path in sorted((CASES / "validator").rglob("ro-crate-metadata.json*")):
        done = wfx_run.here("inspect", path, "--json", check=None)
        assert done.exit_code in (0, 3), path
        refused += done.exit_code == 3
    assert refused == UNREADABLE_VALIDATOR
