"""The example: aligner and caller, with the records that the same programs give without any engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.requirements import require, require_program

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "variants-snakemake"
DATA = Path("/usr/share/doc/bowtie2/examples")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the examples are in the repository, not in the package"),
]
BARE = f"""\
set -e
gzip -dc {DATA}/reference/lambda_virus.fa.gz > reference.fa
bowtie2-build --quiet reference.fa reference.fa
bowtie2 -x reference.fa -1 {DATA}/reads/reads_1.fq.gz -2 {DATA}/reads/reads_2.fq.gz 2> log | samtools sort -o sorted.bam -
samtools index sorted.bam
bcftools mpileup -f reference.fa sorted.bam 2> /dev/null | bcftools call -mv --ploidy 1 | grep -v '^#'
"""


def test_the_example_gives_the_records_of_its_programs(wfx, outputs, record, tmp_path):
    for program in ("bowtie2", "samtools", "bcftools"):
        require_program(program)
    require(DATA.is_dir(), "the data is not here; install bowtie2-examples")
    wfx("run", EXAMPLE, EXAMPLE / "inputs.yaml", "-o", "run", "--cores", "2", "-i", "threads=2")
    folder = tmp_path / "bare"
    folder.mkdir()
    done = subprocess.run(["bash", "-c", BARE], cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    found = outputs(tmp_path / "run")["results/variants.vcf"].decode()
    records = [line for line in found.splitlines() if not line.startswith("#")]
    assert len(records) == 88
    assert records == done.stdout.splitlines()
    made = record(tmp_path / "run")
    assert set(made.outputs) == {"variants", "alignments", "index", "alignment_rate"}
    links = {(link.source, link.target) for link in made.plan.description.connections}
    assert ("align/alignments", "sort_alignments/input") in links
    assert [step.id for step in made.plan.description.steps][-2:] == ["pileup", "call"]
    assert [f for f in validate(tmp_path / "run", level="RECOMMENDED") if f.code not in PERSONAL] == []
