"""Three workflows of real shape, run as a user does."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.processes import wait_until
from wfx.testing.repositories import make_repository

pytestmark = pytest.mark.real


def findings(crate):
    return [f for level in ("REQUIRED", "RECOMMENDED") for f in validate(crate, level=level) if f.code not in PERSONAL]


def ends(record):
    return {event.id: event for event in record.events}


def test_wildcards_and_config_give_what_snakemake_gives(wfx, workflow, bare, outputs, record, tmp_path):
    folder = workflow("words")
    wfx("run", folder, "-o", "run", "-i", "flag=-l")
    bare(folder, "--config", "flag=-l").check_returncode()
    names = ("results/counts/A.txt", "results/counts/B.txt", "results/total.txt")
    assert outputs(tmp_path / "run") == {name: (folder / name).read_bytes() for name in names}
    done = record(tmp_path / "run")
    assert done.plan.description.name == "Words of samples"
    assert done.plan.description.doc == "Counts the words of each sample, and of all of them."
    assert set(done.outputs) == {"count", "total"}
    events = ends(done)
    assert set(events) == {"count_A", "count_B", "total"}
    count = events["count_A"]
    assert (count.step, count.tool, count.exit_code) == ("count", "workflow/rules/count.smk#count", 0)
    assert count.command[:2] == ("bash", "-c")
    assert count.command[2].startswith("(wc -l < data/A.txt")
    assert count.inputs["sample"] == "A"
    assert count.inputs["input"]["location"] == "workflow/data/A.txt"
    assert count.outputs["output"]["checksum"].startswith("sha256$")
    assert {"wall_seconds", "cpu_seconds", "cores"} <= set(count.resources)
    assert (tmp_path / "run" / count.log).read_text() == "counted A\n"
    assert events["total"].command == ("python", "workflow/workflow/scripts/total.py")
    links = {(c.source, c.target) for c in done.plan.description.connections}
    assert links == {("count/output", "total/counts")}
    assert findings(tmp_path / "run") == []


def test_a_checkpoint_and_files_as_inputs(wfx, workflow, bare, outputs, record, tmp_path):
    folder = workflow("parts")
    (tmp_path / "text.txt").write_text("b\na\nc\n")
    wfx("run", folder / "workflow/Snakefile", "-o", "run", "-i", "text=text.txt", "--offline")
    bare(folder, "--config", f"text={tmp_path}/text.txt").check_returncode()
    expected = {
        "out/merged.txt": b"B\nA\nC\n", "parts/p.aa": b"b\n", "parts/p.ab": b"a\n", "parts/p.ac": b"c\n",
    }  # fmt: skip
    assert outputs(tmp_path / "run") == expected
    assert all((folder / name).read_bytes() == data for name, data in expected.items())
    done = record(tmp_path / "run")
    assert set(done.outputs) == {"merged", "parts"}
    assert done.outputs["parts"]["class"] == "Directory"
    assert {"split", "upper_aa", "upper_ab", "upper_ac", "merge"} == set(ends(done))
    assert ends(done)["split"].inputs["input"]["location"] == "inputs/text/text.txt"
    assert str(tmp_path) not in (tmp_path / "run/ro-crate-metadata.json").read_text()
    assert findings(tmp_path / "run") == []


def test_retries_temporary_and_protected_files(wfx, workflow, outputs, record, tmp_path):
    wfx("run", workflow("retries"), "-o", "run")
    run = tmp_path / "run"
    assert outputs(run) == {"out/kept.txt": b"begin\n", "out/page/index.html": b"begin\n"}
    assert not stat.S_IMODE((run / "outputs/out/kept.txt").stat().st_mode) & stat.S_IWUSR
    events = ends(record(run))
    assert {name: event.state for name, event in events.items()} == {
        "begin": "completed", "unsteady": "failed", "unsteady.try2": "completed", "keep": "completed", "page": "completed",
    }  # fmt: skip
    assert events["unsteady"].exit_code == 1
    assert events["unsteady"].error == "attempt 1"
    # A temporary file is gone, and what it was is known.
    assert events["begin"].outputs["output"]["size"] == 6
    assert findings(run) == []
    assert not (run / ".wfx/engine/work").exists()


def test_a_failing_rule_is_a_result_with_its_log(wfx, workflow, record, tmp_path):
    done = wfx("run", workflow("retries"), "-o", "run", "-i", "fail=true", check=1)
    assert "it is to fail" in done.stderr
    failed = record(tmp_path / "run")
    assert (failed.status, failed.exit_code) == ("failed", 3)
    assert "job 'keep' ended with exit code 3" in failed.error
    assert (tmp_path / "run" / ends(failed)["keep"].log).read_text() == "it is to fail\n"
    assert findings(tmp_path / "run") == []


def test_a_repository_at_a_tag_and_again_offline(wfx, workflow, outputs, record, tmp_path):
    folder = workflow("words")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    repository = make_repository(tmp_path / "words.git", files, tag="v1")
    reference = f"git+{repository.url}@v1"
    wfx("run", reference, "-o", "one")
    assert outputs(tmp_path / "one")["results/total.txt"] == b"5\n"
    done = record(tmp_path / "one")
    assert done.plan.workflow.revision == repository.head
    assert done.plan.workflow.entry == "workflow/Snakefile"
    (tmp_path / "words.git").rename(tmp_path / "gone.git")
    wfx("run", reference, "-o", "two", "--offline")
    assert outputs(tmp_path / "two") == outputs(tmp_path / "one")


def test_a_killed_run_goes_on_from_its_finished_jobs(wfx, workflow, outputs, record, tmp_path):
    folder = workflow("words")
    gate = tmp_path / "run/.wfx/engine/open"
    script = folder / "workflow/scripts/total.py"
    # The second attempt finds the gate open.
    script.write_text(
        f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\n" + script.read_text()
    )
    arguments = ("run", folder, "-o", "run", "--cores", "2")
    process = wfx.start(*arguments)
    journal = tmp_path / "run/.wfx/journal.jsonl"
    wait_until(lambda: journal.exists() and '"id":"total"' in journal.read_text().replace(" ", ""), "total begins", 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: str(gate) not in _commands() and "total.py" not in _commands(), "nothing is left running", 20)
    first = (tmp_path / "run/.wfx/engine/work/results/counts/A.txt").stat().st_mtime_ns
    gate.touch()
    wfx(*arguments, timeout=60)
    done = record(tmp_path / "run")
    events = ends(done)
    assert done.attempts == 2
    assert set(events) == {"count_A", "count_B", "total"}
    # What an earlier attempt has made is told as it happened then.
    assert (events["count_A"].state, events["count_A"].attempt) == ("completed", 1)
    assert (events["total"].state, events["total"].attempt) == ("completed", 2)
    assert (tmp_path / "run/outputs/results/counts/A.txt").stat().st_mtime_ns == first
    assert outputs(tmp_path / "run")["results/total.txt"] == b"5\n"
    assert findings(tmp_path / "run") == []
    began = time.monotonic()
    assert "completed" in wfx(*arguments).stdout + wfx(*arguments).stderr
    assert time.monotonic() - began < 10


def _commands() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_target_is_what_stands_after_the_hash(wfx, workflow, outputs, tmp_path):
    folder = workflow("words")
    wfx("run", f"{folder}#results/counts/B.txt", "-o", "run")
    assert set(outputs(tmp_path / "run")) == {"results/counts/B.txt"}
    wfx("run", f"{folder}#total", "-o", "other")
    assert set(outputs(tmp_path / "other")) == {"results/total.txt"}


def test_a_path_in_a_config_file_is_a_file_where_the_schema_says_so(wfx, workflow, outputs, record, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/text.txt").write_text("x\n")
    (tmp_path / "mine/config.yaml").write_text("text: text.txt\nlines: 2\n")
    wfx("run", workflow("parts"), "mine/config.yaml", "-o", "run")
    assert outputs(tmp_path / "run")["out/merged.txt"] == b"X\n"
    assert record(tmp_path / "run").plan.inputs["text"]["location"] == "inputs/text/text.txt"


def test_a_definition_names_targets(wfx, workflow, outputs, record, tmp_path):
    workflow("words")
    (tmp_path / "my.wfx.yml").write_text(
        "wfx: 1\nworkflow: words\noptions: {targets: total results/counts/B.txt, cores: 1}\n"
    )
    wfx("run", "my.wfx.yml", "-o", "run")
    assert set(outputs(tmp_path / "run")) == {"results/counts/B.txt", "results/total.txt"}
    assert record(tmp_path / "run").command[-2:] == ("total", "results/counts/B.txt")


def test_an_inputs_file_is_a_config_file(wfx, workflow, outputs, tmp_path):
    folder = workflow("words")
    (tmp_path / "mine.txt").write_text("a b c d\n")
    (tmp_path / "config.yaml").write_text("samples:\n  C: {file: mine.txt}\nflag: -c\n")
    wfx("run", folder, "config.yaml", "-o", "run")
    # Mappings are merged, as Snakemake does it.
    assert outputs(tmp_path / "run")["results/total.txt"] == b"32\n"
    assert outputs(tmp_path / "run")["results/counts/C.txt"] == b"8\n"
