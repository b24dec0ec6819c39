"""Sample sheets: what is the workflow's own works as it lies, what the user gives is fetched and staged."""

from __future__ import annotations

import importlib.util

import pytest
from wfx.testing.requirements import require
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

SNAKEFILE = """\
import pandas as pd
from snakemake.utils import validate

configfile: "config/config.yaml"

samples = pd.read_csv(config["samples"], sep="\\t", dtype=str).set_index("sample", drop=False)
validate(samples, schema="schemas/samples.schema.yaml")

rule all:
    input: expand("out/{sample}.txt", sample=samples.index)

rule count:
    input: lambda wildcards: samples.loc[wildcards.sample, "reads"]
    output: "out/{sample}.txt"
    params: note=lambda wildcards: samples.loc[wildcards.sample, "note"]
    shell: "echo {params.note}; wc -l < {input} > {output}"
"""
SCHEMA = """\
$schema: "https://json-schema.org/draft/2020-12/schema"
type: object
properties:
  sample: {type: string}
  reads: {type: string, format: file-path}
  note: {type: string}
required: [sample, reads]
"""


@pytest.fixture
def pandas():
    require(importlib.util.find_spec("pandas") is not None, "pandas is not installed (pip install pandas)")


@pytest.fixture
def folder(tmp_path, pandas):
    """Return a workflow with a sheet of its own, one sample."""
    top = tmp_path / "w"
    for name, text in {
        "workflow/Snakefile": SNAKEFILE, "workflow/schemas/samples.schema.yaml": SCHEMA,
        "config/config.yaml": "samples: config/samples.tsv\n", "data/own.txt": "1\n2\n3\n",
        "config/samples.tsv": "sample\treads\tnote\nown\tdata/own.txt\tmine\n",
    }.items():  # fmt: skip
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def sheet(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sample\treads\tnote\n" + "".join("\t".join(row) + "\n" for row in rows))
    return path


def test_the_workflows_own_sheet_names_files_of_the_workflow(wfx, folder, outputs, tmp_path):
    wfx("run", folder, "-o", "run")
    assert outputs(tmp_path / "run") == {"out/own.txt": b"3\n"}


def test_the_files_of_a_sheet_that_is_given_are_fetched_and_staged(wfx, folder, outputs, record, tmp_path):
    with FaultServer() as server:
        server.add("/far.txt", b"far\n")
        given = sheet(
            tmp_path / "mine/s.tsv",
            ("near", "near.txt", "a b"),
            ("#out", "none.txt", ""),
            ("far", f"{server.url}/far.txt", ""),
        )
        (tmp_path / "mine/near.txt").write_text("1\n2\n")
        wfx("run", folder, "-o", "run", "-i", f"samples=@{given}")
        assert outputs(tmp_path / "run") == {"out/near.txt": b"2\n", "out/far.txt": b"1\n"}
        done = record(tmp_path / "run")
        assert {file.path for file in done.plan.files} == {"inputs/samples/near.txt", "inputs/samples/far.txt"}
        assert done.plan.inputs["samples"][0]["reads"]["location"] == "inputs/samples/near.txt"
        (tmp_path / "config.yaml").write_text("samples:\n- {sample: n, reads: mine/near.txt, note: x}\n")
        wfx("run", folder, "config.yaml", "-o", "other")
        assert outputs(tmp_path / "other") == {"out/n.txt": b"2\n"}


def test_a_sheet_elsewhere_names_files_beside_it_and_none_of_this_machine(wfx, folder, outputs, tmp_path):
    with FaultServer() as server:
        server.add("/s/sheet.tsv", b"sample\treads\tnote\na\tdata/a.txt\t\n")
        server.add("/s/data/a.txt", b"1\n")
        wfx("run", folder, "-o", "run", "-i", f"samples=@{server.url}/s/sheet.tsv")
        assert outputs(tmp_path / "run") == {"out/a.txt": b"1\n"}
        server.add("/s/bad.tsv", b"sample\treads\tnote\na\t/etc/hostname\t\n")
        line = wfx("run", folder, "-i", f"samples=@{server.url}/s/bad.tsv", check=3).stderr
        assert "bad.tsv:2, column 'reads': a sheet from elsewhere names a file of this machine" in line


def test_a_missing_file_is_named_with_its_row_and_column(wfx, folder, tmp_path):
    given = sheet(tmp_path / "s.tsv", ("a", "none.txt", ""), ("b", "neither.txt", ""))
    line = wfx("run", folder, "-i", f"samples=@{given}", check=3).stderr
    assert "s.tsv:2, column 'reads': there is no none.txt" in line
    assert "s.tsv:3, column 'reads': there is no neither.txt" in line


def test_a_sheet_of_another_form_is_refused_with_its_line(wfx, folder, tmp_path):
    (tmp_path / "s.csv").write_text("sample,reads,note\na,b\tc,d\n")
    line = wfx("run", folder, "-i", "samples=@s.csv", check=3).stderr
    assert "s.csv:2" in line
    assert "columns separated by tabs" in line
