from __future__ import annotations

from pathlib import Path

import pytest
from wfx.errors import InputError
from wfx_snakemake import SnakemakeEngine, documents

WORKFLOWS = Path(__file__).with_name("workflows")


def test_a_folder_is_recognised_by_the_usual_names():
    found = {name: SnakemakeEngine.recognise(WORKFLOWS / name) for name in ("words", "parts", "retries")}
    assert {name: claim.entry for name, claim in found.items()} == {
        "words": "workflow/Snakefile", "parts": "workflow/Snakefile", "retries": "Snakefile",
    }  # fmt: skip
    assert found["retries"].evidence == "5 rules in Snakefile"
    assert found["parts"].language_version == ">=8.0"


@pytest.mark.parametrize("name", ["count.smk", "Snakefile.test", "snakefile"])
def test_a_file_is_recognised_by_its_name(tmp_path, name):
    (tmp_path / name).write_text("rule a:\n    output: 'a.txt'\n    shell: 'touch {output}'\n")
    assert SnakemakeEngine.recognise(tmp_path, name).entry == name


def test_a_lone_smk_file_makes_a_folder_a_workflow_and_two_do_not(tmp_path):
    (tmp_path / "one.smk").write_text("rule a:\n    output: 'a'\n")
    assert SnakemakeEngine.recognise(tmp_path).entry == "one.smk"
    (tmp_path / "two.smk").write_text("rule b:\n    output: 'b'\n")
    assert SnakemakeEngine.recognise(tmp_path) is None


def named(text: str, name: str = "Snakefile") -> list[tuple[str, int, str]]:
    return [(r.text, r.line, r.role) for r in SnakemakeEngine.references(text.encode(), name)]


def test_what_stands_in_a_document_by_name_is_found_with_its_line():
    text = """\
configfile: "config.yaml"
include: "rules/a.smk"
# include: "rules/old.smk"
include: f"rules/{name}.smk"
include: "rules/" + name
rule a:
    output: "x"
    conda: "envs/a.yaml"
    script:
        "scripts/a.py"
rule b:
    conda: "an-environment"
    script: "scripts/{wildcards.kind}.py"
validate(config, schema="schemas/config.schema.yaml")
"""
    assert named(text) == [
        ("config.yaml", 1, "file"), ("rules/a.smk", 2, "document"), ("envs/a.yaml", 8, "text"),
        ("scripts/a.py", 10, "text"), ("schemas/config.schema.yaml", 14, "file"),
    ]  # fmt: skip


def test_a_config_file_is_named_relative_to_the_working_directory():
    text = 'configfile: "config/config.yaml"\n'
    assert named(text, "workflow/rules/common.smk")[0][0] == "../../config/config.yaml"
    assert named(text, "workflow/Snakefile")[0][0] == "../config/config.yaml"
    assert named(text, "Snakefile")[0][0] == "config/config.yaml"


def test_a_module_elsewhere_is_named_by_the_address_that_snakemake_reads():
    text = 'module other:\n    snakefile: github("a/b", path="workflow/Snakefile", tag="v1.0")\n'
    assert named(text) == [("https://raw.githubusercontent.com/a/b/v1.0/workflow/Snakefile", 2, "document")]
    assert named('module other:\n    snakefile: github("a/b", path="x", branch=branch)\n') == []


def test_a_script_is_not_searched():
    assert named('include: "x.smk"\n', "scripts/a.py") == []


def test_a_config_file_is_an_inputs_file():
    assert documents.read_inputs(b"a: 1\nb: [x, y]\n", "config.yaml") == {"a": 1, "b": ["x", "y"]}
    assert documents.read_inputs(b'{"a": {"b": null}}', "config.json") == {"a": {"b": None}}
    assert documents.read_inputs(b"# nothing\n", "config.yaml") == {}
    with pytest.raises(InputError, match="no mapping"):
        documents.read_inputs(b"- a\n", "config.yaml")
