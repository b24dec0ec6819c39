"""Documents as text: recognition, what they name, job files. No engine is started."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.errors import DefinitionError, DocumentError, InputError, WfxError
from wfx_cwl import CwltoolEngine
from wfx_cwl import documents as cwl

WORKFLOW = "cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\nsteps: []\n"
TOOL = "cwlVersion: v1.0\nclass: CommandLineTool\nbaseCommand: x\ninputs: []\noutputs: []\n"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


# -- recognition


@pytest.mark.parametrize("kind", ["Workflow", "CommandLineTool", "ExpressionTool"])
def test_each_class_is_recognised_with_its_evidence(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.cwl").write_text(f"cwlVersion: v1.1\nclass: {kind}\n")
    claim = CwltoolEngine.recognise(tmp_path, "a.cwl")
    assert claim is not None
    assert (claim.engine, claim.entry, claim.language_version) == ("cwl.cwltool", "a.cwl", "v1.1")
    assert claim.evidence == f"cwlVersion: v1.1, class: {kind} in a.cwl"


def test_json_packed_and_unusual_suffixes_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "packed.json").write_text(json.dumps({"cwlVersion": "v1.0", "$graph": []}))
    (tmp_path / "wf.yaml").write_text(WORKFLOW)
    assert CwltoolEngine.recognise(tmp_path, "packed.json").evidence.endswith("$graph in packed.json")
    assert CwltoolEngine.recognise(tmp_path, "wf.yaml") is not None


@pytest.mark.parametrize("version", ["cwl:v1.0", "https://w3id.org/cwl/cwl#v1.0"])
def test_a_version_written_as_an_iri_is_read(tmp_path: Path, version: str) -> None:
    (tmp_path / "a.cwl").write_text(f"cwlVersion: '{version}'\nclass: Workflow\n")
    assert CwltoolEngine.recognise(tmp_path, "a.cwl").language_version == "v1.0"


@pytest.mark.parametrize("text", ["", "rule all:\n", "class: Workflow\n", "{}", "cwlVersion\n", "name: cwlVersion\n"])
def test_other_files_are_not_recognised(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert CwltoolEngine.recognise(tmp_path, "a.txt") is None


@pytest.mark.parametrize("text", ["cwlVersion: v1.2\nclass: Workflow\nsteps: [\n", "cwlVersion: v1.2\n", "cwlVersion: 1.2\n",
                                  "class: Workflow\ninputs: []\n", "class: CommandLineTool\n"])  # fmt: skip
def test_a_broken_document_with_the_right_suffix_is_recognised_so_that_its_error_is_told(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "a.cwl").write_text(text)
    assert CwltoolEngine.recognise(tmp_path, "a.cwl") is not None


def test_a_missing_file_a_folder_and_a_link_that_leads_nowhere_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "folder.cwl").mkdir()
    (tmp_path / "link.cwl").symlink_to("nowhere")
    for name in ("none.cwl", "folder.cwl", "link.cwl"):
        assert CwltoolEngine.recognise(tmp_path, name) is None


def test_a_folder_is_recognised_by_its_main_document(tmp_path: Path) -> None:
    written(tmp_path, main__cwl=WORKFLOW, other__cwl=WORKFLOW, tool__cwl=TOOL)
    assert CwltoolEngine.recognise(tmp_path).entry == "main.cwl"


def test_a_folder_is_recognised_by_its_only_workflow(tmp_path: Path) -> None:
    written(tmp_path, align__cwl=WORKFLOW, tool__cwl=TOOL, job__yml="a: 1\n")
    assert CwltoolEngine.recognise(tmp_path).entry == "align.cwl"


def test_a_folder_with_a_lone_tool_is_recognised_and_an_undecided_or_empty_one_is_not(tmp_path: Path) -> None:
    assert CwltoolEngine.recognise(tmp_path) is None
    written(tmp_path, tool__cwl=TOOL)
    assert CwltoolEngine.recognise(tmp_path).entry == "tool.cwl"
    written(tmp_path, a__cwl=WORKFLOW, b__cwl=WORKFLOW)
    assert CwltoolEngine.recognise(tmp_path) is None


# -- references


def named(text: str, name: str = "wf.cwl") -> list[tuple[str, int, str]]:
    return [(r.text, r.line, r.role) for r in CwltoolEngine.references(text.encode(), name)]


def test_every_kind_of_reference_is_found_with_its_line() -> None:
    text = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {edam: 'http://edamontology.org/'}
$schemas:
  - http://edamontology.org/EDAM_1.18.owl
  - local.rdf
requirements:
  - class: SchemaDefRequirement
    types:
      - $import: types.yml
  - class: InlineJavascriptRequirement
    expressionLib:
      - $include: lib.js
inputs:
  sample: types.yml#Sample
  many: ../shared/more.yaml#Sample[]
  maybe: ['null', 'other.yml#Other?']
  reference:
    type: File
    default: {class: File, location: ref/genome.fa, secondaryFiles: [{class: File, location: ref/genome.fa.fai}]}
  folder:
    type: Directory
    default: {class: Directory, path: data}
outputs: []
steps:
  a: {run: tools/a.cwl, in: [], out: []}
  b: {run: 'https://example.org/b.cwl#main', in: [], out: []}
  c:
    run:
      class: CommandLineTool
      $mixin: base.cwl
      inputs: []
      outputs: []
    in: []
    out: []
"""
    assert sorted(named(text), key=lambda r: (r[1], len(r[0]))) == [
        ("local.rdf", 5, "schema"), ("http://edamontology.org/EDAM_1.18.owl", 5, "schema"),
        ("types.yml", 10, "document"), ("lib.js", 13, "text"), ("types.yml#Sample", 15, "document"),
        ("../shared/more.yaml#Sample", 16, "document"), ("other.yml#Other", 17, "document"),
        ("ref/genome.fa", 20, "file"), ("ref/genome.fa.fai", 20, "file"), ("data", 23, "directory"),
        ("tools/a.cwl", 26, "document"), ("https://example.org/b.cwl#main", 27, "document"), ("base.cwl", 31, "document"),
    ]  # fmt: skip


def test_a_packed_document_names_only_what_lies_outside_of_it() -> None:
    text = """\
cwlVersion: v1.2
$graph:
- id: main
  class: Workflow
  steps: [{id: a, run: '#tool'}, {id: b, run: other.cwl}]
  inputs: [{id: x, type: '#types.yml/Sample'}]
- id: tool
  class: CommandLineTool
"""
    assert [text for text, _, _ in named(text) if not text.startswith("#")] == ["other.cwl"]


def test_literals_expressions_and_inputs_that_are_called_run_name_nothing() -> None:
    text = """\
class: CommandLineTool
cwlVersion: v1.2
inputs:
  run: string
  type: {type: string, default: 'a.yml#b'}
  literal: {type: File, default: {class: File, basename: a, contents: hello}}
arguments: ['$import', {valueFrom: '$(inputs.run)'}]
requirements:
  InitialWorkDirRequirement:
    listing: [{class: File, location: '$(inputs.x)'}, {class: Directory, location: '_:123'}]
"""
    assert named(text) == []


@pytest.mark.parametrize("key", ["$import", "$include"])
def test_an_import_may_stand_anywhere(key: str) -> None:
    assert [r[0] for r in named(f"inputs: {{{key}: a.yml}}\nsteps: [{{in: [{{{key}: b.yml}}]}}]")] == ["a.yml", "b.yml"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text", "null", "42"])
def test_a_document_that_is_no_mapping_names_nothing(text: str) -> None:
    assert named(text) == []


# -- job files


def read(text: str) -> dict[str, Any]:
    return cwl.read_inputs(text.encode(), "job.yml")


def test_a_job_file_gives_values_with_path_as_location() -> None:
    assert read("a: 1\nb: [x, y]\nf: {class: File, path: 'a%20b.txt'}\nd: {class: Directory, location: 'c%20d'}\n") == {
        "a": 1, "b": ["x", "y"],
        # A path is taken as it is written, a location is an IRI reference.
        "f": {"class": "File", "location": "a%20b.txt"}, "d": {"class": "Directory", "location": "c d"},
    }  # fmt: skip


def test_files_deep_in_records_and_arrays_and_secondary_files_are_read() -> None:
    value = read("r: {list: [{class: File, path: a, secondaryFiles: [{class: File, path: a.idx}]}]}\n")
    assert value["r"]["list"][0] == {
        "class": "File", "location": "a", "secondaryFiles": [{"class": "File", "location": "a.idx"}]
    }  # fmt: skip


def test_json_is_read_and_an_empty_file_is_no_inputs() -> None:
    assert cwl.read_inputs(b'{"a": {"class": "File", "path": "x"}}', "job.json") == {
        "a": {"class": "File", "location": "x"}
    }
    assert read("") == read("# nothing\n") == {}


def test_what_says_something_of_the_document_is_no_input() -> None:
    assert read("id: job\ncwl:tool: a.cwl\n$schemas: [x.owl]\n$namespaces: {e: 'http://e/'}\na: 1\n") == {"a": 1}


def test_prefixes_of_formats_are_expanded() -> None:
    text = "$namespaces: {x: 'http://x.org/'}\na: {class: File, path: a, format: 'x:y'}\nb: {class: File, path: b, format: edam:format_1930}\n"
    values = read(text)
    assert values["a"]["format"] == "http://x.org/y"
    assert values["b"]["format"] == "http://edamontology.org/format_1930"
    assert read("a: {class: File, path: a, format: 'http://x.org/y'}")["a"]["format"] == "http://x.org/y"


def test_a_scheme_in_a_location_is_left_alone() -> None:
    assert read("a: {class: File, location: 'https://x.org/a%20b'}")["a"]["location"] == "https://x.org/a%20b"


@pytest.mark.parametrize(("text", "line", "word"), [
    ("a: 1\ncwl:requirements: []\n", 2, "cwl:requirements"), ("cwltool:overrides: {}\n", 1, "cwltool:overrides"),
    ("a: 1\nb:\n  class: File\n  path: x\n  location: y\n", 3, "both location and path"), ("- a\n", 1, "mapping"),
    ("a: 1\na: 2\n", 2, "twice"), ("a: [1\nb: 2\n", 2, ""), ("a: .nan\n", 1, ""),
])  # fmt: skip
def test_a_job_file_that_cannot_be_read_names_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises((InputError, DocumentError)) as caught:
        read(text)
    assert caught.value.where.startswith(f"job.yml:{line}")
    assert word in str(caught.value)


# -- hostile texts


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))


@pytest.mark.parametrize("text", [
    "cwlVersion: v1.2\n" + BOMB, "cwlVersion: v1.2\nx: " + "[" * 5000, "cwlVersion: !!python/object:os.system x\n",
    "cwlVersion: v1.2\nclass: Workflow\nclass: Workflow\n", "cwlVersion: &a [*a]\n", "\x00", "{", 'cwlVersion: "\\ud800"', "",
])  # fmt: skip
def test_hostile_documents_are_refused_with_their_line_and_recognition_survives_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.cwl").write_text(text)
    CwltoolEngine.recognise(tmp_path, "a.cwl")
    with pytest.raises(WfxError) as caught:
        list(CwltoolEngine.references(text.encode(), "a.cwl"))
    assert caught.value.where.startswith("a.cwl")


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read_it in (lambda: list(CwltoolEngine.references(data, "x")), lambda: cwl.read_inputs(data, "x")):
        try:
            read_it()
        except (DocumentError, InputError, DefinitionError) as error:
            assert error.where.startswith("x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["File", "run", "a.yml#b", "$(x)", "", "x:y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["class", "run", "$import", "$schemas", "location", "path", "type", "format", "default", "items", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_documents_of_any_shape_are_searched_and_read_as_jobs(value: Any) -> None:
    data = json.dumps(value).encode()
    for reference in CwltoolEngine.references(data, "x"):
        assert isinstance(reference.text, str)
        assert reference.line == 1
    with contextlib.suppress(InputError):
        cwl.read_inputs(data, "x")
