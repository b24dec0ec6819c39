"""Plugins by strangers: each is built and installed aside, passes its own tests, and works in a run."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wfx.testing.requirements import require, require_program

pytestmark = pytest.mark.real

HERE = Path(__file__).parent / "third_party"
INI = """\
[pytest]
addopts = --import-mode=importlib --strict-markers -q -p no:cacheprovider
markers = real: drives real programs
"""
MAKE = HERE / "make" / "examples"
PROVENANCE = "https://w3id.org/ro/wfrun/provenance/"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three installed, as `pip install --target` would leave it."""
    pytest.importorskip("bagit", reason="bagit is not installed (pip install bagit)")
    dist, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    for name in ("hf", "make", "bagit"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
        subprocess.run(command, cwd=HERE / name, check=True, capture_output=True)
    for wheel in dist.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    return target


@pytest.fixture
def env(site: Path, tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WFX_")}
    return kept | {"PYTHONPATH": str(site), "WFX_HOME": str(tmp_path / "home")}


def wfx(env: dict[str, str], *arguments: str | Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "wfx", *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["hf", "make", "bagit"])
def test_it_passes_its_own_tests(name: str, env: dict[str, str], tmp_path: Path) -> None:
    if name == "make":
        require_program("make")
    folder = tmp_path / "alone"
    shutil.copytree(HERE / name / "tests", folder / "tests")
    if (HERE / name / "examples").is_dir():
        shutil.copytree(HERE / name / "examples", folder / "examples")
    (folder / "pytest.ini").write_text(INI)
    command = [sys.executable, "-m", "pytest", "tests"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_wfx_finds_nothing_to_object_to(env: dict[str, str]) -> None:
    report = json.loads(wfx(env, "plugins", "check", "wfx-hf", "wfx-make", "wfx-bag", "--json"))
    assert {finding["state"] for finding in report["findings"]} == {"ok"}
    assert {finding["subject"] for finding in report["findings"]} == {"fetcher hf", "engine make.gnu", "exporter bag"}


def test_they_use_documented_names_alone() -> None:
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wfx":
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                assert not [name for name in names if name.startswith("_")], f"{path}:{node.lineno}"


def test_a_fetcher_takes_no_more_than_25_lines() -> None:
    lines = (HERE / "hf" / "wfx_hf.py").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 25


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Path:
    require_program("make")
    for name in ("Makefile", "head.txt", "some.txt"):
        shutil.copy(MAKE / name, tmp_path / name)
    given = (f"text.txt={tmp_path / 'some.txt'}", "top=2")
    wfx(env, "run", tmp_path / "Makefile", "-i", given[0], "-i", given[1], "-o", tmp_path / "run")
    return tmp_path / "run"


def graph_of(run: Path) -> list[dict]:
    return json.loads((run / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]


def kinds_of(entity: dict) -> list[str]:
    kinds = entity["@type"]
    return kinds if isinstance(kinds, list) else [kinds]


def test_a_makefile_runs_step_by_step_and_leaves_a_provenance_run_crate(env: dict[str, str], run: Path) -> None:
    assert (run / "outputs" / "counts.txt").read_text().split() == ["3", "the", "2", "and"]
    assert (run / "outputs" / "report.txt").read_text().endswith("8\n")
    graph = graph_of(run)
    root = next(entity for entity in graph if entity["@id"] == "./")
    profiles = [each["@id"] for each in root["conformsTo"]]
    assert any(profile.startswith(PROVENANCE) for profile in profiles)
    steps = sorted(entity["name"] for entity in graph if "HowToStep" in kinds_of(entity))
    assert steps == ["counts.txt", "report.txt", "sorted", "sorted/words.txt", "words.txt"]
    assert sum("OrganizeAction" in kinds_of(entity) for entity in graph) == 1
    assert sum("ControlAction" in kinds_of(entity) for entity in graph) == 5
    assert sum("ParameterConnection" in kinds_of(entity) for entity in graph) >= 6
    assert wfx(env, "check", run).rstrip().splitlines()[-1].startswith("valid: 0 errors")
    text = (run / "ro-crate-metadata.json").read_text("utf-8")
    assert str(run.parent) not in text
    record = json.loads((run / ".wfx" / "record.json").read_text("utf-8"))
    by_id = {event["id"]: event for event in record["events"]}
    assert [event["state"] for event in record["events"]] == ["completed"] * 5
    assert (
        by_id["sorted_words.txt"]["inputs"]["words.txt"]["checksum"]
        == by_id["words.txt"]["outputs"]["words.txt"]["checksum"]
    )
    assert by_id["counts.txt"]["inputs"]["top"] == "2"
    assert by_id["report.txt"]["inputs"]["head.txt"]["location"] == "workflow/head.txt"
    assert by_id["words.txt"]["resources"]["wall_seconds"] >= 0


def test_a_failing_target_is_told_and_a_second_attempt_goes_on(env: dict[str, str], tmp_path: Path) -> None:
    require_program("make")
    gate = tmp_path / "gate"
    gate.write_text("")
    (tmp_path / "Makefile").write_text(
        "b: a flag\n\techo half > $@\n\ttest -s flag || exit 7\n\tcat a flag > $@\na:\n\techo a > $@\n"
    )
    wfx(env, "run", tmp_path / "Makefile", "-i", f"flag={gate}", "-o", tmp_path / "run", code=1)
    record = json.loads((tmp_path / "run" / ".wfx" / "record.json").read_text("utf-8"))
    assert (record["status"], record["exit_code"]) == ("failed", 7)
    assert [(event["id"], event["state"]) for event in record["events"]] == [("a", "completed"), ("b", "failed")]
    assert "FailedActionStatus" in (tmp_path / "run" / "ro-crate-metadata.json").read_text("utf-8")
    assert not (tmp_path / "run" / ".wfx" / "engine" / "work" / "tree" / "b").exists()
    wfx(env, "execute", tmp_path / "run", code=1)
    record = json.loads((tmp_path / "run" / ".wfx" / "record.json").read_text("utf-8"))
    assert [(event["id"], event["state"], event.get("attempt", 1)) for event in record["events"]] == [
        ("a", "completed", 1),
        ("b", "failed", 2),
    ]


def test_a_makefile_that_is_broken_is_told_with_its_line(env: dict[str, str], tmp_path: Path) -> None:
    require_program("make")
    (tmp_path / "Makefile").write_text("a:\n\ttouch a\nendif\n")
    command = [sys.executable, "-m", "wfx", "run", tmp_path / "Makefile"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Makefile:3: make cannot read it" in done.stderr


def test_a_crate_is_packed_as_a_bag(env: dict[str, str], run: Path, tmp_path: Path) -> None:
    import bagit

    written = wfx(env, "export", run, "--form", "bag", "-o", tmp_path / "bag").strip()
    bag = bagit.Bag(written)
    assert bag.is_valid()
    assert "data/ro-crate-metadata.json" in bag.payload_files()
    assert not [name for name in bag.payload_files() if ".wfx" in name]
    require(shutil.which("bagit.py", path=str(Path(sys.executable).parent)) is not None, "bagit.py is not installed")
    subprocess.run([Path(sys.executable).parent / "bagit.py", "--validate", written], check=True, capture_output=True)


def test_a_file_of_the_hub_is_named_in_the_plan(env: dict[str, str], tmp_path: Path) -> None:
    require_program("make")
    for name in ("Makefile", "head.txt"):
        shutil.copy(MAKE / name, tmp_path / name)
    reference = "text.txt=hf://datasets/lab/reads@v1/a.txt"
    done = subprocess.run(
        [sys.executable, "-m", "wfx", "plan", "--offline", "--json", tmp_path / "Makefile", "-i", reference],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    plan = json.loads(done.stdout)
    assert plan["files"][0]["reference"] == "hf://datasets/lab/reads@v1/a.txt"
    assert {"wfx-hf", "wfx-make"} <= set(plan["plugins"])
