"""A whole `wfx run` of 3 and of 2,000 jobs against bare Snakemake: `python benchmarks/snakemake_overhead.py [JOBS]`."""

import itertools
import sys
from pathlib import Path

from pairs import WFX, clean_home, folder, pair, wall
from snakemake_runs import SNAKEMAKE, workflow

GOAL = "1.10 plus 0.3 s"
number = itertools.count()


def compare(work: Path, jobs: int, rounds: int) -> None:
    """Run so many jobs in all ways; its greedy scheduler is what Snakemake's pages advise for many jobs."""
    source = workflow(work / f"wf{jobs}", jobs)

    def ours() -> float:
        command = [WFX, "run", str(source), "-o", str(work / f"run{next(number)}"), "--cores", "2", "-q"]
        return wall(command, env=clean_home(work / "home"))

    def bare(*options: str) -> float:
        return wall([*SNAKEMAKE, *options], cwd=workflow(work / f"bare{next(number)}", jobs))

    pair(f"run of {jobs} jobs, against bare Snakemake", ours, bare, GOAL, rounds)
    pair(f"run of {jobs} jobs, against its greedy one", ours, lambda: bare("--scheduler", "greedy"), GOAL, rounds)


with folder() as work:
    compare(work, 3, 5)
    compare(work, int(sys.argv[1]) if len(sys.argv) > 1 else 2000, 2)
