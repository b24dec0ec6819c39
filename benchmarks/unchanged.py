"""(f) An unchanged `wfx run` again, against its first run."""

import itertools

from pairs import WFX, clean_home, folder, pair, two_steps, wall

with folder() as work:
    workflow = two_steps(work / "wf")
    number = itertools.count()
    command = [WFX, "run", str(workflow), str(workflow.parent / "job.yml"), "-q"]
    last = {}

    def first() -> float:
        last["env"] = clean_home(work / "home")
        last["run"] = str(work / f"run{next(number)}")
        return wall([*command, "-o", last["run"]], env=last["env"])

    def again() -> float:
        return wall([*command, "-o", last["run"]], env=last["env"])

    first()
    pair("an unchanged run again, against the first", again, first, "0.2")
