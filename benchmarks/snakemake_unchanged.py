"""An unchanged `wfx run` again, against Snakemake that finds nothing to do: `python benchmarks/snakemake_unchanged.py`."""

from pairs import WFX, clean_home, folder, pair, wall
from snakemake_runs import SNAKEMAKE, workflow

with folder() as work:
    for jobs in (3, 300):
        source = workflow(work / f"wf{jobs}", jobs)
        env = clean_home(work / "home")
        command = [WFX, "run", str(source), "-o", str(work / f"run{jobs}"), "--cores", "2", "-q"]
        wall(command, env=env)
        bare = workflow(work / f"bare{jobs}", jobs)
        wall(SNAKEMAKE, cwd=bare)
        pair(
            f"an unchanged run of {jobs} jobs, against Snakemake's",
            lambda command=command, env=env: wall(command, env=env),
            lambda bare=bare: wall(SNAKEMAKE, cwd=bare), "0.2",
        )  # fmt: skip
