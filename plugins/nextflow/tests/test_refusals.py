"""What goes wrong, and what is said of it: the message, the place, the exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

SHEET = "sample,reads_1,reads_2\none,here.txt,\ntwo,missing.txt,\n"


def flow(folder: Path, main: str, config: str = "") -> Path:
    folder.mkdir()
    (folder / "main.nf").write_text(main)
    if config:
        (folder / "nextflow.config").write_text(config)
    return folder


def refused(wfx: Any, code: int, *words: Any, **options: Any) -> str:
    done = wfx("run", *words, check=None, **options)
    assert done.exit_code == code, done
    lines = done.stderr.strip().splitlines()
    return str(lines[-1])


def test_params_are_checked_before_anything_else(wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where = pipeline("samples")
    (tmp_path / "here.txt").write_text("x")
    (tmp_path / "sheet.csv").write_text(SHEET)
    assert "did you mean 'reference'?" in refused(wfx, 3, where, "-i", "input=sheet.csv", "-i", "referense=x")
    assert "the input 'input'" in refused(wfx, 3, where)
    assert "'many' where int is expected" in refused(wfx, 3, where, "-i", "input=sheet.csv", "-i", "keep=many")
    said = refused(wfx, 3, where, "-i", "input=sheet.csv")
    assert "sheet.csv:3, column 'reads_1': there is no missing.txt" in said
    assert not list(tmp_path.glob("wfx-runs/*"))


def test_a_script_that_does_not_compile_is_told_with_its_line(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow {\n    def x = = 1\n}\n")
    said = refused(wfx, 3, where, "-o", "out")
    assert "main.nf:1: Unexpected input" in said
    where = flow(tmp_path / "open", "workflow {\n    println('x'\n}\n")
    assert "main.nf:2: '(' is never closed" in refused(wfx, 3, where)


def test_a_configuration_that_does_not_compile_is_told_with_its_line(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow { }\n", "params {\n    x = = 1\n}\n")
    assert "nextflow.config:1: Unexpected input" in refused(wfx, 3, where)


def test_a_name_that_nobody_knows_fails_the_run_with_the_line(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow {\n    println(unknown_thing + 1)\n}\n")
    said = refused(wfx, 1, where, "-o", "out")
    assert "No such variable: unknown_thing" in said
    assert "workflow/main.nf:2: No such" in said
    assert (tmp_path / "out/ro-crate-metadata.json").is_file()


def test_a_plugin_of_nextflow_is_refused_by_name(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow { }\n", "plugins { id 'nf-schema@2.3.0' }\n")
    said = refused(wfx, 6, where)
    assert "plugin nf-schema@2.3.0" in said
    assert "engine.nextflow.nextflow.plugins" in said


def test_the_first_version_of_the_language_is_refused(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "nextflow.enable.dsl = 1\nprocess A { script: 'x' }\n")
    assert "DSL1" in refused(wfx, 3, where)


def test_a_version_that_is_not_there_is_refused(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow { }\n", "manifest { nextflowVersion = '!>=99.01' }\n")
    said = refused(wfx, 6, where)
    assert "Nextflow 99.01.0 could not be provided" in said
    assert "the workflow asks for !>=99.01 in nextflow.config" in said


def test_without_java_the_remedy_is_named(wfx: Any, tmp_path: Path) -> None:
    where = flow(tmp_path / "flow", "workflow { }\n")
    (tmp_path / "bin").mkdir()
    for name in ("git", "bwrap", "sh"):
        for folder in ("/usr/bin", "/bin"):
            if os.path.exists(f"{folder}/{name}") and not (tmp_path / "bin" / name).exists():
                (tmp_path / "bin" / name).symlink_to(f"{folder}/{name}")
    said = refused(wfx, 6, where, env={"PATH": str(tmp_path / "bin")})
    assert "Java is not installed" in said
    assert "openjdk-17" in said


def test_a_pipeline_sees_neither_the_home_nor_the_network(wfx: Any, tmp_path: Path) -> None:
    (wfx.home / "user").mkdir(parents=True, exist_ok=True)
    (wfx.home / "user/secret").write_text("secret")
    where = flow(
        tmp_path / "flow",
        f"""
process LOOK {{
    publishDir 'results', mode: 'copy'
    output: path 'seen.txt'
    script:
    '''
    (cat {wfx.home}/user/secret || echo hidden; cat /proc/net/dev | tail -n +3 | cut -d: -f1 | xargs echo net:; echo home: $HOME) > seen.txt 2>&1
    '''
}}
workflow {{ LOOK() }}
""",
    )
    done = wfx("run", where, "-o", "out", "--json")
    assert done.json["status"] == "completed"
    record = json.loads((tmp_path / "out/.wfx/record.json").read_bytes())
    seen = (tmp_path / "out/outputs/results/seen.txt").read_text()
    if record["sandbox"] != "none":
        assert "hidden" in seen
        assert "net: lo" in seen
    assert str(tmp_path / "out/.wfx/engine/home") in seen
