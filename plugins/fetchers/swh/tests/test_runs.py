"""A workflow in an archived repository runs, by its SWHID alone."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.commands import WfxRun

FLOW = {
    "main.cwl": b"""cwlVersion: v1.2
class: Workflow
inputs: {text: File}
outputs: {counted: {type: File, outputSource: count/counted}}
steps:
  count: {run: tools/count.cwl, in: {text: text}, out: [counted]}
""",
    "tools/count.cwl": b"""cwlVersion: v1.2
class: CommandLineTool
baseCommand: [wc, -w]
inputs: {text: {type: File, inputBinding: {position: 1}}}
outputs: {counted: stdout}
stdout: counted.txt
""",
    "data/text.txt": b"one two three\n",
}


@pytest.mark.real
@pytest.mark.parametrize("way", ["api", "vault"])
def test_a_workflow_runs_from_a_directory(way: str, archive: Any, tmp_path: Path) -> None:
    for name in ("wfx-cwl", "wfx-ro-crate"):
        try:
            distribution(name)
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed, which runs the workflow or describes the run")
    repository = archive.make_repository(tmp_path / "repo", FLOW)
    archive.load(repository)
    value = archive.git(repository, "rev-parse", "HEAD^{tree}").decode()
    text = archive.git(repository, "rev-parse", "HEAD:data/text.txt").decode()
    archive.cook(value, archive.pack(repository, value), ["done"])
    wfx = WfxRun(tmp_path / "home", tmp_path)
    wfx.config.mkdir(parents=True)
    (wfx.config / "config.toml").write_text(f'[fetcher.swh]\nserver = "{archive.url}"\ntrees = "{way}"\n')
    ref = f"swh:1:dir:{value};path=/main.cwl"
    done = wfx("run", ref, "-i", f"text=@swh:1:cnt:{text};path=/text.txt", "-o", "run", "--json", timeout=300)
    assert done.json["status"] == "completed"
    assert (tmp_path / "run/outputs/counted.txt").read_text().split()[0] == "3"
    crate = (tmp_path / "run/ro-crate-metadata.json").read_text()
    assert f"swh:1:dir:{value}" in crate
    assert f"swh:1:cnt:{text}" in crate
    plan = json.loads((tmp_path / "run/plan.json").read_text())
    assert "wfx-swh" in json.dumps(plan)
    before = len(archive.requests)
    wfx("run", ref, "-i", f"text=@swh:1:cnt:{text};path=/text.txt", "-o", "again", "--json", timeout=300)
    assert len(archive.requests) == before, "what an identifier is of never changes"
