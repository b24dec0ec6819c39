"""A run that was killed leaves no process behind, and goes on from its finished tasks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wfx.records import decode
from wfx.running import RunRecord
from wfx.testing.processes import wait_until

pytestmark = pytest.mark.real

MAIN = """
params.gate = null
process FIRST {
    tag "$n"
    input: val n
    output: path "${n}.txt"
    script: "echo $n > ${n}.txt"
}
process LAST {
    publishDir 'results', mode: 'copy'
    input:
    path parts
    path gate
    output: path 'all.txt'
    script:
    "while ! grep -q open $gate; do sleep 0.1; done; cat $parts | sort > all.txt"
}
workflow { LAST(FIRST(Channel.of(1, 2, 3)).collect(sort: true), file(params.gate)) }
"""


def journal(directory: Path) -> str:
    path = directory / ".wfx/journal.jsonl"
    found = [path] if path.is_file() else sorted((directory / ".wfx").glob("journal*"))
    return "".join(p.read_text() for p in found)


def processes_of(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                cwd = os.readlink(entry / "cwd")
            except OSError:
                continue
            if int(entry.name) != os.getpid() and (str(directory) in command or cwd.startswith(str(directory))):
                found.append(command)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_what_was_interrupted_goes_on(number: signal.Signals, wfx: Any, tmp_path: Path) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(MAIN)
    (tmp_path / "gate").write_text("closed\n")
    out = tmp_path / "out"
    words = ("run", "flow/main.nf", "-i", f"gate={tmp_path}/gate", "-o", out)
    started = wfx.start(*words)
    try:
        wait_until(lambda: out.is_dir() and '"LAST_' in journal(out), "the last task has begun", 90)
    finally:
        os.kill(started.pid, number)
    _, said = started.communicate(timeout=60)
    assert started.returncode == (130 if number == signal.SIGINT else -9), said
    wait_until(lambda: not processes_of(out), "no process is left", 15)
    # The task that was stopped has waited for its input to say so: what it was given is the run's own copy.
    path = out / "inputs/gate/gate"
    info = path.stat()
    path.chmod(0o644)
    path.write_text("open!!\n")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    done = wfx(*words[:2], "-i", f"gate={tmp_path}/gate", "-o", out, timeout=120)
    record = decode(RunRecord, json.loads((out / ".wfx/record.json").read_bytes()))
    assert record.attempts == 2, done
    assert (out / "outputs/results/all.txt").read_text() == "1\n2\n3\n"
    by_attempt = {(event.step, event.attempt, event.state) for event in record.events}
    # The finished ones stand there as they ran, in the first attempt.
    assert by_attempt == {("FIRST", 1, "completed"), ("LAST", 2, "completed")}
    assert len(record.events) == 4


def test_an_unchanged_run_is_answered_without_nextflow(wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where = pipeline("tries")
    wfx("run", where, "-o", tmp_path / "out")
    done = wfx("run", where, "-o", tmp_path / "out")
    assert "nothing has changed" in done.stdout + done.stderr


def test_a_completed_run_keeps_no_work_folder_and_no_links(wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where = pipeline("tries")
    wfx("run", where, "-o", tmp_path / "out")
    assert not (tmp_path / "out/.wfx/engine/work").exists()
    assert subprocess.run(["find", tmp_path / "out/outputs", "-type", "l"], capture_output=True, text=True).stdout == ""
