"""Versions and what is asked of them, held against the reference implementation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from wfx.versions import asked_of, normal_name, satisfies

numbers = st.integers(0, 3).map(str)
releases = st.lists(numbers, min_size=1, max_size=3).map(".".join)
suffixes = st.sampled_from(["", "a1", "b2", "rc1", ".dev1", "a1.dev2", ".post1", ".post1.dev3", "rc2.post1", "-1"])
versions = st.tuples(releases, suffixes).map("".join)
clauses = st.one_of(
    st.tuples(st.sampled_from(["==", "!=", ">=", "<=", ">", "<"]), versions).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), releases).map(lambda pair: f"{pair[0]}{pair[1]}.*"),
    st.tuples(releases, numbers, suffixes).map(lambda parts: f"~={parts[0]}.{parts[1]}{parts[2].replace('-1', '')}"),
)


@given(versions, st.lists(clauses, max_size=3))
def test_it_judges_as_packaging_does(version, specifier):
    text = ",".join(specifier)
    assert satisfies(version, text) == SpecifierSet(text).contains(version, prereleases=True)


@given(versions)
def test_local_parts_of_an_installed_version_do_not_count(version):
    assert satisfies(f"{version}+local.7", f"=={version}") is True


@pytest.mark.parametrize(
    "specifier", ["===0.1", ">=1!2", "@ https://example.org/x.whl", ">=0.1+local", "~=1", "rubbish"]
)
def test_what_is_not_read_is_not_judged(specifier):
    assert satisfies("0.1", specifier) is None


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("wfx-core>=0.1,<0.2", ">=0.1,<0.2"),
        ("wfx_core (>=0.1,<0.2)", ">=0.1,<0.2"),
        ("WFX.Core [testing] >= 0.1 , < 0.2", ">= 0.1,< 0.2"),
        ("wfx-core", ""),
        ("wfx-core>=0.1 ; python_version >= '3.11'", ">=0.1"),
        ("wfx-core[testing]>=0.1; extra == 'test'", None),
        ("wfx-core-extras>=3", None),
        ("click>=8", None),
    ],
)
def test_what_a_requirement_asks_of_the_core_is_read(line, asked):
    assert asked_of(line, "wfx-core") == asked
    if asked:
        assert SpecifierSet(asked) == Requirement(line).specifier


def test_names_have_one_spelling():
    assert {normal_name(n) for n in ("WFX_Core", "wfx.core", "wfx--core")} == {"wfx-core"}
