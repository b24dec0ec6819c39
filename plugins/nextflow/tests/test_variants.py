"""The example of an aligner and a caller gives the records that its tools give in a pipe, and that the CWL gives."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.requirements import require, require_program

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).parents[3] / "examples"
DATA = Path("/usr/share/doc/bowtie2/examples")


def records(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_variants_are_those_of_the_tools_in_a_pipe(wfx: Any, tmp_path: Path) -> None:
    for program in ("bowtie2", "samtools", "bcftools"):
        require_program(program)
    require((DATA / "reads/reads_1.fq.gz").is_file(), "no data of the package bowtie2-examples")
    require(EXAMPLES.is_dir(), "the examples are not here")
    where = shutil.copytree(EXAMPLES / "variants-nextflow", tmp_path / "flow")
    wfx("run", where, where / "params.yml", "-o", "out", "--containers", "none")
    assert sorted(path.name for path in (tmp_path / "out/outputs").iterdir()) == [
        "alignments.bam", "alignments.bam.bai", "bowtie2.log", "variants.vcf",
    ]  # fmt: skip
    genome = tmp_path / "reference.fa"
    genome.write_bytes(gzip.decompress((DATA / "reference/lambda_virus.fa.gz").read_bytes()))
    script = f"""set -e; cd {tmp_path}
bowtie2-build --quiet reference.fa reference.fa
bowtie2 -x reference.fa -1 {DATA}/reads/reads_1.fq.gz -2 {DATA}/reads/reads_2.fq.gz 2>/dev/null | samtools sort -o a.bam
bcftools mpileup -f reference.fa a.bam 2>/dev/null | bcftools call -mv --ploidy 1 -O v"""
    piped = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    ours = records((tmp_path / "out/outputs/variants.vcf").read_text())
    assert len(ours) > 50
    assert ours == records(piped)
    assert [f for f in validate(tmp_path / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []
