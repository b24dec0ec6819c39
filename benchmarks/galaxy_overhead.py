"""(gx) A whole `wfx run` of a Galaxy workflow against bare bioblend: `python benchmarks/galaxy_overhead.py`.

Both on one private server: upload, import, invocation, wait, download of two outputs. bioblend asks twice a second, as a
script of a user's would; wfx leaves a crate besides.
"""

import itertools
import json
import os
import sys
from pathlib import Path

from pairs import WFX, clean_home, folder, pair, wall
from wfx import provided
from wfx.config import Directories
from wfx.providing import environment_python
from wfx_galaxy import GalaxyEngine
from wfx_galaxy.private import start

WORKFLOW = Path(__file__).parents[1] / "plugins/galaxy/tests/workflows/count.gxwf.yml"
TOOLS = Path(__file__).parents[1] / "plugins/galaxy/tests/tools"
BARE = """
import sys, time
from bioblend.galaxy import GalaxyInstance

url, key, workflow, lines, out = sys.argv[1:]
gi = GalaxyInstance(url, key=key)
history = gi.histories.create_history("bare")["id"]
dataset = gi.tools.upload_file(lines, history, file_type="txt")["outputs"][0]["id"]
gi.datasets.wait_for_dataset(dataset, interval=0.5)
made = gi.workflows.import_workflow_dict({"class": "GalaxyWorkflow", "yaml_content": open(workflow).read()})
inputs = {"lines": {"src": "hda", "id": dataset}, "reverse": True}
invocation = gi.workflows.invoke_workflow(made["id"], inputs=inputs, inputs_by="name", history_id=history,
                                          allow_tool_state_corrections=True)["id"]
while True:
    states = gi.invocations.get_invocation_summary(invocation)["states"]
    if states and not set(states) & {"new", "queued", "running", "waiting"}:
        break
    time.sleep(0.5)
for label, output in gi.invocations.show_invocation(invocation)["outputs"].items():
    gi.datasets.wait_for_dataset(output["id"], interval=0.5)
    gi.datasets.download_dataset(output["id"], file_path=f"{out}.{label}", use_default_filename=False)
"""

with folder() as work:
    engines = Directories.find().cache / "engines"
    kept = provided.install(engines, GalaxyEngine, GalaxyEngine.capabilities.provides)
    with start(environment_python(kept.installation, "galaxy"), work / "galaxy", tools=TOOLS) as server:
        home = clean_home(work / "home")
        config = Path(home["WFX_HOME"]) / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "config.toml").write_text(f'[site.bench]\nurl = "{server.url}"\n')
        secrets = config / "credentials.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(f'[{json.dumps(server.url)}]\nheader = "x-api-key"\nvalue = "{server.key}"\n')
        lines = work / "lines.txt"
        lines.write_text("".join(f"{n * 7919 % 10007}\n" for n in range(10000)))
        number = itertools.count()

        def wfx() -> float:
            out = str(work / f"run{next(number)}")
            words = [
                WFX,
                "run",
                str(WORKFLOW),
                "-i",
                f"lines={lines}",
                "-i",
                "reverse=true",
                "-o",
                out,
                "-q",
                "--force",
            ]
            return wall(words, env=home)

        def bare() -> float:
            words = [sys.executable, "-c", BARE, server.url, server.key, str(WORKFLOW), str(lines), str(work / "bare")]
            return wall(words, env={**os.environ})

        bare()  # the first upload of a server takes its time
        pair("run of two steps on a Galaxy server, against bare bioblend", wfx, bare, "1.15")
