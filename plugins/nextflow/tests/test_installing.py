"""Which Nextflow is used, and how one is brought."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import wfx_nextflow
from wfx.errors import EngineError, IntegrityError, OfflineError
from wfx_nextflow import NextflowEngine, installing
from wfx_nextflow.engine import DRIVER

LAUNCHER = """#!/usr/bin/env bash
NXF_VER=${NXF_VER:-'24.10.5'}
# $NXF_HOME/framework/$NXF_VER
"""


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Java 17 and nothing else."""
    home = tmp_path / "jdk"
    program(home / "bin", "java", "#!/bin/sh\nexit 1\n")
    (home / "release").write_text('JAVA_VERSION="17.0.15"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{home}/bin:/bin:/usr/bin")
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "wfx"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("NXF_HOME", raising=False)
    return tmp_path


def maven(
    machine: Path,
    script: str = 'for a; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; mkdir "$d"; echo jar > "$d/nextflow-1.jar"',
) -> None:
    program(machine / "bin", "mvn", f'#!/bin/sh\necho "$@" >> {machine}/asked\n{script}\n')


def test_a_version_is_brought_once_and_kept_with_its_digests(machine: Path) -> None:
    maven(machine)
    first = installing.of_version("25.04.4", offline=False)
    again = installing.of_version("25.04.4", offline=True)
    assert first == again
    assert len((machine / "asked").read_text().splitlines()) == 1
    kept = json.loads((machine / "wfx/cache/engines/nextflow/25.04.4/installation.json").read_bytes())
    assert set(kept["files"]) == {"nextflow-1.jar"}
    assert installing.installed() == ["25.04.4"]
    assert all(f"--add-opens=java.base/{package}=ALL-UNNAMED" in first.command for package in installing.OPENS)
    assert not list((machine / "wfx/cache/engines/nextflow").glob(".*"))


def test_a_changed_jar_is_not_started(machine: Path) -> None:
    maven(machine)
    installing.of_version("25.04.4", offline=False)
    (machine / "wfx/cache/engines/nextflow/25.04.4/jars/nextflow-1.jar").write_text("other")
    with pytest.raises(IntegrityError, match=r"nextflow-1\.jar"):
        installing.of_version("25.04.4", offline=True)


def test_offline_nothing_is_brought(machine: Path) -> None:
    maven(machine)
    with pytest.raises(OfflineError, match=r"Nextflow 25\.04\.4 is not installed"):
        installing.of_version("25.04.4", offline=True)
    assert not (machine / "asked").exists()


def test_a_version_that_nobody_has_leaves_nothing_behind(machine: Path) -> None:
    maven(machine, "echo '[ERROR] Could not find artifact'; exit 1")
    with pytest.raises(EngineError, match="Could not find artifact"):
        installing.of_version("99.1.1", offline=False)
    assert list((machine / "wfx/cache/engines/nextflow").iterdir()) == []


def test_a_part_that_was_never_published_is_taken_from_the_series(machine: Path) -> None:
    maven(
        machine,
        "for a; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done\n"
        'grep -q "<artifactId>nf-x</artifactId><version>24.10.0" "${d%/jars}/pom.xml" ||'
        ' { echo "[ERROR] Could not find artifact io.nextflow:nf-x:jar:24.10.5 in central"; exit 1; }\n'
        'mkdir "$d"; echo jar > "$d/nextflow-1.jar"',
    )
    assert installing.of_version("24.10.5", offline=False).version == "24.10.5"
    assert len((machine / "asked").read_text().splitlines()) == 2


def without(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    monkeypatch.setenv("PATH", str(program(machine / "empty", "nothing", "").parent))


def test_without_maven_and_nextflow_the_remedy_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{machine}/jdk/bin")
    with pytest.raises(EngineError, match="no mvn to bring it") as caught:
        NextflowEngine().version()
    assert "put nextflow on PATH" in str(caught.value)


def test_a_missing_or_old_java_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "jdk/release").write_text('JAVA_VERSION="1.8.0_402"\n')
    with pytest.raises(EngineError, match=r"Java 8 is too old: Nextflow 25\.04\.4 wants 17"):
        installing.java_for("25.04.4")
    without(monkeypatch, machine)
    with pytest.raises(EngineError, match="Java is not installed") as caught:
        installing.java_for("25.04.4")
    assert "openjdk-17" in str(caught.value)
    assert caught.value.exit_code == 6


def test_a_launcher_says_its_version_without_being_started(machine: Path) -> None:
    path = program(machine / "bin", "nextflow", LAUNCHER)
    jar = machine / "user/.nextflow/framework/24.10.5/nextflow-24.10.5-one.jar"
    jar.parent.mkdir(parents=True)
    jar.write_text("")
    found = installing.choose({}, offline=True)
    assert (found.version, found.command, found.environment["NXF_BIN"]) == ("24.10.5", (str(path),), str(jar))
    assert jar.parent in found.readable


def test_a_launcher_that_would_download_is_passed_over(machine: Path) -> None:
    path = program(machine / "bin", "nextflow", LAUNCHER)
    maven(machine)
    assert installing.choose({}, offline=False).version == installing.PINNED
    with pytest.raises(EngineError, match=r"has not downloaded Nextflow 24\.10\.5"):
        installing.choose({"program": str(path)}, offline=False)


def test_a_program_is_asked_once(machine: Path) -> None:
    path = program(
        machine / "opt", "nextflow", f"#!/bin/sh\necho asked >> {machine}/count\necho nextflow version 24.04.4.5917\n"
    )
    for _ in range(2):
        assert installing.choose({"program": str(path)}, offline=True).version == "24.04.4"
    assert (machine / "count").read_text() == "asked\n"


def test_what_a_pipeline_wants_decides(machine: Path) -> None:
    maven(machine)
    assert installing.choose({}, offline=False, wanted="!>=24.04").version == installing.PINNED
    assert installing.choose({}, offline=False, wanted="!24.10.5").version == "24.10.5"
    assert installing.choose({}, offline=True, wanted="<25").version == "24.10.5"
    with pytest.raises(EngineError, match="the pipeline wants Nextflow !<20"):
        installing.choose({}, offline=False, wanted="!<20")
    assert installing.choose({}, offline=False, wanted="<20").version == installing.PINNED
    path = program(machine / "opt", "nextflow", "#!/bin/sh\necho nextflow version 23.10.1.1\n")
    with pytest.raises(EngineError, match=r"is 23\.10\.1, and the pipeline wants !>=24"):
        installing.choose({"program": str(path)}, offline=False, wanted="!>=24")


def test_a_program_that_is_not_there_is_named(machine: Path) -> None:
    with pytest.raises(EngineError, match=r"none: there is no such program"):
        installing.choose({"program": str(machine / "none")}, offline=False)


# -- the package


def test_the_key_is_that_of_the_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["wfx.engines"] == dict.fromkeys(NextflowEngine.keys, "wfx_nextflow")
    assert wfx_nextflow.wfx_engines() == [NextflowEngine]


def test_no_module_of_the_driver_imports_wfx() -> None:
    for path in DRIVER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not any(name.split(".")[0].startswith("wfx") for name in names), path


def test_no_file_of_the_package_is_longer_than_a_reader_likes() -> None:
    for path in Path(wfx_nextflow.__file__).parent.rglob("*.py"):
        assert len(path.read_text().splitlines()) < 400, path


@pytest.mark.real
def test_it_is_brought_for_real_by_one_command(tmp_path: Path) -> None:
    # A version that is here already costs a look at its digests.
    done = subprocess.run([sys.executable, "-m", "wfx_nextflow"], capture_output=True, text=True, env=dict(os.environ))
    if done.returncode == 6:
        pytest.skip(done.stderr)
    assert f"Nextflow {installing.PINNED}" in done.stdout
