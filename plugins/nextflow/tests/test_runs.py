"""Three pipelines of real shape, run by wfx and by Nextflow alone."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import pytest
from wfx.records import decode
from wfx.running import RunRecord
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.gitservers import GitDaemon, make_repository
from wfx.testing.repositories import Executable

pytestmark = pytest.mark.real


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files by path, those behind links to folders too, as bare Nextflow publishes them."""
    found = (Path(parent, name) for parent, _, names in os.walk(folder, followlinks=True) for name in names)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(found)}


def record_of(directory: Path) -> RunRecord:
    return decode(RunRecord, json.loads((directory / ".wfx/record.json").read_bytes()))


def assert_good_crate(directory: Path) -> None:
    found = validate(directory, level="RECOMMENDED")
    assert [f for f in found if f.code not in PERSONAL] == []


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("The cat and the dog\n")
    (folder / "b c.txt").write_text("the end, The END\n")
    return folder


def test_modules_and_publishing_give_what_nextflow_gives(
    wfx: Any, pipeline: Any, bare: Any, texts: Path, tmp_path: Path
) -> None:
    where = pipeline("words")
    done = wfx("run", where, "-i", f"texts={texts}/*.txt", "-o", tmp_path / "out", "--json")
    assert done.json["status"] == "completed"
    alone = bare(where, "--texts", f"{texts}/*.txt", "--outdir", tmp_path / "expected")
    assert alone.returncode == 0, alone.stdout
    out = tmp_path / "out"
    assert contents(out / "outputs") == contents(tmp_path / "expected")
    assert not [path for path in (out / "outputs").rglob("*") if path.is_symlink()]
    assert all(path.stat().st_nlink == 1 for path in (out / "outputs").rglob("*") if path.is_file())
    record = record_of(out)
    names = {name: sorted(item["basename"] for item in files) for name, files in record.outputs.items()}  # type: ignore
    assert names == {
        "SPLIT": ["a.words", "b c.words"], "COUNT_WORDS": ["a.counts", "b c.counts"],
        "COUNT_ALL": ["all.counts", "total-all.counts"],
    }  # fmt: skip
    assert [event.state for event in record.events] == ["completed"] * 5
    split = next(event for event in record.events if event.name == "SPLIT (a)")
    assert split.tool == "modules/local/split.nf#SPLIT"
    assert split.exit_code == 0
    assert 'words.sh "a.txt"' in split.command[-1]
    assert split.inputs == {"text": [{"class": "File", "basename": "a.txt", "location": "inputs/texts/a.txt"}]}
    assert [item["basename"] for item in split.outputs["words"]] == ["a.words"]  # type: ignore
    assert split.resources["wall_seconds"] >= 0
    assert datetime.datetime.fromisoformat(split.started).tzinfo is not None
    counted = next(event for event in record.events if event.name == "COUNT_WORDS (a)")
    assert (out / counted.log).read_text() == "counted a\n"
    assert str(tmp_path) not in json.dumps(json.loads((out / "plan.json").read_bytes()))
    for log in (out / "logs").rglob("*"):
        assert log.is_dir() or str(tmp_path) not in log.read_text(), log
    assert_good_crate(out)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    reads = tmp_path / "reads"
    reads.mkdir()
    (reads / "one_1.txt").write_text("ACGTACGT\nTTTTTT\n")
    (reads / "one_2.txt").write_text("GGGGGGGG\n")
    (reads / "two_1.txt").write_text("CCCCCC\n")
    (tmp_path / "reads/sheet.csv").write_text(
        "sample,reads_1,reads_2,note\none,one_1.txt,one_2.txt,first\ntwo,two_1.txt,,\n"
    )
    return tmp_path / "reads/sheet.csv"


def test_a_samplesheet_is_staged_with_the_files_of_its_rows(
    wfx: Any, pipeline: Any, bare: Any, sheet: Path, tmp_path: Path
) -> None:
    where, out = pipeline("samples"), tmp_path / "out"
    (tmp_path / "reference.txt").write_text("ACGT\nCCCC\n")
    (tmp_path / "params.yml").write_text("input: reads/sheet.csv\nreference: reference.txt\noutdir: ./anywhere\n")
    assert wfx("run", where, "params.yml", "-o", out, cwd=tmp_path, check=None).exit_code == 0
    absolute = sheet.read_text().replace("one_", f"{sheet.parent}/one_").replace("two_1", f"{sheet.parent}/two_1")
    sheet.with_name("absolute.csv").write_text(absolute)
    alone = bare(
        where,
        "--input",
        sheet.with_name("absolute.csv"),
        "--reference",
        tmp_path / "reference.txt",
        "--outdir",
        tmp_path / "expected",
    )
    assert alone.returncode == 0, alone.stdout
    assert contents(out / "outputs") == contents(tmp_path / "expected")
    assert {p.path for p in record_of(out).plan.files} == {
        "inputs/input/one_1.txt", "inputs/input/one_2.txt", "inputs/input/two_1.txt", "inputs/reference/reference.txt",
    }  # fmt: skip
    assert {event.step for event in record_of(out).events} == {"SAMPLES:PREPARE:TRIM", "SAMPLES:ALIGN"}
    assert_good_crate(out)
    # The optional input left out, another workflow as the way in, and the rows themselves instead of a sheet.
    (tmp_path / "rows.yml").write_text(
        "input:\n  - {sample: one, reads_1: reads/one_1.txt, reads_2: reads/one_2.txt}\n  - {sample: two, reads_1: reads/two_1.txt}\n"
    )
    wfx("run", where, "rows.yml", "-o", tmp_path / "rows", cwd=tmp_path)
    assert (tmp_path / "rows/outputs/aligned/one.aligned.txt").read_text() == "ACGT\nTTTT\nGGGG\n"


PUBLISH = """
process PUBLISH_%(name)s {
    publishDir "${params.outdir}/%(mode)s", mode: '%(mode)s'
    input: val mode
    output: tuple path("%(mode)s.txt"), path("%(mode)s.d")
    script: "echo $mode > ${mode}.txt; mkdir ${mode}.d; echo inner > ${mode}.d/inner.txt"
}
"""


def test_every_mode_of_publishing_leaves_real_files(wfx: Any, bare: Any, tmp_path: Path) -> None:
    modes = ("copy", "copyNoFollow", "link", "symlink", "rellink", "move")
    (tmp_path / "flow").mkdir()
    processes = "".join(PUBLISH % {"name": mode.upper(), "mode": mode} for mode in modes)
    calls = "\n".join(f"    PUBLISH_{mode.upper()}('{mode}')" for mode in modes)
    (tmp_path / "flow/main.nf").write_text(f"params.outdir = 'results'\n{processes}\nworkflow {{\n{calls}\n}}\n")
    out = tmp_path / "out"
    wfx("run", "flow", "-o", out)
    alone = bare(tmp_path / "flow", "--outdir", tmp_path / "expected")
    assert alone.returncode == 0, alone.stdout
    assert contents(out / "outputs") == contents(tmp_path / "expected")
    assert len(contents(out / "outputs")) == 2 * len(modes)
    assert not [path for path in out.rglob("*") if path.is_symlink() and ".wfx" not in path.parts]
    record = record_of(out)
    assert {name: len(files) for name, files in record.outputs.items()} == {  # type: ignore[arg-type]
        f"PUBLISH_{mode.upper()}": 2 for mode in modes
    }
    assert_good_crate(out)


def test_failures_and_new_attempts_are_told(wfx: Any, pipeline: Any, bare: Any, tmp_path: Path) -> None:
    where, out = pipeline("tries"), tmp_path / "out"
    assert wfx("run", where, "-o", out, "--json").json["status"] == "completed"
    alone = bare(where, "--outdir", tmp_path / "expected")
    assert alone.returncode == 0, alone.stdout
    assert contents(out / "outputs") == contents(tmp_path / "expected")
    record = record_of(out)
    states = sorted((event.name, event.state, event.exit_code) for event in record.events)
    assert states == [
        ("IGNORED (1)", "failed", 0), ("IGNORED (2)", "failed", 0), ("LAST", "completed", 0),
        ("TRIED (one)", "completed", 0), ("TRIED (two)", "failed", 7), ("TRIED (two), attempt 2", "completed", 0),
    ]  # fmt: skip
    first = next(event for event in record.events if event.exit_code == 7)
    assert "attempt 1 of two" in first.error
    assert "tried again" in first.error
    ignored = next(event for event in record.events if event.step == "IGNORED")
    assert "never.txt" in ignored.error
    assert (out / "outputs/last.txt").read_text() == "one\ntwo\n"
    assert_good_crate(out)


def test_a_failing_process_fails_the_run_and_leaves_a_crate(wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where, out = pipeline("tries"), tmp_path / "out"
    done = wfx("run", where, "-i", "fail=true", "-o", out, check=1)
    assert "the last one is told to fail" in done.stderr + done.stdout
    record = record_of(out)
    assert (record.status, record.exit_code) == ("failed", 1)
    assert "LAST" in record.error
    last = next(event for event in record.events if event.step == "LAST")
    assert (last.state, last.exit_code) == ("failed", 9)
    assert str(tmp_path) not in record.error + last.error
    assert_good_crate(out)


def test_a_tag_of_a_repository_is_pinned_and_runs_offline(wfx: Any, pipeline: Any, texts: Path, tmp_path: Path) -> None:
    where = pipeline("words")
    files: dict[str, Any] = {**contents(where)}
    files["bin/words.sh"] = Executable(files["bin/words.sh"])
    served = tmp_path / "served"
    served.mkdir()
    repository = make_repository(served / "words.git", files, tag="v1.0.0")
    with GitDaemon(served) as server:
        reference = f"git+{server.url}/words.git@v1.0.0"
        wfx("run", reference, "-i", f"texts={texts}/a.txt", "-o", tmp_path / "out")
    record = record_of(tmp_path / "out")
    assert record.plan.workflow.revision == repository.head
    assert (tmp_path / "out/outputs/counts/a.counts").read_text() == "and 1\ncat 1\ndog 1\nthe 2\n"
    wfx("run", reference, "-i", f"texts={texts}/a.txt", "-i", "least=2", "-o", tmp_path / "again", "--offline")
    assert (tmp_path / "again/outputs/counts/a.counts").read_text() == "the 2\n"
    assert_good_crate(tmp_path / "again")
