"""What plugin authors rely on is documented: hooks, interfaces, rules, keys, settings and exit codes, all of them."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import wfx.testing
from wfx import config, errors, hookspecs
from wfx.plugins import INTERFACES, KINDS, PUBLISHED
from wfx.testing import plugin
from wfx.testing.distributions import write_distribution

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "docs" / "plugins"
PAGES = {
    "fetcher": "fetchers.md",
    "container-factory": "container-factories.md",
    "engine": "engines.md",
    "exporter": "exporters.md",
}
CONTRACTS = [getattr(wfx.testing, name) for name in wfx.testing.__all__]
MEMBERS = sorted(ROOT.glob("plugins/**/pyproject.toml"))


def text_of(name: str) -> str:
    return (PLUGINS / name).read_text("utf-8")


def hooks() -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(function)
        for name, function in vars(hookspecs).items()
        if callable(function) and hasattr(function, f"{hookspecs.PROJECT}_spec")
    }


# -- hooks


def test_every_hook_is_documented_with_its_arguments_and_since_when() -> None:
    assert set(hooks()) == {hook for _, hook, _ in KINDS.values()}
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for name, signature in hooks().items():
        shown = f"{name}({', '.join(signature.parameters)})"
        assert f"`{shown}`" in architecture, f"docs/architecture.md does not show {shown}"
        section = text_of("hooks.md").partition(f"## {shown}\n")[2].partition("\n## ")[0]
        assert section, f"docs/plugins/hooks.md has no section {shown}"
        for argument in signature.parameters:
            assert f"argument `{argument}`" in section, f"{name}: {argument} is not documented"
        assert re.search(r"^\| since \| \d+\.\d+ \|$", section, re.M), f"{name}: since which version?"
    for text in (architecture, text_of("hooks.md")):
        assert {name for name in re.findall(r"[`# ](wfx_\w+)\(", text) if name != "wfx_run"} <= set(hooks())


# -- interfaces


def classes_of(kind: str) -> list[type]:
    module, name = INTERFACES[kind]
    root = getattr(importlib.import_module(module), name)
    found = [cls for cls in vars(importlib.import_module(module)).values() if inspect.isclass(cls)]
    return [cls for cls in found if issubclass(cls, root) and cls.__module__ == module]


def methods_of(cls: type) -> Iterator[tuple[str, inspect.Signature]]:
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, inspect.signature(function)


@pytest.mark.parametrize("kind", PAGES)
def test_every_method_of_an_interface_is_documented_with_its_arguments(kind: str) -> None:
    assert PAGES.keys() == KINDS.keys()
    for cls in classes_of(kind):
        section = re.split(rf"^### {cls.__name__}\b", text_of(PAGES[kind]), maxsplit=1, flags=re.M)[-1]
        section = section.partition("\n### ")[0]
        assert inspect.getdoc(cls), f"{cls.__name__} has no docstring"
        for name, signature in methods_of(cls):
            assert inspect.getdoc(getattr(cls, name)), f"{cls.__name__}.{name} has no docstring"
            described = section.partition(f"\n#### {name}\n")[2].partition("\n#### ")[0]
            assert described, f"{PAGES[kind]} does not have {cls.__name__}.{name}"
            for argument in signature.parameters:
                if argument not in ("self", "cls"):
                    assert re.search(rf"\b{argument}: ", described), f"{cls.__name__}.{name}: {argument} is not shown"
        for name in inspect.get_annotations(cls):
            assert f"| `{name}` |" in section, f"{PAGES[kind]} does not have {cls.__name__}.{name}"


@pytest.mark.parametrize("kind", PAGES)
def test_every_value_of_an_interface_is_documented(kind: str) -> None:
    module = importlib.import_module(INTERFACES[kind][0])
    public = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    for name in public:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert re.search(rf"^### {name}\b", text_of(PAGES[kind]), re.M), f"{PAGES[kind]} does not have {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_tutorial_for_each_kind_from_an_empty_directory_to_its_use(kind: str) -> None:
    article = "an" if kind[0] in "aeio" else "a"
    text = text_of(f"write-{article}-{kind}.md")
    used = "wfx export" if kind == "exporter" else "wfx run"
    order = [
        f"$ wfx plugins new {kind} ",
        "$ pytest -q",
        "<!-- change ",
        "$ pip wheel ",
        "$ pip install wfx-",
        f"$ {used} ",
    ]
    places = [text.find(each) for each in order]
    assert -1 not in places, f"{order[places.index(-1)]!r} is not in it"
    assert places == sorted(places)


# -- the kit for tests


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_rule_of_a_contract_is_documented(contract: type) -> None:
    names = [name for name in dir(contract) if name.startswith("test_")]
    assert names
    for name in names:
        words = " ".join((inspect.getdoc(getattr(contract, name)) or "").split())
        assert words, f"{contract.__name__}.{name} has no docstring"
        assert f"| `{name}` | {words.replace('|', chr(92) + '|')} |" in text_of("testing.md")


def test_every_fixture_and_every_module_of_the_kit_is_documented() -> None:
    text = text_of("testing.md")
    fixtures = [name for name in vars(plugin) if name.startswith("wfx_")]
    assert fixtures
    for name in fixtures:
        assert f"| `{name}` |" in text, f"testing.md does not have the fixture {name}"
    for path in Path(wfx.testing.__file__).parent.iterdir():
        if path.name[0] != "_" and (path.suffix == ".py" or (path / "__init__.py").exists()):
            assert f"| `wfx.testing.{path.stem}` |" in text, f"testing.md does not have {path.stem}"


# -- keys, settings, exit codes


def entry_points() -> Iterator[tuple[str, str, Path]]:
    kinds = {group: kind for kind, (group, _, _) in KINDS.items()}
    for member in MEMBERS:
        for group, points in tomllib.loads(member.read_text("utf-8"))["project"].get("entry-points", {}).items():
            for key in points:
                yield kinds[group], key, member


def test_every_well_known_key_is_documented_and_one_of_our_packages_has_it() -> None:
    ours = {
        (kind, key): tomllib.loads(path.read_text("utf-8"))["project"]["name"] for kind, key, path in entry_points()
    }
    for kind, keys in PUBLISHED.items():
        for key, package in keys.items():
            assert ours[kind, key] == package
            assert f"| {KINDS[kind][2]} | `{key}` | [{package}]" in text_of("keys.md")


def test_the_readme_of_a_plugin_names_its_keys() -> None:
    for kind, key, path in entry_points():
        text = (path.parent / "README.md").read_text("utf-8")
        assert key.rpartition("://")[2] in text, f"{path.parent.name}/README.md does not name the {kind} {key}"


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.parent.name)
def test_the_readme_of_a_plugin_names_its_settings(member: Path) -> None:
    for source in (member.parent / "src").rglob("*.py"):
        text = source.read_text("utf-8")
        for name in re.findall(r"(?:section\([^)]*\)|section|settings)(?:\.get\(|\[)\s*\"(\w+)\"", text):
            readme = (member.parent / "README.md").read_text("utf-8")
            assert f"`{name}`" in readme or f"{name} = " in readme, f"{member.parent.name}: the setting {name}"


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    for setting in config.SETTINGS:
        assert f"| `{setting.name}` |" in text, f"configuration.md does not have {setting.name}"
        assert setting.doc


def test_every_error_and_its_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    for cls in vars(errors).values():
        if not inspect.isclass(cls) or not issubclass(cls, errors.WfxError):
            continue
        assert inspect.getdoc(cls), f"{cls.__name__} has no docstring"
        assert f"`{cls.__name__}`" in text, f"exit-codes.md does not have {cls.__name__}"
        if cls is not errors.Interrupted:  # its code is the signal's
            assert re.search(rf"^\| {cls.exit_code} \|", text, re.M), f"exit-codes.md does not have {cls.exit_code}"


# -- the smallest plugin


def test_the_fetcher_of_the_docs_keeps_the_contract(tmp_path: Path) -> None:
    folder = PLUGINS / "wfx-ipfs"
    source = (folder / "wfx_ipfs.py").read_text("utf-8")
    assert len(source.splitlines()) <= 25
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    site = tmp_path / "site"
    write_distribution(
        site,
        project["name"],
        project["version"],
        project["entry-points"],
        {"wfx_ipfs": source},
        project["dependencies"],
    )
    shutil.copy(folder / "tests" / "test_wfx_ipfs.py", tmp_path)
    env = {k: v for k, v in os.environ.items() if not k.startswith("WFX_")} | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_wfx_ipfs.py"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "wfx", "plugins", "show", "ipfs"], env=env, capture_output=True, text=True, check=False
    )
    assert "wfx_ipfs.IpfsFetcher" in shown.stdout, shown.stderr
