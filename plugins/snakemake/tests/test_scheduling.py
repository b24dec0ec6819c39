"""Which jobs run next: as Snakemake would have it, without its waits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from wfx_snakemake.driver.scheduling import MANY, fits


@dataclass
class Job:
    scheduler_resources: dict[str, int] = field(default_factory=lambda: {"_cores": 1})
    priority: int = 0


def test_what_fits_at_once_needs_no_choice():
    assert fits([Job(), Job()], {"_cores": 2, "_job_count": 9})
    assert not fits([Job(), Job(), Job()], {"_cores": 2})
    assert not fits(
        [Job({"_cores": 1, "mem_mb": 600}), Job({"_cores": 1, "mem_mb": 600})], {"_cores": 2, "mem_mb": 1000}
    )


def test_a_job_that_is_to_wait_is_left_to_snakemake():
    assert not fits([Job(priority=-1)], {"_cores": 2})


MANY_JOBS = """\
rule all:
    input: expand("{{kind}}/{{n}}.txt", kind=["late", "early"], n=range({half}))

rule late:
    output: "late/{{n}}.txt"
    shell: "echo {{wildcards.n}} > {{output}}"

rule early:
    output: "early/{{n}}.txt"
    priority: 10
    shell: "echo {{wildcards.n}} > {{output}}"
"""


@pytest.mark.real
def test_many_ready_jobs_run_by_their_priority(wfx, outputs, record, tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    half = MANY // 2 + 5
    (folder / "Snakefile").write_text(MANY_JOBS.format(half=half))
    wfx("run", folder, "-o", "run", "--cores", "1", timeout=120)
    assert len(outputs(tmp_path / "run")) == 2 * half
    done = record(tmp_path / "run")
    assert [event.name for event in done.events] == ["early"] * half + ["late"] * half
