"""Stage definitions of WfExS-backend run as they are, against places on loopback."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from wfx.config import Directories
from wfx.testing.requirements import require, require_program
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

TRS = "/ga4gh/trs/v2"
WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {reads: "File[]", reference: File, depth: int}
outputs: {counted: {type: File, outputSource: count/counted}}
steps:
  count:
    run:
      class: CommandLineTool
      baseCommand: [wc, -l]
      inputs:
        reads: {type: "File[]", inputBinding: {position: 1}}
        reference: {type: File, inputBinding: {position: 2}}
      outputs: {counted: stdout}
      stdout: counted.txt
    in: {reads: reads, reference: reference}
    out: [counted]
"""
PIPELINE = """\
params.general = [:]
params.sheet = ''
params.outputDir = ''
process COUNT {
    publishDir params.outputDir
    input: path sheet
    output: path 'counted.txt'
    script: "wc -l < $sheet > counted.txt"
}
workflow { COUNT(Channel.fromPath(params.sheet)) }
"""


def put(server: FaultServer, path: str, answer: Any) -> None:
    server.add(path, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def publish(server: FaultServer, name: str, version: str, text: str) -> None:
    tool = f"{TRS}/tools/{name}"
    item = {"id": version, "name": version, "url": server.url, "descriptor_type": ["CWL"], "is_production": True}
    kind = {"id": "1", "name": "Workflow", "description": "Workflow"}
    put(server, tool, {"id": name, "url": server.url, "organization": "lab", "toolclass": kind, "versions": [item]})
    put(server, f"{tool}/versions/{version}", item)
    server.add(f"{tool}/versions/{version}/PLAIN_CWL/descriptor/main.cwl", text.encode())
    put(server, f"{tool}/versions/{version}/CWL/files", [{"path": "main.cwl", "file_type": "PRIMARY_DESCRIPTOR"}])


def test_a_workflow_of_a_registry_runs_with_mirrors_and_a_security_context(wfx: Any, server: FaultServer) -> None:
    publish(server, "7", "3", WORKFLOW)
    proof = "Basic " + base64.b64encode(b"ada:open-sesame-1").decode()
    server.add("/private/a.txt", b"1\n2\n", authorization=proof)
    server.add("/b.txt", b"3\n")
    stage = {
        "trs_endpoint": f"{server.url}{TRS}/tools/", "workflow_id": 7, "version": 3,
        "workflow_config": {"secure": False, "containerType": "none"},
        "placeholders": {"base": server.url},
        "params": {
            "reads": {
                "c-l-a-s-s": "File", "security-context": "lab",
                "url": ["{base}/private/a.txt", [f"{server.url}/gone.txt", "{base}/b.txt"]],
            },
            "reference": {"c-l-a-s-s": "File", "url": ["{base}/b.txt"], "preferred-name": "reference.fa"},
            "depth": 3,
        },
        "outputs": {"counted": {"c-l-a-s-s": "File", "glob": "*.txt"}, "gone": {"c-l-a-s-s": "File"}},
    }  # fmt: skip
    wfx.write("flow.wfex.stage", yaml.safe_dump(stage))
    wfx.write("lab.wfex.ctxt", yaml.safe_dump({"lab": {"username": "ada", "password": "open-sesame-1"}}))
    planned = wfx("plan", "flow.wfex.stage", "--security-context", "lab.wfex.ctxt", "--json")
    assert planned.code == 0, planned.err
    assert planned.json["outputs"] == [{"name": "counted", "glob": "*.txt", "least": 1, "most": 1}]
    assert any("the workflow has no output 'gone'" in warning for warning in planned.json["warnings"])
    done = wfx("run", "flow.wfex.stage", "--security-context", "lab.wfex.ctxt", "-o", "out")
    assert done.code == 0, done.err
    assert (wfx.folder / "out/outputs/counted.txt").read_text().split()[0::2] == ["2", "1", "1", "4"]
    assert (wfx.folder / "out/inputs/reference/reference.fa").read_bytes() == b"3\n"
    written = b"".join(p.read_bytes() for p in (wfx.folder / "out").rglob("*") if p.is_file())
    assert b"open-sesame-1" not in written
    # Without its context the place asks who it is.
    refused = wfx("run", "flow.wfex.stage", "-o", "out2", "--force")
    assert "security contexts are named, and not given: lab" in refused.err or refused.code == 0


def test_a_pipeline_runs_with_a_table_that_stands_in_the_definition(wfx: Any, server: FaultServer) -> None:
    require_program("java", package="openjdk-17-jre-headless")
    engines = Directories.find().cache / "engines"
    require(any(engines.glob("nextflow.nextflow/*")), "Nextflow is not there: scripts/runtimes nextflow brings it")
    server.add("/x.txt", b"x\n")
    wfx.write("flow/main.nf", PIPELINE)
    wfx.write("flow/nextflow.config", "manifest.name = 'count'\n")
    stage = {
        "workflow_id": (wfx.folder / "flow").as_uri(),
        "workflow_config": {"secure": False, "containerType": "none", "nextflow": {"maxProcesses": 2}},
        "params": {
            "general": {"depth": 3},
            "sheet": {
                "c-l-a-s-s": "ContentWithURIs", "value": f"label,url\nA,{server.url}/x.txt\n", "preferred-name": "sheet.csv",
                "tabular": {"uri-columns": [1], "column-sep": ",", "header-rows": 1},
            },
            "outputDir": {"c-l-a-s-s": "Directory", "autoFill": True},
        },
    }  # fmt: skip
    wfx.write("flow.wfex.stage", yaml.safe_dump(stage))
    done = wfx("run", "flow.wfex.stage", "-o", "out", env={"WFX_ENGINES_FOLDER": os.fspath(engines)})
    assert done.code == 0, done.err
    [counted] = (wfx.folder / "out/outputs").rglob("counted.txt")
    assert counted.read_text().strip() == "2"
    assert any(path.read_bytes() == b"x\n" for path in (wfx.folder / "out/inputs").rglob("*") if path.is_file())


def test_a_definition_of_ours_is_written_and_its_credentials_apart(wfx: Any, server: FaultServer) -> None:
    stage = {
        "workflow_id": "git+https://x.org/a.git@1", "workflow_config": {"secure": True},
        "params": {"a": {"c-l-a-s-s": "File", "url": "nonesuch://x.org/a", "security-context": "lab"}},
    }  # fmt: skip
    wfx.write("flow.wfex.stage", yaml.safe_dump(stage))
    wfx.write("lab.wfex.ctxt", yaml.safe_dump({"lab": {"username": "ada", "password": "open-sesame-1"}}))
    done = wfx(
        "convert",
        "flow.wfex.stage",
        "-o",
        "flow.wfx.yml",
        "--security-context",
        "lab.wfex.ctxt",
        "--credentials",
        "c.toml",
    )
    assert done.code == 0, done.err
    assert "fetched by wfx-git: workflow: git+https://x.org/a.git@1" in done.err
    text = (wfx.folder / "flow.wfx.yml").read_text()
    assert text.startswith("# 'secure' is not used")
    assert "open-sesame-1" not in text + done.out + done.err
    credentials: Path = wfx.folder / "c.toml"
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert credentials.read_text() == '["nonesuch://x.org"]\npassword = "open-sesame-1"\nusername = "ada"\n'
    again = wfx("convert", "flow.wfex.stage", "-o", "flow.wfx.yml")
    assert again.code == 2
    assert "is there already" in again.last
    assert wfx("convert", "lab.wfex.ctxt").code == 3
