from pathlib import Path

import pytest
from wfx.engines import DocumentReference
from wfx_make import MakeEngine
from wfx_make.driver import Known, parse
from wfx_make.reading import defaults_of, logical_lines

MAKEFILE = """\
# Two
# lines
include rules.mk extra.mk
top ?= 3  # how many
x := $(shell touch /tmp/never)
.PHONY: all
all: out.txt

out.txt: a.txt \\
  $(x) b/c.txt | dir
\tcat $^ > $@
dir: ; mkdir dir
%.o: %.c
"""


def test_what_a_makefile_names_is_read_without_make():
    found = list(MakeEngine.references(MAKEFILE.encode(), "Makefile"))
    assert found == [
        DocumentReference("rules.mk", 3, "document"),
        DocumentReference("extra.mk", 3, "document"),
        DocumentReference("a.txt", 9, "file"),
        DocumentReference("b/c.txt", 9, "file"),
    ]


def test_variables_that_may_be_set_have_their_defaults():
    assert defaults_of(MAKEFILE) == {"top": "3"}


def test_continued_lines_are_one():
    assert list(logical_lines("a: b \\\n  c\n\td\ne: f\n")) == [(1, "a: b    c"), (4, "e: f")]


@pytest.mark.parametrize(("name", "text", "taken"), [
    ("Makefile", "a: b\n\tcp b a\n", True), ("rules.mk", "a:\n# why\n\ttouch a\n", True), ("rules.mk", "A = b\n", False),
    ("Snakefile", "a: b\n\tcp b a\n", False), ("Makefile", "x := y\n\tz\n", False),
])  # fmt: skip
def test_a_makefile_is_recognised_by_name_and_rule(tmp_path: Path, name, text, taken):
    (tmp_path / name).write_text(text)
    assert (MakeEngine.recognise(tmp_path, name) is not None) is taken
    in_folder = MakeEngine.recognise(tmp_path)
    assert (in_folder is not None) is (taken and name == "Makefile")


def test_an_entry_of_makes_data_base_is_read():
    target = parse(
        "a b/c.o: x.c y.h | d\n#  Phony target (prerequisite of .PHONY).\n#  recipe to execute:\n\tcc \\\n  x\n\tld\n"
    )
    assert (target.name, target.needs, target.after) == ("a b/c.o", ["x.c", "y.h"], ["d"])
    assert target.recipe == "cc \\\n  x\nld"
    assert target.phony
    assert parse("# Not a target:\nx.c:\n").rule is False


def test_targets_come_in_the_order_of_their_making(tmp_path: Path):
    (tmp_path / "Makefile").write_text(
        "all: c\nc: b a\n\tcat $^ > $@\na: b src\n\tcp b a\nb:\n\ttouch b\nunused: c\n\ttouch $@\n"
    )
    known = Known(tmp_path, "Makefile", [])
    assert [target.name for target in known.order] == ["b", "a", "c"]
    assert (known.sources, known.goals()) == (["src"], ["c"])
    assert not (tmp_path / "b").exists()
