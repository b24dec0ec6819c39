from __future__ import annotations

from pathlib import Path

import pytest
from wfx.testing.engines import EngineBench, EngineContract
from wfx.values import Values
from wfx_snakemake import SnakemakeEngine

pytestmark = pytest.mark.real

SORT = """\
configfile: "config.yaml"

rule all:
    input: "sorted.txt"

rule sort:
    input: config["text"]
    output: "sorted.txt"
    shell: "sort {input} > {output}"
"""


class TestSnakemake(EngineContract):
    engine = SnakemakeEngine

    def workflow(self, tree: Path) -> str:
        (tree / "Snakefile").write_text(SORT)
        (tree / "config.yaml").write_text("text: nowhere.txt\n")
        return "Snakefile"

    def values(self, bench: EngineBench) -> Values:
        return {"text": bench.file("text/a.txt", b"b\na\n")}

    def failing(self, tree: Path) -> str:
        (tree / "fail.smk").write_text("rule fail:\n    output: 'x.txt'\n    shell: 'echo no >&2; exit 3'\n")
        return "fail.smk"

    def broken(self, tree: Path) -> str:
        (tree / "broken.smk").write_text("rule a:\n    output: 'x.txt'\n    shel: 'touch x.txt'\n")
        return "broken.smk"

    def telltale(self, tree: Path, marker: Path) -> str:
        (tree / "tell.smk").write_text(
            f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nrule a:\n    output: 'x'\n    shell: 'touch {{output}}'\n"
        )
        return "tell.smk"
