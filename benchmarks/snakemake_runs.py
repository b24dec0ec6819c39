"""What the benchmarks of Snakemake share: a workflow of so many jobs and one that gathers them."""

from __future__ import annotations

from pathlib import Path

from pairs import BIN

SNAKEMAKE = [str(BIN / "python"), "-m", "snakemake", "--cores", "2", "--quiet", "all"]
WORKFLOW = """\
rule all:
    input: "all.txt"

rule one:
    output: "parts/{i}.txt"
    shell: "echo {wildcards.i} > {output}"

rule gather:
    input: expand("parts/{i}.txt", i=range(JOBS))
    output: "all.txt"
    shell: "cat parts/*.txt > {output}"
"""


def workflow(path: Path, jobs: int) -> Path:
    """Write a workflow of `jobs` jobs; return its folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "Snakefile").write_text(WORKFLOW.replace("JOBS", str(jobs - 1)))
    return path
