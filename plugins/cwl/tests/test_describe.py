"""What cwltool says of documents of every kind, as wfx's description."""

from __future__ import annotations

from typing import Any

import pytest
from wfx.values import SecondaryFile
from wfx.valuetypes import type_name

pytestmark = pytest.mark.real

TYPES = """\
cwlVersion: v1.2
class: CommandLineTool
label: Every type
doc: [First paragraph., Second paragraph.]
$namespaces: {edam: 'http://edamontology.org/', s: 'https://schema.org/'}
$schemas: [tiny.ttl]
s:license: https://spdx.org/licenses/MIT
requirements:
  SchemaDefRequirement:
    types:
      - $import: types.yml
      - name: Level
        type: enum
        symbols: [low, high]
baseCommand: 'true'
inputs:
  b: boolean
  i: int
  l: long
  f: float
  d: double
  s: string
  file: File
  dir: Directory
  any: Any
  maybe: string?
  list: File[]
  maybelist: int[]?
  nested: {type: {type: array, items: {type: array, items: string}}}
  enum: {type: {type: enum, symbols: [A, B]}}
  record:
    type:
      type: record
      name: rec
      fields:
        x: {type: int, doc: The x.}
        y: {type: 'File?', secondaryFiles: [.idx]}
  union: [string, int, 'File[]']
  imported: types.yml#Sample
  importedlist: {type: {type: array, items: types.yml#Sample}}
  level: {type: Level}
  bam:
    type: File
    label: Reads
    doc: Aligned reads.
    format: edam:format_2572
    secondaryFiles: [.bai, '^.idx?', {pattern: .csi, required: false}, '$(self.nameroot).x', {pattern: .y, required: $(true)}]
  either: {type: File, format: [edam:format_1929, edam:format_1930]}
  default: {type: int, default: 4}
  nothing: {type: 'int?', default: null}
  defaultfile:
    type: File
    default: {class: File, location: ref/a b.txt, secondaryFiles: [{class: File, location: ref/a b.txt.idx}]}
  defaultdir: {type: Directory, default: {class: Directory, location: ref}}
  literal: {type: File, default: {class: File, basename: l.txt, contents: hi}}
outputs:
  out: {type: stdout, label: The output, doc: Text.}
  err: stderr
"""
IMPORTED = """\
- name: Kind
  type: enum
  symbols: [tumour, normal]
- name: Sample
  type: record
  fields:
    - {name: id, type: string}
    - {name: kind, type: Kind}
    - {name: more, type: 'string[]?'}
"""
TTL = '<http://edamontology.org/format_2572> <http://www.w3.org/2000/01/rdf-schema#label> "BAM" .\n'


@pytest.fixture(scope="module")
def zoo(bench: Any) -> Any:
    documents = {"main.cwl": TYPES, "types.yml": IMPORTED, "tiny.ttl": TTL, "ref/a b.txt": "a", "ref/a b.txt.idx": "b"}
    return bench.case(documents).describe()


def test_every_type_is_described(zoo: Any) -> None:
    sample = "record{id: string, kind: enum(tumour, normal), more: string[]?}"
    assert {p.id: type_name(p.type) for p in zoo.inputs} == {
        "b": "boolean", "i": "int", "l": "int", "f": "float", "d": "float", "s": "string", "file": "File",
        "dir": "Directory", "any": "any", "maybe": "string?", "list": "File[]", "maybelist": "int[]?",
        "nested": "string[][]", "enum": "enum(A, B)", "record": "record{x: int, y: File?}",
        "union": "string | int | File[]", "imported": sample, "importedlist": f"{sample}[]", "level": "enum(low, high)",
        "bam": "File", "either": "File", "default": "int", "nothing": "int?", "defaultfile": "File",
        "defaultdir": "Directory", "literal": "File",
    }  # fmt: skip
    assert {p.id: type_name(p.type) for p in zoo.outputs} == {"out": "File", "err": "File"}


def test_inputs_and_outputs_come_in_the_order_of_the_document(zoo: Any) -> None:
    assert [p.id for p in zoo.inputs][:6] == ["b", "i", "l", "f", "d", "s"]
    assert [p.id for p in zoo.outputs] == ["out", "err"]


def test_what_people_wrote_of_a_document_is_kept(zoo: Any) -> None:
    assert (zoo.name, zoo.doc) == ("Every type", "First paragraph.\nSecond paragraph.")
    assert zoo.licence == "https://spdx.org/licenses/MIT"
    assert (zoo.kind, zoo.language_version, zoo.engine) == ("command", "v1.2", "cwl.cwltool")
    out = zoo.outputs[0]
    assert (out.label, out.doc) == ("The output", "Text.")


def test_formats_secondary_files_and_fields_are_kept(zoo: Any) -> None:
    inputs = {p.id: p for p in zoo.inputs}
    bam = inputs["bam"]
    assert (bam.label, bam.doc) == ("Reads", "Aligned reads.")
    assert bam.formats == ("http://edamontology.org/format_2572",)
    assert inputs["either"].formats == ("http://edamontology.org/format_1929", "http://edamontology.org/format_1930")
    assert [(s.pattern, s.required) for s in bam.secondary_files] == [
        (".bai", None), ("^.idx", False), (".csi", False), ("$(self.nameroot).x", None), (".y", None)
    ]  # fmt: skip
    x, y = inputs["record"].type.fields
    assert x.doc == "The x."
    assert y.secondary_files == (SecondaryFile(".idx"),)


def test_defaults_name_the_workflows_own_files(zoo: Any) -> None:
    inputs = {p.id: p for p in zoo.inputs}
    assert (inputs["default"].default, inputs["default"].required) == (4, False)
    assert (inputs["nothing"].default, inputs["nothing"].has_default) == (None, True)
    given = inputs["defaultfile"].default
    assert given["location"] == "workflow/ref/a b.txt"
    assert given["secondaryFiles"][0]["location"] == "workflow/ref/a b.txt.idx"
    assert inputs["defaultdir"].default == {"class": "Directory", "location": "workflow/ref"}
    assert inputs["literal"].default["contents"] == "hi"


WORKFLOW = """\
cwlVersion: {version}
class: Workflow
requirements:
  SubworkflowFeatureRequirement: {{}}
  ScatterFeatureRequirement: {{}}
  StepInputExpressionRequirement: {{}}
  MultipleInputFeatureRequirement: {{}}
inputs: {{files: 'File[]', word: string}}
outputs:
  out: {{type: 'File[]', outputSource: last/out}}
  both: {{type: 'Any', outputSource: [inner/out, last/out], linkMerge: merge_flattened}}
steps:
  last:
    label: The last
    doc: It comes first in the text.
    scatter: in
    in: {{in: inner/out, word: {{source: word, valueFrom: $(self)}}}}
    out: [out]
    run: tools/cat.cwl
  inner:
    in: {{files: files}}
    out: [out]
    run: inner.cwl
"""
INNER = """\
cwlVersion: {version}
class: Workflow
requirements: {{ScatterFeatureRequirement: {{}}}}
inputs: {{files: 'File[]'}}
outputs: {{out: {{type: 'File[]', outputSource: cat/out}}}}
steps:
  cat:
    scatter: in
    in: {{in: files}}
    out: [out]
    run: tools/cat.cwl
  inline:
    in: {{x: files}}
    out: []
    run:
      class: CommandLineTool
      label: Written in place
      hints:
        - {{class: DockerRequirement, dockerPull: 'debian:12'}}
        - class: SoftwareRequirement
          packages:
            samtools: {{version: ['1.16', '1.17'], specs: ['https://bio.tools/samtools']}}
            coreutils: {{}}
      baseCommand: 'true'
      inputs: {{x: 'File[]'}}
      outputs: []
"""
CAT = """\
cwlVersion: {version}
class: CommandLineTool
requirements: {{DockerRequirement: {{dockerPull: 'quay.io/x/cat:1'}}}}
baseCommand: cat
inputs: {{in: {{type: File, inputBinding: {{}}}}, word: string?}}
stdout: out.txt
outputs: {{out: stdout}}
"""


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2"])
def test_steps_tools_links_and_images_of_nested_workflows_are_described(bench: Any, version: str) -> None:
    texts = {"main.cwl": WORKFLOW, "inner.cwl": INNER, "tools/cat.cwl": CAT}
    found = bench.case({name: text.format(version=version) for name, text in texts.items()}).describe()
    assert found.language_version == version
    assert [(s.id, s.tool, s.position, s.scatter) for s in found.steps] == [
        ("inner", "inner.cwl", 0, False), ("inner/cat", "tools/cat.cwl", 0, True),
        ("inner/inline", "main.cwl#inner/inline/run", 1, False), ("last", "tools/cat.cwl", 1, True),
    ]  # fmt: skip
    assert found.steps[-1].name == "The last"
    assert {(c.source, c.target, c.scope) for c in found.connections} == {
        ("files", "inner/files", ""), ("inner/out", "last/in", ""), ("word", "last/word", ""), ("last/out", "out", ""),
        ("inner/out", "both", ""), ("last/out", "both", ""), ("files", "cat/in", "inner"), ("files", "inline/x", "inner"),
        ("cat/out", "out", "inner"),
    }  # fmt: skip
    tools = {tool.id: tool for tool in found.tools}
    assert {tool.kind for tool in tools.values()} == {"workflow", "command"}
    inline = tools["main.cwl#inner/inline/run"]
    assert (inline.name, inline.image) == ("Written in place", "debian:12")
    assert {(s.name, s.versions, s.specs) for s in inline.software} == {
        ("samtools", ("1.16", "1.17"), ("https://bio.tools/samtools",)), ("coreutils", (), ())
    }  # fmt: skip
    assert {(i.image, i.tool, i.required) for i in found.images} == {
        ("quay.io/x/cat:1", "tools/cat.cwl", True), ("debian:12", "main.cwl#inner/inline/run", False)
    }  # fmt: skip


PACKED = """\
cwlVersion: v1.2
$graph:
- id: main
  class: Workflow
  inputs: {x: string}
  outputs: {o: {type: string, outputSource: s/o}}
  steps: {s: {run: '#say', in: {x: x}, out: [o]}}
- id: other
  class: Workflow
  inputs: {y: string}
  outputs: []
  steps: {t: {run: '#say', in: {x: y}, out: [o], when: $(inputs.x == "a")}}
  requirements: {InlineJavascriptRequirement: {}}
- id: say
  class: ExpressionTool
  requirements: {InlineJavascriptRequirement: {}}
  inputs: {x: string}
  outputs: {o: string}
  expression: '${return {o: inputs.x};}'
"""


def test_main_is_the_process_of_a_packed_document_unless_another_is_named(bench: Any) -> None:
    main, other, tool = (bench.case(PACKED, fragment=name).describe() for name in ("", "other", "say"))
    assert [p.id for p in main.inputs] == ["x"]
    assert ([s.id for s in other.steps], other.steps[0].conditional) == (["t"], True)
    assert (tool.kind, tool.fragment) == ("expression", "say")
    assert [t.id for t in main.tools] == ["main.cwl#say"]


def test_a_process_that_is_not_there_and_a_graph_without_main_are_explained(bench: Any) -> None:
    from wfx.errors import DefinitionError

    with pytest.raises(DefinitionError, match="'#nothing' not found") as caught:
        bench.case(PACKED, fragment="nothing").describe()
    assert caught.value.where == "main.cwl"
    with pytest.raises(DefinitionError, match="none is called main") as caught:
        bench.case(PACKED.replace("id: main", "id: first")).describe()
    assert "first" in str(caught.value)


def test_an_abstract_step_is_described(bench: Any) -> None:
    found = bench.case("""\
        cwlVersion: v1.2
        class: Workflow
        inputs: {x: string}
        outputs: []
        steps:
          todo: {run: {class: Operation, inputs: {x: string}, outputs: []}, in: {x: x}, out: []}
        """).describe()
    assert [tool.kind for tool in found.tools] == ["operation"]


def test_documents_that_are_staged_under_other_names_are_found(bench: Any) -> None:
    tool = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: echo\ninputs: {f: {type: File, default: {class: File, location: data.txt}}}\noutputs: []\n"
    case = bench.case(
        {
            "main.cwl": """\
                cwlVersion: v1.2
                class: Workflow
                inputs:
                  t: http://example.org/types.yml#T
                  f: {type: File, default: {class: File, location: 'http://example.org/default.txt'}}
                outputs: []
                requirements: {SchemaDefRequirement: {types: [{$import: 'http://example.org/types.yml'}]}}
                steps: {a: {run: 'https://example.org/tools/a.cwl', in: [], out: []}}
                """,
            "external/example.org/tools/a.cwl": tool, "external/example.org/tools/data.txt": "data",
            "external/example.org/types.yml": "- {name: T, type: enum, symbols: [p, q]}\n",
            "external/example.org/default.txt": "default",
        },
        aliases={
            "https://example.org/tools/a.cwl": "external/example.org/tools/a.cwl",
            "https://example.org/tools/data.txt": "external/example.org/tools/data.txt",
            "http://example.org/types.yml": "external/example.org/types.yml",
            "http://example.org/default.txt": "external/example.org/default.txt",
        },
    )  # fmt: skip
    found = case.describe()
    inputs = {p.id: p for p in found.inputs}
    assert type_name(inputs["t"].type) == "enum(p, q)"
    assert inputs["f"].default["location"] == "workflow/external/example.org/default.txt"
    assert [t.id for t in found.tools] == ["external/example.org/tools/a.cwl"]
    assert found.tools[0].inputs[0].default["location"] == "workflow/external/example.org/tools/data.txt"
