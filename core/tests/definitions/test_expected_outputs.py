"""What a definition expects of the outputs: how it is read, held against the workflow, and against the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wfx.config import Config
from wfx.definitions import definition_schema, load_definition
from wfx.errors import DefinitionError
from wfx.expectedoutputs import ExpectedOutput, files_of, settle, unmet
from wfx.planning import Plan
from wfx.records import decode, encode
from wfx.references import Reference
from wfx.session import Session
from wfx.values import Parameter, ValueType

HEAD = "wfx: 1\nworkflow: x.cwl\n"
FILE = ValueType("File")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Config.load({}, {"WFX_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}), offline=True)


def load(text: str, session: Session) -> tuple[ExpectedOutput, ...]:
    return load_definition((HEAD + text).encode(), "run.yml", Reference("file:///p/run.yml"), session).outputs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ExpectedOutput("a")),
        ("{glob: '*.txt'}", ExpectedOutput("a", "*.txt", 1, 1)),
        ("{cardinality: 3}", ExpectedOutput("a", "", 3, 3)),
        ("{cardinality: '?'}", ExpectedOutput("a", "", 0, 1)),
        ("{cardinality: '*'}", ExpectedOutput("a", "", 0, None)),
        ("{cardinality: +}", ExpectedOutput("a", "", 1, None)),
        ("{glob: d/*, cardinality: [2, 4]}", ExpectedOutput("a", "d/*", 2, 4)),
        ("{disclosable: false}", ExpectedOutput("a", disclosable="no")),
        ("{disclosable: name}", ExpectedOutput("a", disclosable="name")),
        ("{disclosable: true}", ExpectedOutput("a")),
    ],
)
def test_an_output_is_read(session: Session, text: str, expected: ExpectedOutput) -> None:
    assert load(f"outputs:\n  a: {text}\n", session) == (expected,)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("outputs: [a]", 3, "'outputs' takes a mapping"),
        ("outputs:", 3, "'outputs' takes a mapping"),
        ("outputs:\n  a: 1", 4, "the output 'a' takes a mapping"),
        ("outputs:\n  a:\n    globe: x", 5, "unknown key 'globe' of the output 'a'; did you mean 'glob'?"),
        ("outputs:\n  a:\n    glob: 3", 5, "'glob' of the output 'a' takes a pattern"),
        ("outputs:\n  a:\n    glob: ''", 5, "'glob' of the output 'a' takes a pattern"),
        ("outputs:\n  a:\n    glob: '[b-a]'", 5, "cannot be read"),
        ("outputs:\n  a:\n    cardinality: many", 5, "'many' is no cardinality of the output 'a'"),
        ("outputs:\n  a:\n    cardinality: true", 5, "True is no cardinality"),
        ("outputs:\n  a:\n    cardinality: -1", 5, "-1 is no cardinality"),
        ("outputs:\n  a:\n    cardinality: [3, 1]", 5, "is no cardinality"),
        ("outputs:\n  a:\n    cardinality: [1]", 5, "is no cardinality"),
        ("outputs:\n  a:\n    glob: x\n    disclosable: no", 6, "'disclosable' takes true, false or name"),
    ],
)
def test_a_mistake_is_named_with_its_line(session: Session, text: str, line: int, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(text + "\n", session)
    assert str(caught.value).startswith(f"run.yml:{line}: ")
    assert words in str(caught.value)


def test_expectations_are_no_part_of_what_is_asked_for(session: Session) -> None:
    base = Reference("file:///p/run.yml")
    plain = load_definition(HEAD.encode(), "run.yml", base, session)
    expecting = load_definition(f"{HEAD}outputs: {{a: {{cardinality: 2}}}}\n".encode(), "run.yml", base, session)
    assert plain.fingerprint() == expecting.fingerprint()


def test_an_output_that_the_workflow_lacks_is_told_with_those_that_it_has() -> None:
    known = [Parameter("counted", FILE), Parameter("other", FILE)]
    expected = [ExpectedOutput("count"), ExpectedOutput("counted"), ExpectedOutput("any", "*.txt", 1, 1)]
    with pytest.raises(DefinitionError, match=r"^run\.yml:4: the workflow has no output 'count'") as caught:
        settle(expected, known, lambda name: "run.yml:4", strict=True)
    assert "the workflow's outputs are counted, other" in str(caught.value)
    assert "did you mean counted?" in str(caught.value)
    kept, [warning] = settle(expected, known, lambda name: "", strict=False)
    assert [each.name for each in kept] == ["counted", "any"]
    assert "no output 'count'" in warning


OUTPUTS: Any = {
    "one": {"class": "File", "location": "outputs/a.txt", "secondaryFiles": [
        {"class": "File", "location": "outputs/a.txt.bai"}]},
    "none": None, "many": [{"class": "File", "location": f"outputs/d/{n}.csv"} for n in "xyz"],
    "folder": {"class": "Directory", "location": "outputs/d"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in ("a.txt", "a.txt.bai", "d/x.csv", "d/y.csv", "d/z.csv", ".hidden.csv"):
        path = tmp_path / "outputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (ExpectedOutput("one"), []),
        (ExpectedOutput("none"), []),
        (ExpectedOutput("one", "", 1, 1), []),
        (ExpectedOutput("folder", "", 1, 1), []),
        (ExpectedOutput("none", "", 1, None), ["the output 'none' has no file, expected: 1 or more"]),
        (ExpectedOutput("many", "", 1, 2), ["the output 'many' has 3 files, expected: 1 to 2"]),
        (ExpectedOutput("t", "*.csv", 3, 3), []),
        (ExpectedOutput("t", "d/*", 0, None), []),
        (ExpectedOutput("t", "*.txt", 0, 0), ["the output 't' has 1 file that fit *.txt, expected: 0"]),
    ],
)
def test_the_number_of_files_is_compared(run: Path, expected: ExpectedOutput, said: list[str]) -> None:
    assert list(unmet([expected], OUTPUTS, run)) == said


def test_files_of_an_output_are_those_beside_it_and_in_its_folders_too(run: Path) -> None:
    assert list(files_of(ExpectedOutput("one"), OUTPUTS, run)) == ["outputs/a.txt", "outputs/a.txt.bai"]
    folder = ["outputs/d/x.csv", "outputs/d/y.csv", "outputs/d/z.csv"]
    assert list(files_of(ExpectedOutput("folder"), OUTPUTS, run)) == folder
    assert list(files_of(ExpectedOutput("t", "*.csv"), OUTPUTS, run)) == folder


def test_it_is_data_of_the_plan_that_is_read_back() -> None:
    expected = ExpectedOutput("a", "*.txt", 1, None, "name")
    assert decode(ExpectedOutput, encode(expected)) == expected
    assert Plan.__dataclass_fields__["outputs"].default == ()


def test_the_schema_names_the_keys() -> None:
    item = definition_schema()["properties"]["outputs"]["additionalProperties"]
    assert list(item["properties"]) == ["glob", "cardinality", "disclosable"]
    assert item["additionalProperties"] is False
