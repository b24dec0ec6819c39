"""The machine as it can be: many processes at once, clocks that jump, narrow permissions, homes that take nothing."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from wfx.testing.processes import wait_until
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real


def test_eight_processes_bring_each_of_fifty_urls_once(wfx, server: FaultServer) -> None:
    urls = [server.add(f"/{n}", f"{n}\n".encode() * 20_000, etag=f'"{n}"', rate=4e6) for n in range(50)]
    started = [wfx.start("fetch", "--json", *urls) for _ in range(8)]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * 8, said
    answers = [json.loads(out)["fetched"] for out, _ in said]
    assert len({json.dumps([a["sha256"] for a in answer]) for answer in answers}) == 1
    for place in range(50):
        assert sum(not answer[place]["from_store"] for answer in answers) == 1
    assert wfx("cache", "verify").code == 0


CLOCK = """\
import sys, time
jump, real = float(sys.argv.pop(1)), time.time
time.time = lambda: real() + jump
from wfx.cli.group import run_command
sys.exit(run_command(sys.argv[1:]))
"""


@pytest.mark.parametrize("jump", [-86400, 86400, 400 * 86400])
def test_a_clock_that_jumps_changes_no_answer(wfx, server: FaultServer, jump: int) -> None:
    url = server.add("/words.txt", b"b\na\nb\n")
    flow = wfx.workflow()
    first = wfx("run", flow, "-i", f"words=@{url}", "-o", "out", "--json")
    assert first.code == 0, first.err
    command = [sys.executable, "-c", CLOCK, str(jump)]

    def later(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*command, *arguments], cwd=wfx.folder, env=wfx.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    again = json.loads(later("run", str(flow), "-i", f"words=@{url}", "-o", "out", "--json").stdout)
    assert again["reused"] is True
    later("cache", "verify")
    # What a run needs is kept, whatever time it seems to be.
    later("cache", "gc")
    offline = later("run", str(flow), "-i", f"words=@{url}", "-o", "two", "--json", "--offline")
    assert json.loads(offline.stdout)["outputs"]["result"]["checksum"] == first.json["outputs"]["result"]["checksum"]


def test_a_file_of_the_future_is_hashed_like_any_other(wfx) -> None:
    flow = wfx.workflow()
    words = wfx.folder / "flow/words.txt"
    os.utime(words, (time.time() + 10 * 86400,) * 2)
    first = wfx("run", flow, "flow/job.yml", "--json")
    words.write_text("c\n")
    os.utime(words, (time.time() + 10 * 86400,) * 2)
    second = wfx("run", flow, "flow/job.yml", "--json")
    assert second.json["reused"] is False
    assert second.json["identity"] != first.json["identity"]


def test_under_umask_077_a_run_works_and_stays_private(wfx) -> None:
    flow = wfx.workflow()
    done = wfx("run", flow, "flow/job.yml", "-o", "out", prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    assert done.code == 0, done.err
    for path in (wfx.folder / "out", wfx.home):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_home_that_takes_nothing_is_named(wfx) -> None:
    flow = wfx.workflow()
    wfx.write("file", "no folder")
    line = wfx.refused(9, "run", flow, "flow/job.yml", env={"WFX_HOME": str(wfx.folder / "file/home")})
    assert "file/home" in line
    assert "WFX_HOME" in line or "XDG" in line


def test_a_second_ctrl_c_ends_it_at_once_and_the_supervisor_cleans_up(wfx) -> None:
    flow = wfx.write("deaf.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c, 'trap \"\" TERM INT; sleep 300 & "
                     "wait; sleep 300']\ninputs: []\noutputs: []\n")  # fmt: skip
    process = wfx.start("run", flow, "-o", "out")
    state = wfx.folder / "out/.wfx/run.json"
    wait_until(lambda: state.exists() and '"running"' in state.read_text(), "it runs", 30)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    wait_until(lambda: not wfx.processes(), "nothing is left", 30)
    assert wfx("runs", "list", "--json").json["runs"][0]["status"] == "interrupted"


def test_a_closed_terminal_ends_the_run(wfx) -> None:
    flow = wfx.write("slow.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sleep, '300']\ninputs: []\noutputs: []\n")  # fmt: skip
    process = wfx.start("run", flow, "-o", "out")
    state = wfx.folder / "out/.wfx/run.json"
    wait_until(lambda: state.exists() and '"running"' in state.read_text(), "it runs", 30)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 129
    wait_until(lambda: not wfx.processes(), "nothing is left", 30)
