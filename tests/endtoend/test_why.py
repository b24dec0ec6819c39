"""Why a run was not reused, and what differs between two: each cause by its name, the first step before the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

RANDOM = """\
cwlVersion: v1.2
class: Workflow
inputs: {n: int}
outputs: {result: {type: File, outputSource: after/out}}
steps:
  draw:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'od -An -N8 -tx8 /dev/urandom']
      inputs: {n: int}
      outputs: {out: {type: stdout}}
      stdout: drawn.txt
    in: {n: n}
    out: [out]
  after:
    run:
      class: CommandLineTool
      baseCommand: cat
      inputs: {text: {type: File, inputBinding: {}}}
      outputs: {out: {type: stdout}}
      stdout: after.txt
    in: {text: draw/out}
    out: [out]
"""


def run(wfx, *more: str, code: int = 0) -> Path:
    done = wfx("run", "flow/count.cwl", "flow/job.yml", "--json", *more)
    assert done.code == code, done.err
    return Path(done.json["directory"])


def why(wfx, *runs: str | Path) -> dict[str, Any]:
    done = wfx("why", *runs, "--json")
    assert done.code == 0, done.err
    return done.json


def causes(found: dict[str, Any], key: str = "causes") -> list[tuple[str, str]]:
    return [(cause["kind"], cause["name"]) for cause in found[key]]


def test_each_part_of_the_identity_is_a_cause_in_words(wfx) -> None:
    wfx.workflow()
    first = run(wfx)
    found = why(wfx, first)
    assert (found["reusable"], found["now"], found["earlier"]) == (True, [], "")
    assert "It is the first run of its workflow" in wfx("why", "count").out
    wfx.write("flow/words.txt", "d\nc\n")
    second = run(wfx)
    assert causes(why(wfx, second)) == [("input", "words")]
    third = run(wfx, "-i", "reverse=true")
    assert causes(why(wfx, third)) == [("input", "reverse")]
    assert "the input 'reverse' was false, then true" in wfx("why", third).out
    # The workflow's own documents count like the inputs.
    wfx.write("flow/sort.cwl", wfx.tool.replace("[sort]", "[sort, -u]"))
    fourth = run(wfx, "-i", "reverse=true")
    assert causes(why(wfx, fourth)) == [("workflow", "sort.cwl")]
    # What changed since keeps the earlier ones from being reused, and is told of them.
    found = why(wfx, first)
    assert causes(found, "now") == [("workflow", "sort.cwl"), ("input", "words")]
    assert not found["reusable"]


def test_what_became_of_the_outputs_is_told(wfx) -> None:
    wfx.workflow()
    first = run(wfx)
    output = first / "outputs/counts.txt"
    data = output.read_bytes()
    output.write_bytes(data.replace(b"2", b"9"))
    found = why(wfx, first)
    assert causes(found, "now") == [("output", "result")]
    assert found["reusable"], "wfx run looks at sizes"
    assert "which `wfx run` does not look at" in wfx("why", first).out
    output.write_bytes(data + b"more")
    assert "counts.txt has 24 bytes, and had 20" in wfx("why", first).out
    assert not why(wfx, first)["reusable"]
    output.unlink()
    # Of a machine with another version of the engine.
    for name in ("plan", "record"):
        place = first / f".wfx/{name}.json"
        kept = json.loads(place.read_text())
        kept.get("plan", kept)["description"]["engine_version"] = "1.0"
        place.write_text(json.dumps(kept))
    found = why(wfx, first)
    assert causes(found, "now") == [("output", "result"), ("engine", "cwl.cwltool")]
    assert "is installed now, and it ran with 1.0" in found["now"][1]["text"]
    assert "its output 'result' is no longer there: outputs/counts.txt" in wfx("why", first).out


def test_a_run_that_was_forced_or_asked_for_elsewhere_says_so(wfx) -> None:
    wfx.workflow()
    first = run(wfx)
    elsewhere = run(wfx, "-o", "elsewhere")
    assert causes(why(wfx, elsewhere)) == [("place", str(elsewhere))]
    forced = run(wfx, "--force")
    assert forced == first
    assert "it was to be run anew in its place (--force)" in wfx("why", forced).out


def test_a_run_that_failed_is_no_run_to_reuse(wfx) -> None:
    wfx.workflow()
    wfx.write("flow/sort.cwl", wfx.tool.replace("[sort]", "[sort, --no-such-option]"))
    failed = run(wfx, code=1)
    found = why(wfx, failed)
    assert causes(found, "now") == [("status", "failed")]
    wfx.write("flow/sort.cwl", wfx.tool)
    assert causes(why(wfx, run(wfx, "-o", "good"))) == [("workflow", "sort.cwl")]


def test_two_runs_part_at_their_first_step(wfx) -> None:
    wfx.workflow()
    first = run(wfx)
    same = why(wfx, first, run(wfx, "-o", "same"))
    assert same["same"]
    assert same["steps"] == []
    second = run(wfx, "-i", "reverse=true")
    found = why(wfx, first, second)
    assert causes(found) == [("input", "reverse")]
    assert found["first_step"] == "sort"
    [sort, count] = found["steps"]
    assert [(r["kind"], r["name"]) for r in sort["reasons"]] == [("input", "reverse"), ("command", "command")]
    assert sort["reasons"][1]["text"] == "its command line was `sort words.txt`, then `sort -r words.txt`"
    assert [(r["kind"], r.get("made_by")) for r in count["reasons"]] == [("input", "sort")]
    said = wfx("why", first, second).out
    # Their crates say the same.
    packed = [wfx.folder / f"{place.name}.zip" for place in (first, second)]
    for place, target in zip((first, second), packed, strict=True):
        assert wfx("export", place, "-q", "-o", target).code == 0
    assert why(wfx, *packed)["steps"] == found["steps"]
    # A tool that was only described in another way.
    wfx.write("flow/sort.cwl", wfx.tool + "hints: {ResourceRequirement: {coresMin: 1}}\n")
    changed = why(wfx, first, run(wfx))
    assert causes(changed) == [("workflow", "sha256")]
    assert [r["kind"] for r in changed["steps"][0]["reasons"]] == ["tool"]
    assert changed["comparison"]["reproduced"]
    assert said.index("The first step that differs is sort:") < said.index(
        "count: its input 'words' is what step sort made"
    )


def test_a_tool_that_is_not_deterministic_is_found(wfx) -> None:
    wfx.write("draw.cwl", RANDOM)
    runs = [wfx("run", "draw.cwl", "-i", "n=1", "-o", name, "--json").json["directory"] for name in "ab"]
    found = why(wfx, *runs)
    assert found["causes"] == []
    assert found["first_step"] == "draw"
    [draw, after] = found["steps"]
    assert [r["kind"] for r in draw["reasons"]] == ["output"]
    assert "of the same inputs with the same command" in draw["reasons"][0]["text"]
    assert after["reasons"][0]["made_by"] == "draw"


def test_a_slip_is_told_in_one_line(wfx) -> None:
    assert "no run 'nothing'" in wfx.refused(2, "why", "nothing")
    assert "there is no run and no crate" in wfx.refused(2, "why", "nothing", "nothing")
