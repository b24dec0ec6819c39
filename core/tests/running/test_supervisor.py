"""However wfx ends, nothing that it started outlives it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from wfx.journal import read_journal
from wfx.processes import Order, Supervised
from wfx.rundirs import RunDirectory, status_of
from wfx.testing.processes import is_alive, wait_until

ENV = {"PATH": os.environ["PATH"]}
linux = pytest.mark.skipif(sys.platform != "linux", reason="escaped processes are found on Linux only")

# Starts a child, and a daemon by two forks and a session of its own; all ignore SIGTERM.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note = lambda: os.write(out, b"%d\\n" % os.getpid())
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
if os.fork() == 0:
    note(); time.sleep(600)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note(); time.sleep(600)
    os._exit(0)
note(); time.sleep(600)
"""

# A wfx that runs a stubborn engine in a run directory and waits.
WFX = """
import sys, time
from pathlib import Path
from wfx.hosts import EngineHost
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox
directory = RunDirectory.claim(Path(sys.argv[1]), request="r", name="n")
directory.advance("running", attempts=1)
host = EngineHost.for_run(directory, Sandbox.choose(sys.argv[4]))
host.launch([sys.executable, "-c", sys.argv[2], sys.argv[3]])
print("started", flush=True)
time.sleep(600)
"""


def start(command: list[str], tmp_path: Path, **options: object) -> Supervised:
    return Supervised(Order(tuple(command), ENV, tmp_path, **options), stdin=-1, stdout=-1, stderr=2)  # type: ignore[arg-type]


def pids(file: Path, count: int) -> list[int]:
    wait_until(lambda: file.exists() and len(file.read_text().splitlines()) == count, f"{count} processes started")
    return [int(line) for line in file.read_text().split()]


def killed_wfx(tmp_path: Path, sandbox: str, how: int = signal.SIGKILL) -> tuple[Path, list[int]]:
    """Start a wfx in `tmp_path / run`, kill it, and return the directory with the engine's processes."""
    run, note = tmp_path / "run", tmp_path / "run" / "logs" / "pids"
    wfx = subprocess.Popen([sys.executable, "-c", WFX, str(run), STUBBORN, str(note), sandbox], stdout=subprocess.PIPE)
    assert wfx.stdout is not None
    assert wfx.stdout.readline() == b"started\n"
    started = pids(note, 3)
    assert status_of(run) == "running"
    wfx.send_signal(how)
    wfx.wait()
    wfx.stdout.close()
    return run, started


@linux
def test_kill_of_wfx_ends_the_engine_its_children_and_its_daemons(tmp_path: Path) -> None:
    run, started = killed_wfx(tmp_path, "none")
    assert status_of(run) == "interrupted"
    # Claimed at once: the new wfx waits for the old one's supervisor.
    with RunDirectory.claim(run, request="r", name="n") as directory:
        assert not any(map(is_alive, started))
        assert directory.state.status == "running"
        assert not directory.fresh
        assert [line["event"] for line in directory.journal.read()][-1] == "orphaned"
    assert status_of(run) == "interrupted"


@linux
def test_sigterm_that_nobody_handles_ends_them_too(tmp_path: Path) -> None:
    run, started = killed_wfx(tmp_path, "none", signal.SIGTERM)
    wait_until(lambda: not any(map(is_alive, started)), "all processes ended")
    journal = run / ".wfx" / "journal.jsonl"
    wait_until(lambda: [e["event"] for e in read_journal(journal)][-1] == "orphaned", "journalled")


@linux
def test_end_kills_what_ignores_sigterm_after_the_grace(tmp_path: Path) -> None:
    supervised = start([sys.executable, "-c", STUBBORN, str(tmp_path / "pids")], tmp_path, grace=0.1)
    started = pids(tmp_path / "pids", 3)
    began = time.monotonic()
    supervised.end()
    assert time.monotonic() - began < 3
    assert supervised.exit_status == -signal.SIGKILL
    assert supervised.left == 0
    assert not any(map(is_alive, started))


@linux
def test_an_engine_that_ends_leaves_no_daemon(tmp_path: Path) -> None:
    script = f"setsid {sys.executable} -c 'import os, time; print(os.getpid(), flush=True); time.sleep(600)' & read x"
    supervised = start(["sh", "-c", script], tmp_path)
    assert supervised.stdin is not None
    assert supervised.stdout is not None
    daemon = int(supervised.stdout.readline())
    assert is_alive(daemon)
    supervised.stdin.write(b"go\n")
    supervised.stdin.close()
    assert supervised.wait(10)
    assert supervised.exit_status == 0
    assert not is_alive(daemon)


def test_an_engine_that_handles_sigterm_may_finish(tmp_path: Path) -> None:
    script = "trap 'echo saved > note; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    supervised = start(["sh", "-c", script], tmp_path)
    assert supervised.stdout is not None
    assert supervised.stdout.readline() == b"ready\n"
    supervised.end()
    assert supervised.exit_status == 7
    assert (tmp_path / "note").read_text() == "saved\n"


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -TERM $$", -15)]
)
def test_exit_status_comes_through(tmp_path: Path, script: str, status: int) -> None:
    supervised = start(["sh", "-c", script], tmp_path)
    assert supervised.wait(10)
    assert supervised.exit_status == status


def test_standard_streams_pass_untouched(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    supervised = start(["cat"], tmp_path)
    assert supervised.stdin is not None
    assert supervised.stdout is not None
    if os.fork() == 0:
        supervised.stdout.close()
        supervised.stdin.write(data)
        supervised.stdin.flush()
        os._exit(0)
    supervised.stdin.close()
    assert supervised.stdout.read() == data
    os.wait()
    supervised.end()


def test_a_missing_program_is_a_problem_in_words(tmp_path: Path) -> None:
    supervised = start([str(tmp_path / 'no "such" prögram')], tmp_path)
    assert supervised.wait(10)
    assert "No such file" in supervised.problem
    assert 'no "such" prögram' in supervised.problem
    assert "could not be started" in supervised.explain()


def test_ctrl_c_in_the_terminal_does_not_reach_the_engine(tmp_path: Path) -> None:
    supervised = start(["sh", "-c", "echo ready; read x; echo $x"], tmp_path)
    assert supervised.stdin is not None
    assert supervised.stdout is not None
    supervised.stdout.readline()
    # What a terminal would do: signal the whole foreground group, which the supervisor is not in.
    assert os.getpgid(supervised._process.pid) != os.getpgrp()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(supervised._process.pid, number)
    supervised.stdin.write(b"still here\n")
    supervised.stdin.close()
    assert supervised.stdout.readline() == b"still here\n"
    assert supervised.wait(10)


def test_cleaning_commands_run_at_the_end_and_a_broken_one_stops_no_other(tmp_path: Path) -> None:
    note = tmp_path / "cleaned"
    supervised = start(["true"], tmp_path, cleaning=(("false",), (str(tmp_path / "missing"),), ("touch", str(note))))
    supervised.end()
    assert note.exists()


def test_signals_have_their_ordinary_meaning_for_the_engine(tmp_path: Path) -> None:
    code = (
        "import signal, json; print(json.dumps([signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler)"
        " for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]))"
    )
    supervised = start([sys.executable, "-c", code], tmp_path)
    assert supervised.stdout is not None
    assert json.loads(supervised.stdout.read()) == [True, True, True]
    supervised.end()


def test_supervision_costs_little(tmp_path: Path) -> None:
    def measure() -> float:
        began = time.perf_counter()
        supervised = start(["echo"], tmp_path)
        assert supervised.stdout is not None
        supervised.stdout.read()
        elapsed = time.perf_counter() - began
        supervised.end()
        return elapsed

    # About 0.015 s on an idle machine; the margin is for a busy one.
    assert min(measure() for _ in range(8)) < 0.06
