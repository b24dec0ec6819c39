from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.servers import FaultServer

ROOT = Path(__file__).resolve().parents[2]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sort]
inputs:
  words: {type: File, inputBinding: {position: 1}}
  reverse: {type: boolean, default: false, inputBinding: {prefix: -r}}
outputs:
  sorted: stdout
stdout: sorted.txt
"""

WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs:
  words: File
  reverse: {type: boolean, default: false}
outputs:
  result: {type: File, outputSource: count/counts}
steps:
  sort:
    run: sort.cwl
    in: {words: words, reverse: reverse}
    out: [sorted]
  count:
    run:
      class: CommandLineTool
      baseCommand: [uniq, -c]
      inputs: {words: {type: File, inputBinding: {position: 1}}}
      outputs: {counts: stdout}
      stdout: counts.txt
    in: {words: sort/sorted}
    out: [counts]
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def last(self) -> str:
        """The last line on stderr: the error, where there is one."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


class Bench:
    """A place to run the command in, with a home of its own."""

    tool, flow = TOOL, WORKFLOW

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("WFX_", "GIT_"))} | {
            "WFX_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "200",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        }  # fmt: skip

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "wfx", *map(str, arguments)]

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None,
                 prefix: tuple[str, ...] = (), timeout: float = 120) -> Done:  # fmt: skip
        done = subprocess.run(
            [*prefix, *self.command(*arguments)], cwd=cwd or self.folder, env={**self.env, **(env or {})}, text=True,
            capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def program(self, *command: str) -> str:
        """Run another program in the same environment; return what it prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout

    def start(self, *arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env={**self.env, **(env or {})}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def refused(self, code: int, *arguments: str | Path, **options: Any) -> str:
        """Run a command that must fail with this code, in one line and without a traceback; return the line."""
        done = self(*arguments, **options)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        assert done.last.startswith("wfx: "), done.err
        return done.last

    def processes(self) -> list[int]:
        """Return the processes that have this place in their command line or as their working directory."""
        return processes_naming(str(self.folder))

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def workflow(self, folder: str = "flow") -> Path:
        """Write the workflow of two steps, its tool and its words; return its path."""
        self.write(f"{folder}/sort.cwl", TOOL)
        self.write(f"{folder}/words.txt", "b\na\nb\n")
        self.write(f"{folder}/job.yml", "words: {class: File, path: words.txt}\n")
        return self.write(f"{folder}/count.cwl", WORKFLOW)


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    """The class, for tests that share a machine."""
    return Bench


@pytest.fixture
def wfx(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    # Nothing of a test's runs may stay behind, whatever it did to them.
    for pid in bench.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def processes_naming(text: str) -> list[int]:
    """Return the processes that have the text in their command line or as their working directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            if int(entry.name) != os.getpid() and (text in told or os.readlink(entry / "cwd").startswith(text)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
