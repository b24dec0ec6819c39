"""Patterns of paths, and tables that name files: read on their own."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.errors import InputError
from wfx.patterns import matcher
from wfx.tables import read_table


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("*.fq", ["a.fq", "x/y/a.fq"], ["a.fq.gz", ".a.fq", "x/.y/a.fq"]),
        ("x/*.fq", ["x/a.fq"], ["a.fq", "x/y/a.fq", "y/x/a.fq"]),
        ("x/**/*.fq", ["x/a.fq", "x/y/z/a.fq"], ["a.fq", "x/.y/a.fq"]),
        ("**", ["a", "x/y"], [".a"]),
        ("r[12]?.fq", ["r1a.fq", "x/r2b.fq"], ["r3a.fq", "r1.fq"]),
        ("r[!12].fq", ["r3.fq"], ["r1.fq"]),
        ("a[", ["a["], ["a"]),
        ("[]x].fq", ["].fq", "x.fq"], ["y.fq"]),
        ("[!]x].fq", ["y.fq"], ["].fq", "x.fq"]),
        ("[^].fq", ["[^].fq"], ["a.fq"]),
        (".*", [".hidden"], ["a"]),
        ("a+(b).$", ["a+(b).$"], ["aab.$"]),
    ],
)
def test_a_pattern_fits_as_a_shells_would(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    matches = matcher(pattern)
    assert [path for path in fits if not matches(path)] == []
    assert [path for path in fits_not if matches(path)] == []


@settings(max_examples=500)
@given(st.text(alphabet="ab*?[]!^-\\.", max_size=8), st.text(alphabet="ab.-", min_size=1, max_size=5))
def test_no_pattern_is_a_fault_and_stars_mean_what_they_mean(pattern: str, name: str) -> None:
    try:
        fits = matcher(pattern or "*")(name)
    except InputError:
        assert set(pattern) >= {"[", "]", "-"}
        return
    if not set(pattern) & set("[]\\") and pattern and not name.startswith("."):
        assert fits == fnmatch.fnmatchcase(name, pattern) or "**" in pattern


def how(*columns: str | int, header: int = 1, delimiter: str | None = None) -> dict:
    return {"columns": list(columns), "header": header, "delimiter": delimiter}


@pytest.mark.parametrize(
    ("name", "text", "way", "cells"),
    [
        ("a.csv", 'n,r\nx,"a b"\ny,"c,d"\n', how("r"), ["a b", "c,d"]),
        ("a.tsv", "n\tr\nx\ta\n\t\n", how(1), ["a"]),
        ("a", "n;r\r\nx; a \r\n", how("r", delimiter=";"), ["a"]),
        ("a.csv", "\ufeffr,s\na,b\n", how("r", "s"), ["a", "b"]),
        ("a.csv", "title\nr,s\na\n", how("s", "r", header=2), ["a"]),
        ("a.csv", '"with ""quotes"""\n', how(0, header=0), ['with "quotes"']),
    ],
)
def test_a_table_is_read_and_written_as_it_was(name: str, text: str, way: dict, cells: list[str]) -> None:
    table = read_table(text.encode(), name, way, name)
    assert [cell for _, _, cell in table.cells()] == cells
    again = read_table(table.encode(), name, {**way, "delimiter": table.delimiter}, name)
    assert again.rows == table.rows


@pytest.mark.parametrize(
    ("text", "way", "said"),
    [
        (b"", how("r"), "is empty"), (b"r\n", how("x"), "no column 'x'"), (b"r\n", how(1), "no column 1"),
        (b"\xff\xfe", how("r"), "not UTF-8"), (b'r\n"a\n', how("r"), "no table"), (b"a\n", how("r", header=2), "is empty"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_said(text: bytes, way: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_table(text, "t.csv", way, "t.csv")
