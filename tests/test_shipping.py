"""What is shipped: each distribution is built, and core with one plugin alone passes that plugin's tests."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from wfx.versions import asked_of, normal_name, satisfies

ROOT = Path(__file__).resolve().parents[1]
TEST_TOOLS = ("pytest>=8", "hypothesis>=6.100")
# The settings that the tests count on; the workspace's own file is not there for whoever has a plugin alone.
INI = """\
[pytest]
addopts = --import-mode=importlib --strict-markers -q -p no:cacheprovider -m "not real"
markers = real: drives real engines, runtimes or servers
"""
NO_TESTS = 5


@dataclass(frozen=True)
class Member:
    """A distribution of the workspace."""

    folder: Path

    @cached_property
    def project(self) -> dict:
        return tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))["project"]

    @property
    def name(self) -> str:
        return self.project["name"]

    @cached_property
    def package(self) -> Path:
        [found] = [path.parent for path in (self.folder / "src").glob("*/__init__.py")]
        return found

    @cached_property
    def version(self) -> str:
        return re.search(r'^__version__ = "(.+)"$', (self.package / "__init__.py").read_text("utf-8"), re.M)[1]

    def tracked(self, part: str) -> list[str]:
        """Return the files that git knows below a folder of the distribution, `src` or `tests`."""
        source = self.folder / part
        if not source.is_dir():
            return []
        listed = subprocess.run(
            ["git", "ls-files", "-z", "."], cwd=source, capture_output=True, text=True, check=True
        ).stdout
        # One that somebody has just deleted is not missed.
        return [name for name in listed.split("\0") if name and (source / name).is_file()]


def members() -> list[Member]:
    # What git knows: a package that is being written is not shipped yet.
    listed = subprocess.run(
        ["git", "ls-files", "core", "plugins"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folders = {Path(line).parent for line in listed.stdout.splitlines() if line.endswith("/pyproject.toml")}
    return [Member(ROOT / folder) for folder in sorted(folders)]


MEMBERS = members()
CORE = next(member for member in MEMBERS if member.name == "wfx-core")
PLUGINS = [member for member in MEMBERS if member is not CORE]


def each(chosen: list[Member]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("member", chosen, ids=lambda member: member.name)


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done


def outside(**more: str) -> dict[str, str]:
    """Return an environment that leads to no package of this checkout.

    A plugin alone has not what its tests can use besides (a validator, public crates): they are skipped, in CI too.
    """
    hidden = ("WFX_", "PYTHON", "VIRTUAL_ENV", "PYTEST")
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith(hidden)}
    return kept | more


# -- built and installed once, for however many processes run the tests


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled; of several processes the first one makes it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # With pytest-xdist each process has a folder of its own below one that they share.
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shipping"


@pytest.fixture(scope="session")
def built(shared: Path) -> Path:
    """The wheels and sdists of all: each wheel is built from its sdist, so that nothing is missing there."""

    def make(folder: Path) -> None:
        for member in MEMBERS:
            run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=member.folder)
            [sdist] = folder.glob(f"{normal_name(member.name).replace('-', '_')}-*.tar.gz")
            with tarfile.open(sdist) as archive:
                archive.extractall(folder / "unpacked", filter="data")
            source = folder / "unpacked" / sdist.name.removesuffix(".tar.gz")
            run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)

    return once(shared / "dist", make)


def wheel_of(member: Member, built: Path) -> Path:
    [wheel] = built.glob(f"{normal_name(member.name).replace('-', '_')}-*.whl")
    return wheel


@pytest.fixture(scope="session")
def base(shared: Path, built: Path) -> Path:
    """An environment with core and what tests need, and no plugin."""

    def make(folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder / "env", env=outside())
        pip(folder / "env", built, str(wheel_of(CORE, built)), *TEST_TOOLS)

    return once(shared / "base", make) / "env"


def pip(environment: Path, built: Path, *what: str) -> None:
    python = environment / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-warn-script-location",
        "--find-links", built, *what, env=outside(),
    )  # fmt: skip


def site_of(environment: Path) -> Path:
    [site] = environment.glob("lib/python*/site-packages")
    return site


# -- what is in the packages


def test_all_share_one_version() -> None:
    assert {member.version for member in MEMBERS} == {CORE.version}


@each(PLUGINS)
def test_a_plugin_asks_for_this_core_and_for_no_later_one_that_may_break_it(member: Member) -> None:
    asked = [asked_of(text, "wfx-core") for text in member.project["dependencies"]]
    [specifier] = [text for text in asked if text is not None]
    assert satisfies(CORE.version, specifier) is True
    assert re.search(r">=\s*\d", specifier)
    assert re.search(r"<\s*\d", specifier)
    others = {normal_name(re.match(r"[\w.-]+", text)[0]) for text in member.project["dependencies"]}
    assert not others & {plugin.name for plugin in PLUGINS}, "a plugin needs no other plugin"


@pytest.mark.parametrize("extra", ["standard", "containers", "storage"])
def test_the_plugins_of_an_extra_are_those_of_this_version(extra: str) -> None:
    known = {member.name for member in PLUGINS}
    for text in CORE.project["optional-dependencies"][extra]:
        name = re.match(r"[\w-]+", text)[0]
        assert name in known
        assert satisfies(CORE.version, text.removeprefix(name)) is True


@pytest.mark.real
@each(MEMBERS)
def test_a_wheel_has_everything_and_nothing_else(member: Member, built: Path) -> None:
    with zipfile.ZipFile(wheel_of(member, built)) as wheel:
        names = set(wheel.namelist())
        info = next(name.split("/")[0] for name in names if ".dist-info/" in name)
        metadata = wheel.read(f"{info}/METADATA").decode()
        licence = wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "Apache License" in licence
    assert f"{member.package.name}/py.typed" in names
    content = {name for name in names if not name.startswith(f"{info}/")}
    missing = set(member.tracked("src")) - content
    assert not missing
    # What lies about and git does not know is being written by somebody; bytecode must never be there.
    assert not {name for name in content if name.endswith(".pyc") or "__pycache__" in name}
    assert {name.split("/")[0] for name in content} == {member.package.name}
    assert f"Version: {member.version}\n" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert metadata.partition("\n\n")[2].strip(), "a package without a README"


@pytest.mark.real
def test_the_cores_wheel_has_its_data(built: Path) -> None:
    with zipfile.ZipFile(wheel_of(CORE, built)) as wheel:
        names = wheel.namelist()
    assert "wfx/schemas/definition.schema.json" in names
    assert "wfx/supervisor.py" in names
    for kind in ("fetcher", "container_factory", "engine", "exporter"):
        assert any(name.startswith(f"wfx/templates/{kind}/src/") for name in names)
    assert "wfx/templates/common/.github/workflows/test.yml.tmpl" in names


@pytest.mark.real
@each(MEMBERS)
def test_an_sdist_has_sources_licence_and_tests(member: Member, built: Path) -> None:
    [sdist] = built.glob(f"{normal_name(member.name).replace('-', '_')}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= names
    assert {f"src/{name}" for name in member.tracked("src")} <= names
    assert {f"tests/{name}" for name in member.tracked("tests")} <= names


# -- alone


@pytest.mark.real
def test_core_alone_says_what_to_install(base: Path, tmp_path: Path) -> None:
    wfx = base / "bin" / "wfx"
    env = outside(WFX_HOME=str(tmp_path / "home"))
    assert run(wfx, "--version", env=env).stdout == f"wfx {CORE.version}\n"
    assert json.loads(run(wfx, "plugins", "list", "--json", env=env).stdout) == {"plugins": []}
    run(wfx, "plugins", "new", "engine", "labsteps", "--into", tmp_path / "new", env=env)
    assert (tmp_path / "new" / "tests" / "test_wfx_labsteps.py").is_file()
    (tmp_path / "wf.cwl").write_text("cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\nsteps: []\n")
    done = subprocess.run([wfx, "run", tmp_path / "wf.cwl"], capture_output=True, text=True, env=env, check=False)
    assert done.returncode in (3, 6)
    assert "wfx-cwl" in done.stderr


@pytest.mark.real
@each(PLUGINS)
def test_core_and_one_plugin_alone_pass_its_tests(member: Member, base: Path, built: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    run(sys.executable, "-m", "venv", "--without-pip", environment, env=outside())
    # Core and pytest come from the base, installed once; what the plugin declares is added, and nothing else.
    (site_of(environment) / "base.pth").write_text(f"{site_of(base)}\n")
    extra = "[test]" if "test" in member.project.get("optional-dependencies", {}) else ""
    pip(environment, built, f"{member.name}{extra} @ {wheel_of(member, built).as_uri()}")
    installed = {
        normal_name(PathDistribution(path).metadata["Name"]) for path in site_of(environment).glob("*.dist-info")
    }
    assert member.name in installed
    assert not installed & {other.name for other in MEMBERS if other is not member}
    python = environment / "bin" / "python"
    env = outside(WFX_HOME=str(tmp_path / "home"), PATH=f"{environment / 'bin'}:{os.environ['PATH']}")
    checked = json.loads(run(python, "-m", "wfx", "plugins", "check", member.name, "--json", env=env).stdout)
    assert checked["ok"]
    assert checked["findings"]
    # Tests run as whoever has the sdist would run them, beside its pyproject.toml, and without the sources.
    [unpacked] = (built / "unpacked").glob(f"{normal_name(member.name).replace('-', '_')}-*")
    if not (unpacked / "tests").is_dir():
        return
    alone = tmp_path / "alone"
    shutil.copytree(unpacked, alone, ignore=shutil.ignore_patterns("src", "__pycache__"))
    (alone / "pytest.ini").write_text(INI)
    done = subprocess.run(
        [python, "-m", "pytest", "tests"], cwd=alone, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, NO_TESTS), done.stdout[-6000:] + done.stderr[-2000:]
