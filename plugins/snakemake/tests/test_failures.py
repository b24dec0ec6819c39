"""What a user or an author does wrong: one line with the place, and the right exit code."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.real


@pytest.fixture
def refused(wfx):
    """Return a function that runs and gives the line that says why not."""

    def run(code, *arguments):
        done = wfx("run", *arguments, check=code)
        return done.stderr.strip().splitlines()[-1]

    return run


def snakefile(folder, text, config=None):
    folder.mkdir(exist_ok=True)
    (folder / "Snakefile").write_text(text)
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return folder


def test_a_syntax_error_has_its_line(refused, tmp_path):
    text = "rule a:\n    output: 'x'\n    shell: 'touch {output}'\n\nif True\n    pass\n"
    line = refused(3, snakefile(tmp_path / "w", text))
    assert "Snakefile:5" in line
    line = refused(3, snakefile(tmp_path / "v", "rule a:\n    output: 'x'\n    shel: 'touch'\n"))
    assert "Snakefile:3" in line
    assert "shel" in line


def test_an_error_in_an_included_document_has_its_place(refused, tmp_path):
    folder = snakefile(tmp_path / "w", "include: 'rules/a.smk'\n")
    (folder / "rules").mkdir()
    (folder / "rules/a.smk").write_text("rule a:\n    output: 'x'\n    shell: undefined_name\n")
    line = refused(3, folder)
    assert "rules/a.smk:3" in line
    assert "undefined_name" in line


def test_an_include_that_is_missing_is_named(refused, tmp_path):
    line = refused(3, snakefile(tmp_path / "w", "\ninclude: 'rules/none.smk'\n"))
    assert "Snakefile:2" in line
    assert "none.smk" in line


def test_a_missing_input_of_a_rule_is_named(refused, tmp_path):
    text = "rule a:\n    input: 'data/none.txt'\n    output: 'x'\n    shell: 'cp {input} {output}'\n"
    line = refused(3, snakefile(tmp_path / "w", text))
    assert "a rule's input is missing" in line
    assert "data/none.txt" in line
    assert "Snakefile:1" in line


def test_a_missing_config_key_is_named(refused, tmp_path):
    text = "rule a:\n    output: config['where']\n    shell: 'touch {output}'\n"
    line = refused(3, snakefile(tmp_path / "w", text))
    assert "the config key 'where' is missing" in line
    assert "Snakefile:2" in line
    assert "-i where=VALUE" in line


def test_a_value_of_the_wrong_type_is_refused_before_anything_runs(refused, workflow, tmp_path):
    (tmp_path / "text.txt").write_text("a\n")
    folder = workflow("parts")
    line = refused(3, folder, "-i", "text=text.txt", "-i", "lines=many")
    assert "-i lines" in line
    assert "'many' where int is expected" in line
    (tmp_path / "config.yaml").write_text("text: {file: text.txt}\nlines: [1]\n")
    assert "config.yaml:2" in refused(3, folder, "config.yaml")


def test_what_only_the_schema_knows_is_said_by_snakemake(refused, workflow, tmp_path):
    (tmp_path / "text.txt").write_text("a\n")
    line = refused(3, workflow("parts"), "-i", "text=text.txt", "-i", "lines=0")
    assert "does not fit its schema" in line
    assert "0 is less than the minimum of 1" in line
    assert "workflow/Snakefile:" in line


def test_a_required_input_and_an_unknown_one_are_named(refused, workflow):
    folder = workflow("parts")
    assert "the input 'text' (File) is missing" in refused(3, folder)
    assert "did you mean 'lines'?" in refused(3, folder, "-i", "linse=3")


def test_a_workflow_without_a_default_target_says_so(refused, tmp_path):
    folder = snakefile(tmp_path / "w", "include: 'a.smk'\n")
    (folder / "a.smk").write_text("rule a:\n    output: 'x'\n    shell: 'touch {output}'\n")
    line = refused(3, folder / "Snakefile")
    assert "no default target" in line


def test_an_unknown_target_is_named(refused, workflow):
    line = refused(3, f"{workflow('words')}#results/none.txt")
    assert "unknown target" in line
    assert "results/none.txt" in line


def test_a_version_that_is_asked_for_and_not_there_is_named(refused, tmp_path):
    text = "from snakemake.utils import min_version\nmin_version('99.0')\nrule a:\n    output: 'x'\n"
    line = refused(6, snakefile(tmp_path / "w", text))
    assert ">=99.0 in Snakefile" in line
    assert "--engine-version" in line


CONDA = "rule a:\n    output: 'x'\n    conda: 'env.yaml'\n    shell: 'touch {output}'\n"


def test_a_conda_environment_is_refused_with_the_reason(refused, wfx, tmp_path):
    folder = snakefile(tmp_path / "w", CONDA)
    (folder / "env.yaml").write_text("channels: [bioconda]\ndependencies: [bwa =0.7.17, samtools]\n")
    line = refused(3, folder)
    assert "'a' asks for the conda environment env.yaml" in line
    assert 'conda = "create"' in line
    assert '"path" where its programs are installed' in line
    with (wfx.home / "config/config.toml").open("a") as file:
        file.write('[engine.snakemake.snakemake]\nconda = "path"\n')
    wfx("run", folder, "-o", "run")


def test_a_wrapper_whose_name_is_computed_is_refused_with_the_reason(refused, tmp_path):
    text = "rule a:\n    output: 'x'\n    wrapper: 'v3.0.0' + '/bio/samtools/sort'\n"
    line = refused(3, snakefile(tmp_path / "w", text))
    assert "the wrapper v3.0.0/bio/samtools/sort was not staged" in line
    assert "its name is computed" in line


def test_an_output_that_is_not_made_is_the_rules_failure(wfx, record, tmp_path):
    folder = snakefile(tmp_path / "w", "rule a:\n    output: 'x'\n    shell: 'true'\n")
    line = wfx("run", folder, "-o", "run", check=1).stderr.strip().splitlines()[-1]
    assert "Missing" in line
    assert record(tmp_path / "run").events[-1].state == "failed"


def test_an_engine_that_is_missing_is_named(refused, wfx, workflow, tmp_path):
    with (wfx.home / "config/config.toml").open("a") as file:
        file.write(
            f'[engine.snakemake.snakemake]\npython = "{shutil.which("python3", path="/usr/bin") or "python3"}"\n'
        )
    line = refused(6, workflow("words"), "--engine-version", "current")
    assert "Snakemake is not installed there" in line
