"""Both forms of a workflow are read to the same; what is broken is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.engines import Description
from wfx.errors import DefinitionError, InputError
from wfx.valuetypes import problems, template, type_name
from wfx_galaxy import GalaxyEngine, inputs
from wfx_galaxy.describing import collection_type, describe, tool_key, tool_of
from wfx_galaxy.model import short_tool, versionless
from wfx_galaxy.workflows import read_workflow

WORKFLOWS = Path(__file__).with_name("workflows")
CASES = Path(__file__).parents[4] / "shared" / "cases" / "crates"
SHED = "toolshed.g2.bx.psu.edu/repos/iuc/fastp/fastp/0.23.4+galaxy0"


def described(name: str) -> Description:
    path = WORKFLOWS / name
    return describe(read_workflow(path.read_bytes(), path.name), path.name, "26.1")


def test_inputs_have_the_types_that_people_gave_them() -> None:
    description = described("parameters.gxwf.yml")
    assert {p.id: type_name(p.type) for p in description.inputs} == {
        "lines": "File", "more": "File?", "number": "int", "end": "enum(head, tail)", "note": "string?",
    }  # fmt: skip
    assert {p.id: p.default for p in description.inputs if p.has_default} == {"number": 2, "end": "head"}
    assert [p.id for p in description.inputs if p.required] == ["lines"]
    assert "number — int, optional" in template(description.inputs, "parameters")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("list", "File[]"),
        ("paired", "record{forward: File, reverse: File}"),
        ("list:paired", "record{identifier: string?, forward: File, reverse: File}[]"),
        ("list:list", "record{identifier: string, elements: File[]}[]"),
        ("paired_or_unpaired", "record{forward: File, reverse: File?}"),
        ("sample_sheet", "any"),
    ],
)
def test_collections_have_types_of_wfx(text: str, expected: str) -> None:
    assert type_name(collection_type(text)) == expected


def test_steps_tools_and_connections_are_those_of_the_document() -> None:
    description = described("nested.gxwf.yml")
    assert [(s.id, s.tool) for s in description.steps] == [
        ("inner", "nested.gxwf.yml#inner"), ("inner/first", "wfx_sort/1.0.0"), ("inner/second", "wfx_sort/1.0.0"),
    ]  # fmt: skip
    assert {(c.scope, c.source, c.target) for c in description.connections} == {
        ("", "lines", "inner/text"), ("", "inner/twice", "result"), ("inner", "text", "first/input"),
        ("inner", "first/out_file", "second/input"), ("inner", "second/out_file", "twice"),
    }  # fmt: skip


NATIVE: dict[str, Any] = {
    "a_galaxy_workflow": "true", "format-version": "0.1", "name": "old", "steps": {
        "0": {"id": 0, "type": "data_input", "label": None, "inputs": [{"name": "Reads"}], "tool_state": '{"name": "Reads"}'},
        "1": {"id": 1, "type": "parameter_input", "label": "depth", "tool_state": json.dumps(
            {"parameter_type": "integer", "optional": True, "default": "3"})},
        "2": {"id": 2, "type": "tool", "tool_id": SHED, "tool_version": "0.23.4+galaxy0", "outputs": [
            {"name": "out1", "type": "fastqsanger.gz"}, {"name": "report", "type": "html"}],
            "input_connections": {"single|in1": {"id": 0, "output_name": "output"}, "n": [{"id": 1, "output_name": "output"}]}},
    },
}  # fmt: skip


def test_an_old_native_workflow_without_labels_or_marked_outputs_is_read() -> None:
    description = describe(read_workflow(json.dumps(NATIVE).encode(), "old.ga"), "old.ga", "26.1")
    assert [(p.id, type_name(p.type)) for p in description.inputs] == [("Reads", "File"), ("depth", "int?")]
    assert description.inputs[1].default == 3
    assert [p.id for p in description.outputs] == ["fastp: out1", "fastp: report"]
    assert any("marks no outputs" in warning for warning in description.warnings)
    assert ("Reads", "fastp/single|in1") in {(c.source, c.target) for c in description.connections}
    [tool] = description.tools
    assert (tool.id, tool.name) == (SHED, "fastp")


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(CASES).as_posix() for p in CASES.rglob("*.ga") if p.stat().st_size > 99)
)
def test_every_native_workflow_of_others_is_recognised_and_described(name: str) -> None:
    path = CASES / name
    claim = GalaxyEngine.recognise(path.parent, path.name)
    if claim is None:
        assert b"a_galaxy_workflow" not in path.read_bytes()
        return
    description = describe(read_workflow(path.read_bytes(), path.name), path.name, "26.1")
    assert description.steps
    assert len({s.id for s in description.steps}) == len(description.steps)
    known = {p.id for p in description.inputs} | {s.id for s in description.steps}
    assert all(
        c.source.rpartition("/")[0] in known or c.source in known for c in description.connections if not c.scope
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class: GalaxyWorkflow\ninputs: {a: {type: video}}\nsteps: {}\n", "input 'a' has the type 'video'"),
        ("class: GalaxyWorkflow\nsteps: {s: {run: '#gone'}}\n", "which is not in the document"),
        ("class: CommandLineTool\n", "it is no Galaxy workflow"),
        ("class: [\n", "wf.gxwf.yml:"),
        ("class: GalaxyWorkflow\nsteps: 7\ninputs: {a: {restrictions: {}, format: 3, type: [[]]}}\n", "wf.gxwf.yml"),
    ],
)
def test_a_broken_document_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_workflow(text.encode(), "wf.gxwf.yml")
    assert said in str(caught.value)


def test_a_connection_to_nowhere_is_told_with_its_line() -> None:
    broken = json.loads(json.dumps(NATIVE))
    broken["steps"]["2"]["input_connections"]["n"] = {"id": 9, "output_name": "output"}
    with pytest.raises(DefinitionError, match=r"old.ga:\d+: step 2 takes 'n' from step 9"):
        read_workflow(json.dumps(broken, indent=1).encode(), "old.ga")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
STEP_KEYS = st.sampled_from(
    [
        "type",
        "tool_id",
        "tool_state",
        "input_connections",
        "outputs",
        "workflow_outputs",
        "label",
        "inputs",
        "subworkflow",
    ]
)


@given(
    st.dictionaries(
        st.from_regex(r"[0-9]{1,2}", fullmatch=True), st.dictionaries(STEP_KEYS, json_values, max_size=5), max_size=4
    )
)
def test_whatever_stands_in_the_steps_is_read_or_refused(steps: Any) -> None:
    document = {"a_galaxy_workflow": "true", "name": "x", "steps": steps}
    try:
        description = describe(read_workflow(json.dumps(document).encode(), "x.ga"), "x.ga", "26.1")
    except DefinitionError:
        return
    assert len({p.id for p in description.inputs}) == len(description.inputs)


def test_planemos_collections_become_arrays_and_records() -> None:
    def file(name: str, identifier: str) -> dict[str, Any]:
        return {"class": "File", "identifier": identifier, "path": name}

    pair = {
        "class": "Collection",
        "type": "paired",
        "identifier": "s",
        "elements": [file("a", "forward"), file("b", "reverse")],
    }
    read = inputs.named({"pairs": {"class": "Collection", "collection_type": "list:paired", "elements": [pair]}})  # type: ignore[dict-item]
    assert read == {
        "pairs": [
            {"identifier": "s", "forward": {"class": "File", "path": "a"}, "reverse": {"class": "File", "path": "b"}}
        ]
    }
    assert list(problems(read["pairs"], collection_type("list:paired"))) == []
    with pytest.raises(InputError, match="without its identifier"):
        inputs.named({"x": {"class": "Collection", "elements": [{"class": "File", "path": "a"}]}})


def test_two_elements_of_one_name_are_refused_before_anything_goes_up() -> None:
    description = described("collections.gxwf.yml")
    same = [{"class": "File", "location": f"file:///{folder}/a.txt"} for folder in "xy"]
    with pytest.raises(InputError, match="two elements of 'files' are called 'a.txt'"):
        inputs.check(description, {"files": same})  # type: ignore[dict-item]
    inputs.check(description, {"files": [{**same[0], "identifier": "x"}, same[1]]})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("key", "expected"),
    [(SHED, (SHED, "0.23.4+galaxy0")), ("sort1/1.2.0", ("sort1", "1.2.0")), ("upload1", ("upload1", ""))],
)
def test_a_tools_id_keeps_its_version(key: str, expected: tuple[str, str]) -> None:
    assert tool_of(key) == expected
    assert tool_key(*expected) == key


def test_names_of_tools_are_short_for_people() -> None:
    assert short_tool(SHED) == "fastp"
    assert versionless(SHED) == "toolshed.g2.bx.psu.edu/repos/iuc/fastp/fastp"
    assert short_tool("Cut1") == "Cut1"
