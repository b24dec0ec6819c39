"""Drive the command line in a test: in a process of its own, as a user does, or in this one, which is quicker."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    arguments: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON object that a command prints with `--json`."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"wfx {' '.join(self.arguments)} → {self.exit_code}\n{self.stdout}\n{self.stderr}"


class WfxRun:
    """Runs `wfx`, with a home of its own: configuration, store and register lie in the test's folder.

    ::

        def test_it_runs(wfx_run):
            done = wfx_run("run", "workflow.cwl", "--json")
            assert done.json["status"] == "completed"
            assert wfx_run("run", "none.cwl", check=None).exit_code == 4
    """

    def __init__(self, home: Path, cwd: Path) -> None:
        """`home` becomes `WFX_HOME` and `HOME`; `cwd` is where commands run."""
        self.home, self.cwd = home, cwd
        self.environment: dict[str, str] = {}
        """Variables for every command, beside a clean environment."""

    @property
    def config(self) -> Path:
        """The folder for `config.toml` and `credentials.toml`."""
        return self.home / "config"

    @property
    def store(self) -> Path:
        """The store."""
        return self.home / "cache" / "v1"

    def __call__(
        self, *arguments: str | Path, check: int | None = 0, env: Mapping[str, str] | None = None,
        cwd: Path | None = None, stdin: str = "", timeout: float = TIMEOUT,
    ) -> Ran:  # fmt: skip
        """Run it in a process of its own; fail the test unless it ends with the exit code `check` (None: any)."""
        words = tuple(map(str, arguments))
        done = subprocess.run(
            [sys.executable, "-m", "wfx", *words], cwd=cwd or self.cwd, env={**self._environment(), **(env or {})},
            input=stdin, capture_output=True, text=True, errors="surrogateescape", timeout=timeout, check=False,
        )  # fmt: skip
        return _checked(Ran(words, done.returncode, done.stdout, done.stderr), check)

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start it and go on: for tests that interrupt it. The caller ends it and reads its output."""
        return subprocess.Popen(
            [sys.executable, "-m", "wfx", *map(str, arguments)], cwd=self.cwd, env={**self._environment(), **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def here(self, *arguments: str | Path, check: int | None = 0, env: Mapping[str, str] | None = None) -> Ran:
        """Run it in this process, where fakes and breakpoints work; the environment and handlers are put back."""
        from wfx.cli.group import run_command

        words = tuple(map(str, arguments))
        out, err = _Text(), _Text()
        before = Path.cwd()
        with _environment({**self._environment(), **(env or {})}):
            os.chdir(self.cwd)
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    try:
                        code = run_command(list(words))
                    except SystemExit as stop:
                        code = stop.code if isinstance(stop.code, int) else 1
            finally:
                os.chdir(before)
        return _checked(Ran(words, code, out.text(), err.text()), check)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "CI", "WFX_CONTEXTS")
            or name.startswith(("LD_", "COVERAGE"))
        }
        home = self.home / "user"
        home.mkdir(parents=True, exist_ok=True)
        return {
            **kept, "WFX_HOME": str(self.home), "HOME": str(home), "COLUMNS": "120", "NO_COLOR": "1",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **self.environment,
        }  # fmt: skip


class _Text(io.TextIOWrapper):
    """A text stream with bytes below it, which click wants."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _checked(ran: Ran, check: int | None) -> Ran:
    assert check is None or ran.exit_code == check, str(ran)
    return ran
