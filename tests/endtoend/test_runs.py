"""What a run is: the same from wherever its workflow comes, answered again when nothing changed, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from wfx.testing.gitservers import GitDaemon, GitHttp, make_repository
from wfx.testing.processes import wait_until
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

COUNTS = "      1 a\n      2 b\n"


def files_of(wfx) -> dict[str, bytes]:
    return {
        "flows/count.cwl": wfx.flow.encode(),
        "flows/sort.cwl": wfx.tool.encode(),
        "flows/words.txt": b"b\na\nb\n",
        "README.md": b"# flows\n",
    }


def outputs_of(done) -> dict[str, tuple[str, int]]:
    assert done.code == 0, done.err
    return {name: (value["checksum"], value["size"]) for name, value in done.json["outputs"].items()}


def test_a_run_leaves_a_crate_with_its_results(wfx) -> None:
    done = wfx("run", wfx.workflow(), "flow/job.yml", "-o", "out", "--json")
    assert done.code == 0, done.err
    report = done.json
    assert report["status"] == "completed"
    assert report["exit_code"] == 0
    assert Path(report["directory"]) == wfx.folder / "out"
    result = report["outputs"]["result"]
    assert Path(result["path"]).read_text() == COUNTS
    assert result["location"] == Path(result["path"]).as_uri()
    assert result["size"] == len(COUNTS)
    assert [(step["id"], step["state"], step["exit_code"]) for step in report["steps"]] == [
        ("sort", "completed", 0), ("count", "completed", 0),
    ]  # fmt: skip
    assert Path(report["crate"]).is_file()
    names = {path.name for path in (wfx.folder / "out").iterdir()}
    assert names == {".wfx", "ro-crate-metadata.json", "ro-crate-preview.html", "workflow", "inputs", "outputs", "logs",
                     "plan.json", "lock.json", "inputs.json", "inputs-as-given.yml"}  # fmt: skip


def test_no_path_of_the_machine_and_no_host_name_is_in_the_crate(wfx) -> None:
    assert wfx("run", wfx.workflow(), "flow/job.yml", "-o", "out").code == 0
    crate = wfx.folder / "out"
    for path in crate.rglob("*"):
        if path.is_file() and ".wfx" not in path.relative_to(crate).parts:
            text = path.read_text(errors="replace")
            assert str(wfx.folder) not in text, path
            assert os.uname().nodename not in text or len(os.uname().nodename) < 4, path
            assert not path.is_symlink()


def test_nothing_changed_answers_from_the_finished_run_and_says_so(wfx) -> None:
    flow = wfx.workflow()
    first = wfx("run", flow, "flow/job.yml", "--json")
    began = time.monotonic()
    again = wfx("run", flow, "flow/job.yml", "--json")
    assert time.monotonic() - began < 10
    assert again.json["reused"] is True
    assert again.json["run"] == first.json["run"]
    assert outputs_of(again) == outputs_of(first)
    assert "nothing has changed" in wfx("run", flow, "flow/job.yml").out
    forced = wfx("run", flow, "flow/job.yml", "--json", "--force")
    assert forced.json["reused"] is False
    assert forced.json["run"] != first.json["run"]
    assert outputs_of(forced) == outputs_of(first)


def test_a_changed_input_is_another_run(wfx) -> None:
    flow = wfx.workflow()
    first = wfx("run", flow, "flow/job.yml", "--json").json
    (wfx.folder / "flow/words.txt").write_text("c\n")
    second = wfx("run", flow, "flow/job.yml", "--json").json
    assert second["reused"] is False
    assert second["directory"] != first["directory"]
    assert Path(first["outputs"]["result"]["path"]).read_text() == COUNTS
    assert Path(second["outputs"]["result"]["path"]).read_text() == "      1 c\n"
    (wfx.folder / "flow/words.txt").write_text("b\na\nb\n")
    assert wfx("run", flow, "flow/job.yml", "--json").json["run"] == first["run"]


def test_a_changed_tool_is_another_run(wfx) -> None:
    flow = wfx.workflow()
    first = wfx("run", flow, "flow/job.yml", "--json").json
    wfx.write("flow/sort.cwl", wfx.tool.replace("[sort]", "[sort, -u]"))
    second = wfx("run", flow, "flow/job.yml", "--json").json
    assert second["directory"] != first["directory"]
    assert Path(second["outputs"]["result"]["path"]).read_text() == "      1 a\n      1 b\n"


def test_results_that_were_lost_are_made_again(wfx) -> None:
    flow = wfx.workflow()
    first = wfx("run", flow, "flow/job.yml", "--json").json
    Path(first["outputs"]["result"]["path"]).unlink()
    second = wfx("run", flow, "flow/job.yml", "--json").json
    assert second["reused"] is False
    assert Path(second["outputs"]["result"]["path"]).read_text() == COUNTS


def test_a_definition_file_says_it_all(wfx) -> None:
    wfx.workflow()
    definition = wfx.write("d.wfx.yml", """\
wfx: 1
name: words
workflow: flow/count.cwl
inputs:
  words: {file: flow/words.txt, size: 6}
  reverse: true
""")  # fmt: skip
    done = wfx("run", definition, "--json")
    assert done.code == 0, done.err
    assert Path(done.json["directory"]).name.startswith("words-")
    assert Path(done.json["outputs"]["result"]["path"]).read_text() == "      2 b\n      1 a\n"


def test_plan_says_what_would_be_done_and_leaves_nothing(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\nb\n")
    flow = wfx.workflow()
    done = wfx("plan", flow, "-i", f"words=@{url}")
    assert done.code == 0, done.err
    assert "sort, count" in done.out
    assert "6 B" in done.out
    assert url in done.out
    assert not (wfx.folder / "wfx-runs").exists()
    plan = wfx("run", flow, "-i", f"words=@{url}", "--dry-run", "--json").json
    assert plan["schema"] == 1
    assert plan["files"][0]["known_size"] == 6
    assert plan["workflow"]["digest"]


def test_stage_then_execute_is_a_run(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\nb\n")
    staged = wfx("stage", wfx.workflow(), "-i", f"words=@{url}", "-o", "out", "--json")
    assert staged.json["status"] == "staged"
    assert wfx("runs", "list", "--json").json["runs"] == [] or staged.json["status"] == "staged"
    before = server.connections
    done = wfx("execute", "out", "--json")
    assert done.code == 0, done.err
    assert Path(done.json["outputs"]["result"]["path"]).read_text() == COUNTS
    assert server.connections == before


@pytest.fixture
def places(wfx, server: FaultServer):
    """The same workflow from a path, from the web, and from git at a tag by two protocols."""
    require_program("git")
    served = wfx.folder / "served"
    repository = make_repository(served / "flows.git", files_of(wfx), tag="v1")
    repository.commit({**files_of(wfx), "flows/sort.cwl": wfx.tool.replace("[sort]", "[sort, -u]").encode()})
    wfx.workflow("flows")
    server.folder("/", served.parent / "flows")
    for name, data in files_of(wfx).items():
        server.add("/" + name, data)
    with GitDaemon(served) as daemon, GitHttp(served) as web:
        yield (
            {
                "path": "flows/count.cwl",
                "http": f"{server.url}/flows/count.cwl",
                "git": f"git+{daemon.url}/flows.git@v1#path=flows/count.cwl",
                "git+http": f"git+{web.url}/flows.git@v1#path=flows/count.cwl",
            },
            repository,
        )


def test_the_same_workflow_from_everywhere_gives_the_same(wfx, places, server: FaultServer) -> None:
    references, repository = places
    words = server.add("/words.txt", b"b\na\nb\n")
    results = {name: wfx("run", reference, "-i", f"words=@{words}", "-o", f"out-{name}", "--json")
               for name, reference in references.items()}  # fmt: skip
    found = {name: outputs_of(done) for name, done in results.items()}
    assert all(output == found["path"] for output in found.values())
    tagged = repository.git("rev-parse", "v1^{commit}")
    for name in ("git", "git+http"):
        plan = json.loads((wfx.folder / f"out-{name}/plan.json").read_text())
        assert plan["workflow"]["revision"] == tagged
        assert plan["workflow"]["label"] == "v1"
        assert f"@{tagged}" in plan["workflow"]["pinned"]
    for name, reference in references.items():
        offline = wfx("run", reference, "-i", f"words=@{words}", "-o", f"offline-{name}", "--json", "--offline")
        assert outputs_of(offline) == found["path"], name


def test_in_a_namespace_without_routes_it_runs_from_the_store(wfx, places, server: FaultServer) -> None:
    require_program("unshare", package="util-linux")
    references, _ = places
    words = server.add("/words.txt", b"b\na\nb\n")
    for name in ("http", "git"):
        first = wfx("run", references[name], "-i", f"words=@{words}", "-o", f"out-{name}", "--json")
        again = wfx("run", references[name], "-i", f"words=@{words}", "-o", f"cut-{name}", "--json", "--offline",
                    prefix=("unshare", "-rn"))  # fmt: skip
        assert outputs_of(again) == outputs_of(first)


def test_a_branch_is_looked_up_anew_at_each_run(wfx, places) -> None:
    references, repository = places
    reference = references["git"].replace("@v1", "@main")
    first = wfx("run", reference, "-i", "words=flows/words.txt", "--json")
    repository.commit(files_of(wfx))
    second = wfx("run", reference, "-i", "words=flows/words.txt", "--json")
    assert second.json["reused"] is False
    assert outputs_of(second) != outputs_of(first)
    assert "main was" in second.err


def test_a_signal_stops_the_engine_and_the_crate_says_so(wfx) -> None:
    flow = wfx.write("slow.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sleep, '300']\ninputs: []\noutputs: []\n")  # fmt: skip
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        out = wfx.folder / f"out{code}"
        process = wfx.start("run", flow, "-o", out)
        wait_until(
            lambda out=out: (out / ".wfx/run.json").exists() and '"running"' in (out / ".wfx/run.json").read_text(),
            "it runs",
        )
        assert wfx("runs", "list", "--json").json["runs"][0]["status"] == "running"
        time.sleep(0.3)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == code, said
        assert "Traceback" not in said
        assert wfx("runs", "list", "--json").json["runs"][0]["status"] == "interrupted"
        graph = json.loads((out / "ro-crate-metadata.json").read_text())["@graph"]
        states = [str(e.get("actionStatus")) for e in graph if e.get("@type") == "CreateAction"]
        assert states
        assert all("Failed" in state for state in states)
        wait_until(lambda: not wfx.processes(), "nothing is left")


def test_an_interrupted_run_goes_on_from_what_is_done(wfx) -> None:
    mark = wfx.folder / "marks"
    mark.mkdir()
    flow = wfx.write("two.cwl", """\
cwlVersion: v1.2
class: Workflow
inputs: []
outputs: {o: {type: File, outputSource: second/o}}
steps:
  first:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, "date +%s%N"]
      inputs: []
      outputs: {o: stdout}
    in: {}
    out: [o]
  second:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'sleep 3; cat "$0"']
      inputs: {f: {type: File, inputBinding: {position: 1}}}
      outputs: {o: stdout}
    in: {f: first/o}
    out: [o]
""")  # fmt: skip
    process = wfx.start("run", flow, "-o", "out")
    journal = wfx.folder / "out/.wfx/journal.jsonl"
    wait_until(lambda: journal.exists() and '"second"' in journal.read_text(), "the second step began", 30)
    process.kill()
    process.communicate()
    wait_until(
        lambda: wfx("runs", "list", "--json").json["runs"][0]["status"] == "interrupted", "it is known to be dead"
    )
    first = [json.loads(line)["step"] for line in journal.read_text().splitlines() if '"first"' in line][-1]
    assert first["state"] == "completed"
    done = wfx("run", flow, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert done.json["steps"][0]["started"] == first["started"]
    assert [step["id"] for step in done.json["steps"]] == ["first", "second"]
    graph = json.loads((wfx.folder / "out/ro-crate-metadata.json").read_text())["@graph"]
    # Exactly one action for each real execution: the workflow and its two steps.
    assert len([e for e in graph if e.get("@type") == "CreateAction"]) == 3


def test_two_runs_at_once_share_one_store(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\nb\n" * 100_000, rate=2e6)
    flow = wfx.workflow()
    started = [wfx.start("run", flow, "-i", f"words=@{url}", "-o", f"out{n}", "--json") for n in range(3)]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    results = {json.loads(out)["outputs"]["result"]["checksum"] for out, _ in said}
    assert len(results) == 1
    assert sum(1 for request in server.asked("/words.txt") if "range" not in request.headers) <= 3
    assert wfx("cache", "verify").code == 0


def test_one_directory_is_used_by_one_run_at_a_time(wfx) -> None:
    flow = wfx.write("slow.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sleep, '5']\ninputs: []\noutputs: []\n")  # fmt: skip
    process = wfx.start("run", flow, "-o", "out")
    wait_until(lambda: (wfx.folder / "out/.wfx/run.json").exists(), "it has begun")
    assert "in use" in wfx.refused(9, "run", flow, "-o", "out")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_a_run_never_changes_its_inputs(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\nb\n")
    mine = wfx.write("mine.txt", "precious\n")
    flow = wfx.write("evil.cwl", """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'for f in "$@"; do chmod u+w "$f"; echo spoilt > "$(readlink -f "$f")"; done; true', sh]
inputs:
  f: {type: 'File[]', inputBinding: {position: 1}}
outputs: []
""")  # fmt: skip
    wfx("run", flow, "-i", f"f=@{url}", "-i", "f=@mine.txt", "-o", "out")
    assert mine.read_text() == "precious\n"
    assert wfx("cache", "verify").code == 0
    fetched = wfx("fetch", url, "-o", "got.txt")
    assert fetched.code == 0, fetched.err
    assert (wfx.folder / "got.txt").read_bytes() == b"b\na\nb\n"


def test_runs_are_listed_shown_and_removed(wfx) -> None:
    wfx("run", wfx.workflow(), "flow/job.yml", "-o", "out")
    listed = wfx("runs", "list", "--json").json["runs"]
    assert [(run["status"], run["directory"]) for run in listed] == [("completed", str(wfx.folder / "out"))]
    shown = wfx("runs", "show", listed[0]["run"][:8])
    assert "step       sort: completed" in shown.out
    assert wfx("runs", "show", "out", "--json").json["steps"][0]["id"] == "sort"
    assert "no run" in wfx.refused(2, "runs", "show", "nowhere")
    wfx.write("out/notes.txt", "mine")
    assert "notes.txt" in wfx.refused(2, "runs", "rm", "out")
    (wfx.folder / "out/notes.txt").unlink()
    assert wfx("runs", "rm", "out").code == 0
    assert not (wfx.folder / "out").exists()
    assert wfx("runs", "list", "--json").json["runs"] == []


def test_a_crate_is_packed_and_checked(wfx) -> None:
    wfx("run", wfx.workflow(), "flow/job.yml", "-o", "out")
    assert wfx("check", "out").code == 0
    done = wfx("export", "out", "-o", "out.zip", "--json")
    assert done.code == 0, done.err
    shutil.unpack_archive(wfx.folder / "out.zip", wfx.folder / "unpacked")
    assert not list((wfx.folder / "unpacked").rglob(".wfx"))
    assert wfx("check", "out.zip").code == 0
    assert "something already" in wfx.refused(9, "export", "out", "-o", "out.zip")
    (wfx.folder / "out/outputs/counts.txt").write_text("forged\n")
    assert wfx("check", "out").code == 3


def test_inputs_gives_a_template_that_can_be_used(wfx) -> None:
    flow = wfx.workflow()
    done = wfx("inputs", flow)
    assert done.code == 0, done.err
    template = done.out
    assert "words:" in template
    assert "File" in template
    schema = json.loads(wfx("inputs", flow, "--schema").out)
    assert schema["required"] == ["words"]
    assert schema["properties"]["reverse"]["default"] is False


def test_strange_names_go_through(wfx) -> None:
    flow = wfx.workflow()
    for name in (
        "with space.txt",
        "-leading.txt",
        "new\nline.txt",
        "émoji🧬.txt",
        "a" * 251 + ".txt",
        "per%20cent#.txt",
    ):
        wfx.write(f"odd/{name}", "b\na\nb\n")
        job = wfx.write("odd.json", json.dumps({"words": {"class": "File", "path": f"odd/{name}"}}))
        done = wfx("run", flow, job, "-o", "out", "--force", "--json")
        assert done.code == 0, (name, done.err)
        assert (wfx.folder / "out/inputs/words" / name).is_file()
        assert Path(done.json["outputs"]["result"]["path"]).read_text() == COUNTS
        shutil.rmtree(wfx.folder / "out")


@pytest.mark.parametrize("mode", ["sandbox", "none"])
def test_no_secret_reaches_a_log_a_crate_or_the_engine(wfx, server: FaultServer, mode: str) -> None:
    canary = "c4n4ry-s3cr3t"
    url = server.add("/private/words.txt?token=" + canary, b"b\na\nb\n", authorization=f"Bearer {canary}")
    flow = wfx.write("env.cwl", """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr "\\\\0" "\\\\n" | grep -a c4n4ry-s3cr[3]t | wc -l; true']
inputs: {words: File}
outputs: {o: stdout}
stdout: env.txt
""")  # fmt: skip
    host = f"WFX_TOKEN_{server.address.replace('.', '_')}_{server.port}"
    env = {host: canary, "WFX_TOKEN_127_0_0_1": canary, "OTHER_SECRET": canary}
    sandbox = [] if mode == "sandbox" else ["--sandbox", "none"]
    done = wfx("run", flow, "-i", f"words=@{url}", "-o", "out", "--log-file", "log.txt", "--debug", *sandbox, env=env)
    assert done.code == 0, done.err
    told = (wfx.folder / "out/outputs/env.txt").read_text()
    assert canary not in told
    for path in [*(wfx.folder / "out").rglob("*"), *wfx.home.rglob("*"), wfx.folder / "log.txt"]:
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path
    assert canary not in done.err + done.out


def test_a_process_in_a_packed_document_is_named_by_its_fragment(wfx) -> None:
    tool = "class: CommandLineTool\n  inputs: []\n  outputs: {{o: stdout}}\n  stdout: o.txt\n  baseCommand: [echo, {0}]"
    graph = [f"- id: {name}\n  " + tool.format(name) for name in ("main", "other")]
    wfx.write("packed.cwl", "cwlVersion: v1.2\n$graph:\n" + "\n".join(graph) + "\n")
    for reference, expected in (("packed.cwl", "main"), ("packed.cwl#other", "other"), ("packed.cwl#main", "main")):
        done = wfx("run", reference, "--json")
        assert done.code == 0, done.err
        assert Path(done.json["outputs"]["o"]["path"]).read_text() == f"{expected}\n"
    assert "third" in wfx.refused(3, "run", "packed.cwl#third")


def test_a_local_repository_is_not_named_by_its_path(wfx) -> None:
    require_program("git")
    repository = make_repository(wfx.folder / "served/flows.git", files_of(wfx), tag="v1")
    words = wfx.write("words.txt", "b\na\nb\n")
    reference = f"git+{repository.url}@v1#path=flows/count.cwl"
    assert wfx("run", reference, "-i", f"words={words}", "-o", "out").code == 0
    crate = wfx.folder / "out"
    for path in crate.iterdir():
        if path.is_file():
            assert str(wfx.folder) not in path.read_text(), path
    plan = json.loads((crate / "plan.json").read_text())
    assert plan["workflow"]["pinned"].startswith(f"local:flows.git@{repository.head}#path=flows/count.cwl")


def test_a_definition_adds_to_an_inputs_file_of_another_folder(wfx) -> None:
    wfx.workflow("elsewhere")
    definition = wfx.write("d.yml", "wfx: 1\nworkflow: elsewhere/count.cwl\ninputs_file: elsewhere/job.yml\n"
                           "inputs: {reverse: true}\n")  # fmt: skip
    done = wfx("run", definition, "--json")
    assert done.code == 0, done.err
    assert Path(done.json["outputs"]["result"]["path"]).read_text() == "      2 b\n      1 a\n"
