"""What the benchmarks share: two ways of one job, run in turn, and their ratio printed. No figure is ever asserted."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
WFX = str(BIN / "wfx")


def pair(title: str, ours: Callable[[], float], other: Callable[[], float], goal: str, rounds: int = 5) -> float:
    """Run A B A B …; print both minima and their ratio, and return the ratio."""
    ours_times, other_times = [], []
    for _ in range(rounds):
        ours_times.append(ours())
        other_times.append(other())
    a, b = min(ours_times), min(other_times)
    print(f"{title}: wfx {a:.3f} s, other {b:.3f} s, ratio {a / b:.2f} (goal {goal})", flush=True)
    return a / b


def wall(command: Sequence[str], **options: object) -> float:
    """Return the wall time of a command, in seconds; its failure is an error."""
    began = time.perf_counter()
    answer = subprocess.run(command, capture_output=True, **options)  # type: ignore[call-overload]
    took = time.perf_counter() - began
    if answer.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {answer.stderr.decode(errors='replace')[-2000:]}")
    return took


def cpu(command: Sequence[str]) -> float:
    """Return the CPU time of a command and its children, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder on the disk of the working directory (not a memory file system), for the time of the benchmark."""
    path = Path(tempfile.mkdtemp(prefix="wfx-bench-", dir=os.environ.get("WFX_BENCH_DIR", "/var/tmp")))
    try:
        yield path
    finally:
        subprocess.run(["chmod", "-R", "u+w", path], check=False, capture_output=True)
        shutil.rmtree(path, ignore_errors=True)


def clean_home(path: Path) -> dict[str, str]:
    """Return an environment whose wfx knows nothing yet."""
    shutil.rmtree(path, ignore_errors=True)
    return {**os.environ, "WFX_HOME": str(path)}


def program(name: str) -> str:
    """Return a program's path, or end with what to install."""
    found = shutil.which(name)
    if found is None:
        sys.exit(f"this benchmark needs {name}: scripts/runtimes installs it")
    return found


@contextlib.contextmanager
def nginx(root: Path, work: Path, limit: str = "") -> Iterator[str]:
    """Serve `root` on loopback with nginx; `limit` is a rate for each connection (`40m`)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rate = f"limit_rate {limit};" if limit else ""
    config = work / "nginx.conf"
    config.write_text(
        f"worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; user root; daemon off;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; sendfile on; keepalive_requests 100000; client_body_temp_path {work}/t1;\n"
        f"proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3; uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;\n"
        f"server {{ listen 127.0.0.1:{port}; root {root}; {rate} }} }}\n"
    )
    server = subprocess.Popen(
        [program("nginx"), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=10)


WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {text: File}
outputs: {counted: {type: File, outputSource: count/out}}
steps:
  sort:
    run: sort.cwl
    in: {text: text}
    out: [out]
  count:
    run: count.cwl
    in: {text: sort/out}
    out: [out]
"""
TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: {command}
inputs: {{text: {{type: File, inputBinding: {{position: 1}}}}}}
outputs: {{out: stdout}}
stdout: {name}.txt
"""


def two_steps(path: Path) -> Path:
    """Write a workflow of two steps with its inputs; return the workflow's path."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "wf.cwl").write_text(WORKFLOW)
    (path / "sort.cwl").write_text(TOOL.format(command="sort", name="sorted"))
    (path / "count.cwl").write_text(TOOL.format(command="[uniq, -c]", name="counted"))
    (path / "text.txt").write_text("b\na\nb\n")
    (path / "job.yml").write_text("text: {class: File, path: text.txt}\n")
    return path / "wf.cwl"
