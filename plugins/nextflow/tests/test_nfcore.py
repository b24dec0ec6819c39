"""A pipeline that nf-core's tools make: recognised, its schema read, planned in full, run to its end."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.requirements import require
from wfx_nextflow import programs

pytestmark = pytest.mark.real

NF_CORE = "3.3.2"
# What needs the web.
SKIPPED = "github, ci, github_badges, igenomes, email, adaptivecard, slackreport, gitpod, codespaces, nf_core_configs, rocrate, seqera_platform, vscode, gpu"
FASTQC = """#!/bin/bash
[ "$1" = --version ] && { echo "FastQC v0.12.1"; exit; }
for a; do case $a in *.gz) gzip -cd "$a" | wc -c > "$(basename "$a" .gz)_fastqc.html"; echo > "$(basename "$a" .gz)_fastqc.zip";; esac; done
"""
MULTIQC = """#!/bin/bash
[ "$1" = --version ] && { echo "multiqc, version 1.29"; exit; }
echo report > multiqc_report.html; mkdir -p multiqc_data; ls > multiqc_data/files.txt
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def made(tmp_path: Path, nextflow: programs.Program) -> Any:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache / f"wfx-runtimes/nf-core-{NF_CORE}/bin/nf-core"
    program = str(kept) if kept.is_file() else shutil.which("nf-core")
    require(program is not None, f"nf-core {NF_CORE} is not installed (scripts/runtimes nextflow installs it)")
    assert program is not None
    executable(
        tmp_path / "bin/nextflow", "#!/bin/bash\nexec " + " ".join(f"'{word}'" for word in nextflow.command) + ' "$@"\n'
    )

    def create(name: str, skipped: str) -> Path:
        (tmp_path / f"{name}.yml").write_text(
            f"name: {name}\ndescription: A pipeline\nauthor: Ada\nversion: 1.0.0\norg: wfx\nskip_features: [{skipped}]\n"
        )
        environment = {
            **os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "NXF_OFFLINE": "true",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }  # fmt: skip
        words = [program, "pipelines", "create", "--template-yaml", f"{name}.yml"]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
        assert (tmp_path / f"wfx-{name}/main.nf").is_file(), done.stdout + done.stderr
        return tmp_path / f"wfx-{name}"

    return create


# Without nf-schema the template leaves this out; it is nf-core's usual one.
ROWS = """{"type": "array", "items": {"type": "object", "required": ["sample", "fastq_1"], "properties": {
    "sample": {"type": "string"}, "fastq_1": {"type": "string", "format": "file-path", "exists": true},
    "fastq_2": {"type": "string", "format": "file-path", "exists": true}}}}"""


def test_it_is_run_to_its_end(made: Any, wfx: Any, tmp_path: Path) -> None:
    where = made("full", SKIPPED + ", nf_schema")
    (where / "assets/schema_input.json").write_text(ROWS)
    executable(tmp_path / "tools/fastqc", FASTQC)
    executable(tmp_path / "tools/multiqc", MULTIQC)
    for number in (1, 2):
        (tmp_path / f"a_{number}.fastq.gz").write_bytes(gzip.compress(b"@r\nACGT\n+\nIIII\n"))
    (tmp_path / "sheet.csv").write_text("sample,fastq_1,fastq_2\na,a_1.fastq.gz,a_2.fastq.gz\n")
    wfx.environment["PATH"] = f"{tmp_path}/tools:{os.environ['PATH']}"
    done = wfx("run", where, "-i", "input=sheet.csv", "--containers", "none", "-o", "out", timeout=200)
    out = tmp_path / "out/outputs"
    assert (out / "fastqc/a_1_fastqc.html").read_text().strip() == "15", done
    assert (out / "multiqc/multiqc_report.html").is_file()
    plan = wfx("plan", where, "-i", "input=sheet.csv", "--containers", "none").stdout
    for said in (
        "WFX_FULL:FULL:FASTQC, WFX_FULL:FULL:MULTIQC",
        "biocontainers/fastqc:",
        "licence  MIT",
        "inputs     2 files",
    ):
        assert said in plan


def test_its_schema_is_read_and_its_plugin_refused_by_name(made: Any, wfx: Any, tmp_path: Path) -> None:
    where = made("schema", SKIPPED)
    template = wfx("inputs", where).stdout
    assert "record{sample: string, fastq_1: File, fastq_2: File?, …}[], required" in template
    assert "\ninput: " in template
    (tmp_path / "sheet.csv").write_text("sample,fastq_1,fastq_2\n")
    refused = wfx("plan", where, "-i", "input=sheet.csv", "--containers", "none", check=6)
    assert "plugin nf-schema@" in refused.stderr
