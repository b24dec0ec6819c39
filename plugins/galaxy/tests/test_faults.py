"""What goes wrong on a server, or on the way to it, is told in words, and nothing is lost."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import validate
from wfx_galaxy.private import PrivateGalaxy, start

pytestmark = pytest.mark.real

CASES = Path(__file__).parents[4] / "shared" / "cases" / "crates"


def until(there: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for what a server will do, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := there():
            return found
        time.sleep(0.2)
    raise AssertionError(f"it has not happened in {seconds:.0f} s")


def handles(directory: Path) -> list[dict[str, Any]]:
    journal = directory / ".wfx/journal.jsonl"
    if not journal.is_file():
        return []
    return [
        json.loads(line)["handle"]
        for line in journal.read_text().splitlines()
        if '"event": "handle"' in line or '"event":"handle"' in line
    ]


def invocation_of(directory: Path) -> str:
    return next((h["invocation"] for h in reversed(handles(directory)) if h["invocation"]), "")


def states_of(site: Any, invocation: str) -> set[str]:
    return {job["state"] for job in site.server.get("jobs", invocation_id=invocation)}


def test_a_failing_tool_is_named_with_its_exit_code_and_words(
    wfx: Any, workflow: Any, lines: Path, tmp_path: Path
) -> None:
    done = wfx("run", workflow("fails.gxwf.yml"), "-i", f"lines={lines}", "-o", "out", check=1)
    assert "step bad with exit code 3" in done.stderr
    assert "the tool is out of luck" in done.stderr
    shown = wfx("runs", "show", "out", "--json").json
    assert "wfx_fail/1.0.0" in shown["error"]
    # What comes after it is paused, and never ran: it has no action.
    graph = json.loads((tmp_path / "out/ro-crate-metadata.json").read_bytes())["@graph"]
    actions = {item["@id"]: item["actionStatus"] for item in graph if item.get("@type") == "CreateAction"}
    assert actions == {
        "#run": "http://schema.org/FailedActionStatus", "#run/bad": "http://schema.org/FailedActionStatus"
    }  # fmt: skip
    assert validate(tmp_path / "out") == []


def test_all_missing_tools_are_listed_before_anything_goes_up(wfx: Any, workflow: Any, lines: Path, site: Any) -> None:
    before = len(site.server.get("histories"))
    done = wfx("run", workflow("lacking.gxwf.yml"), "-i", f"lines={lines}", check=6)
    assert "the server lacks 2 tools" in done.stderr
    assert "nonesuch 2.0+galaxy1" in done.stderr
    assert "step 'trim'" in done.stderr
    assert "no_such_tool 3.0" in done.stderr
    assert len(site.server.get("histories")) == before


def test_the_public_workflow_of_a_crate_is_read_and_its_missing_tools_are_listed(wfx: Any, lines: Path) -> None:
    crate = CASES / "parallel-accession-download"
    description = wfx("inputs", crate / "parallel-accession-download.ga", "--json").json
    assert [item["id"] for item in description["inputs"]] == ["Run accessions"]
    done = wfx("plan", crate, "-i", f"Run accessions={lines}", check=6)
    assert "fasterq_dump 2.11.0+galaxy1" in done.stderr
    assert "split_file_to_collection 0.5.0" in done.stderr


def test_another_version_of_a_tool_is_refused_until_the_site_allows_it(wfx: Any, site: Any, tmp_path: Path) -> None:
    crate = CASES / "life-monitor/ro-crate-galaxy-sortchangecase"
    bed = tmp_path / "in.bed"
    bed.write_text("chr2\t1\t2\nchr1\t3\t4\n")
    given = ("-i", f"bed_input={bed}", "-o", "out")
    done = wfx("run", crate, *given, check=6)
    assert "sort1 1.1.0 (step 'sort'): it has 1.2.0" in done.stderr
    site.configure(wfx, "lenient", other_versions=True)
    done = wfx("run", crate, *given, "--site", "lenient")
    assert "the server's version of a tool differs: sort1 1.1.0" in done.stderr
    assert (tmp_path / "out/outputs/uppercase_bed.tabular").read_text() == "CHR1\t3\t4\nCHR2\t1\t2\n"
    assert validate(tmp_path / "out", level="REQUIRED") == []


def test_a_wrong_key_is_told_apart_from_a_missing_server(wfx: Any, workflow: Any, lines: Path, site: Any) -> None:
    secrets = wfx.config / "credentials.toml"
    secrets.write_text(secrets.read_text().replace(site.key, "0" * 32))
    done = wfx("run", workflow("count.gxwf.yml"), "-i", f"lines={lines}", check=4)
    assert "access is refused" in done.stderr
    assert site.url in done.stderr
    assert "0" * 32 not in done.stderr
    assert "access is refused" in wfx("doctor", check=6).stdout
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        (wfx.config / "config.toml").write_text(f'[site.gone]\nurl = "{url}"\npatience = 0\n')
        done = wfx("run", "count.gxwf.yml", "-i", f"lines={lines}", check=4)
    assert "cannot be reached" in done.stderr
    assert url in done.stderr


def test_without_the_network_or_a_site_there_is_no_run(wfx: Any, workflow: Any, lines: Path) -> None:
    given = (workflow("count.gxwf.yml"), "-i", f"lines={lines}")
    assert "Galaxy runs on its server" in wfx("run", *given, "--offline", check=2).stderr
    assert "there is no site 'nowhere'; there are lab" in wfx("run", *given, "--site", "nowhere", check=6).stderr
    (wfx.config / "config.toml").unlink()
    assert "no Galaxy server is named" in wfx("plan", *given, check=6).stderr
    # To see what it takes needs no server.
    assert [item["id"] for item in wfx("inputs", given[0], "--json").json["inputs"]] == ["lines", "reverse"]


@pytest.mark.parametrize("way", ["ctrl-c", "stop", "stop after kill -9"])
def test_a_run_that_is_stopped_has_its_jobs_cancelled(
    wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path, way: str
) -> None:
    given = (workflow("waits.gxwf.yml"), "-i", f"lines={lines}", "-i", "seconds=90", "-o", "out")
    process = wfx.start("run", *given)
    invocation = until(lambda: invocation_of(tmp_path / "out"))
    until(lambda: "running" in states_of(site, invocation))
    if way == "ctrl-c":
        process.send_signal(signal.SIGINT)
    elif way == "stop":
        assert "has stopped the run" in wfx("runs", "stop", "out").stdout
    else:
        process.kill()
        process.wait()
        assert "Galaxy was asked to stop it" in wfx("runs", "stop", "out").stdout
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-9 if "kill" in way else 130), said
    until(lambda: not states_of(site, invocation) & {"new", "queued", "running"})
    assert wfx("runs", "list", "--json").json["runs"][0]["status"] == "interrupted"


def test_after_kill_9_the_invocation_is_attached_to(
    wfx: Any, workflow: Any, lines: Path, site: Any, tmp_path: Path
) -> None:
    given = (workflow("waits.gxwf.yml"), "-i", f"lines={lines}", "-i", "seconds=6", "-o", "out")
    process = wfx.start("run", *given)
    invocation = until(lambda: invocation_of(tmp_path / "out"))
    process.kill()
    process.wait()
    done = wfx("runs", "attach", "out", "--json")
    assert done.json["status"] == "completed"
    assert {h["invocation"] for h in handles(tmp_path / "out")} == {"", invocation}
    assert len({h["history"] for h in handles(tmp_path / "out")}) == 1
    assert (tmp_path / "out/outputs/sorted.txt").read_text() == "apple\npear\nquince\n"
    assert validate(tmp_path / "out", level="RECOMMENDED") == []
    # The same command finds the finished run.
    assert wfx("run", *given, "--json").json["reused"] is True


def test_a_run_goes_on_when_its_server_was_stopped_and_started_again(
    wfx: Any, workflow: Any, lines: Path, private: PrivateGalaxy, galaxy_python: Path, site: Any, tmp_path: Path
) -> None:
    """First while files go up, and again while a job runs: that one Galaxy's local runner gives up, and says so."""
    (wfx.config / "config.toml").write_text(f'[site.own]\nurl = "{private.url}"\n')
    (wfx.config / "credentials.toml").write_text(f'["{private.url}"]\nheader = "x-api-key"\nvalue = "{private.key}"\n')
    given = (workflow("waits.gxwf.yml"), "-i", f"lines={lines}", "-o", "out")

    def restart(server: PrivateGalaxy) -> PrivateGalaxy:
        server.stop()
        port = int(server.url.rpartition(":")[2])
        return start(galaxy_python, server.folder, tools=Path(__file__).with_name("tools"), port=port)

    process = wfx.start("run", *given, "-i", "seconds=1")
    until(lambda: handles(tmp_path / "out"))
    with restart(private) as again:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        assert (tmp_path / "out/outputs/sorted.txt").read_text() == "apple\npear\nquince\n"
        own = type(site)(private.url, private.key)
        process = wfx.start("run", *given[:-1], "out2", "-i", "seconds=50")
        invocation = until(lambda: invocation_of(tmp_path / "out2"))
        until(lambda: "running" in states_of(own, invocation))
        with restart(again):
            _, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert "killed when Galaxy was restarted" in said


def test_site_local_starts_a_server_for_the_run_alone(
    wfx: Any, workflow: Any, lines: Path, galaxy_python: Path, tmp_path: Path
) -> None:
    engines = galaxy_python.parents[4]
    (wfx.config / "config.toml").write_text(
        f'[engines]\nfolder = "{engines}"\n[site.local]\ntools = "{Path(__file__).with_name("tools")}"\n'
    )
    (wfx.config / "credentials.toml").unlink()
    done = wfx("run", workflow("count.gxwf.yml"), "-i", f"lines={lines}", "-o", "out", "--site", "local", timeout=300)
    assert "Galaxy is starting" in done.stderr
    assert (tmp_path / "out/outputs/sorted.txt").read_text() == "apple\npear\nquince\n"
    assert validate(tmp_path / "out", level="REQUIRED") == []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        assert str(tmp_path).encode() not in words, words
