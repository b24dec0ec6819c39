"""What holds the packages apart: what each may import, and when."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from wfx.plugins import KINDS, PluginManager

ROOT = Path(__file__).resolve().parents[1]


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
    def packages(self) -> list[Path]:
        return [path.parent for path in (self.folder / "src").glob("*/__init__.py")]

    @cached_property
    def sources(self) -> list[Path]:
        return sorted(path for package in self.packages for path in package.rglob("*.py"))

    @cached_property
    def declared(self) -> set[str]:
        extras = self.project.get("optional-dependencies", {}).values()
        texts = [*self.project.get("dependencies", []), *(text for extra in extras for text in extra)]
        return {normal(re.match(r"[A-Za-z0-9._-]+", text)[0]) for text in texts}

    def entry_points(self) -> Iterator[tuple[str, str, str]]:
        for group, points in self.project.get("entry-points", {}).items():
            for name, value in points.items():
                yield group, name, value


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def members() -> list[Member]:
    # What git knows: a package that is being written is not held to the rules yet.
    listed = subprocess.run(
        ["git", "ls-files", "core", "plugins"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folders = {Path(line).parent for line in listed.stdout.splitlines() if line.endswith("/pyproject.toml")}
    return [Member(ROOT / folder) for folder in sorted(folders) if "templates" not in folder.parts]


MEMBERS = members()
CORE = next(member for member in MEMBERS if member.name == "wfx-core")
PLUGINS = [member for member in MEMBERS if member is not CORE]


def each(chosen: list[Member]):
    return pytest.mark.parametrize("member", chosen, ids=lambda member: member.name)


def imports(path: Path) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield line, module and names of every import of a file; relative ones are within the package."""
    tree = ast.parse(path.read_text("utf-8"))
    # What a program can do without, and says how, need not be declared.
    spared = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any("ImportError" in ast.dump(handler) for handler in node.handlers)
        for statement in node.body
        for part in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in spared:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ()
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or "", tuple(alias.name for alias in node.names)


def loaded_by(*command: str) -> set[str]:
    """Return the modules that a command of wfx has imported when it ends."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n'.join(['MODULES', *sys.modules]), file=sys.stderr))\n"
        f"import wfx\nif {command!r}:\n    from wfx.cli import main\n    main({list(command)!r})\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("WFX_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.partition("MODULES\n")[2].splitlines())


PLUGIN_PACKAGES = {package.name for member in PLUGINS for package in member.packages}
HEAVY = {"cwltool", "rocrate", "rich", "yaml", "pluggy", "importlib.metadata", "sqlite3", "http.client", "asyncio"}


@pytest.mark.parametrize("command", [(), ("--version",), ("--help",)], ids=["import", "version", "help"])
def test_starting_imports_no_plugin_and_nothing_heavy(command: tuple[str, ...]) -> None:
    modules = loaded_by(*command)
    assert "wfx" in modules
    assert not modules & (PLUGIN_PACKAGES | HEAVY)


def test_version_is_said_without_click() -> None:
    assert "click" not in loaded_by("--version")


def test_listing_plugins_imports_none() -> None:
    assert not loaded_by("plugins", "list") & PLUGIN_PACKAGES


def test_every_plugin_is_installed_from_this_checkout() -> None:
    for member in MEMBERS:
        distribution = importlib.metadata.distribution(member.name)
        origin = distribution.read_text("direct_url.json") or ""
        assert str(member.folder) in origin, f"{member.name} is not installed from {member.folder}: run scripts/install"


@each(PLUGINS)
def test_entry_points_load_and_are_the_keys_of_the_classes(member: Member) -> None:
    manager = PluginManager()
    kinds = {group: kind for kind, (group, _, _) in KINDS.items()}
    points = list(member.entry_points())
    assert points, "a plugin without an entry point"
    for group, key, module in points:
        assert group in kinds, f"{group} is no group of wfx"
        cls = manager.load(kinds[group], key)
        assert key in cls.keys
        assert cls.__module__.split(".")[0] == module.split(".")[0]
        for other in cls.keys:
            assert (group, other, module) in points, f"the key {other} of {cls.__name__} has no entry point"


@each(MEMBERS)
def test_a_package_imports_nothing_undeclared(member: Member) -> None:
    # An editable install does not say which packages it brings.
    provided = {**importlib.metadata.packages_distributions(), "wfx": ["wfx-core"]}
    own = {package.name for package in member.packages}
    # A folder with a __main__ is run by its path, and then its own name is a package.
    own |= {path.parent.name for path in member.sources if path.name == "__main__.py"}
    # Whoever looks whether a package is there can do without it; what it brings along comes with it.
    asked = {name for path in member.sources for name in re.findall(r'find_spec\(\s*"(\w+)"', path.read_text("utf-8"))}
    optional = closure_of({normal(name) for top in asked for name in provided.get(top, [])})
    # A driver runs in the engine's own interpreter, and may use all that the engine brings along.
    brought = closure_of(member.declared)
    problems = []
    for path in member.sources:
        allowed = brought if "driver" in str(path.relative_to(member.folder)) else member.declared
        for line, module, _ in imports(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in own:
                continue
            if not {normal(name) for name in provided.get(top, [])} & (allowed | optional):
                problems.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not problems, "\n".join(problems)


def closure_of(names: set[str]) -> set[str]:
    """Return the distributions with all that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting += [normal(re.match(r"[A-Za-z0-9._-]+", text)[0]) for text in needs if "extra ==" not in text]
    return found


@each(PLUGINS)
def test_a_plugin_uses_documented_names_of_the_core_alone_and_no_other_plugin(member: Member) -> None:
    own = {package.name for package in member.packages}
    problems = []
    for path in member.sources:
        for line, module, names in imports(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            if module.split(".")[0] in PLUGIN_PACKAGES - own:
                problems.append(f"{where} imports another plugin: {module}")
            parts = [*module.split("."), *names] if module.split(".")[0] == "wfx" else []
            if any(part.startswith("_") and not part.startswith("__") for part in parts):
                problems.append(f"{where} imports a private name: {module} {', '.join(names)}")
    assert not problems, "\n".join(problems)


def test_the_core_imports_no_plugin() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in CORE.sources
        for line, module, _ in imports(path)
        if module.split(".")[0] in PLUGIN_PACKAGES
    ]
    assert not problems, "\n".join(problems)


STAGES = ("definitions", "closures", "planning", "staging", "running", "exporting")


def test_no_stage_imports_a_later_one() -> None:
    """A stage may know the values of those before it; what comes after is named in type annotations at most."""
    problems = []
    for position, stage in enumerate(STAGES):
        path = CORE.folder / "src" / "wfx" / f"{stage}.py"
        later = {f"wfx.{name}" for name in STAGES[position + 1 :]}
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in later:
                problems.append(f"{stage} imports {node.module}")
    # The closure holds its documents as the plan records them, so these two know each other's values.
    assert set(problems) <= {"closures imports wfx.planning"}


@each(MEMBERS)
def test_every_package_says_what_it_is(member: Member) -> None:
    project = member.project
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"
    assert project["description"]
    assert (member.folder / project["readme"]).is_file()
    if member is not CORE:
        assert any(text.startswith("wfx-core>=") and "<" in text for text in project["dependencies"])
