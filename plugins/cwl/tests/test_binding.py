"""Values as cwltool will read them: defaults and secondary files. No engine is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfx.engines import Description
from wfx.inputfiles import OPTIONAL
from wfx.references import Reference
from wfx.values import Field, Parameter, SecondaryFile, ValueType
from wfx_cwl.binding import applied, beside, bind

FILE = ValueType("File")
NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


def description(*parameters: Parameter) -> Description:
    return Description("cwl.cwltool", "1", "v1.2", "main.cwl", inputs=parameters)


def with_companions(*patterns: Any, kind: ValueType = FILE) -> Description:
    return description(
        Parameter("x", kind, secondary_files=tuple(
            SecondaryFile(*p) if isinstance(p, tuple) else SecondaryFile(p) for p in patterns
        ))
    )  # fmt: skip


def made(folder: Path, *names: str) -> dict[str, Any]:
    for name in names:
        (folder / name).write_text(name)
    return {"class": "File", "location": Reference.of_path(folder / names[0]).uri}


def companions(value: Any) -> list[str]:
    return [item["basename"] for item in value.get("secondaryFiles", [])]


@pytest.mark.parametrize(("pattern", "name", "result"), [
    (".bai", "a.bam", "a.bam.bai"), ("^.bai", "a.bam", "a.bai"), ("^^.dict", "a.fa.gz", "a.dict"),
    ("^^^.x", "a.b", "a.x"), ("^.x", "noext", "noext.x"), ("^.x", ".hidden", ".hidden.x"), (".tbi?", "a.vcf", "a.vcf.tbi"),
    ("^", "a.b", "a"), ("", "a", "a"), ("^.bai?", "a b.c.bam", "a b.c.bai"),
])  # fmt: skip
def test_a_pattern_takes_an_extension_for_each_caret_and_adds_the_rest(pattern: str, name: str, result: str) -> None:
    assert applied(pattern, name) == result


@given(NAMES, st.integers(0, 4), NAMES)
def test_carets_never_leave_an_empty_stem_and_the_suffix_is_always_kept(name: str, carets: int, suffix: str) -> None:
    suffix = suffix.lstrip("^").rstrip("?") or ".x"
    result = applied("^" * carets + suffix, name)
    stem = result[: -len(suffix)]
    assert result.endswith(suffix)
    assert stem
    assert name.startswith(stem)
    assert name[len(stem) :].count(".") == min(carets, len(name[len(stem) :].split(".")) - 1)


@given(NAMES, NAMES)
def test_beside_is_the_same_folder_whatever_the_names(name: str, other: str) -> None:
    here = Reference.of_path(Path("/data/in put") / name)
    assert beside(here, other).path == Path("/data/in put") / other


@pytest.mark.parametrize(("uri", "result"), [
    ("https://h/a/b.bam?token=1", "https://h/a/b%20c?token=1"), ("s3://bucket/b.bam", "s3://bucket/b%20c"),
    ("git+https://h/r.git@v1#path=data/b.bam", "git+https://h/r.git@v1#path=data/b%20c"),
    ("git+https://h/r.git@v1#path=b.bam", "git+https://h/r.git@v1#path=b%20c"),
])  # fmt: skip
def test_beside_works_for_every_kind_of_reference(uri: str, result: str) -> None:
    assert beside(Reference(uri), "b c").uri == result


def test_defaults_are_added_and_null_is_kept() -> None:
    bound = bind(
        description(
            Parameter("a", ValueType("int"), default=3, has_default=True), Parameter("b", ValueType("int")),
            Parameter("c", ValueType("union", alternatives=(ValueType("null"), ValueType("int")))),
        ),
        {"c": None},
    )  # fmt: skip
    assert bound == {"a": 3, "c": None}


def test_companions_that_are_there_are_named_and_a_missing_required_one_too(tmp_path: Path) -> None:
    value = made(tmp_path, "a.bam", "a.bam.bai")
    bound = bind(with_companions(".bai", "^.idx", (".opt", False)), {"x": value})["x"]
    assert companions(bound) == ["a.bam.bai", "a.idx"]


def test_a_companion_that_is_given_is_not_named_twice(tmp_path: Path) -> None:
    value = made(tmp_path, "a.bam", "a.bam.bai") | {
        "secondaryFiles": [{"class": "File", "location": "https://h/other.bai", "basename": "a.bam.bai"}]
    }
    [companion] = bind(with_companions(".bai", (".bai", False)), {"x": value})["x"]["secondaryFiles"]
    assert companion["location"] == "https://h/other.bai"


def test_a_folder_beside_is_a_directory(tmp_path: Path) -> None:
    value = made(tmp_path, "a.fa")
    (tmp_path / "a.fa_index").mkdir()
    [companion] = bind(with_companions("_index"), {"x": value})["x"]["secondaryFiles"]
    assert companion["class"] == "Directory"


def test_a_renamed_file_has_companions_of_its_new_name_from_where_it_lies(tmp_path: Path) -> None:
    value = made(tmp_path, "a.bam", "a.bai") | {"basename": "sample.bam"}
    [companion] = bind(with_companions("^.bai"), {"x": value})["x"]["secondaryFiles"]
    assert companion["basename"] == "sample.bai"
    assert companion["location"].endswith("/a.bai")


@pytest.mark.parametrize("pattern", [
    "$(inputs.y.basename)", "${return self.basename + '.x';}", "$(self.nameroot + '.bai')", "$(self.path).bai",
    "$(self.nameroot)/../$(self.basename)",
])  # fmt: skip
def test_an_expression_is_left_to_cwltool(tmp_path: Path, pattern: str) -> None:
    assert bind(with_companions(pattern), {"x": made(tmp_path, "a")})["x"] == made(tmp_path, "a")


def test_an_expression_that_only_puts_the_name_together_is_evaluated(tmp_path: Path) -> None:
    value = made(tmp_path, "a.b.bam", "a.b.bai", "a.b.bam.csi")
    bound = bind(with_companions("$(self.nameroot).bai", "$(self.basename).csi", "x$(self.nameext)"), {"x": value})["x"]
    assert companions(bound) == ["a.b.bai", "a.b.bam.csi", "x.bam"]


def test_companions_elsewhere_that_a_tool_can_do_without_are_marked_for_the_core_to_ask() -> None:
    value = {"class": "File", "location": "https://h/a.bam?x=1"}
    bound = bind(with_companions(".bai", (".opt", False)), {"x": value})["x"]
    assert [(item["location"], item.get(OPTIONAL)) for item in bound["secondaryFiles"]] == [
        ("https://h/a.bam.bai?x=1", None), ("https://h/a.bam.opt?x=1", True),
    ]  # fmt: skip


def test_arrays_and_fields_of_records_get_their_companions(tmp_path: Path) -> None:
    one, two = made(tmp_path, "1.bam", "1.bam.bai"), made(tmp_path, "2.bam", "2.bam.bai")
    array = bind(with_companions(".bai", kind=ValueType("array", items=FILE)), {"x": [one, two]})["x"]
    assert [companions(item) for item in array] == [["1.bam.bai"], ["2.bam.bai"]]
    field = Field("bam", FILE, secondary_files=(SecondaryFile(".bai"),))
    record = ValueType("record", fields=(field, Field("n", ValueType("int"))))
    optional = ValueType("union", alternatives=(ValueType("null"), ValueType("array", items=record)))
    bound = bind(description(Parameter("x", optional)), {"x": [{"bam": one, "n": 1}]})["x"]
    assert companions(bound[0]["bam"]) == ["1.bam.bai"]
    assert bind(description(Parameter("x", optional)), {"x": None}) == {"x": None}


@pytest.mark.parametrize("value", [
    {"class": "File", "basename": "a", "contents": "literal"}, {"class": "Directory", "location": "file:///d"}, "text", 3,
    {"class": "File", "location": "workflow/ref/a.fa"},
])  # fmt: skip
def test_what_has_no_place_or_is_the_workflows_own_is_left_alone(value: Any) -> None:
    assert bind(with_companions(".bai"), {"x": value}) == {"x": value}


def test_a_file_of_no_stated_format_has_the_one_that_is_asked_for() -> None:
    fasta = "http://edamontology.org/format_1929"
    files = ValueType("array", items=ValueType("File"))
    one, two = Parameter("a", files, formats=(fasta,)), Parameter("b", ValueType("File"), formats=(fasta, "x"))
    description = Description("cwl.cwltool", "3", "v1.2", "t.cwl", inputs=(one, two))
    given = {"class": "File", "location": "file:///x"}
    stated = {"class": "File", "location": "file:///y", "format": "z"}
    bound = bind(description, {"a": [given, stated], "b": given})
    assert bound == {"a": [{**given, "format": fasta}, stated], "b": given}
