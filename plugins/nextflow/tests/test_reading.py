"""Scripts, configurations and schemas, read and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wfx.about import About, Author
from wfx.errors import DefinitionError
from wfx.valuetypes import type_name
from wfx_nextflow import NextflowEngine
from wfx_nextflow.configuration import OPAQUE, literal, read_configuration
from wfx_nextflow.describing import describe, image_of, selects
from wfx_nextflow.groovy import Source, Unbalanced
from wfx_nextflow.manifest import about
from wfx_nextflow.parameters import parameters
from wfx_nextflow.project import Project
from wfx_nextflow.scripts import read_script
from wfx_nextflow.versions import fits, named

PIPELINES = Path(__file__).with_name("pipelines")


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_nf", ".nf").replace("_config", ".config")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


# -- Groovy


def test_strings_comments_and_patterns_are_no_code() -> None:
    text = """x = "a { ${ b("}") } '" // {\n/* { */ y = ~/{/ ; z = 4 / 2 / 1\nw = '''\n{\n'''\nv = \"\"\"${ [1,2].join("{") }\"\"\"\n"""
    source = Source.of(text)
    assert "{" not in source.bare
    assert len(source.bare) == len(text)
    assert source.bare.count("\n") == text.count("\n")
    assert "4 / 2 / 1" in source.bare


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [("a\nb {\n c\n", "'{' is never closed", 2), ("a\n)\n", "')' closes nothing", 2), ("x = 'abc\n", "a string", 1),
     ("x\n/* abc\n", "a comment", 2), ("x = \"\"\"abc\n", "a string", 1)],
)  # fmt: skip
def test_what_is_not_closed_is_told_with_its_line(text: str, what: str, line: int) -> None:
    with pytest.raises(Unbalanced) as caught:
        Source.of(text)
    assert what in caught.value.what
    assert caught.value.line == line


# -- scripts


def test_processes_are_read_with_what_they_take_and_make() -> None:
    script = read_script("""
// Aligns reads.
process ALIGN {
    tag "$meta.id"
    label 'process_high'
    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
        'https://depot.example.org/bwa--1' :
        'quay.io/biocontainers/bwa:1' }"

    input:
    tuple val(meta), path(reads)
    path  index, stageAs: 'index/*'

    output:
    tuple val(meta), path("*.bam"), path('*.bai'), emit: bam
    path "${meta.id}.log", optional: true
    path versions_file, emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    \"\"\"
    align { $reads } > ${meta.id}.bam   # process FAKE {
    \"\"\"
}
""")
    [process] = script.processes.values()
    assert (process.name, process.labels, process.doc) == ("ALIGN", ("process_high",), "Aligns reads.")
    assert (process.container, process.computed) == ("quay.io/biocontainers/bwa:1", False)
    assert process.inputs == ("reads", "index")
    assert [(output.name, output.pattern) for output in process.outputs] == [
        ("bam", "*.bam"), ("bam", "*.bai"), ("out_2", "*.log"), ("versions", "")
    ]  # fmt: skip


def test_params_are_those_that_code_uses() -> None:
    script = read_script("""
params.a = 1
// params.commented
x = "text params.quoted ${params.filled} $params.short"
workflow { Channel.fromPath(params.reads); file( params.index ); foo(params.b ?: 2); if (params.containsKey("c")) { } }
""")
    assert set(script.params) == {"a", "filled", "short", "reads", "index", "b"}
    assert script.assigned == {"a": "1"}
    assert script.opened == {"reads", "index"}


def test_steps_are_named_as_nextflow_names_tasks() -> None:
    project = Project.read(PIPELINES / "samples", "main.nf")
    assert [(use.id, f"{use.script}#{use.process.name}") for use in project.uses()] == [
        ("SAMPLES:PREPARE:TRIM", "modules/local/trim/main.nf#TRIM"), ("SAMPLES:ALIGN", "modules/local/align/main.nf#ALIGN")
    ]  # fmt: skip
    assert [use.id for use in project.uses("SAMPLES")] == ["PREPARE:TRIM", "ALIGN"]


def test_pipes_conditions_and_aliases_are_uses_too(tmp_path: Path) -> None:
    write(tmp_path, main_nf="""
include { A; B as C } from './mods'
include { validate } from 'plugin/nf-schema'
workflow { A()
 if (params.x) { C(A.out) }
 Channel.of(1) | D | view
}
process D { input: val x
 script: "echo" }
""", mods_nf="process A { script: 'a' }\nprocess B { script: 'b' }\n")  # fmt: skip
    project = Project.read(tmp_path, "main.nf")
    assert [(use.id, use.process.name, use.conditional) for use in project.uses()] == [
        ("A", "A", False), ("C", "B", True), ("D", "D", False)
    ]  # fmt: skip
    assert project.plugins == {"nf-schema"}


def test_an_include_that_leads_nowhere_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, main_nf="\ninclude { A } from './missing'\nworkflow { A() }\n")
    with pytest.raises(DefinitionError, match=r"main\.nf:2: it includes missing\.nf"):
        Project.read(tmp_path, "main.nf")


@pytest.mark.parametrize(
    "text",
    ["nextflow.preview.dsl = 1\nprocess A { script: 'x' }\n", "ch = Channel.of(1)\nprocess A {\n input:\n val x from ch\n script:\n 'x'\n}\n"],
)  # fmt: skip
def test_the_first_version_of_the_language_is_refused_with_the_reason(text: str, tmp_path: Path) -> None:
    project = Project.read(write(tmp_path, main_nf=text), "main.nf")
    with pytest.raises(DefinitionError, match=r"DSL1: Nextflow runs only DSL2") as caught:
        describe(project, read_configuration(""), "25.04.4")
    assert "DSL2" in str(caught.value.remedy)


# -- configurations

PRINTED = """plugins = ['nf-schema@2.3.0']
params.text = 'it\\'s'
params.lines = '/a
b'
params.number = 8
params.share = 0.5
params.none = null
params.list = [1, 'a, b', [x:true]]
params.map.inner = 'x'
params.closure = { 3 }
manifest.name = 'me/flow'
process.container = 'docker.io/y:2'
process.'withName:FOO.*'.container = 'x:1'
process.'withLabel:big'.container = { "z" }
"""


def test_what_nextflow_prints_of_a_configuration_is_read() -> None:
    configuration = read_configuration(PRINTED)
    names = ("text", "lines", "number", "share", "none", "list")
    assert [configuration.get(f"params.{name}") for name in names] == [
        "it's",
        "/a\nb",
        8,
        0.5,
        None,
        [1, "a, b", {"x": True}],
    ]
    assert configuration.get("plugins") == ["nf-schema@2.3.0"]
    assert literal(configuration.values["params.closure"]) is OPAQUE
    assert configuration.below("params.map.") == {"inner": "'x'"}
    assert configuration.text("manifest.name") == "me/flow"


def test_selectors_of_the_configuration_name_images(tmp_path: Path) -> None:
    write(tmp_path, main_nf="""
process FOOD { container 'own:1'
 script: '' }
process BAR { script: '' }
process BIG { label 'big'
 script: '' }
workflow { FOOD(); BAR(); BIG() }
""")  # fmt: skip
    uses = {use.id: use for use in Project.read(tmp_path, "main.nf").uses()}
    configuration = read_configuration(PRINTED)
    assert image_of(uses["FOOD"], configuration) == ("x:1", False)
    assert image_of(uses["BAR"], configuration) == ("docker.io/y:2", False)
    assert image_of(uses["BIG"], configuration)[1] is True
    assert selects("!FOO", "BAR")
    assert not selects("FOO", "FOOD")


# -- parameters


def types_of(project: Project, printed: str = "") -> dict[str, str]:
    return {p.id: type_name(p.type) for p in parameters(project, read_configuration(printed))}


def test_a_schema_gives_types_texts_and_defaults() -> None:
    found = {p.id: p for p in parameters(Project.read(PIPELINES / "samples", "main.nf"), read_configuration(""))}
    assert {name: type_name(p.type) for name, p in found.items()} == {
        "input": "File | record{sheet: string, rows: any[]} | record{sample: string, reads_1: File, reads_2: File?, …}[]", "outdir": "string",
        "reference": "File?", "keep": "int", "mode": "enum(fast, slow)",
    }  # fmt: skip
    assert [name for name, p in found.items() if p.required] == ["input"]
    assert (found["keep"].default, found["mode"].default, found["outdir"].default) == (4, "fast", "outputs")
    assert found["input"].doc == "Samplesheet of the reads."


def test_without_a_schema_defaults_and_uses_give_types(tmp_path: Path) -> None:
    write(tmp_path, main_nf="params.words = ['a']\nworkflow { Channel.fromPath(params.reads); foo(params.other) }\n")
    project = Project.read(tmp_path, "main.nf")
    printed = f"params.reads = null\nparams.n = 3\nparams.on = true\nparams.db = '{tmp_path}/main.nf'\nparams.results_dir = 'x'\nparams.g.a = 1\n"
    assert types_of(project, printed) == {
        "words": "any", "reads": "(File | Directory | File[])?", "n": "int | float", "on": "boolean", "db": "File?",
        "results_dir": "string", "g": "any", "other": "any",
    }  # fmt: skip


def test_a_param_that_publishing_uses_is_the_output_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        main_nf='params.where = "x"\nprocess A { publishDir "${params.where}/a"\n script: "" }\nworkflow { A() }\n',
    )
    [where] = parameters(Project.read(tmp_path, "main.nf"), read_configuration(""))
    assert (where.id, where.default, where.has_default) == ("where", "outputs", True)


def test_a_broken_schema_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, main_nf="workflow { }")
    (tmp_path / "nextflow_schema.json").write_text('{\n "type": \n}')
    with pytest.raises(DefinitionError, match=r"nextflow_schema\.json:3"):
        parameters(Project.read(tmp_path, "main.nf"), read_configuration(""))


# -- recognition


@pytest.mark.parametrize(
    ("files", "entry", "found"),
    [
        ({"main_nf": "workflow { }", "nextflow_config": ""}, "", "main.nf"),
        ({"flow_nf": "workflow { }", "nextflow_config": "manifest { mainScript = 'flow.nf' }"}, "", "flow.nf"),
        (
            {"flow_nf": "workflow { }", "nextflow_config": "manifest.mainScript = 'flow.nf'"},
            "nextflow.config",
            "flow.nf",
        ),
        ({"only_nf": "process A { script: '' }"}, "", "only.nf"),
        ({"x_nf": "workflow { }"}, "x.nf", "x.nf"),
        ({"x_nf": "something else"}, "x.nf", None),
        ({"a_nf": "workflow { }", "b_nf": "workflow { }"}, "", None),
        ({"main_cwl": "cwlVersion: v1.2"}, "", None),
    ],
)
def test_pipelines_are_recognised(files: dict[str, str], entry: str, found: Any, tmp_path: Path) -> None:
    claim = NextflowEngine.recognise(write(tmp_path, **files), entry)
    assert (claim.entry if claim else None) == found
    assert claim is None or (claim.language_version == "DSL2" and claim.entry in claim.evidence)


# -- versions


@pytest.mark.parametrize(
    ("wanted", "good"),
    [("", True), ("!>=24.04.2", True), (">=23.04, <25", False), ("25.04.x", True), ("24.10.x", False), ("25.04+", True),
     ("25.04.4", True), ("=25.04.3", False), ("!25.04", False), ("~25.04.1", True), (">25.04.4", False), ("what?", True)],
)  # fmt: skip
def test_versions_that_pipelines_want(wanted: str, good: bool) -> None:
    assert fits("25.04.4", wanted) is good


def test_one_version_may_be_asked_for() -> None:
    assert [named(text) for text in ("!24.10.5", ">=24.10, <25.04.1", "24.10.0-edge", "24")] == [
        ["24.10.5"], ["24.10.0", "25.04.1"], ["24.10.0-edge"], [],
    ]  # fmt: skip


def test_the_usual_place_of_a_sheets_schema_counts_without_a_word(tmp_path: Path) -> None:
    write(tmp_path, main_nf="workflow { Channel.fromPath(params.input) }")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/schema_input.json").write_bytes((PIPELINES / "samples/assets/schema_input.json").read_bytes())
    assert types_of(Project.read(tmp_path, "main.nf")) == {
        "input": "(File | record{sheet: string, rows: any[]} | record{sample: string, reads_1: File, reads_2: File?, …}[])?"
    }


# -- the manifest


def test_contributors_are_people_with_their_identifiers() -> None:
    said = about(
        read_configuration("""manifest.name = 'lab/flow'
manifest.author = 'Somebody Else'
manifest.contributors = [[name:'Ada Lovelace', affiliation:'Analytical, Ltd.', email:'a@e.org', github:'https://github.com/ada', contribution:['author', 'maintainer'], orcid:'0000-0002-1825-0097'], [name:'Bob', contribution:[], orcid:'']]
manifest.homePage = 'https://github.com/lab/flow'
manifest.version = '1.2.0'
manifest.doi = '10.5281/zenodo.123, 10.5281/zenodo.124'
manifest.license = 'MIT license'
manifest.docsUrl = 'https://lab.example.org/flow'
""")
    )
    assert said.authors == (
        Author("Ada Lovelace", "https://orcid.org/0000-0002-1825-0097", "Analytical, Ltd.", "https://github.com/ada"),
        Author("Bob"),
    )
    assert (said.title, said.version, said.licence) == ("lab/flow", "1.2.0", "MIT")
    assert said.doi == "https://doi.org/10.5281/zenodo.123"
    assert (said.home, said.repository) == ("https://lab.example.org/flow", "https://github.com/lab/flow")


def test_authors_of_an_older_manifest_are_told_apart() -> None:
    said = about(read_configuration("manifest.author = 'Ada Lovelace, Bob O\\'Neil and Eve'\n"))
    assert [author.name for author in said.authors] == ["Ada Lovelace", "Bob O'Neil", "Eve"]
    assert about(read_configuration("")) == About()
