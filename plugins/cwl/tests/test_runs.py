"""Every feature of the language at work, with its step events."""

from __future__ import annotations

import datetime
import hashlib
import os
from typing import Any

import pytest

pytestmark = pytest.mark.real

HEAD = """\
cwlVersion: v1.2
class: Workflow
requirements:
  ScatterFeatureRequirement: {}
  SubworkflowFeatureRequirement: {}
  StepInputExpressionRequirement: {}
  MultipleInputFeatureRequirement: {}
  InlineJavascriptRequirement: {}
"""
ECHO = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [printf, '%s']
inputs: {a: {type: string, inputBinding: {}}, b: {type: 'string?'}}
arguments: [{valueFrom: $(inputs.b), position: 1}]
stdout: out.txt
outputs:
  out: {type: string, outputBinding: {glob: out.txt, loadContents: true, outputEval: '$(self[0].contents)'}}
"""


def workflow(inputs: str, outputs: str, steps: str) -> dict[str, str]:
    return {"main.cwl": f"{HEAD}inputs: {inputs}\noutputs: {outputs}\nsteps: {steps}\n", "echo.cwl": ECHO}


def sha1(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return "sha1$" + hashlib.sha1(data).hexdigest()


def ok(ran: Any) -> Any:
    assert ran.result.status == "completed", ran.result.error
    assert ran.result.exit_code == 0
    return ran


# -- scatter


@pytest.mark.parametrize(("method", "result"), [
    ("dotproduct", ["1x", "2y"]), ("flat_crossproduct", ["1x", "1y", "2x", "2y"]),
    ("nested_crossproduct", [["1x", "1y"], ["2x", "2y"]]),
])  # fmt: skip
def test_each_method_of_scatter(bench: Any, method: str, result: Any) -> None:
    kind = "'string[]'" if method != "nested_crossproduct" else "{type: array, items: {type: array, items: string}}"
    case = bench.case(workflow(
        "{p: 'string[]', q: 'string[]'}", f"{{out: {{type: {kind}, outputSource: s/out}}}}",
        f"{{s: {{run: echo.cwl, scatter: [a, b], scatterMethod: {method}, in: {{a: p, b: q}}, out: [out]}}}}",
    ))  # fmt: skip
    ran = ok(case.run({"p": ["1", "2"], "q": ["x", "y"]}))
    assert ran.outputs == {"out": result}
    flat = [item for part in result for item in (part if isinstance(part, list) else [part])]
    assert sorted(event.outputs["out"] for event in ran.ends.values()) == sorted(flat)
    assert {event.step for event in ran.ends.values()} == {"s"}
    if method == "nested_crossproduct":
        assert set(ran.ends) == {"s", "s_1_2", "s_2_1", "s_2_2"}
        assert ran.ends["s_2_1"].outputs["out"] == "2x"
    elif method == "dotproduct":
        assert {name: event.inputs for name, event in ran.ends.items()} == {
            "s": {"a": "1", "b": "x"}, "s_2": {"a": "2", "b": "y"}
        }  # fmt: skip


def test_an_empty_scatter_gives_an_empty_list_and_a_skipped_step(bench: Any) -> None:
    case = bench.case(workflow(
        "{p: 'string[]'}", "{out: {type: 'string[]', outputSource: s/out}}",
        "{s: {run: echo.cwl, scatter: a, in: {a: p}, out: [out]}}",
    ))  # fmt: skip
    ran = ok(case.run({"p": []}))
    assert ran.outputs == {"out": []}
    assert {event.id: event.state for event in ran.events} == {"s": "skipped"}


def test_instances_with_equal_inputs_all_run(bench: Any) -> None:
    case = bench.case(workflow(
        "{p: 'string[]'}", "{out: {type: 'string[]', outputSource: s/out}}",
        "{s: {run: echo.cwl, scatter: a, in: {a: p}, out: [out]}}",
    ))  # fmt: skip
    ran = ok(case.run({"p": ["same"] * 6}))
    assert ran.outputs == {"out": ["same"] * 6}
    assert [event.state for event in ran.ends.values()] == ["completed"] * 6


def test_names_of_instances_do_not_collide_with_those_of_other_steps(bench: Any) -> None:
    case = bench.case(workflow(
        "{p: 'string[]'}", "{out: {type: 'string[]', outputSource: s/out}}",
        "{s: {run: echo.cwl, scatter: a, in: {a: p}, out: [out]}, s_2: {run: echo.cwl, in: {a: {default: x}}, out: [out]}}",
    ))  # fmt: skip
    ran = ok(case.run({"p": ["1", "2"]}))
    assert set(ran.ends) == {"s", "s__2", "s_2"}
    assert ran.ends["s_2"].step == "s_2"


# -- conditionals, links and expressions


@pytest.mark.parametrize(("pick", "kind", "flags", "result"), [
    ("first_non_null", "string", (False, True), "b"), ("the_only_non_null", "string", (True, False), "a"),
    ("all_non_null", "string[]", (True, True), ["a", "b"]), ("all_non_null", "string[]", (False, False), []),
    ("all_non_null", "string[]", (False, True), ["b"]),
])  # fmt: skip
def test_conditionals_and_each_pick_value(bench: Any, pick: str, kind: str, flags: Any, result: Any) -> None:
    case = bench.case(workflow(
        "{x: boolean, y: boolean}", f"{{out: {{type: '{kind}', outputSource: [p/out, q/out], pickValue: {pick}}}}}",
        """{p: {run: echo.cwl, when: $(inputs.go), in: {go: x, a: {default: a}}, out: [out]},
            q: {run: echo.cwl, when: $(inputs.go), in: {go: y, a: {default: b}}, out: [out]}}""",
    ))  # fmt: skip
    ran = ok(case.run(dict(zip("xy", flags, strict=True))))
    assert ran.outputs == {"out": result}
    states = {name: event.state for name, event in ran.ends.items()}
    assert states == {name: "completed" if go else "skipped" for name, go in zip("pq", flags, strict=True)}


def test_a_pick_of_one_among_several_fails_with_a_reason(bench: Any) -> None:
    case = bench.case(workflow(
        "{}", "{out: {type: string, outputSource: [p/out, q/out], pickValue: the_only_non_null}}",
        "{p: {run: echo.cwl, in: {a: {default: a}}, out: [out]}, q: {run: echo.cwl, in: {a: {default: b}}, out: [out]}}",
    ))  # fmt: skip
    ran = case.run()
    assert ran.result.status == "failed"
    assert ran.result.error.startswith("Cannot collect workflow output: Expected only one source for 'out'")


@pytest.mark.parametrize(("merge", "result"), [("merge_flattened", ["a", "b"]), ("merge_nested", [["a"], ["b"]])])
def test_each_link_merge(bench: Any, merge: str, result: Any) -> None:
    kind = (
        "{type: array, items: string}"
        if merge == "merge_flattened"
        else "{type: array, items: {type: array, items: string}}"
    )
    case = bench.case(workflow(
        "{x: 'string[]', y: 'string[]'}", f"{{out: {{type: {kind}, outputSource: [x, y], linkMerge: {merge}}}}}", "{}"
    ))  # fmt: skip
    assert ok(case.run({"x": ["a"], "y": ["b"]})).outputs == {"out": result}


def test_value_from_and_defaults_of_steps(bench: Any) -> None:
    case = bench.case(workflow(
        "{x: int}", "{out: {type: string, outputSource: s/out}}",
        "{s: {run: echo.cwl, in: {a: {source: x, valueFrom: $(String(self * 2))}, b: {default: '!'}}, out: [out]}}",
    ))  # fmt: skip
    ran = ok(case.run({"x": 21}))
    assert ran.outputs == {"out": "42!"}
    assert ran.ends["s"].inputs == {"a": "42", "b": "!"}


def test_an_expression_tool_alone_and_in_a_workflow(bench: Any) -> None:
    tool = """\
cwlVersion: v1.2
class: ExpressionTool
requirements: {InlineJavascriptRequirement: {expressionLib: [{$include: lib.js}]}}
inputs: {x: int}
outputs: {y: int}
expression: '${return {y: twice(inputs.x)};}'
"""
    lib = {"lib.js": "function twice(n) { return 2 * n; }\n"}
    ran = ok(bench.case({"tool.cwl": tool, **lib}).run({"x": 4}))
    assert ran.outputs == {"y": 8}
    assert [(event.id, event.state) for event in ran.events] == [("tool", "started"), ("tool", "completed")]
    case = bench.case({**workflow(
        "{x: int}", "{y: {type: int, outputSource: s/y}}", "{s: {run: tool.cwl, in: {x: x}, out: [y]}}"
    ), "tool.cwl": tool, **lib})  # fmt: skip
    ran = ok(case.run({"x": 5}))
    assert ran.outputs == {"y": 10}
    assert (ran.ends["s"].state, ran.ends["s"].outputs, ran.ends["s"].exit_code) == ("completed", {"y": 10}, None)


def test_nested_workflows_tell_their_parents(bench: Any) -> None:
    inner = (
        HEAD
        + "inputs: {p: 'string[]'}\noutputs: {out: {type: 'string[]', outputSource: e/out}}\nsteps: {e: {run: echo.cwl, scatter: a, in: {a: p}, out: [out]}}\n"
    )
    case = bench.case({**workflow(
        "{pp: {type: {type: array, items: {type: array, items: string}}}}",
        "{out: {type: {type: array, items: {type: array, items: string}}, outputSource: i/out}}",
        "{i: {run: inner.cwl, scatter: p, in: {p: pp}, out: [out]}}",
    ), "inner.cwl": inner})  # fmt: skip
    ran = ok(case.run({"pp": [["a", "b"], ["c"]]}))
    assert ran.outputs == {"out": [["a", "b"], ["c"]]}
    assert {(e.id, e.step, e.parent, e.tool) for e in ran.ends.values()} == {
        ("i", "i", "", "inner.cwl"), ("i_2", "i", "", "inner.cwl"), ("i/e", "i/e", "i", "echo.cwl"),
        ("i/e_2", "i/e", "i", "echo.cwl"), ("i_2/e", "i/e", "i_2", "echo.cwl"),
    }  # fmt: skip
    order = [event.id for event in ran.events]
    assert order.index("i") < order.index("i/e")
    last = {event.id: n for n, event in enumerate(ran.events)}
    assert last["i"] > max(last["i/e"], last["i/e_2"])


# -- events of one step


SPEAKING = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {ShellCommandRequirement: {}}
baseCommand: []
arguments:
  - {shellQuote: false, valueFrom: 'echo to out; echo to err >&2; cat; dd if=/dev/zero bs=1M count=300 2>/dev/null | sort -S 200M | wc -c'}
inputs: {f: File}
stdin: $(inputs.f.path)
outputs: {o: {type: 'File?', outputBinding: {glob: nothing}}}
"""


def test_an_event_has_times_with_zone_command_resources_log_and_exit_code(bench: Any) -> None:
    case = bench.case(SPEAKING)
    ran = ok(case.run({"f": case.give("in.txt", "from in\n")}))
    event = ran.ends["main"]
    began, ended = (datetime.datetime.fromisoformat(text) for text in (event.started, event.ended))
    assert began.tzinfo is not None
    assert began <= ended <= datetime.datetime.now(datetime.UTC)
    assert event.exit_code == 0
    assert "echo to out" in event.command[-1]
    assert {"cpu_seconds", "wall_seconds"} <= set(event.resources)
    assert event.resources.get("max_memory_bytes", 0) > 150e6
    assert event.log == "logs/steps/main.log"
    text = (ran.directory / event.log).read_text()
    assert "to out\n" in text
    assert "to err\n" in text
    assert "from in\n" in text
    assert event.inputs["f"]["location"] == "inputs/f/in.txt"
    assert event.step == ""


def test_a_command_names_inputs_where_they_lie_in_the_crate(bench: Any) -> None:
    case = bench.case("""\
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: echo
        inputs:
          f: {type: File, inputBinding: {position: 1}}
          g: {type: 'File[]', inputBinding: {position: 2, prefix: '--g=', separate: false, itemSeparator: ','}}
        outputs: []
        """)
    ran = ok(case.run({"f": case.give("a b"), "g": [case.give("a"), case.give("a.idx")]}))
    assert ran.ends["main"].command == ("echo", "inputs/f/a b", "--g=inputs/g/a,inputs/g/a.idx")


def test_memory_that_is_only_the_drivers_own_is_not_told(bench: Any) -> None:
    case = bench.case(workflow("{}", "{}", "{s: {run: echo.cwl, in: {a: {default: a}}, out: []}}"))
    assert "max_memory_bytes" not in ok(case.run()).ends["s"].resources


def test_a_quiet_step_leaves_no_log(bench: Any) -> None:
    case = bench.case(workflow("{}", "{}", "{s: {run: echo.cwl, in: {a: {default: a}}, out: []}}"))
    ran = ok(case.run())
    assert ran.ends["s"].log == ""
    assert not list((ran.directory / "logs/steps").rglob("*.log"))


# -- files


FILES = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - {entryname: made.txt, entry: 'hello $(inputs.word)'}
      - {entryname: renamed.txt, entry: $(inputs.f)}
      - {entryname: own.txt, entry: $(inputs.g), writable: true}
      - {class: Directory, basename: empty, listing: []}
  LoadListingRequirement: {loadListing: shallow_listing}
baseCommand: [sh, -c, 'cat made.txt renamed.txt; echo more >> own.txt; mkdir sub; cp made.txt sub/; cat $0; echo x > sub/x.idx; echo bad >&2']
inputs:
  word: string
  f: File
  g: File
  d: Directory
  lit: {type: File, default: {class: File, basename: literal.txt, contents: lit}, inputBinding: {}}
stdout: out/std.out
stderr: std.err
outputs:
  out: stdout
  err: stderr
  own: {type: File, outputBinding: {glob: own.txt}, secondaryFiles: [{pattern: .none, required: false}]}
  sub: {type: Directory, outputBinding: {glob: sub}}
  empty: {type: Directory, outputBinding: {glob: empty}}
  passed: {type: File, outputBinding: {outputEval: $(inputs.f)}}
  given: {type: Directory, outputBinding: {outputEval: $(inputs.d)}}
  names: {type: 'string[]', outputBinding: {outputEval: '$(inputs.d.listing.map(function(f) {return f.basename;}).sort())'}}
  many: {type: 'File[]', outputBinding: {glob: ['made.txt', 'sub/*']}}
"""


def test_files_of_every_kind_come_out_where_the_outputs_say(bench: Any) -> None:
    case = bench.case(FILES)
    case.give("d/one.txt", "1")
    case.give("d/sub/two.txt", "2")
    inputs = {
        "word": "world", "f": case.give("f.txt", "file\n"), "g": case.give("g.txt", "file\n"),
        "d": {"class": "Directory", "location": (case.directory / "given/d").as_uri()},
    }  # fmt: skip
    ran = ok(case.run(inputs))
    out = ran.outputs
    assert ran.read("out") == "hello worldfile\nlit"
    assert ran.read("own") == "file\nmore\n"
    assert ran.read("err") == "bad\n"
    assert out["own"] | {"location": ""} == {
        "class": "File", "basename": "own.txt", "location": "", "size": 10, "checksum": sha1("file\nmore\n"),
        "secondaryFiles": [],
    }  # fmt: skip
    assert out["names"] == ["one.txt", "sub"]
    assert [item["basename"] for item in out["many"]] == ["made.txt", "made.txt", "x.idx"]
    assert len({item["location"] for item in out["many"]}) == 3
    assert ran.read("passed") == "file\n"
    directory = ran.directory / out["given"]["location"]
    assert sorted(path.name for path in directory.rglob("*")) == ["one.txt", "sub", "two.txt"]
    assert (ran.directory / out["empty"]["location"]).is_dir()
    for path in (ran.directory / "outputs").rglob("*"):
        assert not path.is_symlink()
    assert (ran.directory / "inputs/g/g.txt").read_text() == "file\n"
    # What is in the record's output lies in the run directory, nothing else of the machine is named.
    assert str(ran.directory) not in str(ran.result) + str(ran.events)


def test_two_outputs_of_one_name_both_come_out(bench: Any) -> None:
    tool = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c, 'echo $0 > same.txt']\ninputs: {a: {type: string, inputBinding: {}}}\noutputs: {out: {type: File, outputBinding: {glob: same.txt}}}\n"
    case = bench.case({**workflow(
        "{p: 'string[]'}", "{out: {type: 'File[]', outputSource: s/out}}",
        "{s: {run: same.cwl, scatter: a, in: {a: p}, out: [out]}}",
    ), "same.cwl": tool})  # fmt: skip
    ran = ok(case.run({"p": ["1", "2", "3"]}))
    assert [(ran.directory / item["location"]).read_text() for item in ran.outputs["out"]] == ["1\n", "2\n", "3\n"]
    assert len(list((ran.directory / "outputs").iterdir())) == 3


def test_an_input_that_is_an_output_is_copied_not_moved(bench: Any) -> None:
    case = bench.case(workflow("{f: File}", "{out: {type: File, outputSource: f}}", "{}"))
    ran = ok(case.run({"f": case.give("a.txt", "text")}))
    assert ran.read("out") == "text"
    source, target = ran.directory / "inputs/f/a.txt", ran.directory / ran.outputs["out"]["location"]
    assert source.read_text() == "text"
    assert not os.path.samefile(source, target)


def test_secondary_files_go_in_and_come_out(bench: Any) -> None:
    case = bench.case("""\
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: [sh, -c, 'cat "$0" "$0".idx > a.out; echo i > a.out.idx; echo d > a.dict']
        inputs: {f: {type: File, secondaryFiles: [.idx, '^.opt?'], inputBinding: {}}}
        outputs: {o: {type: File, outputBinding: {glob: a.out}, secondaryFiles: [.idx, ^.dict, '.no?']}}
        """)
    case.give("f.txt.idx", "index")
    ran = ok(case.run({"f": case.give("f.txt", "file ")}))
    assert ran.read("o") == "file index"
    assert [item["basename"] for item in ran.outputs["o"]["secondaryFiles"]] == ["a.out.idx", "a.dict"]
    for item in ran.outputs["o"]["secondaryFiles"]:
        assert (ran.directory / item["location"]).parent == (ran.directory / ran.outputs["o"]["location"]).parent
        assert item["checksum"].startswith("sha1$")


def test_the_workflows_own_files_are_defaults(bench: Any) -> None:
    case = bench.case({"main.cwl": """\
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: cat
        inputs: {f: {type: File, default: {class: File, location: 'ref/a b.txt'}, inputBinding: {}}}
        stdout: o
        outputs: {o: stdout}
        """, "ref/a b.txt": "default"})  # fmt: skip
    ran = ok(case.run())
    assert ran.read("o") == "default"
    assert ran.ends["main"].inputs["f"]["location"] == "workflow/ref/a b.txt"
    ran = ok(
        bench.case({"main.cwl": (case.directory / "workflow/main.cwl").read_text()}).run({"f": case.give("x", "own")})
    )
    assert ran.read("o") == "own"


def test_a_format_is_checked_and_kept(bench: Any) -> None:
    text = """\
        cwlVersion: v1.2
        class: CommandLineTool
        $namespaces: {edam: 'http://edamontology.org/'}
        baseCommand: cat
        inputs: {f: {type: File, format: edam:format_1929, inputBinding: {}}}
        stdout: o.fa
        outputs: {o: {type: stdout, format: edam:format_1929}}
        """
    case = bench.case(text)
    fasta = case.give("a.fa", ">a\nA\n") | {"format": "http://edamontology.org/format_1929"}
    assert ok(case.run({"f": fasta})).outputs["o"]["format"] == "http://edamontology.org/format_1929"
    case = bench.case(text)
    ran = case.run({"f": fasta | {"format": "http://edamontology.org/format_1930"}})
    assert ran.result.status == "failed"
    assert "format" in ran.result.error


# -- requirements


def test_a_time_limit_ends_a_tool(bench: Any) -> None:
    ran = bench.case("""\
        cwlVersion: v1.2
        class: CommandLineTool
        requirements: {ToolTimeLimit: {timelimit: 1}}
        baseCommand: [sleep, '60']
        inputs: []
        outputs: []
        """).run()
    assert ran.result.status == "failed"
    assert ran.ends["main"].exit_code == -15
    assert "time limit" in ran.result.error


def test_work_reuse_network_access_and_environment_are_heard(bench: Any) -> None:
    ran = ok(bench.case("""\
        cwlVersion: v1.2
        class: CommandLineTool
        requirements:
          WorkReuse: {enableReuse: false}
          NetworkAccess: {networkAccess: true}
          EnvVarRequirement: {envDef: {WORD: hello world}}
        baseCommand: [sh, -c, 'echo "$WORD"; env | cut -d= -f1 | sort | tr "\\n" " "']
        inputs: []
        stdout: o
        outputs: {o: stdout}
        """).run())  # fmt: skip
    assert ran.read("o").startswith("hello world\n")
    assert set(ran.read("o").splitlines()[1].split()) <= {
        "WORD",
        "HOME",
        "TMPDIR",
        "PATH",
        "PWD",
        "SHLVL",
        "OLDPWD",
        "_",
        "LC_ALL",
        "LANG",
    }


RESOURCES = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {{ResourceRequirement: {{coresMin: {0}, ramMin: {1}}}}}
baseCommand: echo
arguments: [$(runtime.cores), $(runtime.ram)]
inputs: []
stdout: o
outputs: {{o: stdout}}
"""


def test_a_tool_gets_what_it_asks_for_and_at_most_what_the_options_allow(bench: Any) -> None:
    assert ok(bench.case(RESOURCES.format(2, 300)).run(cores="2")).read("o") == "2 300\n"
    assert ok(bench.case(RESOURCES.format(64, 900)).run(cores="2", memory=str(500 << 20))).read("o") == "2 500\n"


def test_no_more_tools_than_cores_run_at_once(bench: Any) -> None:
    sleep = ECHO.replace("baseCommand: [printf, '%s']", "baseCommand: [sh, -c, 'sleep 0.15; printf %s \"$0\"']")
    case = bench.case({**workflow(
        "{p: 'string[]'}", "{out: {type: 'string[]', outputSource: s/out}}",
        "{s: {run: echo.cwl, scatter: a, in: {a: p}, out: [out]}}",
    ), "echo.cwl": sleep})  # fmt: skip
    for cores, most in (("1", 1), ("3", 3)):
        ran = ok(case.run({"p": list("abcd")}, cores=cores))
        running = peak = 0
        for event in ran.events:
            running += 1 if event.state == "started" else -1
            peak = max(peak, running)
        assert peak <= most
    assert peak > 1


IMAGE = """\
cwlVersion: v1.2
class: CommandLineTool
{0}: {{DockerRequirement: {{dockerPull: 'example.org/nothing:1'}}}}
baseCommand: echo
inputs: []
stdout: o
outputs: {{o: stdout}}
"""


def test_an_image_that_is_a_hint_is_not_used_and_that_is_said_once(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert ok(bench.case(IMAGE.format("hints")).run()).read("o") == "\n"
    [record] = [r for r in caplog.records if r.name.startswith("wfx")]
    assert record.levelname == "WARNING"
    assert "example.org/nothing:1" in record.getMessage()


def test_a_tool_that_requires_an_image_does_not_run_without_as_in_cwltool(bench: Any) -> None:
    from wfx.errors import ContainerError

    with pytest.raises(ContainerError, match="example.org/nothing:1") as caught:
        bench.case(IMAGE.format("requirements")).run()
    assert caught.value.where.startswith("main.cwl")


def test_extensions_of_cwltool_are_on_for_documents_that_name_them(bench: Any) -> None:
    ran = ok(bench.case("""\
        cwlVersion: v1.0
        class: CommandLineTool
        $namespaces: {cwltool: 'http://commonwl.org/cwltool#'}
        requirements: {cwltool:TimeLimit: {timelimit: 50}, cwltool:WorkReuse: {enableReuse: false}}
        baseCommand: 'true'
        inputs: []
        outputs: []
        """).run())  # fmt: skip
    assert ran.ends["main"].exit_code == 0


def test_an_abstract_step_cannot_run(bench: Any) -> None:
    from wfx.errors import DefinitionError

    case = bench.case(workflow(
        "{x: string}", "{}", "{todo: {run: {class: Operation, inputs: {x: string}, outputs: []}, in: {x: x}, out: []}}"
    ))  # fmt: skip
    with pytest.raises(DefinitionError, match="'todo' is an abstract Operation"):
        case.run({"x": "a"})
