"""A bundle carries container images: the run happens where there is no registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.registries import Registry

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {{dockerPull: "{image}"}}
baseCommand: [cat, /hello]
inputs: []
outputs: {{said: stdout}}
stdout: said.txt
"""


def test_an_image_is_carried_in_a_bundle(wfx: Any, bench: Any, tmp_path: Path, docker_daemon: Any) -> None:
    wfx.env |= docker_daemon.environment
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        wfx.write("tool.cwl", TOOL.format(image=f"{registry.host}/wfx/tools:1"))
        made = wfx("cache", "export", "tool.cwl", "--containers", "docker", "-o", "bundle.tar", "--json")
        assert made.code == 0, made.err
    (tmp_path / "there").mkdir()
    there = bench(tmp_path / "there")
    there.env |= docker_daemon.environment
    taken = there("cache", "import", wfx.folder / "bundle.tar", "-o", "taken", "--json")
    assert taken.code == 0, taken.err
    ran = there("run", taken.json["start"], "--offline", "-o", "out", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["identity"] == made.json["identity"]
    assert (there.folder / "out" / "outputs" / "said.txt").read_text() != ""
