"""Run a pipeline: start Nextflow, follow it, say how it ended."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

from .following import Follower
from .java import Broken, Nextflow, added_configuration, ask_images, broken_document, profile_of, shortened
from .outputs import gather
from .params import render
from .settings import configuration_text
from .tasks import Recorder

PAUSE = 0.05
FIRST_ERROR = re.compile(r"^ERROR ~ ", re.M)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHECK = re.compile(r"^ -- Check script '(.+?)' at line: (\d+)", re.M)
FAILED_TASK = re.compile(r"Error executing process > '(.+)'")
END_OF_ERROR = re.compile(r"^(?: -- Check|Tip: |WARN: Killing)", re.M)


def run(message: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline; tell events, return the result."""
    state, outputs, logs = Path(message["state"]), Path(message["outputs"]), Path(message["logs"])
    launch, work = state / "launch", state / "work"
    for folder in (launch, work, outputs, logs):
        folder.mkdir(parents=True, exist_ok=True)
    params, console, log, trace = (state / name for name in ("params.json", "console.txt", "nextflow.log", "trace.txt"))
    for file in (trace, log, console):
        file.unlink(missing_ok=True)
    params.write_text(json.dumps(render(message, state), ensure_ascii=False, indent=1))
    (state / "wfx.config").write_text(configuration_text(message, trace, outputs))
    if message["found"] and message["containers"]:
        _look_again(message, params)
    target = message["tree"] if Path(message["home"]) != (Path(message["tree"]) / message["entry"]).parent else ""
    arguments = [
        "-log", str(log), "-trace", "nextflow.processor.PublishDir", *added_configuration(message, state),
        "-c", str(state / "wfx.config"), "run",
        target or str(Path(message["tree"]) / message["entry"]), "-params-file", str(params), "-work-dir", str(work),
        "-ansi-log", "false", "-offline",
    ]  # fmt: skip
    arguments += profile_of(message)
    if message["workflow"]:
        arguments += ["-entry", message["workflow"]]
    # What an earlier attempt has finished is found again in its cache.
    if (launch / ".nextflow" / "history").is_file():
        arguments.append("-resume")
    recorder = Recorder(message, work, logs)
    follower = Follower(log, trace, recorder)
    with console.open("wb") as out:
        nextflow = Nextflow(message, arguments, launch, out, out)
        while nextflow.process.poll() is None:
            if not follower.step():
                time.sleep(PAUSE)
        nextflow.end()
    follower.step()
    said = COLOUR.sub("", console.read_text("utf-8", "replace"))
    status = nextflow.process.returncode
    problem = broken_document(said, message["tree"]) if status else None
    error = _error(said, recorder) if status else ""
    recorder.finish(error)
    files = gather(outputs, launch, recorder, keep_work=status != 0)
    (logs / "nextflow.log").write_text(recorder.clean(said))
    if trace.is_file():
        (logs / "trace.txt").write_text(recorder.clean(trace.read_text("utf-8", "replace")))
    if problem is not None:
        raise problem
    if status < 0 and not error:
        raise Broken("engine", f"Nextflow was killed by signal {-status}")
    if status == 0:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(launch, ignore_errors=True)
    command = ["nextflow", "run", f"workflow/{message['entry']}", "-params-file", "inputs.json"]
    command += profile_of(message)
    command += ["-entry", message["workflow"]] if message["workflow"] else []
    return {
        "status": "completed" if status == 0 else "failed", "exit_code": status if status >= 0 else 128 - status,
        "outputs": files, "error": error, "command": command,
        "unplanned": {image: sorted(steps) for image, steps in recorder.unplanned.items()},
    }  # fmt: skip


def _look_again(message: dict[str, Any], params: Path) -> None:
    """Refuse a run whose params choose other images than were planned from the script alone."""
    now = ask_images(message, ["-params-file", str(params)])
    for step, planned in message["found"].items():
        if now.get(step, planned) != planned:
            raise Broken(
                "document", f"with these params {step} runs in the image {now[step]}", message["entry"],
                f"planned is {planned}, which the script chooses without them",
                f"name the image in a configuration, and give it as the option config: process {{ withName: '{step}' "
                f"{{ container = '{now[step]}' }} }}",
            )  # fmt: skip


def _error(said: str, recorder: Recorder) -> str:
    """Return why the run failed, as Nextflow says it."""
    found = FIRST_ERROR.search(said)
    if found is None:
        return recorder.clean(shortened(said)) or "Nextflow says only that it failed"
    text = said[found.end() :]
    end = END_OF_ERROR.search(text)
    failed = FAILED_TASK.match(text)
    # The step is named by its id, so that nobody takes one that was tried again with success for the reason.
    named = f"step '{recorder.ids[failed[1]]}': " if failed and failed[1] in recorder.ids else ""
    lines = [line.rstrip() for line in text[: end.start() if end else None].splitlines()]
    if place := CHECK.search(text):
        named = f"{recorder.clean(place[1])}:{place[2]}: "
    return named + recorder.clean("\n".join(line for line in lines if line.strip()))
