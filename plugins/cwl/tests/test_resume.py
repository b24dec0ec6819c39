"""A run that was killed goes on from its finished steps."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
from wfx.errors import EngineError
from wfx.testing.processes import wait_until

pytestmark = pytest.mark.real

# The last step waits for a file that only the second attempt finds.
DOCUMENTS = {
    "main.cwl": """\
        cwlVersion: v1.2
        class: Workflow
        requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}}
        inputs: {words: 'string[]', gate: Directory}
        outputs:
          out: {type: File, outputSource: last/out}
          codes: {type: 'int[]', outputSource: each/code}
        steps:
          each: {run: each.cwl, scatter: word, in: {word: words}, out: [out, code]}
          last: {run: last.cwl, in: {files: each/out, gate: gate}, out: [out]}
        """,
    "each.cwl": """\
        cwlVersion: v1.2
        class: CommandLineTool
        requirements: {InlineJavascriptRequirement: {}}
        successCodes: [0, 3]
        baseCommand: [sh, -c, 'echo "$0"; exit 3']
        inputs: {word: {type: string, inputBinding: {}}}
        stdout: same.txt
        outputs: {out: stdout, code: {type: int, outputBinding: {outputEval: $(runtime.exitCode)}}}
        """,
    "last.cwl": """\
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: [sh, -c, 'test -e "$0"/open || sleep 60; shift 0; cat "$@"']
        inputs: {gate: {type: Directory, inputBinding: {position: 1}}, files: {type: 'File[]', inputBinding: {position: 2}}}
        stdout: all.txt
        outputs: {out: stdout}
        """,
}
INPUTS = ["a", "b", "a"]


def killed(bench: Any, case: Any, inputs: Any) -> list[Any]:
    """Run until the last step has begun, then kill the driver; return the events."""
    seen: list[Any] = []
    case.describe()
    driver = bench.driver()
    original = driver._receive

    def receive(channel: Any) -> Any:
        answer = original(channel)
        seen.append(answer.get("event"))
        return answer

    driver._receive = receive
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            case.run(inputs)
        except EngineError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    wait_until(lambda: any(e and e["id"] == "last" for e in seen), "the last step begins")
    supervised = bench.channel._supervised
    os.kill(
        next(pid for pid in descendants(supervised._process.pid) if b"wfx_cwl/driver" in command_of(pid)),
        signal.SIGKILL,
    )
    thread.join(30)
    assert caught, "the driver's death is an EngineError"
    assert "SIGKILL" in str(caught[0])
    driver._receive = original
    return [event for event in seen if event]


def command_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            text = file.read()
    except OSError:
        return b""
    return b"" if b"bwrap" in text.split(b"\0")[0] else text


def descendants(pid: int) -> list[int]:
    found = []
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in map(int, file.read().split()):
            found += [child, *descendants(child)]
    return found


def test_finished_steps_are_cached_and_the_others_run(own_bench: Any) -> None:
    case = own_bench.case(DOCUMENTS)
    (case.directory / "given/gate").mkdir()
    inputs = {"words": INPUTS, "gate": {"class": "Directory", "location": (case.directory / "given/gate").as_uri()}}
    first = killed(own_bench, case, inputs)
    assert {e["id"]: e["state"] for e in first if e["state"] != "started"} == dict.fromkeys(
        ["each", "each_2", "each_3"], "completed"
    )
    (case.directory / "inputs/gate/open").write_text("")
    again = own_bench.case(DOCUMENTS)
    again.directory, again.engine.host = case.directory, case.engine.host
    again.engine._started = own_bench.driver()
    again._description = case._description
    import shutil

    shutil.rmtree(case.directory / "given/gate")
    shutil.copytree(case.directory / "inputs/gate", case.directory / "given/gate")
    shutil.rmtree(case.directory / "inputs/gate")
    ran = again.run(inputs)
    assert ran.result.status == "completed", ran.result.error
    assert {name: event.state for name, event in ran.ends.items()} == {
        "each": "cached", "each_2": "cached", "each_3": "cached", "last": "completed"
    }  # fmt: skip
    assert ran.read("out") == "a\nb\na\n"
    # An expression that asks for the exit code gets the first attempt's.
    assert ran.outputs["codes"] == [3, 3, 3]
    assert ran.ends["each_2"].outputs["out"]["checksum"].startswith("sha1$")
    # Nothing of the engine's own stays once it is done.
    assert not (case.directory / ".wfx/engine/cache").exists()


def test_a_finished_run_leaves_no_temporary_files(bench: Any) -> None:
    case = bench.case({"main.cwl": DOCUMENTS["each.cwl"]})
    ran = case.run({"word": "x"})
    assert ran.result.status == "completed"
    left = [path.name for path in (case.directory / ".wfx/engine").iterdir()]
    assert not {"cache", "cwltool-tmp", "cwltool-out"} & set(left)
