"""Types of values: what fits them, how they are read from texts, and how they are shown."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.documents import load_document
from wfx.errors import InputError
from wfx.values import Field, Parameter, SecondaryFile, ValueType
from wfx.valuetypes import (
    array_of,
    check_values,
    example,
    json_schema,
    map_files,
    parse_text,
    problems,
    template,
    type_name,
)

NULL, BOOLEAN, INT, FLOAT, STRING, FILE, DIRECTORY, ANY = (
    ValueType(kind) for kind in ("null", "boolean", "int", "float", "string", "File", "Directory", "any")
)
COLOUR = ValueType("enum", symbols=("red", "green"))
A_FILE = {"class": "File", "location": "file:///x"}
A_FOLDER = {"class": "Directory", "location": "file:///x"}


def array(items: ValueType) -> ValueType:
    return ValueType("array", items=items)


def union(*alternatives: ValueType) -> ValueType:
    return ValueType("union", alternatives=alternatives)


def optional(kind: ValueType) -> ValueType:
    return union(NULL, kind)


def record(**fields: ValueType) -> ValueType:
    return ValueType("record", fields=tuple(Field(name, kind) for name, kind in fields.items()))


PAIR = record(name=STRING, size=optional(INT))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, NULL),
        (True, BOOLEAN),
        (2**63 - 1, INT),
        (-(2**63), INT),
        (1, FLOAT),
        (1.5, FLOAT),
        (10**400, ANY),
        ("", STRING),
        ("red", COLOUR),
        (A_FILE, FILE),
        (A_FOLDER, DIRECTORY),
        ([], array(INT)),
        ([[1], []], array(array(INT))),
        ({"name": "x"}, PAIR),
        ({"name": "x", "size": None}, PAIR),
        (None, optional(FILE)),
        ("x", union(INT, STRING)),
        ([A_FILE, "x"], ANY),
    ],
)
def test_a_value_fits_its_type(value: Any, kind: ValueType) -> None:
    assert list(problems(value, kind)) == []


@pytest.mark.parametrize(
    ("value", "kind", "path", "words"),
    [
        (0, BOOLEAN, (), "0 where boolean is expected"),
        (True, INT, (), "true where int is expected"),
        (1.0, INT, (), "1.0 where int is expected"),
        (2**63, INT, (), "where int is expected"),
        (True, FLOAT, (), "true where float is expected"),
        (10**400, FLOAT, (), "where float is expected"),
        (math.inf, FLOAT, (), "where float is expected"),
        (1, STRING, (), "1 where string is expected"),
        ("blue", COLOUR, (), "where enum(red, green) is expected"),
        ("x", FILE, (), '"x" where File is expected'),
        (A_FOLDER, FILE, (), "a Directory where File is expected"),
        (A_FILE, DIRECTORY, (), "a File where Directory is expected"),
        (A_FILE, PAIR, (), "a File where record{name: string, size: int?} is expected"),
        ({}, PAIR, ("name",), "null where string is expected"),
        ({"name": "x", "sise": 1}, PAIR, ("sise",), "no field 'sise'"),
        ([1, "x"], array(INT), (1,), '"x" where int is expected'),
        (1, array(INT), (), "1 where int[] is expected"),
        ([{"name": 1}], optional(array(PAIR)), (0, "name"), "1 where string is expected"),
        (1, union(STRING, FILE), (), "1 where string | File is expected"),
        (None, ANY, (), "null where any value but null"),
        ("x" * 100, INT, (), "… where int"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value: Any, kind: ValueType, path: tuple, words: str) -> None:
    [(where, text)] = problems(value, kind)
    assert where == path
    assert words in text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("", STRING, ""),
        ("12", STRING, "12"),
        ("12", INT, 12),
        ("-3", INT, -3),
        ("1.5", FLOAT, 1.5),
        ("2", FLOAT, 2.0),
        ("true", BOOLEAN, True),
        ("false", BOOLEAN, False),
        ("red", COLOUR, "red"),
        ("x y", FILE, {"class": "File", "location": "x y"}),
        ("x", DIRECTORY, {"class": "Directory", "location": "x"}),
        ("5", array(INT), 5),
        ("", optional(INT), None),
        ("null", optional(INT), None),
        ("null", optional(STRING), "null"),
        ("12", union(STRING, INT), 12),
        ("x", union(STRING, INT), "x"),
        ("1", union(BOOLEAN, INT), 1),
        ("red", union(STRING, COLOUR), "red"),
        (str(2**63), union(INT, STRING), str(2**63)),
        ("12", ANY, 12),
        ("1.5", ANY, 1.5),
        ("x", ANY, "x"),
    ],
)
def test_a_text_is_read_by_the_declared_type(text: str, kind: ValueType, value: Any) -> None:
    found = parse_text(text, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", INT),
        ("1_000", INT),
        ("1.0", INT),
        ("", INT),
        (str(2**63), INT),
        ("9" * 5000, INT),
        ("inf", FLOAT),
        ("nan", FLOAT),
        ("1e999", FLOAT),
        ("maybe", BOOLEAN),
        ("blue", COLOUR),
        ("x", union(INT, BOOLEAN)),
        ("{}", PAIR),
        ("x", array(INT)),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_the_type(text: str, kind: ValueType) -> None:
    with pytest.raises(InputError, match=r"expected|cannot be written as a text"):
        parse_text(text, kind)


def test_the_array_of_a_parameter_is_found_among_its_alternatives() -> None:
    assert array_of(array(INT)) == array(INT)
    assert array_of(union(NULL, FILE, array(FILE))) == array(FILE)
    assert array_of(optional(FILE)) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (optional(INT), "int?"),
        (array(optional(FILE)), "File?[]"),
        (optional(array(FILE)), "File[]?"),
        (optional(union(INT, STRING)), "int | string?"),
        (union(NULL, INT, STRING), "(int | string)?"),
        (array(union(INT, STRING)), "(int | string)[]"),
        (COLOUR, "enum(red, green)"),
        (PAIR, "record{name: string, size: int?}"),
    ],
)
def test_a_type_is_named_as_people_write_it(kind: ValueType, name: str) -> None:
    assert type_name(kind) == name


def test_files_are_mapped_from_the_innermost_out() -> None:
    seen = []

    def change(item: dict[str, Any], path: tuple[str | int, ...]) -> Any:
        seen.append(path)
        return {**item, "seen": True}

    value = {"r": [{"class": "File", "secondaryFiles": [dict(A_FILE)]}, 1], "plain": {"class": "Other"}}
    result = map_files(value, change)
    assert seen == [("r", 0, "secondaryFiles", 0), ("r", 0)]
    assert result["r"][0]["secondaryFiles"][0]["seen"]
    assert result["plain"] == {"class": "Other"}


def test_an_unknown_input_is_answered_with_the_nearest_name() -> None:
    found = check_values({"raeds": 1}, [Parameter("reads", optional(INT))], lambda path: "f:1")
    assert found == ["f:1: the workflow has no input 'raeds'; did you mean 'reads'?"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    parameters = [
        Parameter("a", INT),
        Parameter("b", array(INT)),
        Parameter("c", STRING, default="x", has_default=True),
    ]
    found = check_values({"b": [1, "x"], "z": 1}, parameters, lambda path: ":".join(map(str, path)))
    assert [line.split(": ", 1)[1] for line in found] == [
        "the workflow has no input 'z'; it takes: a, b, c",
        "the input 'a' (int) is missing",
        "input 'b[1]': \"x\" where int is expected",
    ]


# -- by hypothesis

NAMES = st.text("abcé_-", min_size=1, max_size=4)
SIMPLE = st.sampled_from([NULL, BOOLEAN, INT, FLOAT, STRING, FILE, DIRECTORY, ANY, COLOUR])
TYPES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.builds(array, inner)
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: union(*parts))
        | st.dictionaries(NAMES, inner, max_size=3).map(lambda fields: record(**fields))
    ),
    max_leaves=6,
)
TEXTS = st.text(max_size=5) | st.sampled_from(["red", "12", "1.5", "true", "null", str(2**70), "1e9"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(-1e9, 1e9) | TEXTS
FILES = st.sampled_from([A_FILE, A_FOLDER, {"class": "File"}, {"class": "Other"}])
VALUES = st.recursive(
    SCALARS | FILES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)


def fitting(kind: ValueType) -> st.SearchStrategy[Any]:
    """Values that fit, most of the time."""
    match kind.kind:
        case "array":
            assert kind.items is not None
            return st.lists(fitting(kind.items), max_size=2)
        case "record":
            needed = {f.name: fitting(f.type) for f in kind.fields if not f.type.optional}
            return st.fixed_dictionaries(
                needed, optional={f.name: fitting(f.type) for f in kind.fields if f.type.optional}
            )
        case "union":
            return st.one_of([fitting(t) for t in kind.alternatives])
    return {
        "null": st.none(), "boolean": st.booleans(), "int": st.integers(-(2**63), 2**63 - 1), "enum": st.just("red"),
        "float": st.floats(-1e9, 1e9) | st.integers(-5, 5), "string": TEXTS, "File": st.just(A_FILE),
        "Directory": st.just(A_FOLDER), "any": SCALARS.filter(lambda v: v is not None),
    }[kind.kind]  # fmt: skip


def accepts(schema: Any, value: Any, root: dict[str, Any]) -> bool:
    """Validate by those keywords of JSON Schema that `json_schema` uses; an unknown one is an error here."""
    rules = {
        "$ref": lambda ref: accepts(root["$defs"][ref.rpartition("/")[2]], value, root),
        "type": lambda name: is_a(value, name),
        "const": lambda const: type(value) is type(const) and value == const,
        "enum": lambda members: isinstance(value, str) and value in members,
        "not": lambda inner: not accepts(inner, value, root),
        "anyOf": lambda parts: any(accepts(part, value, root) for part in parts),
        "items": lambda inner: not isinstance(value, list) or all(accepts(inner, item, root) for item in value),
        "properties": lambda parts: (
            not isinstance(value, dict) or all(accepts(parts[k], value[k], root) for k in value if k in parts)
        ),
        "required": lambda names: not isinstance(value, dict) or all(name in value for name in names),
        "additionalProperties": lambda allowed: (
            allowed or not isinstance(value, dict) or set(value) <= set(schema["properties"])
        ),
        "minimum": lambda least: not is_a(value, "number") or value >= least,
        "maximum": lambda most: not is_a(value, "number") or value <= most,
    }
    silent = {"$schema", "$defs", "title", "description", "default"}
    return all(rules[key](argument) for key, argument in schema.items() if key not in silent)


def is_a(value: Any, name: str) -> bool:
    if isinstance(value, bool) or name == "boolean":
        return isinstance(value, bool) and name == "boolean"
    if name == "integer":
        # 1.0 is an integer to JSON Schema; nothing here depends on it.
        return isinstance(value, int)
    classes: dict[str, Any] = {
        "number": (int, float), "string": str, "object": dict, "array": list, "null": type(None)
    }  # fmt: skip
    return isinstance(value, classes[name])


@given(st.data(), TYPES, st.booleans())
@settings(deadline=None, max_examples=100)
def test_the_schema_accepts_what_the_check_accepts(data: st.DataObject, kind: ValueType, has_default: bool) -> None:
    value = data.draw(fitting(kind) | VALUES)
    parameters = [Parameter("p", kind, has_default=has_default, default=None)]
    schema = json.loads(json.dumps(json_schema(parameters)))
    for values in ({"p": value}, {}, {"q": value}):
        assert accepts(schema, values, schema) == (not check_values(values, parameters, str))


@given(st.data(), TYPES)
@settings(deadline=None, max_examples=100)
def test_a_fitting_value_has_no_problems(data: st.DataObject, kind: ValueType) -> None:
    assert list(problems(data.draw(fitting(kind)), kind)) == []


@given(TEXTS, TYPES)
@settings(deadline=None, max_examples=100)
def test_what_is_read_from_a_text_fits_the_type(text: str, kind: ValueType) -> None:
    try:
        value = parse_text(text, kind)
    except InputError:
        return
    while kind.kind == "array":
        assert kind.items is not None
        kind = kind.items
    if "[]" not in type_name(kind):
        assert list(problems(value, kind)) == []


@given(TYPES)
@settings(deadline=None, max_examples=100)
def test_the_example_of_a_type_fits_it(kind: ValueType) -> None:
    assert list(problems(example(kind, "x"), kind)) == []


ODD = st.text(max_size=6) | st.sampled_from(
    ["null", "a: b", "#", "-", "~", "yes", "x\x85y", "1", "a\u2028b", "\x7f", "é"]
)


@given(st.dictionaries(ODD, st.tuples(TYPES, ODD, ODD, st.none() | ODD), max_size=4), ODD)
@settings(deadline=None, max_examples=100)
def test_a_template_is_an_inputs_file_that_fits(parts: dict[str, tuple[Any, ...]], title: str) -> None:
    parameters = [
        Parameter(
            name, kind if default is None else STRING, label, doc, default, default is not None,
            (title,), (SecondaryFile(doc),),
        )
        for name, (kind, label, doc, default) in parts.items()
    ]  # fmt: skip
    text = template(parameters, title)
    required = {p.id for p in parameters if p.required}
    values = load_document((text + "{}" * (not required)).encode("utf-8", "surrogatepass"), "t.yml").value
    assert isinstance(values, dict)
    assert set(values) == required
    assert check_values(values, parameters, str) == []
    for line in text.split("\n"):
        if line.startswith("# ") and line[2:].startswith(tuple(f"{json.dumps(p.id)}: " for p in parameters)):
            assert load_document(line[2:].encode(), "t.yml").value


def test_a_template_says_what_an_input_is() -> None:
    text = template(
        [
            Parameter("count", optional(INT), doc="How many\nof them"),
            Parameter("reads", FILE, "Reads", formats=("edam:format_1930",), secondary_files=(SecondaryFile(".bai"),)),
        ],
        "main.cwl",
    )
    assert text == (
        "# Inputs of main.cwl\n\n# Reads — File, required\n# format: edam:format_1930\n# with secondary files: .bai\n"
        'reads: {"class": "File", "location": "path-or-URL-of-reads"}\n\n'
        "# count — int?, optional\n# How many\n# of them\n# count: 0\n"
    )
