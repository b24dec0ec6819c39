"""A Snakemake that wfx provides: another version than the one beside wfx."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.engines import Wanted
from wfx.testing import ProvidedEngineContract
from wfx.testing.commands import WfxRun
from wfx_snakemake import SnakemakeEngine

SNAKEFILE = """\
rule all:
    input: "results/sorted.txt"

rule sort:
    input: "words.txt"
    output: "results/sorted.txt"
    shell: "sort {input} > {output}"
"""


@pytest.mark.real
class TestProvided(ProvidedEngineContract):
    engine = SnakemakeEngine

    def workflow(self, tree: Path) -> str:
        (tree / "Snakefile").write_text(SNAKEFILE)
        (tree / "words.txt").write_text("b\na\n")
        return "Snakefile"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('min_version("8.30")', ">=8.30"), ("from snakemake.utils import min_version\nmin_version('9.1.0')\n", ">=9.1.0"),
        ("    min_version( '8' )", ">=8"), ('# min_version("8")', None), ("min_version(LEAST)", None), ("", None),
    ],
    ids=["short", "whole", "spaced", "comment", "computed", "nothing"],
)  # fmt: skip
def test_what_a_snakefile_declares_is_read(line: str, text: str | None) -> None:
    wanted = SnakemakeEngine.wants("workflow/Snakefile", {"workflow/Snakefile": line}.get)
    assert wanted == (Wanted(text, "workflow/Snakefile") if text else None)


def test_the_version_to_provide_is_the_usual_one_or_the_one_that_is_named() -> None:
    usual = SnakemakeEngine.capabilities.provides
    assert SnakemakeEngine.candidate(">=8.30") == usual
    assert SnakemakeEngine.candidate(">=9.99.1") == "9.99.1"
    assert SnakemakeEngine.candidate(">=10.1") == ""


def test_offline_a_version_that_is_not_here_stops_a_run_and_the_remedy_is_named(wfx: WfxRun, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(f"from snakemake.utils import min_version\nmin_version('9.99.1')\n{SNAKEFILE}")
    done = wfx("run", "Snakefile", "-o", "run", "--offline", check=None)
    assert done.exit_code == 6
    assert "Snakemake 9.99.1 is not installed" in done.stderr
    assert "the workflow asks for >=9.99.1 in Snakefile" in done.stderr
    assert "wfx engines install snakemake@9.99.1 where there is a network" in done.stderr
    assert not (tmp_path / "run").exists()
