"""Inputs from a file and from options become values with absolute locations."""

from pathlib import Path
from typing import Any

import pytest
from wfx.documents import load_document
from wfx.errors import DefinitionError, InputError
from wfx.inputs import InputOption, Layer, assemble
from wfx.references import Reference
from wfx.values import Parameter, Values, ValueType

INT, STRING, FILE, DIRECTORY, NULL, ANY = (
    ValueType(kind) for kind in ("int", "string", "File", "Directory", "null", "any")
)
FILES = ValueType("array", items=FILE)
PARAMETERS = [
    Parameter("n", ValueType("union", alternatives=(NULL, INT))),
    Parameter("text", ValueType("union", alternatives=(NULL, STRING))),
    Parameter("reads", ValueType("union", alternatives=(NULL, FILES))),
    Parameter("numbers", ValueType("union", alternatives=(NULL, ValueType("array", items=INT)))),
    Parameter("one_or_more", ValueType("union", alternatives=(NULL, FILE, FILES))),
    Parameter("folder", ValueType("union", alternatives=(NULL, DIRECTORY))),
    Parameter("file", ValueType("union", alternatives=(NULL, FILE))),
    Parameter("anything", ANY),
]
CWD = Path("/work dir")
FOLDER = Path("/in puts")


def read(*options: str, values: Values | None = None, base: Reference | Path = FOLDER, document: Any = None) -> Values:
    layers = [Layer(values or {}, base, document.where if document else lambda _: "inputs")]
    return assemble(PARAMETERS, layers, [InputOption.parse(o) for o in options], cwd=CWD)


def refusal(*options: str, values: Values | None = None, document: Any = None) -> str:
    with pytest.raises(DefinitionError) as caught:
        read(*options, values=values, document=document)
    return str(caught.value)


def a_file(uri: str, cls: str = "File") -> dict[str, str]:
    return {"class": cls, "location": uri}


@pytest.mark.parametrize(
    ("option", "parts"),
    [
        ("n=1", ("n", "=", "1")),
        ("n=", ("n", "=", "")),
        ("n=a=b", ("n", "=", "a=b")),
        ("n:=[1]", ("n", ":=", "[1]")),
        ("n=@x", ("n", "=@", "x")),
        ("n=:=x", ("n", "=", ":=x")),
        (" n =1", ("n", "=", "1")),
        ("n=a\nb", ("n", "=", "a\nb")),
        ("n=https://h/?a=b", ("n", "=", "https://h/?a=b")),
        ("step/n=1", ("step/n", "=", "1")),
    ],
)
def test_an_option_has_a_name_a_mark_and_a_text(option: str, parts: tuple[str, str, str]) -> None:
    found = InputOption.parse(option)
    assert (found.name, found.mark, found.text) == parts


@pytest.mark.parametrize("option", ["", "n", "=1", ":=1", "=@x", "n:1"])
def test_an_option_without_a_name_or_mark_is_refused(option: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE, NAME:=JSON or NAME=@REFERENCE"):
        InputOption.parse(option)


def test_a_text_is_read_by_the_declared_type() -> None:
    assert read("n=1", "text=1", "file=") == {"n": 1, "text": "1", "file": None}


def test_json_is_taken_as_it_is() -> None:
    assert read("numbers:=[1, 2]", 'anything:={"a": null}') == {"numbers": [1, 2], "anything": {"a": None}}


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("x y.txt", "file:///work%20dir/x%20y.txt"),
        ("../a#b", "file:///a%23b"),
        ("/abs", "file:///abs"),
        ("https://h/x?y=z", "https://h/x?y=z"),
    ],
)
def test_a_reference_of_an_option_is_relative_to_the_working_directory(location: str, uri: str) -> None:
    for mark in ("=", "=@"):
        assert read(f"file{mark}{location}") == {"file": a_file(uri)}


def test_a_reference_to_a_folder_is_a_directory_where_one_is_expected() -> None:
    assert read("folder=@x") == {"folder": a_file("file:///work%20dir/x", "Directory")}


def test_a_file_in_the_json_of_an_option_is_relative_to_the_working_directory() -> None:
    assert read('file:={"class": "File", "path": "x"}') == {"file": a_file("file:///work%20dir/x")}


@pytest.mark.parametrize(
    "given",
    [
        {"class": "File", "location": "x"},
        {"class": "File", "path": "x"},
        {"class": "File", "path": "x", "location": None},
        {"file": "x"},
    ],
)
def test_a_reference_in_a_file_is_relative_to_the_file(given: Any) -> None:
    assert read(values={"file": given}) == {"file": a_file("file:///in%20puts/x")}
    base = Reference("https://h/d/inputs.yml?v=1")
    assert read(values={"file": dict(given)}, base=base) == {"file": a_file("https://h/d/x")}


def test_the_short_form_states_checksum_size_and_name() -> None:
    short = {"file": "/x", "sha256": "A" * 64, "size": 3, "name": "y"}
    assert read(values={"file": short}) == {
        "file": {**a_file("file:///x"), "checksum": "sha256$" + "a" * 64, "size": 3, "basename": "y"}
    }


def test_secondary_files_and_listings_get_absolute_locations_too() -> None:
    values: Values = {
        "file": {"class": "File", "location": "/a", "secondaryFiles": [{"class": "File", "location": "b"}]},
        "folder": {"class": "Directory", "listing": [{"file": "c"}]},
    }
    found: Any = read(values=values)
    assert found["file"]["secondaryFiles"] == [a_file("file:///in%20puts/b")]
    assert found["folder"]["listing"] == [a_file("file:///in%20puts/c")]


def test_a_literal_file_needs_no_location() -> None:
    literal = {"class": "File", "basename": "x", "contents": "y"}
    assert read(values={"file": dict(literal)}) == {"file": literal}


def test_an_option_overrides_the_file() -> None:
    assert read("n=2", values={"n": 1, "text": "x"}) == {"n": 2, "text": "x"}


def test_an_option_for_an_array_replaces_the_file_s_list() -> None:
    assert read("numbers=7", values={"numbers": [1, 2]}) == {"numbers": [7]}


def test_an_option_given_again_is_appended() -> None:
    assert read("numbers=1", "numbers=2", "numbers:=3") == {"numbers": [1, 2, 3]}
    assert read("numbers:=[1, 2]", "numbers=3") == {"numbers": [1, 2, 3]}
    assert read("numbers=1", "numbers:=[2, 3]") == {"numbers": [1, 2, 3]}


def test_one_value_stays_alone_where_one_is_enough() -> None:
    one = a_file("file:///a")
    assert read("one_or_more=/a") == {"one_or_more": one}
    assert read("one_or_more=/a", "one_or_more=/b") == {"one_or_more": [one, a_file("file:///b")]}
    assert read("reads=/a") == {"reads": [one]}


def test_a_single_value_cannot_be_given_twice() -> None:
    assert refusal("n=1", "n=2") == "-i n: it is given twice and takes one value"


def test_an_unknown_option_is_named_with_a_suggestion() -> None:
    document = load_document(b"n: 1\n", "in.yml")
    message = refusal("raeds=/a", values={"n": 1}, document=document)
    assert message.startswith("-i raeds: the workflow has no input 'raeds'; did you mean 'reads'?")


def test_an_unknown_name_in_the_file_is_named_with_its_line() -> None:
    document = load_document(b"n: 1\n\nnumber: [1]\n", "in.yml")
    message = refusal(values={"n": 1, "number": [1]}, document=document)
    assert message.startswith("in.yml:3: the workflow has no input 'number'; did you mean 'numbers'?")


def test_a_wrong_value_in_the_file_is_named_with_its_line() -> None:
    document = load_document(b"n: 1\nnumbers:\n  - 1\n  - x\n", "in.yml")
    message = refusal(values={"n": 1, "numbers": [1, "x"]}, document=document)
    assert message.startswith("in.yml:4: input 'numbers[1]': \"x\" where int is expected")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("n=x", "-i n: 'x' where int? is expected"),
        ("numbers=x", "-i numbers: 'x' where int"),
        ('n:="x"', "-i n: input 'n': \"x\" where int? is expected"),
        ("n:=", "-i n: the document is empty"),
        ("n:=[1", "-i n:2: it is not valid YAML"),
        ("file=@", "-i file: an empty reference"),
        ("file=@https://h/a b", "-i file: white space"),
        ('file:={"class": "File"}', "-i file: a File without location"),
        ('file:={"class": "File", "location": 1}', "-i file: the location 1 is no text"),
    ],
)
def test_a_wrong_option_is_named(option: str, words: str) -> None:
    assert refusal(option).startswith(words)


def test_a_missing_input_is_named_with_its_type() -> None:
    with pytest.raises(InputError, match=r"inputs: the input 'a' \(File\[\]\) is missing; .wfx inputs WORKFLOW."):
        assemble([Parameter("a", FILES)], [])


def test_ten_problems_are_told_and_the_rest_counted() -> None:
    with pytest.raises(InputError, match=r"and 5 more"):
        assemble([Parameter(f"p{n}", INT) for n in range(15)], [])


def test_bytes_that_are_not_utf_8_survive() -> None:
    name = "a\udcff"
    assert read(f"file={name}") == {"file": a_file("file:///work%20dir/a%FF")}
    assert read(values={"file": {"class": "File", "path": name}}) == {"file": a_file("file:///in%20puts/a%FF")}
    base = Reference.of_path(FOLDER / "inputs.yml")
    assert read(values={"file": {"class": "File", "path": name}}, base=base) == {
        "file": a_file("file:///in%20puts/a%FF")
    }


def test_the_given_values_are_left_as_they_are() -> None:
    values: Values = {"file": {"class": "File", "path": "x"}, "reads": [{"file": "y"}]}
    read("n=1", values=values)
    assert values == {"file": {"class": "File", "path": "x"}, "reads": [{"file": "y"}]}


def test_a_later_layer_overrides_an_earlier_one_and_each_has_its_own_base() -> None:
    first = Layer({"file": {"class": "File", "path": "x"}, "n": 1}, Path("/one"), lambda path: f"one:{path}")
    second = Layer({"n": "two", "reads": [{"file": "y"}]}, Path("/two"), lambda path: f"two:{path}")
    with pytest.raises(InputError) as caught:
        assemble(PARAMETERS, [first, second], cwd=CWD)
    assert "two:('n',)" in str(caught.value)
    second = Layer({"reads": [{"file": "y"}]}, Path("/two"), lambda path: "two")
    assert assemble(PARAMETERS, [first, second], cwd=CWD) == {
        "file": a_file("file:///one/x"), "n": 1, "reads": [a_file("file:///two/y")],
    }  # fmt: skip
