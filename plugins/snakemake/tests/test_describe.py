"""What a workflow is said to be before it runs."""

from __future__ import annotations

import json

import pytest
from wfx.testing.engines import EngineBench
from wfx.valuetypes import parse_text, type_name
from wfx_snakemake import SnakemakeEngine, conda, configuration

pytestmark = pytest.mark.real


@pytest.fixture
def described(tmp_path):
    """Return a function that describes documents; the first is the main one."""
    with EngineBench(tmp_path / "bench", SnakemakeEngine) as bench:

        def describe(files, fragment=""):
            for name, text in files.items():
                bench.write(name, text)
            return bench.describe(next(iter(files)), fragment)

        yield describe


RULE = "rule a:\n    output: 'x.txt'\n    shell: 'touch {output}'\n"


def inputs_of(description):
    return {p.id: type_name(p.type) for p in description.inputs}


def test_types_come_from_the_values_where_there_is_no_schema(described):
    config = "text: a\nflag: true\nnumber: 3\nshare: 0.5\nlist: [a, b]\nmixed: [a, 1]\nmap: {a: 1}\nnothing:\n"
    found = described({"Snakefile": "configfile: 'config.yaml'\n" + RULE, "config.yaml": config})
    assert inputs_of(found) == {
        "text": "string | File | Directory", "flag": "boolean", "number": "int | float", "share": "int | float",
        "list": "(string | File | Directory)[]", "mixed": "any[]", "map": "any", "nothing": "any",
    }  # fmt: skip
    assert not any(p.required for p in found.inputs)
    text = found.inputs[0]
    assert text.default == "a"
    assert parse_text("some/path.txt", text.type) == "some/path.txt"


SCHEMA = {
    "type": "object",
    "required": ["sheet", "mode", "other"],
    "properties": {
        "sheet": {"type": "string", "format": "file-path", "description": "The samples."},
        "other": {"type": "string", "format": "file-path"},
        "folder": {"type": "string", "format": "directory-path"},
        "mode": {"enum": ["fast", "slow"]},
        "depth": {"type": ["integer", "null"]},
        "share": {"type": "number", "default": 0.5},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^a"}},
        "params": {
            "type": "object", "additionalProperties": False, "required": ["q"],
            "properties": {"q": {"type": "integer"}, "name": {"type": "string", "pattern": "x"}},
        },
    },
}  # fmt: skip


def test_types_come_from_the_schema(described):
    found = described({
        "workflow/Snakefile": "configfile: 'config/config.yaml'\n" + RULE,
        "config/config.schema.yaml": json.dumps(SCHEMA), "config/config.yaml": "sheet: config/samples.tsv\nother: no.tsv\n",
        "config/samples.tsv": "A\n",
    })  # fmt: skip
    assert inputs_of(found) == {
        "sheet": "File", "other": "File", "folder": "Directory?", "mode": "enum(fast, slow)", "depth": "int?",
        "share": "int | float", "tags": "string[]?", "params": "record{q: int, name: string?}?",
    }  # fmt: skip
    by_id = {p.id: p for p in found.inputs}
    assert by_id["sheet"].doc == "The samples."
    assert by_id["sheet"].default["location"] == "workflow/config/samples.tsv"
    # A file that the workflow names and does not have is no default.
    assert [p.id for p in found.inputs if p.required] == ["other", "mode"]


def test_keys_that_documents_ask_for_are_inputs(described):
    text = "x = config.get('word', 'a')\nif x == 'b':\n    y = config['rare']\n# config['old']\n" + RULE
    found = described({"Snakefile": text})
    assert inputs_of(found) == {"word": "any", "rare": "any"}
    assert found.warnings == ()


def test_a_workflow_that_needs_its_inputs_is_described_all_the_same(described):
    text = (
        "import csv\nrows = list(csv.DictReader(open(config['sheet'])))\nfirst = rows[0]['name']\n"
        "rule all:\n    input: 'x.txt'\n"
        "rule a:\n    output: 'x.txt'\n    container: 'docker://example.org/a:1'\n    shell: 'touch {output}'\n"
    )
    found = described({"Snakefile": text})
    assert [step.id for step in found.steps] == ["a"]
    assert [need.image for need in found.images] == ["docker://example.org/a:1"]
    assert "it does not load without its inputs" in found.warnings[0]


def test_rules_steps_links_and_outputs(described):
    text = """\
rule all:
    input: table='c.txt', parts=expand('p/{n}.txt', n=[1, 2])

rule join:
    '''Put them together.'''
    input: parts=expand('p/{n}.txt', n=[1, 2]), extra='e.txt'
    output: 'c.txt'
    params: mark='-'
    shell: 'cat {input} > {output}'

rule part:
    output: 'p/{n}.txt'
    container: 'docker://example.org/part:1'
    shell: 'echo {wildcards.n} > {output}'

rule extra:
    output: 'e.txt', log='e.log'
    conda: 'envs/e.yaml'
    shell: 'touch {output}'
"""
    env = "dependencies:\n  - bwa =0.7.17\n  - bioconda::samtools\n"
    found = described({"Snakefile": text, "envs/e.yaml": env})
    assert [(s.id, s.tool, s.scatter) for s in found.steps] == [
        ("part", "Snakefile#part", True), ("extra", "Snakefile#extra", False), ("join", "Snakefile#join", False),
    ]  # fmt: skip
    tools = {tool.name: tool for tool in found.tools}
    assert tools["join"].doc == "Put them together."
    assert [p.id for p in tools["join"].inputs] == ["parts", "extra", "mark"]
    assert [p.id for p in tools["part"].inputs] == ["n"]
    assert [p.id for p in tools["extra"].outputs] == ["log", "output"]
    assert {(c.source, c.target) for c in found.connections} == {
        ("part/output", "join/parts"), ("extra/output", "join/extra"),
    }  # fmt: skip
    assert {p.id: type_name(p.type) for p in found.outputs} == {
        "table": "File | Directory", "parts": "(File | Directory)[]", "files": "File[]?", "folders": "Directory[]?",
    }  # fmt: skip
    assert [(need.image, need.required) for need in found.images] == [("docker://example.org/part:1", False)]
    software = {item.name: item for item in tools["extra"].software}
    assert software[conda.ENVIRONMENT].specs == ("envs/e.yaml",)
    assert software["bwa"].versions == ("0.7.17",)
    assert "samtools" in software


def test_a_target_has_its_own_outputs(described):
    text = (
        "rule all:\n    input: 'x.txt'\n"
        + RULE
        + "rule b:\n    output: one='1.txt', two='2.txt'\n    shell: 'touch x'\n"
    )
    assert [p.id for p in described({"Snakefile": text}, "b").outputs] == ["one", "two", "files", "folders"]


def test_only_what_differs_from_the_workflows_own_config_is_told(described):
    config = "a: 1\nb: {c: 2, d: 3}\n"
    found = described({"Snakefile": "configfile: 'config.yaml'\n" + RULE, "config.yaml": config})
    bound = configuration.bind(found, {"b": {"c": 5}})
    assert bound == {"a": 1, "b": {"c": 5, "d": 3}}
    assert configuration.overrides(found, bound) == {"b": {"c": 5, "d": 3}}
    assert configuration.overrides(found, configuration.bind(found, {})) == {}
