"""(n2) An unchanged `wfx run` of a Nextflow pipeline again, against `nextflow run -resume` with all tasks cached."""

from nextflow_pairs import bare, nextflow, ours, words
from pairs import WFX, clean_home, folder, pair, wall

with folder() as work:
    pipeline, texts = words(work)
    environment, command = ours(clean_home(work / "home")), nextflow()
    cwd = work / "bare"
    cwd.mkdir()

    def again() -> float:
        return wall([WFX, "run", pipeline, "-i", f"texts={texts}", "-o", str(work / "run"), "-q"], env=environment)

    def resumed() -> float:
        words = [*command, "run", pipeline, "--texts", texts, "--outdir", str(cwd / "out"), "-resume"]
        return wall(words, cwd=cwd, env=bare(work / "alone"))

    again()
    resumed()
    pair("an unchanged run again, against -resume with all tasks cached", again, resumed, "0.1")
