"""cwltool keeps the contract of engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.testing import EngineContract, ProvidedEngineContract
from wfx_cwl import CwltoolEngine

pytestmark = pytest.mark.real

TOOL = """\
cwlVersion: v1.2
class: Workflow
inputs: {{text: File}}
outputs: {{counted: {{type: File, outputSource: count/counted}}}}
steps:
  sort:
    run:
      class: CommandLineTool
      baseCommand: [sort]
      inputs: {{text: {{type: File, inputBinding: {{position: 1}}}}}}
      outputs: {{sorted: stdout}}
      stdout: sorted.txt
    in: {{text: text}}
    out: [sorted]
  count:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, '{command}']
      inputs: {{text: {{type: File, inputBinding: {{position: 1}}}}}}
      outputs: {{counted: stdout}}
      stdout: counted.txt
    in: {{text: sort/sorted}}
    out: [counted]
"""
ALONE = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c, '{}']\ninputs: []\noutputs: []\n"


class Flow:
    engine = CwltoolEngine

    def workflow(self, tree: Path) -> str:
        (tree / "flow.cwl").write_text(TOOL.format(command='wc -l < "$0"'))
        return "flow.cwl"

    def values(self, bench):
        return {"text": bench.file("text.txt", b"b\na\n")}


class TestCwltool(Flow, EngineContract):
    def failing(self, tree: Path) -> str:
        (tree / "bad.cwl").write_text(ALONE.format("exit 3"))
        return "bad.cwl"

    def broken(self, tree: Path) -> str:
        (tree / "broken.cwl").write_text("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: {a: Flie}\noutputs: []\n")
        return "broken.cwl"

    def telltale(self, tree: Path, marker: Path) -> str:
        (tree / "tell.cwl").write_text(ALONE.format(f"touch {marker}"))
        return "tell.cwl"


class TestProvided(Flow, ProvidedEngineContract):
    """Another version than the one beside wfx."""
