"""Inputs rebuilt from a crate: each value by the type that the workflow declares, files from the crate or its origins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from crate_texts import write_crate
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.crates import read
from wfx.crates.contents import choose_action, main_workflow
from wfx.crates.locating import Locator, remote
from wfx.crates.rebuilding import Rebuilder
from wfx.errors import UsageError
from wfx.values import Field, JsonValue, Parameter, ValueType

INT, TEXT, FILE, FOLDER = ValueType("int"), ValueType("string"), ValueType("File"), ValueType("Directory")
NULL = ValueType("null")


def array(items: ValueType) -> ValueType:
    return ValueType("array", items=items)


def union(*types: ValueType) -> ValueType:
    return ValueType("union", alternatives=types)


class Made:
    """A crate of one run, and what is rebuilt of it."""

    def __init__(self, folder: Path, kind: ValueType, *objects: dict[str, Any], uses: int | None = None) -> None:
        realising = [{"@id": e["@id"]} for e in objects[:uses]]
        for entity in objects[:uses]:
            entity["exampleOfWork"] = {"@id": "#p"}
        write_crate(
            folder,
            {"@id": "w.cwl", "@type": ["File", "ComputationalWorkflow"], "input": {"@id": "#p"}},
            {"@id": "#p", "@type": "FormalParameter", "name": "main/p"},
            {"@id": "#r", "@type": "CreateAction", "instrument": {"@id": "w.cwl"}, "object": realising},
            *objects,
            root={"mainEntity": {"@id": "w.cwl"}},
        )
        self.crate = read(folder)
        self.locator = Locator(self.crate, folder)
        main = main_workflow(self.crate)
        assert main is not None
        self.rebuilder = Rebuilder(self.crate, main, choose_action(self.crate, main), self.locator)
        self.value: JsonValue = self.rebuilder.values([Parameter("p", kind)]).get("p")


def value(said: Any) -> dict[str, Any]:
    return {"@id": "#v", "@type": "PropertyValue", "name": "p", "value": said}


@pytest.mark.parametrize(("kind", "said", "expected"), [
    (INT, "42", 42), (INT, 42, 42), (TEXT, "42", "42"), (TEXT, 42, "42"), (ValueType("boolean"), "True", True),
    (ValueType("boolean"), "False", False), (ValueType("boolean"), True, True), (ValueType("float"), "3.5", 3.5),
    (TEXT, "", ""), (ValueType("enum", symbols=("A", "B")), "B", "B"), (union(NULL, INT), "7", 7), (array(INT), ["1", "2"], [1, 2]),
    (array(INT), "[]", []), (array(INT), "5", [5]), (array(array(INT)), "[[1], [2, 3]]", [[1], [2, 3]]),
    (union(ValueType("float"), INT), "9.99", 9.99), (ValueType("any"), "tar", "tar"), (TEXT, "[x]", "[x]"),
    (ValueType("record", fields=(Field("a", INT),)), '{"a": 1}', {"a": 1}), (TEXT, {"@value": "x"}, "x"),
])  # fmt: skip
def test_values_are_read_by_the_declared_type(tmp_path: Path, kind: ValueType, said: Any, expected: JsonValue) -> None:
    made = Made(tmp_path, kind, value(said))
    assert made.value == expected
    assert type(made.value) is type(expected)
    assert made.locator.missing == []


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    made = Made(tmp_path, INT, value("many"))
    assert made.value is None
    assert made.locator.missing == ["input 'p': 'many' where int is expected"]


def test_records_are_put_together_of_their_fields(tmp_path: Path) -> None:
    kind = ValueType("record", fields=(Field("a", INT), Field("b", TEXT)))
    parts = [{"@id": f"#{n}", "@type": "PropertyValue", "name": n, "value": v} for n, v in (("a", "1"), ("b", "x"))]
    assert Made(tmp_path, kind, value([{"@id": "#a"}, {"@id": "#b"}]), *parts, uses=1).value == {"a": 1, "b": "x"}


def test_files_keep_their_names_and_are_held_to_their_checksums(tmp_path: Path) -> None:
    (tmp_path / "4bd8").write_text("x")
    entity = {"@id": "4bd8", "@type": "File", "alternateName": "dir/a.txt", "sha1": "A" * 40, "contentSize": "1"}
    made = Made(tmp_path, FILE, entity)
    assert made.value == {
        "class": "File", "location": (tmp_path / "4bd8").as_uri(), "basename": "a.txt", "checksum": f"sha1${'a' * 40}", "size": 1,
    }  # fmt: skip


def test_a_collection_is_a_file_with_companions_or_an_array(tmp_path: Path) -> None:
    for name in ("a.bam", "a.bai"):
        (tmp_path / name).write_text(name)
    files = [{"@id": name, "@type": "File"} for name in ("a.bam", "a.bai")]
    parts = [{"@id": e["@id"]} for e in files]
    collection = {"@id": "#c", "@type": "Collection", "mainEntity": parts[0], "hasPart": parts}
    one = Made(tmp_path, FILE, collection, *files, uses=1).value
    assert isinstance(one, dict)
    assert one["location"].endswith("a.bam")
    assert [f["location"].rpartition("/")[2] for f in one["secondaryFiles"]] == ["a.bai"]
    del collection["mainEntity"]
    many = Made(tmp_path, array(FILE), collection, *files, uses=1).value
    assert [f["location"].rpartition("/")[2] for f in many] == ["a.bam", "a.bai"]


def test_several_objects_are_an_array_in_their_order(tmp_path: Path) -> None:
    names = ["b", "a", "c"]
    for name in names:
        (tmp_path / name).write_text(name)
    found = Made(tmp_path, array(FILE), *({"@id": n, "@type": "File"} for n in names)).value
    assert [f["location"].rpartition("/")[2] for f in found] == names


def test_a_folder_whose_files_were_renamed_is_put_together_again(tmp_path: Path) -> None:
    (tmp_path / "hash").mkdir()
    (tmp_path / "hash/f00").write_text("x")
    folder = {"@id": "hash/", "@type": "Dataset", "alternateName": "foo", "hasPart": [{"@id": "hash/f00"}]}
    made = Made(tmp_path, FOLDER, folder, {"@id": "hash/f00", "@type": "File", "alternateName": "foo/f.txt"}, uses=1)
    assert made.value == {
        "class": "Directory", "basename": "foo",
        "listing": [{"class": "File", "location": (tmp_path / "hash/f00").as_uri(), "basename": "f.txt"}],
    }  # fmt: skip


def test_what_is_not_in_the_crate_comes_from_where_it_says_or_is_missing(tmp_path: Path) -> None:
    far = Made(tmp_path / "a", FILE, {"@id": "x.csv", "@type": "File", "contentUrl": "https://example.org/x.csv"})
    assert far.value == {"class": "File", "location": "https://example.org/x.csv"}
    assert far.locator.remote == {"https://example.org/x.csv"}
    none = Made(tmp_path / "b", FILE, {"@id": "x.csv", "@type": "File"})
    assert none.value is None
    assert none.locator.missing == ["input 'p': x.csv is not in the crate, and it names no address for it"]


@pytest.mark.parametrize("identifier", ["../x", "/etc/passwd", "file:///etc/passwd", "%2e%2e/x", "link"])
def test_what_leads_out_is_refused(tmp_path: Path, identifier: str) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/link").symlink_to("/etc/passwd")
    made = Made(tmp_path / "c", FILE, {"@id": identifier, "@type": "File"})
    assert made.value is None
    assert len(made.locator.refused) == 1


@pytest.mark.parametrize(
    "uri", ["file:///x", "git+file:///x", "urn:uuid:1", "crate+file:///x", "_:b", "a b:c", "w", "d/w"]
)
def test_no_address_of_this_machine_is_remote(uri: str) -> None:
    assert remote(uri) is None


def test_a_value_in_itself_ends(tmp_path: Path) -> None:
    made = Made(tmp_path, array(array(INT)), value([{"@id": "#v"}]))
    assert made.value is None
    assert "nested too deeply" in made.locator.missing[0]


def test_values_that_name_one_another_many_times_end_soon(tmp_path: Path) -> None:
    laughs = [
        {"@id": f"#v{n}", "@type": "PropertyValue", "name": "p", "value": [{"@id": f"#v{n + 1}"}] * 50}
        for n in range(12)
    ]
    began = time.process_time()
    made = Made(tmp_path, ValueType("any"), *laughs, uses=1)
    assert made.value is None
    assert time.process_time() - began < 10


def test_the_last_good_run_is_taken_unless_another_is_asked_for(tmp_path: Path) -> None:
    runs = [
        {"@id": f"#{n}", "@type": "CreateAction", "instrument": {"@id": "w.cwl"}, "actionStatus": status}
        for n, status in (
            (1, "http://schema.org/CompletedActionStatus"),
            (2, {"@id": "CompletedActionStatus"}),
            (3, "FailedActionStatus"),
        )
    ]
    write_crate(
        tmp_path, {"@id": "w.cwl", "@type": "ComputationalWorkflow"}, *runs, root={"mainEntity": {"@id": "w.cwl"}}
    )
    crate = read(tmp_path)
    main = main_workflow(crate)
    assert choose_action(crate, main)["@id"] == "#2"
    assert choose_action(crate, main, "3")["@id"] == "#3"
    assert choose_action(crate, main, "#1")["@id"] == "#1"
    with pytest.raises(UsageError, match="its runs: 1"):
        choose_action(crate, main, "9")


SAID = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just({"@id": "#v"}) | st.just({"@id": "../x"}),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["@id", "@value", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)
KINDS = st.recursive(
    st.sampled_from([INT, TEXT, FILE, FOLDER, NULL, ValueType("any"), ValueType("boolean")]),
    lambda inner: (
        inner.map(array)
        | inner.map(lambda t: union(NULL, t))
        | inner.map(lambda t: ValueType("record", fields=(Field("a", t),)))
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(SAID, KINDS)
def test_no_value_breaks_it(tmp_path_factory: pytest.TempPathFactory, said: Any, kind: ValueType) -> None:
    Made(tmp_path_factory.mktemp("c"), kind, value(said))
