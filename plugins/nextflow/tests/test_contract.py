"""The contract of engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.engines import Installation
from wfx.provided import Kept
from wfx.testing import EngineContract, ProvidedEngineContract
from wfx.testing.engines import EngineBench
from wfx.values import Values
from wfx_nextflow import NextflowEngine

pytestmark = pytest.mark.real

MAIN = """
include { SORT } from './modules/sort'
workflow { SORT(Channel.fromPath(params.text)) }
"""
SORT = """
process SORT {
    publishDir "${params.outdir}/sorted", mode: 'copy'
    input: path text
    output: path 'sorted.txt', emit: sorted
    script:
    "sort $text > sorted.txt"
}
"""


class Sorts:
    engine = NextflowEngine

    def workflow(self, tree: Path) -> str:
        (tree / "modules").mkdir()
        (tree / "main.nf").write_text(MAIN)
        (tree / "modules/sort.nf").write_text(SORT)
        (tree / "nextflow.config").write_text("params { text = null\n outdir = 'results' }\n")
        return "main.nf"

    def values(self, bench: EngineBench) -> Values:
        return {"text": bench.file("text/text.txt", b"b\na\n")}


class TestNextflow(Sorts, EngineContract):
    @pytest.fixture(autouse=True)
    def provide(self, installed: Kept) -> None:
        type(self).kept = installed

    def installation(self) -> Installation:
        return self.kept.installation

    def failing(self, tree: Path) -> str:
        (tree / "bad.nf").write_text("process BAD {\n script:\n 'echo no >&2; exit 3'\n}\nworkflow { BAD() }\n")
        return "bad.nf"

    def broken(self, tree: Path) -> str:
        (tree / "broken.nf").write_text("workflow {\n  println('unfinished'\n")
        return "broken.nf"

    def telltale(self, tree: Path, marker: Path) -> str:
        (tree / "tell.nf").write_text(f"new File('{marker}').text = 'x'\nworkflow {{ }}\n")
        return "tell.nf"


class TestOlder(Sorts, ProvidedEngineContract):
    version = "24.10.5"
