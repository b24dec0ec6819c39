"""What may be handed on of the inputs: the word of the definition on each file."""

from __future__ import annotations

import pytest
from wfx import disclosing
from wfx.errors import InputError
from wfx.inputfiles import Layout
from wfx.inputs import Layer, assemble
from wfx.references import Reference
from wfx.values import Parameter, ValueType

FILE = ValueType("File")


def given(uri: str, **more) -> dict:
    return {"class": "File", "location": f"https://data.example/{uri}", **more}


def words(values: dict) -> dict[str, str]:
    """Return what the plan will say of each file of these values."""
    plain, policy = disclosing.split(values)
    assert "disclosable" not in str(plain)
    layout = Layout(policy)
    layout.rewrite(plain)
    return {item.reference.name: item.disclosable for item in layout.files}


def test_the_short_form_takes_it_and_no_engine_sees_it() -> None:
    layer = Layer({"reads": {"file": "a.fq", "disclosable": False}}, Reference("https://data.example/d.yml"), str)
    values = assemble([Parameter("reads", FILE)], [layer])
    assert words(values) == {"a.fq": "no"}


def test_nothing_said_may_be_handed_on() -> None:
    assert words({"a": given("a"), "b": [given("b", disclosable=True)]}) == {"a": "yes", "b": "yes"}


def test_what_belongs_to_a_file_is_let_out_no_further() -> None:
    index = given("a.bam.bai", disclosable="name")
    assert words({"a": given("a.bam", disclosable=False, secondaryFiles=[index])}) == {"a.bam": "no", "a.bam.bai": "no"}
    # What an engine adds to it, too.
    _, policy = disclosing.split({"a": given("a.bam", disclosable=False)})
    layout = Layout(policy)
    layout.rewrite({"a": given("a.bam", secondaryFiles=[given("a.bam.bai")])})
    assert [item.disclosable for item in layout.files] == ["no", "no"]


def test_what_lies_in_a_folder_is_let_out_no_further() -> None:
    folder = {"class": "Directory", "basename": "d", "listing": [given("x"), given("y")], "disclosable": "name"}
    assert words({"d": folder, "e": given("z")}) == {"x": "name", "y": "name", "z": "yes"}


def test_what_an_engine_finds_in_a_table_is_let_out_no_further() -> None:
    _, policy = disclosing.split({"sheet": given("sheet.csv", disclosable=False)})
    layout = Layout(policy)
    layout.rewrite({"sheet": [{"sample": "s1", "reads": given("s1.fq")}]})
    assert [item.disclosable for item in layout.files] == ["no"]


@pytest.mark.parametrize("said", ["no", 0, None, "names", []])
def test_another_word_is_refused(said) -> None:
    with pytest.raises(InputError, match="takes true, false or name"):
        disclosing.split({"a": given("a", disclosable=said)})
