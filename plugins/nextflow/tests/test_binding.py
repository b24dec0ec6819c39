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
from wfx.valuetypes import problems
from wfx_nextflow import binding
from wfx_nextflow.configuration import read_configuration
from wfx_nextflow.describing import describe
from wfx_nextflow.driver.params import render
from wfx_nextflow.project import Project
from wfx_nextflow.schema import sheet_columns
from wfx_nextflow.sheets import read_table

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
    bound = binding.bind(description, values)
    assert binding.sheets_elsewhere(description, values, {}) == []
    return bound


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
    message = {
        "params": placed,
        "root": "/run",
        "outputs": "/run/outputs",
        "sheets": {"input": {}},
        "folders": ["outdir"],
    }
    rendered = render(message, tmp_path / "state")
    assert rendered["outdir"] == "/run/outputs"
    assert Path(rendered["input"]).read_text() == (
        'sample,reads_1,reads_2,more\nx,/run/inputs/input/a.txt,,1\ny,/run/inputs/input/a.txt,/run/inputs/input/b.txt,"2, 3"\n'
    )


FORMS = {
    "sheet.tsv": "sample\treads_1\nx\tdata/a.txt\n", "sheet.txt": "sample\treads_1\nx\tdata/a.txt\n",
    "sheet.json": '[{"sample": "x", "reads_1": "data/a.txt", "more": [1]}]', "sheet.yml": "- {sample: x, reads_1: data/a.txt}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_sheets_of_other_forms_are_read_and_written_in_theirs(name: str, samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, FORMS[name], name)
    value = bound(samples, tmp_path, f"input: {name}\n")["input"]
    assert value["sheet"] == name
    [row] = value["rows"]
    assert row["reads_1"]["location"] == (tmp_path / "data/a.txt").as_uri()
    placed = Layout().rewrite({"input": value})
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": {"input": {}}, "folders": []}
    written = Path(render(message, tmp_path / "state")["input"])
    assert written.suffix == Path(name).suffix
    [again], _ = read_table(written.read_bytes(), written.name, "")
    assert again == {**{k: v for k, v in row.items() if k != "reads_1"}, "reads_1": "/run/inputs/input/a.txt"}
    # What a plan holds is a value that may be given: a run is made again from it.
    assert not list(problems(placed["input"], next(p.type for p in samples.inputs if p.id == "input")))


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


SHEET_URI = "https://data.example.org/set/sheet.csv"


def elsewhere(samples: Description, folder: Path, text: str) -> dict[str, Any]:
    (folder / "fetched").write_text(text)
    values: dict[str, Any] = {"input": {"class": "File", "location": SHEET_URI}}
    assert binding.sheets_elsewhere(samples, values, {}) == [SHEET_URI]
    assert binding.sheets_elsewhere(samples, values, {SHEET_URI: folder / "fetched"}) == []
    return binding.bind(samples, values, {SHEET_URI: folder / "fetched"})


def test_a_sheet_elsewhere_names_files_beside_it(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "")
    text = "sample,reads_1,reads_2\nx,data/a.txt,https://other.example.org/b%20c.txt\ny,../a b.txt,\n"
    values = elsewhere(samples, tmp_path, text)
    layout = Layout()
    layout.rewrite(values)
    assert [(item.reference.uri, item.named_by, item.place) for item in layout.files] == [
        (
            "https://data.example.org/set/data/a.txt",
            Reference(SHEET_URI),
            "input 'input', sheet.csv:2, column 'reads_1'",
        ),
        ("https://other.example.org/b%20c.txt", Reference(SHEET_URI), "input 'input', sheet.csv:2, column 'reads_2'"),
        ("https://data.example.org/a%20b.txt", Reference(SHEET_URI), "input 'input', sheet.csv:3, column 'reads_1'"),
    ]


@pytest.mark.parametrize("cell", ["/etc/passwd", "~/.ssh/id_rsa", "file:///etc/passwd"])
def test_a_sheet_elsewhere_names_no_file_of_this_machine(cell: str, samples: Description, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sheet\.csv:2, column 'reads_1': .* names a file of this machine"):
        elsewhere(samples, tmp_path, f"sample,reads_1\nx,{cell}\n")


def test_a_sheet_elsewhere_that_nobody_has_opened_is_refused(samples: Description, tmp_path: Path) -> None:
    values: dict[str, Any] = {"input": {"class": "File", "location": SHEET_URI}}
    with pytest.raises(InputError, match="download it"):
        binding.bind(samples, values)


ROWS = {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {
    "id": {"type": "string"}, "reads": {"type": "array", "items": {"type": "string", "format": "file-path"}},
    "index": {"type": "object", "properties": {"fa": {"type": "string", "format": "file-path"}, "k": {"type": "integer"}}},
    "lanes": {"type": "string", "format": "file-path", "schema": "assets/lanes.json"}}}}  # fmt: skip
LANES = {
    "type": "array",
    "items": {"type": "object", "properties": {"lane": {"type": "string", "format": "file-path"}}},
}


@pytest.fixture
def nested(tmp_path: Path) -> Description:
    tree = tmp_path / "tree"
    (tree / "assets").mkdir(parents=True)
    (tree / "main.nf").write_text("workflow { println(params.input) }\n")
    (tree / "assets/schema_input.json").write_text(json.dumps(ROWS))
    (tree / "assets/lanes.json").write_text(json.dumps(LANES))
    declared = {"input": {"type": "string", "format": "file-path", "schema": "assets/schema_input.json"}}
    (tree / "nextflow_schema.json").write_text(json.dumps({"properties": declared}))
    return describe(Project.read(tree, "main.nf"), read_configuration(""), "25.04.4")


def test_lists_maps_and_sheets_within_a_sheet_are_bound(nested: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "lane\tnote\na.txt\tfirst\nb.txt\t\n", "data/lanes.tsv")
    sheet(
        tmp_path,
        "- {id: x, reads: [data/a.txt, data/b.txt], index: {fa: data/a.txt, k: 3}, lanes: data/lanes.tsv}\n- {id: y}\n",
        "sheet.yml",
    )
    layout = Layout()
    placed = layout.rewrite(bound(nested, tmp_path, "input: sheet.yml\n"))
    assert [(item.path, item.named_at) for item in layout.files] == [
        ("inputs/input/a.txt", "sheet.yml:1, column 'reads'[0]"), ("inputs/input/b.txt", "sheet.yml:1, column 'reads'[1]")
    ]  # fmt: skip
    columns = {"input": sheet_columns(next(p.type for p in nested.inputs if p.id == "input"))}
    assert columns == {"input": {"lanes": {}}}
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": columns, "folders": []}
    written = Path(render(message, tmp_path / "state")["input"])
    [first, second], _ = read_table(written.read_bytes(), written.name, "")
    assert second == {"id": "y"}
    assert first["reads"] == ["/run/inputs/input/a.txt", "/run/inputs/input/b.txt"]
    assert first["index"] == {"fa": "/run/inputs/input/a.txt", "k": 3}
    inner = Path(str(first["lanes"]))
    assert inner.read_text() == "lane\tnote\n/run/inputs/input/a.txt\tfirst\n/run/inputs/input/b.txt\t\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [("{id: x, reads: [data/a.txt, data/none.txt]}", "sheet.yml:1, column 'reads'[1]: there is no data/none.txt"),
     ("{id: x, index: {fa: none.fa}}", "sheet.yml:1, column 'index'.fa: there is no none.fa"),
     ("{id: x, lanes: data/lanes.csv}", "lanes.csv:3, column 'lane': there is no gone.txt"), ("{reads: []}", "column 'id': it is empty")],
)  # fmt: skip
def test_a_file_that_is_missing_within_a_row_is_told_with_its_place(
    row: str, said: str, nested: Description, tmp_path: Path
) -> None:
    sheet(tmp_path, "lane\na.txt\ngone.txt\n", "data/lanes.csv")
    sheet(tmp_path, f"- {row}\n", "sheet.yml")
    with pytest.raises(InputError) as caught:
        bound(nested, tmp_path, "input: sheet.yml\n")
    assert said in str(caught.value)


def test_what_a_sheet_became_may_be_given_again(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "sample,reads_1,more\nx,data/a.txt,1\n")
    value = bound(samples, tmp_path, "input: sheet.csv\n")["input"]
    assert not list(problems(value, next(p.type for p in samples.inputs if p.id == "input")))


def test_rows_may_be_given_with_the_name_of_the_sheet(samples: Description, tmp_path: Path) -> None:
    sheet(tmp_path, "")
    value = bound(samples, tmp_path, "input: {sheet: x.tsv, rows: [{sample: x, reads_1: data/a.txt}]}\n")["input"]
    assert value == {
        "sheet": "x.tsv",
        "rows": [{"sample": "x", "reads_1": {"class": "File", "location": (tmp_path / "data/a.txt").as_uri()}}],
    }


def test_a_sheet_that_names_itself_is_refused(nested: Description, tmp_path: Path) -> None:
    (tmp_path / "tree/assets/lanes.json").write_text(json.dumps(ROWS))
    again = describe(Project.read(tmp_path / "tree", "main.nf"), read_configuration(""), "25.04.4")
    sheet(tmp_path, "id,lanes\nx,sheet.csv\n")
    with pytest.raises(InputError, match="names itself"):
        bound(again, tmp_path, "input: sheet.csv\n")


def test_patterns_are_matched_and_go_on_as_patterns(words: Description, tmp_path: Path) -> None:
    for name in ("a_1.txt", "a_2.txt", "b_1.txt", "c.md"):
        (tmp_path / name).write_text(name)
    values = bound(words, tmp_path, "", "texts=*_{1,2}.txt")
    layout = Layout()
    placed = layout.rewrite(values)
    assert sorted(item.path for item in layout.files) == [
        f"inputs/texts/{n}" for n in ("a_1.txt", "a_2.txt", "b_1.txt")
    ]
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": {}, "folders": ["outdir"]}
    assert render(message, tmp_path)["texts"] == "/run/inputs/texts/*_{1,2}.txt"


def test_what_a_pattern_matches_in_several_folders_is_listed(words: Description, tmp_path: Path) -> None:
    for name in ("x/a.txt", "y/a.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    layout = Layout()
    placed = layout.rewrite(bound(words, tmp_path, "texts: '*/a.txt'\n"))
    message = {"params": placed, "root": "/run", "outputs": "/o", "sheets": {}, "folders": []}
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
