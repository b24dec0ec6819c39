"""Definition files: what they say, and what is said of their mistakes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfx.config import Config
from wfx.definitions import (
    RUNTIMES,
    Definition,
    definition_schema,
    from_command_line,
    load_definition,
)
from wfx.errors import DefinitionError, InputError, UsageError, WfxError
from wfx.inputs import as_given
from wfx.references import Reference
from wfx.session import Session

BASE = Reference("file:///project/run.yml")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    return Session(Config.load({}, {"WFX_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}), offline=True)


@pytest.fixture
def load(session: Session) -> Callable[[str], Definition]:
    return lambda text: load_definition(text.encode(), "run.yml", BASE, session)


FULL = """\
wfx: 1
workflow: ../flow/main.cwl
name: a name
engine: cwl.toil
inputs:
  n: 1
  reads: {file: reads.fq}
containers: [podman, none]
options:
  cores: 4
  memory: 8GB
  retry: 0.5
  debug: true
"""


def test_a_definition_says_what_to_run(load: Callable[[str], Definition]) -> None:
    definition = load(FULL)
    assert definition.workflow.uri == "file:///flow/main.cwl"
    assert (definition.name, definition.engine, definition.containers) == ("a name", "cwl.toil", ("podman", "none"))
    assert definition.inputs == {"n": 1, "reads": {"file": "reads.fq"}}
    assert definition.options == {"cores": "4", "memory": "8000000000", "retry": "0.5", "debug": "true"}
    assert definition.base == BASE


@pytest.mark.parametrize("text", ["wfx: 1\nworkflow: https://h/x.cwl\n", '{"wfx": 1, "workflow": "https://h/x.cwl"}'])
def test_a_workflow_is_enough(load: Callable[[str], Definition], text: str) -> None:
    assert load(text).workflow.uri == "https://h/x.cwl"


def test_references_in_a_remote_definition_are_relative_to_it(session: Session) -> None:
    definition = load_definition(b"wfx: 1\nworkflow: x.cwl#main\n", "r", Reference("https://h/d/run.yml"), session)
    assert definition.workflow.uri == "https://h/d/x.cwl#main"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("wfx: 1\nworkflw: x\n", 2, "unknown key 'workflw'; did you mean 'workflow'?"),
        ("wfx: 1\nworkflow: x\ncontainer: [none]\n", 3, "did you mean 'containers'?"),
        ("wfx: 1\nworkflow: x\ninput:\n  a: 1\n", 4, "did you mean 'inputs"),
        ("wfx: 1\nworkflow: x\nzzz: 1\n", 3, "the keys are wfx, workflow, name"),
        ("wfx: 2\nworkflow: x\n", 1, "it is of version 2 of the format: this wfx reads version 1"),
        ("workflow: x\nwfx: true\n", 2, "it is of version True"),
        ("workflow: x\nwfx: '1'\n", 2, "it is of version '1'"),
        ("workflow: x\n", 1, "the key 'wfx' is missing"),
        ("wfx: 1\n", 1, "the key 'workflow' is missing"),
        ("wfx: 1\nworkflow:\n", 2, "'workflow' takes a text"),
        ("wfx: 1\nworkflow: ''\n", 2, "an empty reference"),
        ("wfx: 1\nworkflow: https://h/a b\n", 2, "white space"),
        ("wfx: 1\nworkflow: x\nname: 3\n", 3, "'name' takes a text"),
        ("wfx: 1\nworkflow: x\ninputs: [a]\n", 3, "'inputs' takes a mapping"),
        ("wfx: 1\nworkflow: x\ninputs:\n", 3, "'inputs' takes a mapping"),
        ("wfx: 1\nworkflow: x\ncontainers: docker\n", 3, "'containers' takes a list"),
        ("wfx: 1\nworkflow: x\ncontainers:\n  - none\n  - dokcer\n", 5, "'dokcer' is no container runtime; did you mean 'docker'?"),
        ("wfx: 1\nworkflow: x\ncontainers: [1]\n", 3, "'1' is no container runtime"),
        ("wfx: 1\nworkflow: x\ncontainers: [[none]]\n", 3, "is no container runtime"),
        ("wfx: 1\nworkflow: x\noptions: 3\n", 3, "'options' takes a mapping"),
        ("wfx: 1\nworkflow: x\noptions:\n  cores: 1\n  memory: [1]\n", 5, "the option 'memory' takes a text, a number or a truth"),
        ("wfx: 1\nworkflow: x\noptions:\n  cores:\n", 4, "the option 'cores' takes"),
        ("wfx: 1\nworkflow: x\nname: a\nname: b\n", 4, "stands there twice"),
        ("- wfx: 1\n", 1, "a definition is a mapping"),
        ("wfx", 1, "a definition is a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(load: Callable[[str], Definition], text: str, line: int, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(text)
    assert str(caught.value).startswith(f"run.yml:{line}: ")
    assert words in str(caught.value)


SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "1", "docker", ""]) | st.just(0.5)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), SCALARS, max_size=2)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "wfx": st.just(1), "workflow": st.just("x.cwl"), "name": st.just("n"), "engine": st.just("cwl"),
    "inputs": st.dictionaries(st.text("ab", max_size=2), SCALARS, max_size=2),
    "containers": st.lists(st.sampled_from(RUNTIMES), max_size=2),
    "options": st.dictionaries(st.text("ab", max_size=2), st.sampled_from([1, 0.5, "x", True]), max_size=2),
    "outputs": st.dictionaries(st.text("ab", max_size=2), st.fixed_dictionaries({}, optional={
        "glob": st.sampled_from(["*.txt", "", 1]), "cardinality": st.sampled_from([0, 2, "?", "x", True, [1, 2], [1], -1]),
        "disclosable": st.sampled_from([True, False, "name", 1, "no"]), "other": st.just(1)}), max_size=2),
}  # fmt: skip
OPTIONAL = {key: values for key, values in GOOD.items() if key not in ("wfx", "workflow")}
DEFINITIONS = st.builds(
    lambda good, bad, without: {k: v for k, v in {**good, **bad}.items() if k != without},
    st.fixed_dictionaries({"wfx": GOOD["wfx"], "workflow": GOOD["workflow"]}, optional=OPTIONAL),
    st.dictionaries(st.sampled_from([*GOOD, "other"]), ANYTHING, max_size=1),
    st.sampled_from([None, None, None, "wfx", "workflow"]),
)


def agrees(schema: dict[str, Any], value: Any) -> bool:
    """Validate by the keywords that the schema file uses."""
    known = {"$schema", "$id", "title", "description", "type", "properties", "required", "additionalProperties",
             "const", "enum", "items", "minLength", "anyOf", "minimum", "minItems", "maxItems"}  # fmt: skip
    assert set(schema) <= known
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "boolean": bool,
        "integer": int,
    }
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, types[n]) and (n == "boolean" or not isinstance(value, bool)) for n in names):
            return False
    if "const" in schema and (isinstance(value, bool) or value != schema["const"]):
        return False
    if "enum" in schema and not any(value == each and type(value) is type(each) for each in schema["enum"]):
        return False
    if "anyOf" in schema and not any(agrees(each, value) for each in schema["anyOf"]):
        return False
    if isinstance(value, int) and value < schema.get("minimum", value):
        return False
    if isinstance(value, list) and not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    if "minLength" in schema and isinstance(value, str) and len(value) < schema["minLength"]:
        return False
    if isinstance(value, list):
        return all(agrees(schema.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        parts, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(name in value for name in schema.get("required", ())) and all(
            agrees(parts[key], item)
            if key in parts
            else others is not False and (others is True or agrees(others, item))
            for key, item in value.items()
        )
    return True


@given(DEFINITIONS)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_schema_file_and_the_loader_agree(session: Session, definition: dict[str, Any]) -> None:
    try:
        load_definition(json.dumps(definition).encode(), "run.json", BASE, session)
        accepted = True
    except DefinitionError:
        accepted = False
    assert accepted == agrees(definition_schema(), definition)


def test_the_schema_names_the_runtimes() -> None:
    assert tuple(definition_schema()["properties"]["containers"]["items"]["enum"]) == RUNTIMES


# -- from the command line


def test_a_workflow_on_the_command_line_is_taken_as_it_is(session: Session) -> None:
    definition = from_command_line("main.cwl", session, inputs=["n=1"], name="x", containers="docker, none")
    assert definition.workflow.path == Path.cwd() / "main.cwl"
    assert [o.name for o in definition.input_options] == ["n"]
    assert definition.containers == ("docker", "none")


def test_options_override_the_definition_file(session: Session) -> None:
    Path("run.yml").write_text(FULL)
    definition = from_command_line("run.yml", session, name="other", engine="cwl.cwltool", containers="none", cores=2)
    assert (definition.name, definition.engine, definition.containers) == ("other", "cwl.cwltool", ("none",))
    assert definition.options["cores"] == "2"
    assert definition.options["memory"] == "8000000000"


def test_the_inputs_file_of_a_definition_lies_beside_it(session: Session, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "in.yml").write_text("n: 1\n")
    (tmp_path / "d" / "run.yml").write_text("wfx: 1\nworkflow: x.cwl\ninputs_file: in.yml\n")
    found = from_command_line("d/run.yml", session).inputs_file
    assert found is not None
    assert (found.name, found.data) == ("d/in.yml", b"n: 1\n")


def test_a_missing_inputs_file_is_named(session: Session) -> None:
    with pytest.raises(InputError, match=r"no such inputs file: nothing\.yml"):
        from_command_line("x.cwl", session, inputs_file="nothing.yml")


def test_a_definition_without_its_mark_is_recognised(session: Session) -> None:
    Path("run.yml").write_text("workflow: x.cwl\n")
    with pytest.raises(DefinitionError, match=r"run\.yml: .* begin it with the line `wfx: 1`"):
        from_command_line("run.yml", session)


@pytest.mark.parametrize("text", ["cwlVersion: v1.2\nworkflow: x\n", "a: 1\n", "[1]", "text"])
def test_another_yaml_file_is_a_workflow(session: Session, text: str) -> None:
    Path("x.yml").write_text(text)
    assert from_command_line("x.yml", session).workflow.path.name == "x.yml"


def test_an_unknown_runtime_is_named_with_the_nearest(session: Session) -> None:
    with pytest.raises(UsageError, match=r"--containers: 'podmna' is no container runtime; did you mean 'podman'"):
        from_command_line("x.cwl", session, containers="podmna")


def test_the_fingerprint_changes_with_what_is_asked_for(session: Session) -> None:
    one = from_command_line("x.cwl", session, inputs=["n=1"])
    assert one.fingerprint() == from_command_line("x.cwl", session, inputs=["n=1"]).fingerprint()
    others = [from_command_line("x.cwl", session, inputs=["n=2"]), from_command_line("x.cwl", session, inputs=["n:=1"])]
    assert len({d.fingerprint() for d in (one, *others)}) == 3


def test_the_inputs_as_given_name_no_place_of_this_machine(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "reads.fq"
    Path("in.yml").write_text(f"a: {path}\nb: {path.as_uri()}\nc: https://u:p@h/x?token=t\n")
    definition = from_command_line("x.cwl", session, inputs_file="in.yml")
    given_ = as_given(definition.inputs_file, {Reference.of_path(path).uri: "inputs/reads.fq"})
    assert given_ == (
        "inputs-as-given.yml",
        b"a: inputs/reads.fq\nb: inputs/reads.fq\nc: https://h/x?token=REDACTED\n",
    )


@pytest.mark.parametrize("workflow", ["", "https://h/a b", "https://[x/y"])
def test_a_workflow_that_is_no_reference_is_refused(session: Session, workflow: str) -> None:
    with pytest.raises(WfxError):
        from_command_line(workflow, session)
