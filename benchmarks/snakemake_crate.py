"""The crate of a run of 2,000 tasks, seconds and memory: `python benchmarks/snakemake_crate.py [TASKS]`."""

import subprocess
import sys

from pairs import WFX, clean_home, folder, wall
from snakemake_runs import workflow

tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
CODE = """\
import resource, sys, time
from pathlib import Path
from wfx.plugins import PluginManager
from wfx.rundirs import load_record
from wfx.running import RunRecord

run = Path(sys.argv[1])
record = load_record(run, "record", RunRecord)
exporter = PluginManager().exporter("ro-crate")()
began = time.perf_counter()
exporter.describe(record, run)
took = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(f"crate of {len(record.events):,} tasks: {took:.2f} s (goal 5), memory {memory:.0f} MB (goal 300)")
"""

with folder() as work:
    run = str(work / "run")
    command = [WFX, "run", str(workflow(work / "wf", tasks)), "-o", run, "--cores", "2", "-q"]
    wall(command, env=clean_home(work / "home"))
    subprocess.run([sys.executable, "-c", CODE, run], check=True)
