"""A run of every engine is made again elsewhere from each form of its export: with an empty store, and to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wfx.config import Directories
from wfx.plugins import PluginManager
from wfx.testing.requirements import require, require_program
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

SNAKEFILE = """\
configfile: "config.yml"
rule all:
    input: "out/counts.txt"
rule sort:
    input: config["words"]
    output: temp("sorted.txt")
    shell: "sort {input} > {output}"
rule count:
    input: "sorted.txt"
    output: "out/counts.txt"
    shell: "uniq -c {input} > {output}"
"""
SCHEMA = """\
$schema: "https://json-schema.org/draft/2020-12/schema"
type: object
properties: {words: {type: string, format: file-path}}
"""
PIPELINE = """\
params.words = null
params.outdir = 'results'
process SORT {
    input: path words
    output: path 'sorted.txt'
    script: "sort ${words} > sorted.txt"
}
process COUNT {
    publishDir params.outdir, mode: 'copy'
    input: path sorted
    output: path 'counts.txt'
    script: "uniq -c ${sorted} > counts.txt"
}
workflow { COUNT(SORT(channel.fromPath(params.words))) }
"""


def cwl(wfx: Any) -> list[str]:
    wfx.workflow()
    return ["flow/count.cwl", "-i", "words=@flow/words.txt"]


def snakemake(wfx: Any) -> list[str]:
    wfx.write(
        "smk/Snakefile",
        SNAKEFILE.replace(
            'configfile: "config.yml"',
            'configfile: "config.yml"\nfrom snakemake.utils import validate\nvalidate(config, "schema.yml")',
        ),
    )
    wfx.write("smk/config.yml", "words: words.txt\n")
    wfx.write("smk/schema.yml", SCHEMA)
    wfx.write("smk/words.txt", "b\na\nb\n")
    return ["smk/Snakefile", "-i", "words=@smk/words.txt"]


def nextflow(wfx: Any) -> list[str]:
    require_program("java", package="openjdk-17-jre-headless")
    wfx.write("nf/main.nf", PIPELINE)
    wfx.write("nf/words.txt", "b\na\nb\n")
    # Brought once, and shared by all homes.
    wfx.env["WFX_ENGINES_FOLDER"] = str(Directories.find().cache / "engines")
    return ["nf/main.nf", "-i", "words=@nf/words.txt"]


ENGINES = {"cwl.cwltool": cwl, "snakemake.snakemake": snakemake, "nextflow.nextflow": nextflow}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_form_is_made_again_on_a_machine_that_has_nothing(wfx, server: FaultServer, engine: str) -> None:
    require(engine in PluginManager().keys("engine"), f"no engine {engine} is installed")
    done = wfx("run", *ENGINES[engine](wfx), "-o", "first", "--json")
    assert done.code == 0, done.err
    names = {"directory": "a", "zip": "b.zip", "bagit": "c", "bagit-zip": "d.zip"}
    for form, name in names.items():
        assert wfx("export", "first", "--form", form, "-o", name, "-q").code == 0
    (wfx.folder / "first").rename(wfx.folder / "gone")
    identity = json.loads((wfx.folder / "gone/lock.json").read_text())["identity"]
    places = {**{form: str(wfx.folder / name) for form, name in names.items()}}
    places["web"] = server.add("/run.crate.zip", (wfx.folder / "b.zip").read_bytes())
    for number, (form, place) in enumerate(places.items()):
        wfx.env["WFX_HOME"] = str(wfx.folder / f"home{number}")
        done = wfx("rerun", place, "-o", f"again-{form}", "--html", f"{form}.html", "--json")
        assert done.code == 0, (form, done.err)
        found = done.json["comparison"]
        assert found["reproduced"], form
        assert {output["verdict"] for output in found["outputs"]} == {"identical"}, form
        assert done.json["identity"] == identity, form
        assert "reproduced" in (wfx.folder / f"{form}.html").read_text()
        again = wfx.folder / f"again-{form}"
        graph = {e["@id"]: e for e in json.loads((again / "ro-crate-metadata.json").read_text())["@graph"]}
        assert graph["#comparison"]["@type"] == "AssessAction"
        assert graph["./"]["isBasedOn"]["@id"] in {o["@id"] for o in graph["#comparison"]["object"]}
        assert "b\n" in Path(next(again.rglob("counts.txt"))).read_text()
