"""The documentation says what the code does: generated parts, hooks, links, and the commands that it shows."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from wfx import hookspecs
from wfx.plugins import KINDS
from wfx.testing.distributions import write_distribution

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "core/README.md"])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(
    r"^(?P<indent> *)<!-- run(?P<how>[^>]*) -->\n+(?P=indent)```(?P<kind>\w+)\n(?P<body>.*?)^(?P=indent)```",
    re.M | re.S,
)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- generated parts, hooks, links


def test_the_reference_is_what_scripts_docs_writes() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    hooks = {
        name: inspect.signature(function)
        for name, function in vars(hookspecs).items()
        if callable(function) and hasattr(function, f"{hookspecs.PROJECT}_spec")
    }
    assert hooks
    for name, signature in hooks.items():
        shown = f"`{name}({', '.join(signature.parameters)})`"
        assert shown in text, f"docs/architecture.md does not show {shown}"
    assert set(re.findall(r"`(wfx_\w+)\(", text)) == set(hooks)


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page_id(page)} links to {target}, which is not there"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page_id(page)} links to {target}: no such heading"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in LINK.findall(page.read_text("utf-8"))
        if not re.match(r"[a-z]+:", target)
    }
    assert set(DOCS.rglob("*.md")) <= linked


def test_every_setting_of_the_docs_is_one() -> None:
    from wfx.config import BY_NAME

    sections = {name.split(".")[0] for name in BY_NAME if "." in name}
    for page in [ROOT / "README.md", DOCS / "tutorial.md", *DOCS.glob("tasks/*.md"), *DOCS.glob("reference/*.md")]:
        for word in re.findall(r"`([a-z]+\.[a-z_]+)`", page.read_text("utf-8")):
            if word.split(".")[0] in sections and not word.endswith((".toml", ".json", ".py")):
                assert word in BY_NAME, f"{page_id(page)} names the setting {word}"


def test_every_module_of_the_docs_is_there() -> None:
    groups = {group for group, _, _ in KINDS.values()}
    for page in PAGES:
        for name in set(re.findall(r"`(wfx(?:\.\w+)+)`", page.read_text("utf-8"))) - groups - {"wfx.toml"}:
            assert resolves(name), f"{page_id(page)} names {name}, which is not there"
    # The table of modules in the architecture leaves out the first part of their names.
    table = (DOCS / "architecture.md").read_text("utf-8").partition("## Modules of the core")[2].partition("\n## ")[0]
    for name in re.findall(r"`([a-z._]+)`", table):
        assert resolves(f"wfx.{name}"), f"docs/architecture.md names {name}, which is not there"


def resolves(name: str) -> bool:
    """Say whether a dotted name is a module, or something in one."""
    try:
        if importlib.util.find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return False


# -- the commands


@dataclass
class Command:
    """A command of a page, with what it is shown to print (nothing shown: anything goes)."""

    text: str
    expected: list[str] = field(default_factory=list)
    code: int = 0


def commands_of(page: Path) -> Iterator[Command]:
    """Yield the commands that a page marks as runnable, in their order."""
    for match in BLOCK.finditer(page.read_text("utf-8")):
        code = re.search(r"exit (\d+)", match["how"])
        body = textwrap.dedent(match["body"])
        if match["kind"] == "python":
            yield Command(f"python - <<'END'\n{body}END\n", code=int(code[1]) if code else 0)
            continue
        found: list[Command] = []
        for line in body.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            elif line.startswith("> ") and not found[-1].expected:
                found[-1].text += "\n" + line[2:]
            else:
                found[-1].expected.append(line)
        found[-1].code = int(code[1]) if code else 0
        yield from found


def pattern_of(lines: list[str]) -> str:
    """Return what the lines stand for: `…` for anything in a line, alone for any lines, and any time for a time."""
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(re.escape(without_times(line)).replace("…", ".*") + r"\n")
    return "".join(parts)


def without_times(text: str) -> str:
    return re.sub(r"\b\d+\.\d s\b", "0.0 s", text)


class Desk:
    """A fresh clone to type the commands in, with a home of its own."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder / "clone"
        home, programs = folder / "home", folder / "bin"
        home.mkdir()
        programs.mkdir()
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        for path, arguments in (
            (programs / "wfx", " -m wfx"),
            (self.folder / "wfx", " -m wfx"),
            (programs / "python", ""),
        ):
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
            path.chmod(0o755)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("WFX_", "GIT_", "XDG_"))} | {
            "HOME": str(home), "PATH": f"{programs}:{python}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "200",
            "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        for command in (
            "git config --global user.name 'Ada Example'", "git config --global user.email ada@example.org",
            "git init -q", "git add examples", "git commit -qm 'the examples'",
        ):  # fmt: skip
            assert self.run(command)[0] == 0

    def run(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.env, text=True, check=False, timeout=300,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout


def pages_that_run() -> list:
    chosen = []
    for page in PAGES:
        hows = [match["how"] for match in BLOCK.finditer(page.read_text("utf-8"))]
        if hows:
            marks = [pytest.mark.real] if any("real" in how for how in hows) else []
            chosen.append(pytest.param(page, id=page_id(page), marks=marks))
    return chosen


@pytest.mark.parametrize("page", pages_that_run())
def test_the_commands_do_what_the_page_shows(page: Path, tmp_path: Path, programs: Path) -> None:
    desk = Desk(tmp_path, programs)
    for command in commands_of(page):
        code, out = desk.run(command.text)
        assert code == command.code, f"$ {command.text}\n{out}\nexit code {code}, not {command.code}"
        if command.expected:
            said = without_times(out if out.endswith("\n") or not out else out + "\n")
            shown = "\n".join(command.expected)
            assert re.fullmatch(pattern_of(command.expected), said), f"$ {command.text}\nshown:\n{shown}\nsaid:\n{out}"


def test_the_two_commands_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^    (\./wfx run \S+|scripts/test)$", text, re.M)
    assert len(commands) == 2
    assert os.access(ROOT / "wfx", os.X_OK)
    assert os.access(ROOT / "scripts" / "test", os.X_OK)
    assert (ROOT / commands[0].split()[-1]).is_file()


# -- the example of a plugin


def test_the_fetcher_of_the_docs_keeps_the_contract(tmp_path: Path) -> None:
    folder = DOCS / "plugins" / "wfx-ipfs"
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
