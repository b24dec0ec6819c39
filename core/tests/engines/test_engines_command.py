"""`wfx engines`, as a user has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.distributions import write_distribution

PLUGIN = """
import sys
sys.path.insert(0, {here!r})
from conftest import Toy
from wfx import hookimpl
class Toy(Toy):
    here = ""
@hookimpl
def wfx_engines():
    return [Toy]
"""


@pytest.fixture
def wfx(tmp_path: Path) -> WfxRun:
    """`wfx` with one engine, Toy, which is not found on this machine."""
    source = PLUGIN.format(here=str(Path(__file__).parent))
    write_distribution(
        tmp_path / "site", "wfx-toy", "1.0", {"wfx.engines": {"toy.toy": "wfx_toy"}}, {"wfx_toy": source},
        ["wfx-core>=0.1,<0.2"],
    )  # fmt: skip
    command = WfxRun(tmp_path / "home", tmp_path)
    command.environment |= {"PYTHONPATH": str(tmp_path / "site"), "WFX_PLUGINS": "wfx-toy"}
    return command


def test_an_engine_is_installed_listed_and_removed(wfx: WfxRun) -> None:
    before = wfx("engines", "list", "--json").json
    assert [(e["key"], e["version"], e["state"]) for e in before["engines"]] == [("toy.toy", "", "not found")]
    done = wfx("engines", "install", "toy@4.1", "toy")
    assert "Toy 4.1: writing it" in done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["toy.toy", "4.1"], ["toy.toy", "3.0"]]
    rows = wfx("engines", "list", "--verify", "--json").json["engines"]
    assert [(e["version"], e["state"]) for e in rows] == [("", "not found"), ("4.1", "installed"), ("3.0", "installed")]
    assert all(len(e["packages"][0]["sha256"]) == 64 for e in rows[1:])
    lines = wfx("engines", "list").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["toy.toy", "4.1", "installed"],
        ["toy.toy", "3.0", "installed"],
    ]
    several = wfx("engines", "remove", "toy", check=None)
    assert (several.exit_code, "several versions of toy are kept: 4.1, 3.0" in several.stderr) == (2, True)
    assert wfx("engines", "remove", "toy@4.1", "--json").json["removed"][0]["version"] == "4.1"
    assert wfx("engines", "remove", "toy").stdout.startswith("toy.toy 3.0")
    assert wfx("engines", "remove", "toy", check=None).exit_code == 2
    assert len(wfx("engines", "list", "--json").json["engines"]) == 1


def test_quiet_says_nothing(wfx: WfxRun) -> None:
    done = wfx("engines", "install", "toy", "-q")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("toy@", 2, "names no version"), ("toy@../x", 2, "is no version of Toy"), ("toy@6.0", 6, "no such version"),
        ("toy@9.9", 6, "cannot be driven"), ("none", 6, "no engine 'none' is installed"),
    ],
    ids=["no-version", "a-path", "unpublished", "too-new", "no-plugin"],
)  # fmt: skip
def test_what_cannot_be_installed_is_one_line_and_an_exit_code(wfx: WfxRun, name: str, code: int, said: str) -> None:
    done = wfx("engines", "install", name, check=None)
    assert done.exit_code == code, done
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_was_changed_is_listed_as_broken(wfx: WfxRun) -> None:
    wfx("engines", "install", "toy")
    folder = wfx.home / "cache/engines/toy.toy/3.0"
    (folder / "bin/toy").write_text("another program")
    done = wfx("engines", "list", check=None)
    assert done.exit_code == 6
    assert done.stdout.splitlines()[1].split()[2] == "broken"
    assert "bin/toy" in done.stderr
    found = {f["subject"]: f for f in wfx("doctor", "--json", check=None).json["findings"]}
    assert found["engine toy.toy 3.0"]["state"] == "missing"
    assert "wfx engines remove toy@3.0" in found["engine toy.toy 3.0"]["remedy"]


def test_doctor_lists_what_is_kept_and_says_what_can_be_provided(wfx: WfxRun) -> None:
    wfx("engines", "install", "toy")
    found = {f["subject"]: f for f in wfx("doctor", "--json", check=None).json["findings"]}
    assert found["engine toy.toy"]["state"] == "note"
    assert "wfx provides 3.0 when a workflow needs it" in found["engine toy.toy"]["text"]
    assert found["engine toy.toy 3.0"]["state"] == "ok"


def test_the_folder_is_a_setting(wfx: WfxRun, tmp_path: Path) -> None:
    wfx.environment["WFX_ENGINES_FOLDER"] = str(tmp_path / "shared")
    wfx("engines", "install", "toy")
    assert (tmp_path / "shared/toy.toy/3.0/bin/toy").is_file()
