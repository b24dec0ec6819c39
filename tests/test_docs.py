"""The documentation says what the code does: generated parts, links, and the commands and changes that it shows."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from wfx.plugins import KINDS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "core/README.md"])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# `run` is typed, `change` is a difference to a file, `write` is a whole file, `shows` is a part of one.
BLOCK = re.compile(
    r"^(?P<indent> *)<!-- (?P<verb>run|change|write|shows)(?P<how>[^>]*) -->\n+"
    r"(?P=indent)```(?P<kind>\w+)\n(?P<body>.*?)^(?P=indent)```",
    re.M | re.S,
)
# Where a page has a server listen; each test has a port of its own.
PORT = "8000"


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- generated parts, links


def test_the_reference_is_what_scripts_docs_writes() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


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


# -- the commands, and the changes to files between them


@dataclass
class Command:
    """A command of a page, with what it is shown to print (nothing shown: anything goes)."""

    text: str
    expected: list[str] = field(default_factory=list)
    code: int = 0

    def take(self, desk: Desk) -> None:
        code, out = desk.run(self.text)
        assert code == self.code, f"$ {self.text}\n{out}\nexit code {code}, not {self.code}"
        if self.expected:
            said = without_times(out if out.endswith("\n") or not out else out + "\n")
            shown = "\n".join(self.expected)
            assert re.fullmatch(pattern_of(self.expected), said), f"$ {self.text}\nshown:\n{shown}\nsaid:\n{out}"


@dataclass
class Content:
    """What a page has of a file: all of it, a part that stands there, or a difference."""

    verb: str
    path: str
    body: str

    def take(self, desk: Desk) -> None:
        path = desk.here / self.path
        if self.verb == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(desk.ported(self.body), "utf-8")
            return
        text = path.read_text("utf-8")
        old = self.body
        if self.verb == "change":
            lines = self.body.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] != "+")
            text = text.replace(old, "".join(line[1:] for line in lines if line[0] != "-"), 1)
        assert path.read_text("utf-8").count(old) == 1, f"{self.path} does not have, once:\n{old}"
        path.write_text(text, "utf-8")


def steps_of(page: Path) -> Iterator[Command | Content]:
    """Yield the commands that a page marks as runnable, and what it does to files, in their order."""
    for match in BLOCK.finditer(page.read_text("utf-8")):
        code = re.search(r"exit (\d+)", match["how"])
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
        if match["verb"] != "run":
            yield Content(match["verb"], match["how"].strip(), body)
            continue
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
    """A place to type commands in, with a home of its own: a fresh clone, or an empty folder (`Workshop`)."""

    stays = False
    """Whether a command begins where the last one has gone with `cd`; else each begins at the top."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.programs, self.where = folder / "clone", folder / "bin", folder / "where"
        home = folder / "home"
        for each in (self.folder, home, self.programs):
            each.mkdir()
        self.where.write_text(str(self.folder))
        self.port = free_port()
        self.background: list[int] = []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("WFX_", "GIT_", "XDG_"))} | {
            "HOME": str(home), "PATH": f"{self.programs}:{python}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "200",
            "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        self.furnish(folder)

    def furnish(self, folder: Path) -> None:
        """Put there what the reader has."""
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        self.program("wfx", sys.executable, "-m wfx")
        self.program("python", sys.executable)
        shutil.copy(self.programs / "wfx", self.folder / "wfx")
        for command in (
            "git config --global user.name 'Ada Example'", "git config --global user.email ada@example.org",
            "git init -q", "git add examples", "git commit -qm 'the examples'",
        ):  # fmt: skip
            assert self.run(command)[0] == 0

    def program(self, name: str, python: str | Path, arguments: str = "") -> None:
        path = self.programs / name
        path.write_text(f'#!/bin/sh\nexec "{python}" {arguments} "$@"\n')
        path.chmod(0o755)

    @property
    def here(self) -> Path:
        """The folder to type the next command in."""
        return Path(self.where.read_text().rstrip("\n")) if self.stays else self.folder

    def run(self, command: str) -> tuple[int, str]:
        text = f"trap 'pwd > {self.where}' EXIT\n{self.ported(command)}"
        with subprocess.Popen(
            ["bash", "-c", text], cwd=self.here, env=self.env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            if command.endswith("&"):
                self.background.append(process.pid)
            out, _ = process.communicate(timeout=300)
        return process.returncode, re.sub(rf"\b{self.port}\b", PORT, out)

    def ported(self, text: str) -> str:
        return re.sub(rf"\b{PORT}\b", str(self.port), text)

    def close(self) -> None:
        """End what a command has left running."""
        for group in self.background:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)


class Workshop(Desk):
    """Where a plugin's author begins: an empty folder, and an environment that has wfx, its usual plugins and the kit."""

    stays = True

    def furnish(self, folder: Path) -> None:
        """Make the environment; what it lacks it sees where these tests have it, and nothing comes from elsewhere."""
        venv.create(folder / "env")
        python = folder / "env" / "bin" / "python"
        site = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        Path(site, "wfx.pth").write_text("".join(f"{each}\n" for each in packages()))
        self.program("python", python)
        for name in ("pip", "pytest", "wfx", "ruff", "mypy"):
            self.program(name, python, f"-m {name}")
        self.env |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def packages() -> list[str]:
    """Return the folders that this Python finds packages in, without its own library and what other tests have added."""
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    found = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    own |= {f"{path}/lib-dynload" for path in own}
    return [path for path in found if os.path.isdir(path) and path not in own]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


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
    desk = Workshop(tmp_path, programs) if page.parent.name == "plugins" else Desk(tmp_path, programs)
    with contextlib.closing(desk):
        for step in steps_of(page):
            step.take(desk)


def test_the_two_commands_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^    (\./wfx run \S+|scripts/test)$", text, re.M)
    assert len(commands) == 2
    assert os.access(ROOT / "wfx", os.X_OK)
    assert os.access(ROOT / "scripts" / "test", os.X_OK)
    assert (ROOT / commands[0].split()[-1]).is_file()
