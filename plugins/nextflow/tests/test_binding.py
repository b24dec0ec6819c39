"""Params as people give them, on their way to Nextflow's params file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wfx.engines import Description
from wfx.errors import InputError
from wfx.inputfiles import Layout
from wfx.inputs import InputOption, Layer, assemble
from wfx.references import Reference
from wfx_nextflow import binding
from wfx_nextflow.configuration import read_configuration
from wfx_nextflow.describing import describe
from wfx_nextflow.driver.params import render
from wfx_nextflow.project import Project

CONFIGURATION = "params.texts = null\nparams.least = 1\nparams.outdir = 'results'\n"
PIPELINES = Path(__file__).with_name("pipelines")


@pytest.fixture(scope="module")
def samples() -> Description:
    return describe(Project.read(PIPELINES / "samples", "main.nf"), read_configuration(""), "25.04.4")


@pytest.fixture(scope="module")
def words() -> Description:
    return describe(Project.read(PIPELINES / "words", "main.nf"), read_configuration(CONFIGURATION), "25.04.4")


def bound(description: Description, folder: Path, text: str = "", *options: str) -> dict[str, Any]:
    layers = []
    if text:
        values = binding.name_files(description, binding.read_inputs(text.encode(), "params.yml"))
        layers = [Layer(values, Reference.of_path(folder / "params.yml"), lambda path: "params.yml")]
    values = assemble(description.inputs, layers, [InputOption.parse(option) for option in options], cwd=folder)
    return binding.bind(description, values)


def sheet(folder: Path, text: str, name: str = "sheet.csv") -> Path:
    (folder / "data").mkdir(exist_ok=True)
    for read in ("a.txt", "b.txt"):
        (folder / "data" / read).write_text(read)
    (folder / name).write_text(text)
    return folder / name


def test_the_files_of_a_sheet_become_inputs(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, 'sample,reads_1,reads_2,more\nx,data/a.txt,,1\n\ny,data/a.txt,data/b.txt,"2, 3"\n')
    values = bound(samples, tmp_path, "input: sheet.csv\n")
    layout = Layout()
    placed = layout.rewrite(values)
    assert [(item.path, item.reference.path) for item in layout.files] == [
        ("inputs/input/a.txt", tmp_path / "data/a.txt"), ("inputs/input/b.txt", tmp_path / "data/b.txt")
    ]  # fmt: skip
    message = {"params": placed, "root": "/run", "outputs": "/run/outputs", "sheets": ["input"], "folders": ["outdir"]}
    rendered = render(message, tmp_path / "state")
    assert rendered["outdir"] == "/run/outputs"
    assert Path(rendered["input"]).read_text() == (
        'sample,reads_1,reads_2,more\nx,/run/inputs/input/a.txt,,1\ny,/run/inputs/input/a.txt,/run/inputs/input/b.txt,"2, 3"\n'
    )


@pytest.mark.parametrize("name", ["sheet.tsv", "sheet.json", "sheet.yml"])
def test_sheets_of_other_forms_are_read(name: str, samples: Description, tmp_path: Path) -> None:
    text = {
        "sheet.tsv": "sample\treads_1\nx\tdata/a.txt\n", "sheet.json": '[{"sample": "x", "reads_1": "data/a.txt"}]',
        "sheet.yml": "- {sample: x, reads_1: data/a.txt}\n",
    }[name]  # fmt: skip
    sheet(tmp_path, text, name)
    [row] = bound(samples, tmp_path, f"input: {name}\n")["input"]
    assert row["reads_1"] == {"class": "File", "location": (tmp_path / "data/a.txt").as_uri()}


def test_a_missing_file_of_a_sheet_is_told_with_row_and_column(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "sample,reads_1,reads_2\nx,data/a.txt,\ny,data/none.txt,data/c.txt\n")
    with pytest.raises(InputError) as caught:
        bound(samples, tmp_path, "input: sheet.csv\n")
    assert "sheet.csv:3, column 'reads_1': there is no data/none.txt" in str(caught.value)
    assert "sheet.csv:3, column 'reads_2': there is no data/c.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("sample,reads_1\nx,\n", "sheet.csv:2, column 'reads_1': it is empty"), ("", "the samplesheet is empty"),
     ("sample,reads_1\nx\n", "sheet.csv:2: the row has 1 columns, the heading has 2")],
)  # fmt: skip
def test_a_broken_sheet_is_refused(text: str, said: str, samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, text)
    with pytest.raises(InputError) as caught:
        bound(samples, tmp_path, "input: sheet.csv\n")
    assert said in str(caught.value)


def test_remote_files_of_a_sheet_are_fetched_as_any_other(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "sample,reads_1\nx,https://data.example.org/x.fq.gz\n")
    [row] = bound(samples, tmp_path, "input: sheet.csv\n")["input"]
    assert row["reads_1"]["location"] == "https://data.example.org/x.fq.gz"


def test_a_sheet_elsewhere_is_refused_with_the_reason(samples: Description, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="download it"):
        bound(samples, tmp_path, "input: https://data.example.org/sheet.csv\n")


def test_patterns_are_matched_and_go_on_as_patterns(words: Description, tmp_path: Path) -> None:
    for name in ("a_1.txt", "a_2.txt", "b_1.txt", "c.md"):
        (tmp_path / name).write_text(name)
    values = bound(words, tmp_path, "", "texts=*_{1,2}.txt")
    layout = Layout()
    placed = layout.rewrite(values)
    assert sorted(item.path for item in layout.files) == [
        f"inputs/texts/{n}" for n in ("a_1.txt", "a_2.txt", "b_1.txt")
    ]
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": [], "folders": ["outdir"]}
    assert render(message, tmp_path)["texts"] == "/run/inputs/texts/*_{1,2}.txt"


def test_what_a_pattern_matches_in_several_folders_is_listed(words: Description, tmp_path: Path) -> None:
    for name in ("x/a.txt", "y/a.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    layout = Layout()
    placed = layout.rewrite(bound(words, tmp_path, "texts: '*/a.txt'\n"))
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": [], "folders": []}
    assert render(message, tmp_path)["texts"] == ["/run/inputs/texts/a.txt", "/run/inputs/texts/2/a.txt"]


def test_a_pattern_without_a_match_is_refused(words: Description, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing matches the pattern"):
        bound(words, tmp_path, "", "texts=*.none")


def test_a_folder_given_for_a_path_is_a_folder(words: Description, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert bound(words, tmp_path, "texts: d\n")["texts"] == {
        "class": "Directory",
        "location": (tmp_path / "d").as_uri(),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("inptu: x\n", "no input 'inptu'; did you mean 'input'?"), ("keep: 3\n", "the input 'input'"),
     ("input: s.csv\nkeep: many\n", "'keep': \"many\" where int is expected"),
     ("input: s.csv\nmode: quick\n", "'mode'"), ("input: 3\n", "'input'")],
)  # fmt: skip
def test_wrong_params_are_refused_before_anything_is_fetched(
    text: str, said: str, samples: Description, tmp_path: Path
) -> None:
    sheet(tmp_path, "sample,reads_1\nx,data/a.txt\n", "s.csv")
    with pytest.raises(InputError) as caught:
        bound(samples, tmp_path, text)
    assert said in str(caught.value)


def test_where_results_go_is_not_the_users_to_say(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "sample,reads_1\nx,data/a.txt\n", "s.csv")
    assert bound(samples, tmp_path, "input: s.csv\noutdir: /elsewhere\n")["outdir"] == "outputs"


def test_only_what_was_given_is_passed_on(words: Description, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert set(bound(words, tmp_path, "texts: a.txt\n")) == {"texts", "outdir"}
    assert json.dumps(bound(words, tmp_path, "texts: a.txt\nleast: 2\n")["least"]) == "2"
