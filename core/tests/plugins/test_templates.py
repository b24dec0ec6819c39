"""`wfx plugins new`: what it writes works at once, and it writes over nothing."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from wfx.cli.group import run_command
from wfx.errors import MachineError, UsageError
from wfx.installed import KINDS
from wfx.plugins import PUBLISHED
from wfx.templates import LONGEST, _filled, _requirement, write_plugin
from wfx.testing.requirements import require

NAMES = {"fetcher": "labdata", "container-factory": "labrun", "engine": "labsteps", "exporter": "labtar"}
LONG = "a-very-long-name-for-something-of-ours-7"


def run(*command, cwd, **env):
    hidden = ("WFX_", "PYTHONPATH", "PYTEST")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)} | env
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}{done.stderr[-3000:]}"
    return done.stdout


def tool(name, *arguments, cwd, **env):
    require(Path(sys.executable).with_name(name).exists(), f"{name} is not installed (pip install {name})")
    return run(sys.executable, "-m", name, *arguments, cwd=cwd, **env)


@pytest.mark.real
@pytest.mark.parametrize("kind", NAMES)
def test_a_new_plugin_is_installed_passes_its_tests_and_is_clean(kind, tmp_path):
    made = write_plugin(kind, NAMES[kind], tmp_path / "new")
    tool("ruff", "format", "--check", ".", cwd=made.folder)
    tool("ruff", "check", ".", cwd=made.folder)
    tool("mypy", "--strict", cwd=made.folder)
    site = tmp_path / "site"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--target", site, made.folder, cwd=tmp_path,
    )  # fmt: skip
    env = {"PYTHONPATH": str(site), "WFX_HOME": str(tmp_path / "home")}
    told = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=made.folder, **env)
    assert re.search(r"\d+ passed", told)
    checked = json.loads(
        run(sys.executable, "-m", "wfx", "plugins", "check", made.distribution, "--json", cwd=tmp_path, **env)
    )
    assert [finding["state"] for finding in checked["findings"]] == ["ok"]
    shown = json.loads(run(sys.executable, "-m", "wfx", "plugins", "show", made.key, "--json", cwd=tmp_path, **env))
    assert (shown["kind"], shown["distribution"]) == (kind, made.distribution)


@pytest.mark.real
@pytest.mark.parametrize("name", ["q", LONG])
def test_its_form_depends_on_no_length_of_the_name(name, tmp_path):
    assert len(LONG) == LONGEST
    for kind in NAMES:
        write_plugin(kind, name, tmp_path / kind)
        tool("ruff", "format", "--check", kind, cwd=tmp_path)
        tool("ruff", "check", kind, cwd=tmp_path)


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_plugin_is_a_whole_distribution(kind, tmp_path):
    made = write_plugin(kind, NAMES[kind].upper(), tmp_path / "new")
    assert {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml"} <= set(made.files)
    assert {f"src/{made.module}/__init__.py", f"src/{made.module}/py.typed", f"tests/test_{made.module}.py"} <= set(
        made.files
    )
    project = tomllib.loads((made.folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == made.distribution == f"wfx-{NAMES[kind]}"
    assert project["entry-points"] == {KINDS[kind][0]: {made.key: made.module}}
    assert project["dependencies"] == ["wfx-core>=0.1,<0.2"]
    for name in made.files:
        text = (made.folder / name).read_text()
        assert "%%" not in text
        assert "/home" not in text


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(["plugins", "new", "fetcher", "wfx-labdata", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["folder"] == "wfx-labdata"
    assert made["key"] == "labdata"
    assert (tmp_path / "wfx-labdata" / "pyproject.toml").is_file()
    assert run_command(["plugins", "new", "exporter", "lab.tar", "--into", "deep/er/x"]) == 0
    assert "pip install" in capsys.readouterr().out
    assert (tmp_path / "deep" / "er" / "x" / "src" / "wfx_lab_tar").is_dir()


@pytest.mark.parametrize("there", ["folder", "full", "file", "link"])
def test_what_is_there_is_never_written_over(there, tmp_path, capsys):
    target = tmp_path / "x"
    if there == "file":
        target.write_text("mine")
    elif there == "link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        target.mkdir()
        if there == "full":
            (target / "mine").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MachineError, match="there is something already; name another folder with --into"):
        write_plugin("fetcher", "labdata", target)
    assert sorted(tmp_path.rglob("*")) == before
    assert run_command(["plugins", "new", "fetcher", "labdata", "--into", str(target)]) == 9


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("fetcher", "", "cannot be the name of a distribution"),
        ("fetcher", "a b", "cannot be the name of a distribution"),
        ("fetcher", "../x", "cannot be the name of a distribution"),
        ("fetcher", "-x", "cannot be the name of a distribution"),
        ("fetcher", "ü", "cannot be the name of a distribution"),
        ("fetcher", "x\n", "cannot be the name of a distribution"),
        ("fetcher", "7z", "cannot be a key"),
        ("fetcher", "http", "distribution of wfx itself"),
        ("fetcher", "WFX_Http", "distribution of wfx itself"),
        ("engine", "cwl", "distribution of wfx itself"),
        ("engine", "wfx.core", "distribution of wfx itself"),
        ("exporter", "ro-crate", "distribution of wfx itself"),
        ("container-factory", "docker", "distribution of wfx itself"),
        ("fetcher", "https", "is one of wfx itself"),
        ("fetcher", "data", "is one of wfx itself"),
        ("fetcher", "x" * 41, "more than 40 characters"),
    ],
)
def test_a_name_that_will_not_do_is_refused_before_anything_is_written(kind, name, why, tmp_path):
    with pytest.raises(UsageError, match=why):
        write_plugin(kind, name, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MachineError, match="No space left"):
        write_plugin("fetcher", "labdata", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_only_marks_of_its_own_are_filled_in():
    assert _filled("$x ${y} %s %%{name} @z {{a}}", {"name": "n"}) == "$x ${y} %s n @z {{a}}"
    with pytest.raises(KeyError):
        _filled("%%{nmae}", {"name": "n"})
    with pytest.raises(ValueError, match="Invalid placeholder"):
        _filled("%% name", {"name": "n"})


@pytest.mark.parametrize(
    ("version", "asked"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3.dev1", ">=0.9,<0.10"), ("1.4.2", ">=1.4,<2"), ("2", ">=2.0,<3")],
)
def test_a_new_plugin_asks_for_the_cores_that_cannot_break_it(version, asked):
    assert _requirement(version) == asked


def test_the_names_of_all_published_packages_are_kept():
    for keys in PUBLISHED.values():
        for package in keys.values():
            with pytest.raises(UsageError):
                write_plugin("fetcher", package, Path("never"))
