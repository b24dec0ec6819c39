"""(n1) A whole `wfx run` of a Nextflow pipeline against bare Nextflow: `python benchmarks/nextflow_overhead.py`.

Twice: the first time that wfx sees the pipeline, when Nextflow has to read its configuration too, and later on.
"""

import itertools

from nextflow_pairs import bare, nextflow, ours, words
from pairs import WFX, clean_home, folder, pair, wall

with folder() as work:
    pipeline, texts = words(work)
    command, number = nextflow(), itertools.count()
    known = ours(clean_home(work / "known"))

    def wfx(environment: dict[str, str]) -> float:
        out = str(work / f"run{next(number)}")
        return wall([WFX, "run", pipeline, "-i", f"texts={texts}", "-o", out, "-q"], env=environment)

    def alone() -> float:
        cwd = work / f"bare{next(number)}"
        cwd.mkdir()
        words = [*command, "run", pipeline, "--texts", texts, "--outdir", str(cwd / "out")]
        return wall(words, cwd=cwd, env=bare(work / "home"))

    wfx(known)
    pair("run of a pipeline that is known, against bare Nextflow", lambda: wfx(known), alone, "1.10 plus 0.3 s")
    pair(
        "run of a pipeline that is new, against bare Nextflow",
        lambda: wfx(ours(clean_home(work / "new"))), alone, "1.10 plus 0.3 s",
    )  # fmt: skip
