"""What a command imports when many plugins are installed: those that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wfx.testing.crowds import write_crowd

WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {text: File}
outputs: {counted: {type: File, outputSource: count/out}}
steps:
  count:
    run:
      class: CommandLineTool
      baseCommand: [wc, -w]
      inputs: {text: {type: File, inputBinding: {position: 1}}}
      outputs: {out: stdout}
    in: {text: text}
    out: [out]
"""
REPORT = (
    "import atexit, sys\n"
    "atexit.register(lambda: open({place!r}, 'w').write('\\n'.join(sys.modules)))\n"
    "from wfx.cli import main\n"
    "main({arguments!r})\n"
)


@pytest.fixture
def crowd(tmp_path: Path) -> tuple[Path, set[str]]:
    """30 plugins, 5 of them heavy, on top of those of this checkout."""
    site = tmp_path / "site"
    return site, set(write_crowd(site, 30, heavy=5))


def imported(site: Path, tmp_path: Path, *arguments: str) -> tuple[str, set[str]]:
    """Run a command of wfx; return what it printed and what it had imported."""
    place = tmp_path / "modules.txt"
    env = {k: v for k, v in os.environ.items() if not k.startswith("WFX_")}
    env |= {"PYTHONPATH": str(site), "WFX_HOME": str(tmp_path / "home")}
    code = REPORT.format(place=str(place), arguments=list(arguments))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(place.read_text().splitlines())


def test_help_imports_no_plugin(crowd: tuple[Path, set[str]], tmp_path: Path) -> None:
    site, modules = crowd
    _, loaded = imported(site, tmp_path, "--help")
    assert not loaded & modules
    assert not {name for name in loaded if name.startswith("wfx_")}
    assert "pluggy" not in loaded


def test_list_shows_all_and_imports_none(crowd: tuple[Path, set[str]], tmp_path: Path) -> None:
    site, modules = crowd
    printed, loaded = imported(site, tmp_path, "plugins", "list")
    assert sum("crowd-" in line for line in printed.splitlines()) == 30
    assert not loaded & modules
    assert not {name for name in loaded if name.startswith("wfx_")}


@pytest.mark.real
def test_a_run_imports_the_plugins_that_it_uses(crowd: tuple[Path, set[str]], tmp_path: Path) -> None:
    site, modules = crowd
    (tmp_path / "wf.cwl").write_text(WORKFLOW)
    (tmp_path / "text.txt").write_text("one two three\n")
    _, loaded = imported(site, tmp_path, "run", "wf.cwl", "-i", "text=text.txt", "-o", "run")
    assert (tmp_path / "run" / "ro-crate-metadata.json").is_file()
    assert not loaded & modules
    plugins = {name for name in loaded if name.startswith("wfx_") and "." not in name}
    assert plugins <= {"wfx_cwl", "wfx_ro_crate", "wfx_file"}
    # cwltool runs in a process of its own, fsspec was not asked.
    assert not loaded & {"cwltool", "fsspec"}


@pytest.mark.real
def test_an_unchanged_run_imports_nothing_that_runs_or_brings_an_engine(
    crowd: tuple[Path, set[str]], tmp_path: Path
) -> None:
    site, _ = crowd
    (tmp_path / "wf.cwl").write_text(WORKFLOW)
    (tmp_path / "text.txt").write_text("one two three\n")
    arguments = ("run", "wf.cwl", "-i", "text=text.txt", "-o", "run")
    first = imported(site, tmp_path, *arguments)[1]
    second = imported(site, tmp_path, *arguments)[1]
    ran = {"wfx.executing", "wfx.runtimes", "wfx.hosts", "wfx.processes"}
    assert ran <= first
    assert not second & {*ran, "wfx.provided", "wfx.providing"}
