"""(g) 10,000 input files against 1,000: staging time, memory, and the time to write the crate."""

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pairs import WFX, clean_home, folder

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [echo, done]
inputs: {files: {type: "File[]"}}
outputs: {out: stdout}
stdout: out.txt
"""


def staged(work: Path, count: int) -> tuple[float, int, Path]:
    """Stage so many files; return seconds, peak memory in kB, and the run directory."""
    data = work / f"data{count}"
    data.mkdir()
    for n in range(count):
        (data / f"f{n}.txt").write_text(f"{n}\n")
    (work / "tool.cwl").write_text(TOOL)
    job = work / f"job{count}.json"
    job.write_text(json.dumps({"files": [{"class": "File", "path": f"{data}/f{n}.txt"} for n in range(count)]}))
    time.sleep(2.5)  # files that have just been written are hashed twice
    best = 1e9
    for attempt in range(3):
        run = work / f"run{count}-{attempt}"
        env = clean_home(work / "home")
        began = time.perf_counter()
        answer = subprocess.run([WFX, "stage", "-q", str(work / "tool.cwl"), str(job), "-o", str(run)], env=env)
        best = min(best, time.perf_counter() - began)
        if answer.returncode != 0:
            sys.exit(answer.returncode)
        if attempt < 2:
            shutil.rmtree(run)
    return best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, run


with folder() as work:
    small, _, _ = staged(work, 1000)
    large, memory, run = staged(work, 10_000)
    ratio = large / small
    print(f"staging: 1,000 files {small:.2f} s, 10,000 files {large:.2f} s, ratio {ratio:.1f} (goal 12)")
    print(f"memory at 10,000 files: {memory / 1000:.0f} MB (goal 300)")
    subprocess.run([WFX, "execute", "-q", str(run)], check=True, env={**clean_home(work / "home2")})
    code = (
        "import sys, time; from pathlib import Path; from wfx.plugins import PluginManager\n"
        "from wfx.rundirs import load_record; from wfx.running import RunRecord\n"
        "run = Path(sys.argv[1]); record = load_record(run, 'record', RunRecord)\n"
        "exporter = PluginManager().exporter('ro-crate')(); t = time.perf_counter(); exporter.describe(record, run)\n"
        "print(f'crate of 10,000 files written in {time.perf_counter() - t:.2f} s (goal 3)')"
    )
    subprocess.run([sys.executable, "-c", code, str(run)], check=True)
