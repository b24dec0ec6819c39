"""(a) A whole `wfx run` of two steps against bare cwltool on the same machine: `python benchmarks/run_overhead.py`."""

import itertools

from pairs import BIN, WFX, clean_home, folder, pair, two_steps, wall

with folder() as work:
    workflow = two_steps(work / "wf")
    number = itertools.count()
    job = str(workflow.parent / "job.yml")

    def ours() -> float:
        n = next(number)
        command = [WFX, "run", str(workflow), job, "-o", str(work / f"run{n}"), "-q"]
        return wall(command, env=clean_home(work / "home"))

    def bare() -> float:
        command = [str(BIN / "cwltool"), "--quiet", "--outdir", str(work / f"bare{next(number)}"), str(workflow), job]
        return wall(command)

    pair("run of two steps, against bare cwltool", ours, bare, "1.10 plus 0.3 s")
