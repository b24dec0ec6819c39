"""Which Nextflow is used, and how one is brought."""

from __future__ import annotations

import ast
import hashlib
import shutil
import tomllib
from pathlib import Path

import pytest
import wfx_nextflow
from wfx import provided
from wfx.choosing import choose
from wfx.config import Config
from wfx.engines import Wanted
from wfx.errors import EngineError
from wfx.session import Session
from wfx.testing.benches import plugins_of
from wfx_nextflow import NextflowEngine, installing, programs
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
    script: str = 'for a; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; mkdir "$d"; echo jar > "$d/nextflow-1.0.jar"',
) -> None:
    program(machine / "bin", "mvn", f'#!/bin/sh\necho "$@" >> {machine}/asked\n{script}\n')


def install(machine: Path, version: str) -> provided.Kept:
    return provided.install(machine / "engines", NextflowEngine, version)


def session(*, offline: bool = False) -> Session:
    return Session(Config.load(), offline=offline, plugins=plugins_of(engines=[NextflowEngine]))


def test_a_version_is_brought_with_maven_and_started_by_a_launcher_of_ours(machine: Path) -> None:
    maven(machine)
    kept = install(machine, "25.04.4")
    assert (kept.version, [package.name for package in kept.packages]) == ("25.04.4", ["nextflow"])
    assert kept.packages[0].sha256 == hashlib.sha256(b"jar\n").hexdigest()
    assert [path.name for path in kept.folder.iterdir() if path.name[0] == "j"] == ["jars"]
    assert install(machine, "25.04.4") == kept
    assert len((machine / "asked").read_text().splitlines()) == 1
    program = programs.kept(kept.installation)
    assert program.command[0] == str(machine / "jdk/bin/java")
    assert f"{kept.folder}/jars/*" in program.command
    assert all(f"--add-opens=java.base/{package}=ALL-UNNAMED" in program.command for package in programs.OPENS)


def test_a_version_that_nobody_has_leaves_nothing_behind(machine: Path) -> None:
    maven(machine, "echo '[ERROR] Could not find artifact'; exit 1")
    with pytest.raises(EngineError, match=r"Nextflow 99\.1\.1 could not be brought: \[ERROR\] Could not find artifact"):
        install(machine, "99.1.1")
    assert [path.name for path in (machine / "engines/nextflow.nextflow").iterdir()] == [provided.LOCK]


def test_a_part_that_was_never_published_is_taken_from_the_series(machine: Path) -> None:
    maven(
        machine,
        "for a; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done\n"
        'grep -q "<artifactId>nf-x</artifactId><version>24.10.0" "${d%/jars}/pom.xml" ||'
        ' { echo "[ERROR] Could not find artifact io.nextflow:nf-x:jar:24.10.5 in central"; exit 1; }\n'
        'mkdir "$d"; echo jar > "$d/nextflow-1.0.jar"',
    )
    assert install(machine, "24.10.5").version == "24.10.5"
    assert len((machine / "asked").read_text().splitlines()) == 2


def test_without_maven_its_own_launcher_brings_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "tools").mkdir()
    for tool in ("bash", "env", "mkdir"):
        (machine / "tools" / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", f"{machine}/bin:{machine}/jdk/bin:{machine}/tools")
    download = (
        'mkdir -p "$NXF_HOME/framework/$NXF_VER"; echo one > "$NXF_HOME/framework/$NXF_VER/nextflow-$NXF_VER-one.jar"'
    )
    program(machine / "bin", "nextflow", LAUNCHER + f'[ "$1" = info ] || exit 1\n{download}\n')
    kept = install(machine, "24.04.4")
    assert [path.name for path in (kept.folder / "jars").iterdir()] == ["nextflow-24.04.4-one.jar"]
    assert not (kept.folder / "home").exists()
    program(machine / "bin", "nextflow", LAUNCHER + "echo 'curl: (6) Could not resolve host' >&2; exit 1\n")
    with pytest.raises(
        EngineError, match=r"24\.10\.0 could not be brought: curl: \(6\) Could not resolve host"
    ) as caught:
        install(machine, "24.10.0")
    assert "apt install maven" in str(caught.value)


def test_without_maven_and_nextflow_the_remedy_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{machine}/jdk/bin")
    with pytest.raises(EngineError, match="Nextflow is not installed") as missing:
        NextflowEngine().version()
    assert "wfx engines install nextflow" in str(missing.value)
    with pytest.raises(EngineError, match="there is no mvn, and no launcher of Nextflow on PATH") as caught:
        install(machine, "25.04.4")
    assert "apt install maven" in str(caught.value)
    assert caught.value.exit_code == 6


def test_a_missing_or_old_java_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven(machine)
    kept = install(machine, "25.04.4")
    (machine / "jdk/release").write_text('JAVA_VERSION="1.8.0_402"\n')
    with pytest.raises(EngineError, match=r"Java 8 is too old: Nextflow 25\.04\.4 wants 17"):
        programs.kept(kept.installation)
    (machine / "empty").mkdir()
    monkeypatch.setenv("PATH", str(machine / "empty"))
    for attempt in (lambda: programs.kept(kept.installation), lambda: install(machine, "25.04.5")):
        with pytest.raises(EngineError, match="Java is not installed") as caught:
            attempt()
        assert "apt install openjdk-17-jre-headless" in str(caught.value)
        assert caught.value.exit_code == 6


def test_a_launcher_says_its_version_without_being_started(machine: Path) -> None:
    path = program(machine / "bin", "nextflow", LAUNCHER)
    jar = machine / "user/.nextflow/framework/24.10.5/nextflow-24.10.5-one.jar"
    jar.parent.mkdir(parents=True)
    jar.write_text("")
    found = programs.found({})
    assert (found.version, found.command, found.environment["NXF_BIN"]) == ("24.10.5", (str(path),), str(jar))
    assert jar.parent in found.readable


def test_a_launcher_that_would_download_is_passed_over(machine: Path) -> None:
    path = program(machine / "bin", "nextflow", LAUNCHER)
    maven(machine)
    chosen = choose(NextflowEngine, session())
    assert (chosen.version, chosen.installation is not None) == (installing.PINNED, True)
    assert "has not downloaded Nextflow 24.10.5 yet" in chosen.reason
    with pytest.raises(EngineError, match=r"has not downloaded Nextflow 24\.10\.5"):
        programs.found({"program": str(path)})


def test_a_program_is_asked_once(machine: Path) -> None:
    path = program(
        machine / "opt", "nextflow", f"#!/bin/sh\necho asked >> {machine}/count\necho nextflow version 24.04.4.5917\n"
    )
    for _ in range(2):
        assert programs.found({"program": str(path)}).version == "24.04.4"
    assert (machine / "count").read_text() == "asked\n"


def wants(text: str) -> Wanted | None:
    config = f"manifest {{\n  name = 'x'\n  nextflowVersion = '{text}'\n}}\n"
    return NextflowEngine.wants("main.nf", {"main.nf": "", "nextflow.config": config}.get)


@pytest.mark.parametrize(
    ("text", "version"),
    [("!>=24.04", installing.PINNED), ("!24.10.5", "24.10.5"), ("!>=25.10.0", "25.10.0"), ("24.10.x", "24.10.0"),
     (">=24.04, <25", "24.04.0"), ("=24.10", "24.10.0")],
    ids=["least", "exact", "newer", "series", "range", "short"],
)  # fmt: skip
def test_what_a_pipeline_declares_decides(machine: Path, text: str, version: str) -> None:
    maven(machine)
    program(machine / "bin", "nextflow", "#!/bin/sh\necho nextflow version 23.10.1.1\n")
    chosen = choose(NextflowEngine, session(), wants(text))
    assert (chosen.version, chosen.declared) == (version, f"{text} in nextflow.config")
    assert chosen.reason == f"Nextflow 23.10.1 is installed, and the workflow asks for {text} in nextflow.config"


def test_a_version_that_is_found_and_fits_is_used(machine: Path) -> None:
    maven(machine)
    program(machine / "bin", "nextflow", "#!/bin/sh\necho nextflow version 23.10.1.1\n")
    for text in ("!>=23.04", "23.10+", ">=23.10.0, !=24.01.0"):
        assert choose(NextflowEngine, session(), wants(text)).installation is None
    assert not (machine / "asked").exists()


def test_what_nobody_can_have_stops_a_strict_pipeline_alone(machine: Path) -> None:
    maven(machine)
    program(machine / "bin", "nextflow", "#!/bin/sh\necho nextflow version 23.10.1.1\n")
    with pytest.raises(
        EngineError, match=r"no Nextflow that serves is known: Nextflow 23\.10\.1 is installed, and .* !<20"
    ):
        choose(NextflowEngine, session(), wants("!<20"))
    chosen = choose(NextflowEngine, session(), wants("<20"))
    assert (chosen.version, chosen.installation) == ("23.10.1", None)
    assert "asks for <20" in chosen.warning


def test_a_pipeline_declares_a_version_in_its_own_folder_or_at_the_top() -> None:
    config = "manifest.nextflowVersion = '!>=24.04'"
    files = {
        "flow/main.nf": "",
        "flow/nextflow.config": config,
        "nextflow.config": "manifest.nextflowVersion = '23.10'",
    }
    assert NextflowEngine.wants("flow/main.nf", files.get) == Wanted("!>=24.04", "flow/nextflow.config")
    del files["flow/nextflow.config"]
    assert NextflowEngine.wants("flow/main.nf", files.get) == Wanted("23.10", "nextflow.config", strict=False)
    for text in (
        "",
        "// nextflowVersion = '1'",
        'manifest.nextflowVersion = "${x}"',
        "process.cpus = 1",
        "manifest { '",
    ):
        assert NextflowEngine.wants("main.nf", {"nextflow.config": text}.get) is None, text


def test_a_program_that_is_not_there_is_named(machine: Path) -> None:
    with pytest.raises(EngineError, match=r"none: there is no such program"):
        programs.found({"program": str(machine / "none")})


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
