"""What single commands do with what they are given; whole runs are in tests/endtoend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wfx.cli.group import run_command
from wfx.cli.summaries import outcome_lines, reference_text, value_text
from wfx.config import Directories
from wfx.definitions import parse_size
from wfx.engines import Description
from wfx.errors import DefinitionError
from wfx.flow import Outcome
from wfx.planning import Plan, PlannedWorkflow
from wfx.references import Reference
from wfx.rundirs import RunDirectory
from wfx.running import RunRecord
from wfx.runs import Register
from wfx.staging import Lock
from wfx.testing.distributions import write_distribution


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WFX_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(folder: Path, name: str) -> Path:
    with RunDirectory.claim(folder / name, request="0", name=name) as directory:
        directory.advance("completed")
        Register(Directories.find().state).enter(directory)
    return folder / name


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8_000_000_000), ("512 mb", 512_000_000), ("1.5GiB", 1_610_612_736), ("2048", 2048), ("10k", 10_000),
        ("1TB", 10**12), ("100B", 100),
    ],
)  # fmt: skip
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "8 apples", "GB", "1.GB", "8IB", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="is no size"):
        parse_size(text, "memory")


def test_runs_rm_removes_nothing_where_one_name_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = make_run(home, "kept")
    assert run_command(["runs", "rm", "kept", "misspelt"]) == 2
    assert "misspelt" in capsys.readouterr().err
    assert (kept / ".wfx").is_dir()


def test_runs_rm_takes_a_run_that_is_named_twice(home: Path) -> None:
    gone = make_run(home, "gone")
    assert run_command(["runs", "rm", "gone", str(gone)]) == 0
    assert not gone.exists()


def test_a_failed_run_without_outputs_announces_none(tmp_path: Path) -> None:
    plan = Plan(
        "flow",
        PlannedWorkflow(Reference("file:///flow.cwl"), Reference("file:///flow.cwl"), "flow.cwl"),
        Description("cwl.cwltool", "1", "v1.2", "flow.cwl"),
        {},
    )
    record = RunRecord(
        "0", plan, Lock("0", ()), "failed", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00", exit_code=1
    )
    lines = list(outcome_lines(Outcome(tmp_path, "0", plan, record.lock, record)))
    assert lines[0].startswith("failed in 1.0 s")
    assert not any("outputs:" in line for line in lines)


def test_fetching_a_local_file_says_nothing_of_the_store(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "a.txt").write_text("hello")
    assert run_command(["fetch", "a.txt"]) == 0
    assert "store" not in capsys.readouterr().out


def test_values_are_shown_as_people_read_them() -> None:
    file = {"class": "File", "location": "outputs/a.txt", "size": 1500}
    assert value_text(file, "") == "outputs/a.txt (1.5 kB)"
    assert value_text([file] * 7, "run").endswith(", …] (7)")
    assert value_text([], "") == "[]"
    assert value_text(3, "") == "3"


def test_a_local_reference_is_shown_as_a_path(home: Path) -> None:
    assert reference_text(Reference.parse("flow.cwl")) == "flow.cwl"
    assert reference_text(Reference("https://user:pw@example.org/a?token=x")) == str(
        Reference("https://user:pw@example.org/a?token=x")
    )


CHECKER = """
from wfx.exporting import Exporter, Finding
from wfx.hookspecs import hookimpl

class Checker(Exporter):
    keys = ("ro-crate",)

    def check(self, crate):
        return [Finding("warning", "of-" + crate.name, "something"), Finding("note", "n", "not said")]

@hookimpl
def wfx_exporters():
    return [Checker]
"""


@pytest.fixture
def checker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install an exporter that finds one warning in everything; return a folder that it finds it in."""
    write_distribution(
        home / "site", "checker", entry_points={"wfx.exporters": {"ro-crate": "wfx_checker"}},
        modules={"wfx_checker": CHECKER},
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(home / "site"))
    monkeypatch.setenv("WFX_PLUGINS", "checker")
    crate = home / "crate"
    crate.mkdir()
    (crate / "ro-crate-metadata.json").write_text("{}")
    return crate


def test_check_takes_a_crate_by_its_folder_or_its_metadata(checker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("crate", "crate/ro-crate-metadata.json"):
        assert run_command(["check", name]) == 0
        assert capsys.readouterr().out == "warning: something [of-crate]\nvalid: 0 errors, 1 warning\n"


def test_check_is_strict_where_it_is_asked_to_be(checker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", "crate", "--strict"]) == 3
    assert capsys.readouterr().out.endswith("not valid: 1 error, 1 warning\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnu"], "wfx: No such command 'rnu'. Did you mean 'run'?; see wfx --help"),
        (["run"], "wfx: run: Missing argument 'WORKFLOW'; see wfx run --help"),
        (["runs", "list", "--jsn"], "wfx: runs list: No such option"),
        (["run", "a.cwl", "--cores", "many"], "wfx: run: Invalid value for '--cores': 'many' is not a valid integer"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: list[str], line: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1


def test_a_wrong_command_line_is_an_object_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report == {"status": "error", "exit_code": 2, "error": "run: Missing argument 'WORKFLOW'"}


def test_help_shows_the_example_as_it_is_typed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    assert "wfx run git+https://example.org/lab/pipeline.git@v1.2#path=main.cwl inputs.yml\n" in capsys.readouterr().out
