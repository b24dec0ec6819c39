"""Options of the engine: profiles that change params, configurations that are added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

MAIN = """
process SHOW {
    publishDir params.outdir, mode: 'copy'
    input: path text
    output: path 'shown.txt'
    script:
    "(cat $text; echo level ${params.level} ${task.ext.args ?: 'plain'}) > shown.txt"
}
workflow { SHOW(file(params.text)) }
"""
CONFIG = """
params { text = null
    level = 1
    outdir = 'results'
    far = 'https://example.org/never/fetched.txt' }
profiles {
    test { params.text = '%s'
        params.level = 3 }
    mad { params.level = 7 }
}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/main.nf").write_text(MAIN)
    (tmp_path / "flow/nextflow.config").write_text(CONFIG % "")
    (tmp_path / "text.txt").write_text("here\n")
    return tmp_path / "flow"


def shown(directory: Path) -> str:
    return (directory / "outputs/shown.txt").read_text()


def test_what_a_profile_says_of_params_is_seen_and_fetched(wfx: Any, flow: Path, tmp_path: Path) -> None:
    with FaultServer() as server:
        address = server.add("/text.txt", b"elsewhere\n")
        (flow / "nextflow.config").write_text(CONFIG % address)
        template = wfx("inputs", flow, "-O", "profile=test").stdout
        assert address in template
        assert "# level: 3" in template
        assert "# level: 1" in wfx("inputs", flow).stdout
        plan = wfx("plan", flow, "-O", "profile=test", "--json").json
        assert [item["reference"] for item in plan["files"]] == [address]
        wfx("run", flow, "-O", "profile=test,mad", "-o", "out")
    assert shown(tmp_path / "out") == "elsewhere\nlevel 7 plain\n"
    plan = json.loads((tmp_path / "out/plan.json").read_bytes())
    assert plan["options"]["profile"] == "test,mad"
    # A value that is given counts more.
    wfx("run", flow, "-O", "profile=test", "-i", "text=text.txt", "-i", "level=2", "-o", "given", "--offline")
    assert shown(tmp_path / "given") == "here\nlevel 2 plain\n"


def test_a_configuration_is_added_and_part_of_what_is_run(wfx: Any, flow: Path, tmp_path: Path) -> None:
    (tmp_path / "extra.config").write_text("process { withName: SHOW { ext.args = 'extra' } }\nparams.level = 5\n")
    (tmp_path / "run.yml").write_text(
        "wfx: 1\nworkflow: flow\ninputs: {text: text.txt}\noptions: {config: extra.config}\n"
    )
    first = wfx("run", "run.yml", "-o", "out", "--json").json
    assert shown(tmp_path / "out") == "here\nlevel 5 extra\n"
    assert json.loads((tmp_path / "out/plan.json").read_bytes())["options"]["config-text"].startswith("process {")
    assert wfx("run", "run.yml", "-o", "out", "--json").json["reused"]
    again = wfx("rerun", "out", "-o", "again", "--json").json
    assert again["comparison"]["reproduced"]
    (tmp_path / "extra.config").write_text("process { withName: SHOW { ext.args = 'other' } }\n")
    other = wfx("run", "flow", "-i", "text=text.txt", "-O", "config=@extra.config", "-o", "other", "--json").json
    assert shown(tmp_path / "other") == "here\nlevel 1 other\n"
    assert other["identity"] != first["identity"]


def test_an_option_that_cannot_be_is_refused_with_what_to_do(wfx: Any, flow: Path, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = wfx("plan", flow, "-i", "text=text.txt", *words, check=3)
        return str(done.stderr.strip().splitlines()[-1])

    assert "Unknown configuration profile: 'tset'" in refused("-O", "profile=tset")
    assert "names no profile" in refused("-O", "profile=--help")
    assert "did you mean 'profile'?" in refused("-O", "profiles=test")
    assert "no such file" in refused("-O", "config=none.config")
    assert "it is not NAME=VALUE" in refused("-O", "test")
    (tmp_path / "bad.config").write_text("params.x = = 1\n")
    assert "the option config:1: Unexpected input" in refused("-O", "config=bad.config")
