"""The version of an engine is part of a run: planned, recorded, and provided again for a run that is made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wfx.testing.commands import Ran, WfxRun
from wfx.testing.distributions import write_distribution

ROOT = Path(__file__).parents[2]
# A language of lines, `NAME: command`, whose engine is here in version 1.0, and is provided in any other.
PLUGIN = """
import hashlib, sys
from dataclasses import replace
sys.path.insert(0, {here!r})
from wfx import hookimpl
from wrong_engines import DRIVER, Lines

class Kept(Lines):
    keys = ("lines.kept",)
    capabilities = replace(Lines.capabilities, name="Lines", versions=">=1,<9", provides="2.0")

    def version(self):
        return self.installation.version if self.installation is not None else "1.0"

    @classmethod
    def provide(cls, job):
        job.note("writing its driver")
        (job.into / "driver.py").write_text(DRIVER)
        job.add("driver", job.version, hashlib.sha256(DRIVER.encode()).hexdigest())
        return job.version

    def launch(self):
        code = ["-c", DRIVER] if self.installation is None else [str(self.installation.folder / "driver.py")]
        self.channel = self.host.launch([sys.executable, "-I", "-S", *code])

@hookimpl
def wfx_engines():
    return [Kept]
"""
PLAIN = "make: echo one > out.txt\n"
WANTS = "needs: version >=2.0\nmake: echo one > out.txt\n"


@pytest.fixture
def wfx(tmp_path: Path) -> WfxRun:
    source = PLUGIN.format(here=str(ROOT / "core/tests/testing"))
    points = {"wfx.engines": {"lines.kept": "wfx_lines"}}
    write_distribution(tmp_path / "site", "wfx-lines", "1.0", points, {"wfx_lines": source}, ["wfx-core>=0.1,<0.2"])
    (tmp_path / "plain.lines").write_text(PLAIN)
    (tmp_path / "wants.lines").write_text(WANTS)
    command = WfxRun(tmp_path / "home", tmp_path)
    command.environment |= {"PYTHONPATH": str(tmp_path / "site"), "WFX_PLUGINS": "wfx-lines,wfx-file,wfx-ro-crate"}
    return command


def version_in(folder: Path) -> str:
    """Return the version of the engine that a crate names."""
    entities = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    [engine] = [e for e in entities if e.get("name") == "kept" and "softwareVersion" in e]
    return str(engine["softwareVersion"])


def where(done: Ran) -> Path:
    return Path(done.json["directory"])


def test_what_a_workflow_declares_is_provided_planned_and_recorded(wfx: WfxRun, tmp_path: Path) -> None:
    plan = wfx("plan", "wants.lines", "--json").json
    assert plan["description"]["engine_version"] == "2.0"
    assert plan["program"]["provided"] is True
    assert plan["program"]["declared"] == ">=2.0 in wants.lines"
    assert plan["program"]["reason"] == "Lines 1.0 is installed, and the workflow asks for >=2.0 in wants.lines"
    shown = wfx("plan", "wants.lines").stdout
    assert "engine     lines.kept 2.0" in shown
    assert f"  provided by wfx: {plan['program']['reason']}" in shown
    wfx("run", "wants.lines", "-o", "run")
    assert (tmp_path / "run/outputs/out.txt").read_text() == "one\n"
    assert version_in(tmp_path / "run") == "2.0"
    kept = wfx("engines", "list", "--json").json["engines"][-1]
    stored = json.loads((tmp_path / "run/plan.json").read_text())
    assert (kept["version"], kept["digest"]) == ("2.0", stored["program"]["digest"])


def test_the_version_is_part_of_a_run_s_identity(wfx: WfxRun, tmp_path: Path) -> None:
    first = wfx("run", "plain.lines", "--json")
    assert version_in(where(first)) == "1.0"
    other = wfx("run", "plain.lines", "--engine-version", "3.0", "--json")
    assert (version_in(where(other)), where(other) != where(first)) == ("3.0", True)
    again = wfx("run", "plain.lines", "--engine-version", "3.0", "--offline", "--json")
    assert (where(again), again.json["reused"]) == (where(other), True)


def test_a_run_is_made_again_with_its_own_version_which_is_provided_again(wfx: WfxRun, tmp_path: Path) -> None:
    wfx("run", "plain.lines", "--engine-version", "3.0", "-o", "run")
    wfx("engines", "remove", "lines.kept@3.0")
    done = wfx("rerun", "run", "--offline", check=None)
    assert done.exit_code == 6
    assert "the run was made with kept 3.0" in done.stderr
    assert "wfx engines install kept@3.0" in done.stderr
    assert "--engine-version current" in done.stderr
    again = wfx("rerun", "run", "-o", "again")
    assert "Lines 3.0: writing its driver" in again.stderr
    assert version_in(tmp_path / "again") == "3.0"
    current = wfx("rerun", "run", "--engine-version", "current", "-o", "current")
    assert version_in(tmp_path / "current") == "1.0"
    assert "is made again with 1.0" in current.stderr
    wfx("rerun", "run", "--engine-version", "4.0", "-o", "four")
    assert version_in(tmp_path / "four") == "4.0"


def test_what_was_staged_is_executed_with_the_version_that_was_planned(wfx: WfxRun, tmp_path: Path) -> None:
    wfx("stage", "plain.lines", "--engine-version", "3.0", "-o", "run")
    wfx("engines", "remove", "lines.kept@3.0")
    refused = wfx("execute", "run", check=None)
    assert (refused.exit_code, "wfx engines install kept@3.0" in refused.stderr) == (6, True)
    wfx("engines", "install", "kept@3.0")
    wfx("execute", "run")
    assert version_in(tmp_path / "run") == "3.0"


def test_an_installation_that_was_changed_is_not_run(wfx: WfxRun, tmp_path: Path) -> None:
    wfx("engines", "install", "kept@3.0")
    driver = tmp_path / "home/cache/engines/lines.kept/3.0/driver.py"
    driver.write_text(driver.read_text() + "\n")
    done = wfx("run", "plain.lines", "--engine-version", "3.0", "-o", "run", check=None)
    assert (done.exit_code, "is not what was installed" in done.stderr) == (5, True)
    assert not (tmp_path / "run").exists()
