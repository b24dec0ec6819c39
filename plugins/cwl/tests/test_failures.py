"""What goes wrong: broken documents, failing tools, strange names. Always an error for people, never a traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from wfx.drivers import Driver
from wfx.errors import DefinitionError, InputError
from wfx.sandbox import Sandbox
from wfx_cwl.engine import DRIVER

pytestmark = pytest.mark.real

TOOL = "cwlVersion: v1.2\nclass: CommandLineTool\n"
FLOW = "cwlVersion: v1.2\nclass: Workflow\n"


@pytest.mark.parametrize(("text", "where", "said"), [
    (FLOW.replace("1.2", "1.9") + "inputs: []\noutputs: []\nsteps: []\n", "main.cwl:1", "cwlVersion v1.9 is unknown"),
    (FLOW.replace("v1.2", "draft-3") + "inputs: []\n", "main.cwl:1", "cwl-upgrader"),
    (FLOW.replace("v1.2", "1.2") + "inputs: []\n", "main.cwl:1", "cwlVersion 1.2 is unknown"),
    ("class: Workflow\ninputs: []\noutputs: []\nsteps: []\n", "main.cwl:1", "write cwlVersion: v1.2"),
    ("cwlVersion: v1.2\nclass: Wrokflow\n", "main.cwl:2", "class Wrokflow is unknown"),
    ("cwlVersion: v1.2\n", "main.cwl:1", "it has no class"), ("cwlVersion: v1.2\n$graph: []\n", "main.cwl", "none"),
    ("[]", "main.cwl:1", "a mapping"), ("", "main.cwl", "empty"), ("42", "main.cwl:1", ""), ("text", "main.cwl:1", ""),
    ("cwlVersion: v1.2\nclass: Operation\ninputs: []\noutputs: []\n", "main.cwl", "abstract Operation"),
    (TOOL + "baseCommand: [x\ninputs: []\n", "main.cwl:4", "expected ',' or ']'"),
    (TOOL + "basecommand: x\ninputs: []\noutputs: []\n", "main.cwl:3", "invalid field 'basecommand'"),
    (TOOL + "baseCommand: x\ninputs: []\n", "main.cwl:1", "outputs"),
    (TOOL + "baseCommand: x\ninputs: {a: Fyle}\noutputs: []\n", "main.cwl:4", "Fyle"),
    (TOOL + "baseCommand: x\nrequirements: {Foo: {}}\ninputs: []\noutputs: []\n", "main.cwl:4", "Foo"),
    (TOOL + "baseCommand: x\nrequirements: [{class: SchemaDefRequirement, types: [{$import: none.yml}]}]\ninputs: []\noutputs: []\n",
     "main.cwl", "it is not valid CWL: none.yml cannot be read"),
    (FLOW + "inputs: []\noutputs: {o: {type: File, outputSource: no/o}}\nsteps: []\n", "main.cwl:4", "'no/o'"),
    (FLOW + "inputs: []\noutputs: []\nsteps:\n  a: {run: none.cwl, in: [], out: []}\n", "main.cwl:6", "none.cwl"),
    (FLOW + "inputs: []\noutputs: []\nsteps:\n  a: {run: main.cwl, in: [], out: []}\n", "main.cwl", "runs itself"),
    (FLOW + "inputs: {a: string}\noutputs: []\nsteps:\n  s:\n    run: {class: CommandLineTool, baseCommand: x, inputs: {b: int}, outputs: []}\n    in: {b: a}\n    out: []\n",
     "main.cwl:8", "incompatible"),
    (FLOW + "inputs: []\noutputs: []\nsteps:\n  s:\n    run: {class: CommandLineTool, baseCommand: x, inputs: {b: int}, outputs: []}\n    in: []\n    out: [nothing]\n",
     "main.cwl:8", "nothing"),
    (FLOW + "inputs: []\noutputs: []\nsteps: {a: {run: 'http://127.0.0.1:9/x.cwl', in: [], out: []}}\n", "main.cwl:5", "http://127.0.0.1:9/x.cwl"),
    (TOOL + "baseCommand: x\ninputs: []\noutputs: {o: {type: stdout, type: File}}\n", "main.cwl:5", ""),
    (TOOL + "baseCommand: \t x\n", "main.cwl", ""), ("\x00", "main.cwl", ""), ("%YAML 9\n---\na", "main.cwl", ""),
])  # fmt: skip
def test_a_broken_document_is_explained_with_its_line(bench: Any, text: str, where: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        bench.case({"main.cwl": text}).describe()
    assert caught.value.where.startswith(where), str(caught.value)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert str(bench.folder) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_document_of_a_step_is_named_with_its_own_line(bench: Any) -> None:
    documents = {
        "main.cwl": FLOW + "inputs: []\noutputs: []\nsteps:\n  a: {run: tools/t.cwl, in: [], out: []}\n",
        "tools/t.cwl": TOOL + "baseCommand: x\ninputs: []\noutputs: []\nnosuch: 1\n",
    }
    with pytest.raises(DefinitionError) as caught:
        bench.case(documents).describe()
    assert caught.value.where == "tools/t.cwl:6"


def test_bytes_that_are_no_text_are_explained(bench: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        bench.case({"main.cwl": b"cwlVersion: v1.2\nclass: Workflow\ndoc: \xff\xfe\n"}).describe()
    assert "main.cwl" in str(caught.value)


# -- tools that fail


def shell(command: str, outputs: str = "[]", more: str = "") -> str:
    return f"{TOOL}{more}baseCommand: [sh, -c]\narguments: [{json.dumps(command)}]\ninputs: []\noutputs: {outputs}\n"


def failed(bench: Any, text: str) -> Any:
    ran = bench.case(text).run()
    assert ran.result.status == "failed"
    assert ran.outputs == {}
    assert "Traceback" not in ran.result.error
    assert str(bench.folder) not in ran.result.error + str(ran.events)
    return ran


def test_a_tool_that_fails_is_told_with_its_code_and_its_last_words(bench: Any) -> None:
    ran = failed(bench, shell("echo something is wrong >&2; exit 7"))
    event = ran.ends["main"]
    assert (ran.result.exit_code, event.exit_code, event.state) == (7, 7, "failed")
    assert "exit code 7" in ran.result.error
    assert "something is wrong" in ran.result.error
    assert "something is wrong" in event.error
    assert (ran.directory / event.log).read_text() == "something is wrong\n"


@pytest.mark.parametrize(("signal", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM")])
def test_a_tool_that_dies_by_a_signal(bench: Any, signal: int, name: str) -> None:
    ran = failed(bench, shell(f"kill -{signal} $$"))
    assert ran.ends["main"].exit_code == -signal
    assert f"died by the signal {name}" in ran.result.error


def test_a_program_that_is_missing_or_cannot_be_executed(bench: Any) -> None:
    ran = failed(bench, TOOL + "baseCommand: no-such-program\ninputs: []\noutputs: []\n")
    assert "no-such-program" in ran.result.error
    assert "not found" in ran.result.error
    assert failed(bench, TOOL + "baseCommand: /etc/hostname\ninputs: []\noutputs: []\n").ends["main"].state == "failed"


def test_an_output_that_is_missing_is_named(bench: Any) -> None:
    ran = failed(bench, shell("true", "{result: {type: File, outputBinding: {glob: '*.txt'}}}"))
    assert "result" in ran.result.error
    assert "*.txt" in ran.result.error
    assert ran.ends["main"].exit_code == 0
    assert ran.result.exit_code == 1


def test_codes_of_success_and_failure_are_the_tools_own(bench: Any) -> None:
    more = "successCodes: [3]\ntemporaryFailCodes: [4]\npermanentFailCodes: [0]\n"
    ran = bench.case(shell("exit 3", more=more)).run()
    assert (ran.result.status, ran.result.exit_code, ran.ends["main"].exit_code) == ("completed", 0, 3)
    assert failed(bench, shell("exit 4", more=more)).result.exit_code == 4
    assert failed(bench, shell("exit 0", more=more)).result.exit_code == 1


def test_what_a_tool_prints_never_mixes_with_the_drivers_answers(bench: Any) -> None:
    ran = bench.case(shell("printf '{\"result\": 1}\\n\\377\\000garbage' ; printf '{\"event\": {}}\\n' >&2")).run()
    assert ran.result.status == "completed"
    assert b"garbage" in (ran.directory / ran.ends["main"].log).read_bytes()


def test_an_output_that_says_it_is_json_and_is_not(bench: Any) -> None:
    ran = failed(bench, shell("echo '{broken' > cwl.output.json", "{o: {type: File}}"))
    assert "property name" in ran.result.error


def test_an_output_that_is_a_link_comes_out_as_a_file(bench: Any) -> None:
    ran = bench.case(shell("echo text > a; ln -s a b", "{o: {type: File, outputBinding: {glob: b}}}")).run()
    assert ran.read("o") == "text\n"
    assert not (ran.directory / ran.outputs["o"]["location"]).is_symlink()


def test_an_expression_that_fails_is_explained(bench: Any) -> None:
    ran = failed(
        bench,
        TOOL
        + "requirements: {InlineJavascriptRequirement: {}}\nbaseCommand: echo\narguments: ['$(nothing.at.all)']\ninputs: []\noutputs: []\n",
    )
    assert "nothing" in ran.result.error
    assert len(ran.result.error) < 3000


EXPRESSION = """\
cwlVersion: v1.2
class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs: []
outputs: {y: int}
expression: '${throw new Error("no luck");}'
"""


def test_an_expression_tool_that_fails_is_explained(bench: Any) -> None:
    ran = failed(bench, EXPRESSION)
    assert "no luck" in ran.result.error
    assert ran.ends["main"].state == "failed"


STEP = (
    FLOW
    + """\
requirements: {InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {x: int}
outputs: []
steps:
  s:
    run:
      class: CommandLineTool
      baseCommand: echo
      requirements: {InitialWorkDirRequirement: {listing: [{entryname: '%s', entry: x}]}}
      inputs: {a: {type: int}}
      outputs: []
    in: {a: {source: x, valueFrom: %s}}
    out: []
"""
)


def test_a_step_that_comes_to_no_job_is_named_with_what_node_says(bench: Any) -> None:
    ran = bench.case(STEP % ("a", "$(nope.x)")).run({"x": 1})
    assert ran.result.error == (
        "step 's': Cannot make job: Expression evaluation error: ReferenceError: nope is not defined"
    )


def test_a_place_in_a_document_is_told_relative_to_the_run(bench: Any) -> None:
    ran = bench.case(STEP % ("../../evil", "$(self)")).run({"x": 1})
    assert ran.result.status == "failed"
    assert "failed: workflow/main.cwl:" in ran.result.error
    assert "'../../evil'" in ran.result.error


def test_javascript_without_node_names_node(own_bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    own_bench.host = dataclasses.replace(own_bench.host, sandbox=Sandbox())
    ran = own_bench.case(EXPRESSION).run()
    assert ran.result.status == "failed"
    assert "node" in ran.result.error.lower()


def test_a_step_that_fails_stops_the_workflow_and_is_named(bench: Any) -> None:
    documents = {"main.cwl": FLOW + """\
inputs: []
outputs: {o: {type: File, outputSource: after/o}}
requirements: {SubworkflowFeatureRequirement: {}}
steps:
  inner:
    run:
      class: Workflow
      inputs: []
      outputs: {o: {type: File, outputSource: breaks/o}}
      steps: {breaks: {run: fail.cwl, in: [], out: [o]}}
    in: []
    out: [o]
  after:
    run: {class: CommandLineTool, baseCommand: cat, inputs: {f: File}, outputs: {o: stdout}}
    in: {f: inner/o}
    out: [o]
""", "fail.cwl": shell("echo oh no >&2; exit 5", "{o: stdout}")}  # fmt: skip
    ran = failed(bench, documents)
    assert {name: event.state for name, event in ran.ends.items()} == {"inner": "failed", "inner/breaks": "failed"}
    assert ran.result.exit_code == 5
    assert ran.result.error.startswith("step 'inner/breaks' ended with exit code 5")
    assert "oh no" in ran.result.error


def test_every_execution_that_begins_ends(bench: Any) -> None:
    documents = {"main.cwl": FLOW + """\
requirements: {ScatterFeatureRequirement: {}}
inputs: {n: 'int[]'}
outputs: []
steps:
  s: {run: t.cwl, scatter: i, in: {i: n}, out: []}
""", "t.cwl": TOOL + "baseCommand: [sh, -c, 'sleep 0.$0; test $0 != 2']\ninputs: {i: {type: int, inputBinding: {}}}\noutputs: []\n"}  # fmt: skip
    ran = bench.case(documents).run({"n": [1, 2, 3, 4]}, cores="2")
    assert ran.result.status == "failed"
    began = [event.id for event in ran.events if event.state == "started"]
    assert sorted(began) == sorted(ran.ends)
    assert {event.state for event in ran.ends.values()} == {"completed", "failed"}


# -- sizes and names


def test_a_very_long_command_line_works_and_a_longer_one_is_explained(bench: Any) -> None:
    text = (
        TOOL
        + "baseCommand: [sh, -c, 'echo $#']\ninputs: {a: {type: 'string[]', inputBinding: {}}}\nstdout: o\noutputs: {o: stdout}\n"
    )
    ran = bench.case(text).run({"a": ["x" * 100_000] * 15})
    assert ran.result.status == "completed", ran.result.error[:500]
    assert ran.read("o") == "14\n"
    ran = bench.case(text).run({"a": ["x" * 100_000] * 30})
    assert ran.result.status == "failed"
    assert "too long" in ran.result.error
    assert len(ran.result.error) < 2000


STRANGE = [
    "with space.txt",
    "line\nbreak.txt",
    "-rf",
    "😀 é.txt",
    "a" * 251 + ".txt",
    "quote'\"$(x)`.txt",
    "#hash%41?.txt",
    "a:b;c.txt",
    "[x]*.txt",
]
CAT = (
    TOOL
    + "baseCommand: [cat, --]\ninputs: {f: {type: File, inputBinding: {}}, g: {type: 'File[]', inputBinding: {}}}\nstdout: o\noutputs:\n  o: stdout\n  same: {type: File, outputBinding: {outputEval: $(inputs.f)}}\n"
)


@pytest.mark.parametrize("name", STRANGE)
def test_files_with_strange_names_go_in_and_come_out(bench: Any, name: str) -> None:
    # cwltool takes such a name for an IRI with a fragment when an expression hands it on.
    text = CAT.partition("  same:")[0] if "#" in name else CAT
    case = bench.case(text)
    ran = case.run({"f": case.give(name, "one "), "g": [case.give("other/" + name, "two")]})
    assert ran.result.status == "completed", ran.result.error
    assert ran.read("o") == "one two"
    if "#" in name:
        return
    assert ran.outputs["same"]["basename"] == name
    assert ran.read("same") == "one "


@pytest.mark.parametrize("name", [n for n in STRANGE if "*" not in n])
def test_outputs_with_strange_names_come_out(bench: Any, name: str) -> None:
    text = (
        TOOL
        + "requirements: {InlineJavascriptRequirement: {}}\nbaseCommand: [sh, -c, 'echo text > \"./$0\"']\ninputs: {n: {type: string, inputBinding: {}}}\noutputs: {o: {type: File, outputBinding: {glob: '*'}}}\n"
    )
    ran = bench.case(text).run({"n": name})
    assert ran.result.status == "completed", ran.result.error
    assert ran.outputs["o"]["basename"] == name
    assert ran.read("o") == "text\n"


def test_a_name_that_is_no_utf8_needs_another_name(bench: Any) -> None:
    case = bench.case(CAT)
    file = case.give(os.fsdecode(b"caf\xe9.txt"), "one ")
    with pytest.raises(InputError, match="not UTF-8") as caught:
        case.run({"f": file, "g": []})
    assert caught.value.remedy is not None
    ran = case.run({"f": file | {"basename": "cafe.txt"}, "g": []})
    assert ran.result.status == "completed", ran.result.error
    assert ran.read("o") == "one "


def test_an_output_whose_name_is_no_utf8_comes_out_or_is_explained(bench: Any) -> None:
    text = shell("echo x > $(printf 'caf\\351.txt')", "{o: {type: File, outputBinding: {glob: '*.txt'}}}")
    ran = bench.case(text).run()
    if ran.result.status == "completed":
        assert ran.read("o") == "x\n"
    else:
        assert "Traceback" not in ran.result.error


# -- nothing is changed, nothing is reached


def test_a_tool_cannot_change_its_input(own_bench: Any) -> None:
    text = (
        TOOL
        + 'baseCommand: [sh, -c, \'echo changed >> "$0"; chmod u+w "$0"; echo changed >> "$0"; true\']\ninputs: {f: {type: File, inputBinding: {}}}\noutputs: []\n'
    )
    case = own_bench.case(text)
    file = case.give("a.txt", "as it was")
    if not own_bench.host.sandbox.active:
        pytest.skip("without a sandbox inputs are copies, and a tool can change its copy")
    (case.directory / "inputs").mkdir()
    own_bench.host = dataclasses.replace(
        own_bench.host, read_only=(case.directory / "inputs", case.directory / "workflow")
    )
    case.run({"f": file})
    assert (case.directory / "inputs/f/a.txt").read_text() == "as it was"
    assert (case.directory / "given/a.txt").read_text() == "as it was"


def test_an_update_in_place_changes_a_copy_and_never_the_input(bench: Any) -> None:
    update = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  InplaceUpdateRequirement: {inplaceUpdate: true}
  InitialWorkDirRequirement: {listing: [{entry: $(inputs.f), writable: true}]}
baseCommand: [sh, -c, 'echo updated >> a.txt']
inputs: {f: File}
outputs: {o: {type: File, outputBinding: {glob: a.txt}}}
"""
    case = bench.case({"main.cwl": FLOW + """\
inputs: {f: File}
outputs: {o: {type: File, outputSource: two/o}}
steps:
  make: {run: copy.cwl, in: {f: f}, out: [o]}
  one: {run: update.cwl, in: {f: make/o}, out: [o]}
  two: {run: update.cwl, in: {f: one/o}, out: [o]}
""", "update.cwl": update, "copy.cwl": TOOL + "baseCommand: cat\ninputs: {f: {type: File, inputBinding: {}}}\nstdout: a.txt\noutputs: {o: stdout}\n"})  # fmt: skip
    ran = case.run({"f": case.give("a.txt", "start\n")})
    assert ran.result.status == "completed", ran.result.error
    assert ran.read("o") == "start\nupdated\nupdated\n"
    assert (case.directory / "inputs/f/a.txt").read_text() == "start\n"


def test_the_engine_opens_no_socket(tmp_path: Path, own_bench: Any) -> None:
    """Everything is described and run in a driver in which any use of a socket is fatal."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*a, **k): import os; os.write(2, b'SOCKET OPENED'); os._exit(66)\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
    )
    uri = "http://example.org/tools/t.cwl"
    case = own_bench.case({
        "main.cwl": f"""\
            cwlVersion: v1.2
            class: Workflow
            $namespaces: {{edam: 'http://edamontology.org/', s: 'https://schema.org/'}}
            $schemas: ['http://edamontology.org/EDAM_1.18.owl', 'https://schema.org/version/latest/schemaorg-current-http.rdf']
            s:license: https://spdx.org/licenses/MIT
            inputs: {{f: {{type: File, format: edam:format_1929, default: {{class: File, location: 'http://example.org/d.fa', format: edam:format_1929}}}}}}
            outputs: {{o: {{type: File, outputSource: t/o}}}}
            steps: {{t: {{run: '{uri}', in: {{f: f}}, out: [o]}}}}
            """,
        "external/t.cwl": TOOL + "$schemas: ['http://edamontology.org/EDAM_1.18.owl']\nbaseCommand: cat\ninputs: {f: {type: File, inputBinding: {}}}\nstdout: o\noutputs: {o: stdout}\n",
        "external/d.fa": ">a\nA\n",
    }, aliases={uri: "external/t.cwl", "http://example.org/d.fa": "external/d.fa"})  # fmt: skip
    command = [sys.executable, "-s", str(DRIVER)]
    own_bench._driver = Driver(own_bench.host, "cwltool", command, env={"PYTHONPATH": str(tmp_path)})
    ran = case.run()
    assert ran.result.status == "completed", ran.result.error
    assert ran.read("o") == ">a\nA\n"


def test_no_event_has_a_path_of_the_machine(bench: Any) -> None:
    text = (
        TOOL
        + "baseCommand: [sh, -c, 'echo $0 $PWD $TMPDIR $HOME; exit 1']\ninputs: {f: {type: File, inputBinding: {}}}\noutputs: []\n"
    )
    case = bench.case(text)
    ran = case.run({"f": case.give("a.txt", "x")})
    assert not re.search(re.escape(str(bench.folder)), str(ran.events) + str(ran.result))
