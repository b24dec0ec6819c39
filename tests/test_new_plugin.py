"""From `wfx plugins new` to a run: made, built as a wheel, installed with pip, and used by the commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wfx.images import oci_archive, read_layout
from wfx.testing.containers import tools_image
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

WORKFLOW = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [wc, -w]
inputs: {text: {type: File, inputBinding: {position: 1}}}
outputs: {counted: stdout}
stdout: counted.txt
"""


class Machine:
    """Where wfx runs with what a stranger has installed aside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WFX_")}
        self.env = kept | {"PYTHONPATH": str(self.site), "WFX_HOME": str(folder / "home")}

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)], cwd=self.folder, env=self.env, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def install(self, kind: str, name: str) -> Path:
        """Make a plugin, build its wheel, install that; return the plugin's folder."""
        self.run("wfx", "plugins", "new", kind, name)
        folder = self.folder / f"wfx-{name}"
        self.run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist", f"./wfx-{name}")
        [wheel] = (self.folder / "dist").glob(f"wfx_{name}-*.whl")
        self.run("pip", "install", "-q", "--no-deps", "--no-index", "--target", self.site, wheel)
        return folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_new_fetcher_brings_a_runs_input(machine: Machine) -> None:
    machine.install("fetcher", "labdata")
    config = machine.folder / "home" / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    (machine.folder / "count.cwl").write_text(WORKFLOW)
    with FaultServer() as server:
        server.add("/data/runs/7/text.txt", b"one two three\n", cut=[5])
        config.write_text(f'[fetcher.labdata]\nserver = "{server.url}/data"\n')
        machine.run("wfx", "run", "count.cwl", "-i", "text=@labdata:runs/7/text.txt", "-o", "run", "--json")
        # The first answer was cut, and the core asked again.
        assert len(server.asked("/data/runs/7/text.txt")) == 2
    assert (machine.folder / "run" / "outputs" / "counted.txt").read_text().split()[0] == "3"
    plan = json.loads((machine.folder / "run" / "plan.json").read_text())
    assert plan["plugins"]["wfx-labdata"] == "0.1.0"
    assert "labdata:runs/7/text.txt" in (machine.folder / "run" / "ro-crate-metadata.json").read_text()


def test_a_new_engine_runs_and_a_new_packer_packs(machine: Machine) -> None:
    folder = machine.install("engine", "labsteps")
    machine.install("exporter", "labtar")
    examples = folder / "examples"
    shutil.copy(examples / "words.labsteps", machine.folder / "words.labsteps")
    shutil.copy(examples / "text.txt", machine.folder / "text.txt")
    machine.run("wfx", "run", "words.labsteps", "-i", "text=text.txt", "-o", "run")
    assert machine.run("wfx", "check", "run").rstrip().splitlines()[-1].startswith("valid: 0 errors")
    crate = json.loads((machine.folder / "run" / "ro-crate-metadata.json").read_text())
    kinds = [entity["@type"] for entity in crate["@graph"]]
    assert kinds.count("ControlAction") == 2
    machine.run("wfx", "export", "run", "--form", "labtar", "-o", "crate.tar.gz")
    subprocess.run(["tar", "-xzf", "crate.tar.gz"], cwd=machine.folder, check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=machine.folder / "crate", check=True)


def test_a_new_factory_is_looked_at_by_the_doctor_and_runs_a_tool_in_its_image(machine: Machine) -> None:
    machine.install("container-factory", "labrun")
    done = subprocess.run(
        [sys.executable, "-m", "wfx", "plugins", "doctor", "--json"], env=machine.env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    [found] = [f for f in json.loads(done.stdout)["findings"] if f["subject"] == "container-factory labrun"]
    assert found["state"] == "ok"
    assert "bubblewrap" in found["text"]
    layout = tools_image().write_layout(machine.folder / "layout")
    with (machine.folder / "tools.tar").open("wb") as archive:
        archive.writelines(oci_archive(read_layout(layout)))
    needs = "requirements: {DockerRequirement: {dockerLoad: tools.tar, dockerImageId: tools}}"
    (machine.folder / "count.cwl").write_text(WORKFLOW.replace("[wc, -w]", "[cat, /hello]") + needs)
    (machine.folder / "text.txt").write_text("one\n")
    machine.run("wfx", "run", "count.cwl", "-i", "text=text.txt", "--containers", "labrun", "-o", "run")
    assert (machine.folder / "run" / "outputs" / "counted.txt").read_text() == "hello\none\n"
    crate = json.loads((machine.folder / "run" / "ro-crate-metadata.json").read_text())
    [image] = [entity for entity in crate["@graph"] if entity["@type"] == "ContainerImage"]
    assert f"sha256:{image['sha256']}" == tools_image().digest


def test_what_goes_round_the_gate_is_planned_as_such_and_refused_offline(machine: Machine) -> None:
    (machine.folder / "count.cwl").write_text(WORKFLOW)
    given = ("count.cwl", "-i", "text=@smb://files.example.org/pub/text.txt", "--offline")
    assert "past gate  1 files are fetched by wfx-fsspec" in machine.run("wfx", "plan", *given)
    done = subprocess.run(
        [sys.executable, "-m", "wfx", "run", *given], cwd=machine.folder, env=machine.env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "smb://files.example.org/pub/text.txt: the network is switched off" in done.stderr
