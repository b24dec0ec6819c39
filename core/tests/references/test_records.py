"""Records go to JSON and come back as they were."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.errors import DefinitionError
from wfx.records import canonical, decode, digest, encode
from wfx.references import Reference
from wfx.values import JsonValue


@dataclass(frozen=True)
class Part:
    name: str
    number: int = 0


@dataclass(frozen=True)
class Whole:
    text: str
    flag: bool = False
    number: int = 7
    real: float = 0.5
    maybe: str | None = None
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    pair: tuple[str, int] = ("", 0)
    by_name: Mapping[str, Part] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    place: Path = Path("x")
    where: Reference = Reference("https://h/x")
    kind: Literal["a", "b"] = "a"
    any_value: JsonValue = None
    count: JsonValue = 1
    schema: int = 1


TEXT = st.text(max_size=5)
PARTS = st.builds(Part, TEXT, st.integers())
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda i: st.lists(i, max_size=2) | st.dictionaries(TEXT, i, max_size=2)
)  # fmt: skip
WHOLES = st.builds(
    Whole, TEXT, st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none() | TEXT,
    st.none() | PARTS, st.lists(PARTS, max_size=2).map(tuple), st.tuples(TEXT, st.integers()),
    st.dictionaries(TEXT, PARTS, max_size=2), st.dictionaries(TEXT, TEXT, max_size=2),
    st.sampled_from([Path("x"), Path("/a b"), Path("a\udcff")]), st.sampled_from([Reference("https://h/x"), Reference("s3://b/k")]),
    st.sampled_from(["a", "b"]), JSON, st.sampled_from([1, True, 0, False]),
)  # fmt: skip


@given(WHOLES)
@settings(deadline=None, max_examples=100)
def test_a_record_comes_back_as_it_was(whole: Whole) -> None:
    back = decode(Whole, json.loads(json.dumps(encode(whole))))
    assert back == whole
    assert type(back.count) is type(whole.count)
    assert digest(back) == digest(whole)


def test_defaults_are_left_out_and_the_schema_is_written() -> None:
    assert encode(Whole("x")) == {"text": "x", "schema": 1}


def test_a_reference_is_written_without_its_secrets() -> None:
    written = encode(Whole("x", where=Reference("https://u:p@h/y?token=t")))
    assert written["where"] == "https://h/y?token=REDACTED"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "Whole: list where dict is expected"),
        ({}, "missing 1 required"),
        ({"text": 1}, "Whole.text: int where str is expected"),
        ({"text": "x", "flag": 1}, "Whole.flag: int where bool is expected"),
        ({"text": "x", "number": True}, "Whole.number: bool where int is expected"),
        ({"text": "x", "real": "1"}, "Whole.real: str where a number is expected"),
        ({"text": "x", "real": True}, "Whole.real: bool where a number is expected"),
        ({"text": "x", "real": 10**400}, "Whole.real"),
        ({"text": "x", "part": {"name": "y", "numbre": 1}}, "Whole.part: unknown field 'numbre'"),
        ({"text": "x", "parts": [{"name": "y"}, {"name": 1}]}, "Whole.parts[1].name: int where str"),
        ({"text": "x", "parts": {}}, "Whole.parts: dict where list"),
        ({"text": "x", "pair": ["a"]}, "Whole.pair: expected 2 items"),
        ({"text": "x", "by_name": {"k": {"name": None}}}, "Whole.by_name.k.name: NoneType where str"),
        ({"text": "x", "kind": "c"}, "Whole.kind: 'c' is not one of a, b"),
        ({"text": "x", "kind": []}, "Whole.kind: [] is not one of a, b"),
        ({"text": "x", "new": 1}, "Whole: unknown field 'new': it was written by another version of wfx"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(data: object, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        decode(Whole, data)
    assert words in str(caught.value)


@given(JSON)
@settings(deadline=None, max_examples=100)
def test_the_canonical_text_is_that_of_the_same_value(value: JsonValue) -> None:
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data
    assert b"\n" not in data


def test_the_order_of_keys_does_not_matter_and_that_of_items_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_canonical_text_is_utf_8_without_white_space() -> None:
    assert canonical({"b": [1, None, True], "a": "é"}) == '{"a":"é","b":[1,null,true]}'.encode()


def test_a_name_that_is_not_utf_8_keeps_its_bytes() -> None:
    assert canonical(["a\udcff"]) == b'["a\xff"]'
