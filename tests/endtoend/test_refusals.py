"""What a user does wrong, and what places do to him: one line, the right exit code, nothing half-done left."""

from __future__ import annotations

import os
import subprocess

import pytest
from wfx.testing.requirements import require
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real


def nothing_left(wfx) -> bool:
    return not (wfx.folder / "wfx-runs").exists() or not any((wfx.folder / "wfx-runs").iterdir())


def test_a_workflow_that_is_missing_is_named(wfx) -> None:
    line = wfx.refused(4, "run", "nowhere.cwl")
    assert "nowhere.cwl" in line
    assert "no such file" in line


def test_a_missing_input_file_is_named_before_anything_runs(wfx) -> None:
    flow = wfx.workflow()
    line = wfx.refused(3, "run", flow, "-i", "words=missing.txt")
    assert "words" in line
    assert "missing.txt" in line
    assert nothing_left(wfx)


def test_all_missing_inputs_are_named_at_once(wfx) -> None:
    flow = wfx.write("many.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cat\ninputs:\n"
                     "  a: File\n  b: File\noutputs: {o: stdout}\n")  # fmt: skip
    line = wfx.refused(3, "run", flow, "-i", "a=x.txt", "-i", "b=y.txt")
    assert "x.txt" in line
    assert "y.txt" in line


def test_a_required_input_that_is_not_given_is_named(wfx) -> None:
    line = wfx.refused(3, "run", wfx.workflow())
    assert "words" in line


def test_a_wrong_type_is_said_with_the_line_of_the_inputs_file(wfx) -> None:
    flow = wfx.workflow()
    job = wfx.write("flow/bad.yml", "words: {class: File, path: words.txt}\n\nreverse: perhaps\n")
    line = wfx.refused(3, "run", flow, job)
    assert "bad.yml:3" in line
    assert "reverse" in line
    assert "boolean" in line


def test_an_unknown_input_gets_a_suggestion(wfx) -> None:
    flow = wfx.workflow()
    line = wfx.refused(3, "run", flow, "flow/job.yml", "-i", "revrse=true")
    assert "revrse" in line
    assert "reverse" in line


def test_invalid_yaml_is_said_with_its_line(wfx) -> None:
    flow = wfx.write("bad.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\ninputs: [a: b\noutputs: {}\n")
    assert "bad.cwl:" in wfx.refused(3, "run", flow)
    job = wfx.write("flow/job2.yml", "words: [\n")
    assert "job2.yml:" in wfx.refused(3, "run", wfx.workflow(), job)


def test_a_yaml_bomb_is_refused_at_once(wfx) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(lines) + "\n"
    line = wfx.refused(3, "run", wfx.workflow(), wfx.write("bomb.yml", bomb), timeout=20)
    assert "bomb.yml" in line
    line = wfx.refused(3, "run", wfx.write("bomb.cwl", "cwlVersion: v1.2\nclass: Workflow\n" + bomb), timeout=20)
    assert "bomb.cwl" in line


def test_invalid_cwl_is_said_with_its_line(wfx) -> None:
    flow = wfx.write("odd.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\ninputs:\n  a: {type: Flie}\noutputs: {}\n")
    line = wfx.refused(3, "run", flow)
    assert "odd.cwl:4" in line
    assert "Flie" in line
    assert nothing_left(wfx)


def test_a_scheme_whose_plugin_is_left_out_names_the_package(wfx) -> None:
    flow = wfx.workflow()
    line = wfx.refused(6, "run", flow, "-i", "words=@https://example.org/words.txt",
                       env={"WFX_PLUGINS": "wfx-cwl,wfx-file,wfx-ro-crate"})  # fmt: skip
    assert "wfx-http" in line
    assert "WFX_PLUGINS" in line
    line = wfx.refused(6, "run", flow, "-i", "words=@gopherr://example.org/words.txt")
    assert "gopherr" in line
    assert "pip install" not in line


def test_an_engine_that_is_not_installed_names_the_package(wfx) -> None:
    line = wfx.refused(3, "run", wfx.workflow(), "flow/job.yml", env={"WFX_PLUGINS": "wfx-file,wfx-ro-crate"})
    assert "wfx-cwl" in line


def test_a_place_that_has_no_such_thing_is_said(wfx, server: FaultServer) -> None:
    line = wfx.refused(4, "run", wfx.workflow(), "-i", f"words=@{server.url}/gone.txt")
    assert "404" in line
    assert "gone.txt" in line
    assert nothing_left(wfx)


def test_a_wrong_checksum_is_an_integrity_error(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\n")
    wrong = "0" * 64
    job = wfx.write("job.yml", f"words: {{class: File, location: '{url}', checksum: 'sha256${wrong}'}}\n")
    line = wfx.refused(5, "run", wfx.workflow(), job)
    assert "words.txt" in line
    job = wfx.write("job2.yml", f"words: {{class: File, location: '{url}', size: 5}}\n")
    line = wfx.refused(5, "run", wfx.workflow(), job)
    assert "5" in line
    definition = wfx.write("d.yml", f"wfx: 1\nworkflow: flow/count.cwl\ninputs:\n  words: {{file: '{url}', sha256: '{wrong}'}}\n")  # fmt: skip
    wfx.refused(5, "run", definition)
    assert nothing_left(wfx)


def test_the_checksum_of_a_local_file_is_held_too(wfx) -> None:
    flow = wfx.workflow()
    job = wfx.write("flow/job3.yml", f"words: {{class: File, path: words.txt, checksum: 'sha1${'0' * 40}'}}\n")
    assert "words.txt" in wfx.refused(5, "run", flow, job)


def test_a_server_that_is_down_is_a_failed_transfer(wfx) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/words.txt"
    line = wfx.refused(4, "run", wfx.workflow(), "-i", f"words=@{url}", env={"WFX_FETCH_RETRIES": "0"})
    assert "words.txt" in line


def test_offline_without_the_bytes_says_so(wfx, server: FaultServer) -> None:
    url = server.add("/words.txt", b"b\na\n")
    line = wfx.refused(4, "run", wfx.workflow(), "-i", f"words=@{url}", "--offline")
    assert "--offline" in line
    assert server.connections == 0


def test_a_step_that_fails_leaves_a_failed_run_and_its_log(wfx) -> None:
    flow = wfx.write("fail.cwl", """\
cwlVersion: v1.2
class: Workflow
inputs: []
outputs: {o: {type: File, outputSource: break/o}}
steps:
  break:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, "echo it hurts here >&2; exit 3"]
      inputs: []
      outputs: {o: stdout}
    in: {}
    out: [o]
""")  # fmt: skip
    line = wfx.refused(1, "run", flow, "-o", "out")
    assert "break" in line
    assert "exit code 3" in line
    assert "it hurts here" in line
    assert "it hurts here" in wfx("runs", "logs", "out", "break").out
    assert (wfx.folder / "out/ro-crate-metadata.json").is_file()
    assert wfx("runs", "list", "--json").json["runs"][0]["status"] == "failed"
    report = wfx("run", flow, "-o", "out", "--json")
    assert report.code == 1
    assert report.json["status"] == "failed"
    assert report.json["exit_code"] == 1


def test_an_output_that_is_missing_fails_the_run(wfx) -> None:
    flow = wfx.write("none.cwl", "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: 'true'\ninputs: []\n"
                     "outputs: {o: {type: File, outputBinding: {glob: never.txt}}}\n")  # fmt: skip
    line = wfx.refused(1, "run", flow)
    assert "never.txt" in line


def test_somebody_elses_folder_is_not_touched(wfx) -> None:
    mine = wfx.write("mine/thesis.txt", "years of work")
    line = wfx.refused(2, "run", wfx.workflow(), "flow/job.yml", "-o", "mine")
    assert "mine" in line
    assert "-o" in line
    assert os.listdir(wfx.folder / "mine") == ["thesis.txt"]
    assert mine.read_text() == "years of work"


def test_an_outdir_that_holds_another_run_is_not_overwritten(wfx) -> None:
    flow = wfx.workflow()
    assert wfx("run", flow, "flow/job.yml", "-o", "out").code == 0
    before = (wfx.folder / "out/ro-crate-metadata.json").read_bytes()
    line = wfx.refused(2, "run", flow, "flow/job.yml", "-i", "reverse=true", "-o", "out")
    assert "another run" in line
    assert (wfx.folder / "out/ro-crate-metadata.json").read_bytes() == before


def bare_permissions() -> tuple[str, ...]:
    """Return what to start a command with so that root, too, is held to the permissions of files."""
    if os.geteuid() != 0:
        return ()
    lost = "-dac_override,-dac_read_search"
    return ("setpriv", "--bounding-set", lost, "--inh-caps", lost)


def test_a_directory_that_may_not_be_read_or_written_is_named(wfx) -> None:
    flow = wfx.workflow()
    closed = wfx.write("closed/words.txt", "a\n").parent
    closed.chmod(0o000)
    try:
        line = wfx.refused(9, "run", flow, "-i", "words=closed/words.txt", "-o", "out", prefix=bare_permissions())
        assert "closed" in line
        assert not (wfx.folder / "out").exists()
        closed.chmod(0o555)
        line = wfx.refused(
            9, "run", flow, "-i", "words=closed/words.txt", "-o", "closed/out", prefix=bare_permissions()
        )
        assert "closed" in line
        assert os.listdir(closed) == ["words.txt"]
    finally:
        closed.chmod(0o755)


def test_a_full_disk_is_said_and_nothing_half_written_is_seen(wfx, server: FaultServer) -> None:
    require(os.geteuid() == 0, "mounting a small file system needs root")
    small = wfx.folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False)
    require(mounted.returncode == 0, "no file system can be mounted here")
    try:
        url = server.add("/words.txt", b"word\n" * 400_000)
        flow = wfx.workflow()
        env = {"WFX_HOME": str(small / "home")}
        line = wfx.refused(9, "run", flow, "-i", f"words=@{url}", "-o", "out", env=env)
        assert "free" in line or "space" in line
        assert not (wfx.folder / "out").exists()
        assert wfx("cache", "verify", env=env).code == 0
        line = wfx.refused(9, "run", flow, "-i", f"words=@{url}", "-o", small / "out")
        assert "free" in line or "space" in line
        chunked = server.add("/stream.txt", b"word\n" * 400_000, chunked=True)
        wfx.refused(9, "run", flow, "-i", f"words=@{chunked}", "-o", "out", env=env)
        assert not (wfx.folder / "out").exists()
        assert wfx("cache", "verify", env=env).code == 0
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_usage_errors_suggest_what_was_meant(wfx) -> None:
    done = wfx("rnu")
    assert done.code == 2
    assert "run" in done.err
    assert "docker" in wfx.refused(2, "run", wfx.workflow(), "--containers", "dokcer")


def test_json_prints_one_object_for_errors_too(wfx) -> None:
    done = wfx("run", "nowhere.cwl", "--json")
    assert done.code == 4
    assert done.json["status"] == "error"
    assert done.json["exit_code"] == 4
    assert "nowhere.cwl" in done.json["error"]


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"status": 401}, 4),
        ({"status": 403}, 4),
        ({"status": 500}, 4),
        ({"cut": [3] * 9, "ranges": False}, 4),
        ({"cut": [-1] * 9}, 4),
        ({"length": 9}, 4),
        ({"headers": {"Content-Encoding": "gzip"}}, 4),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, 8),
        ({"status": 302, "headers": {"Location": "ftp://127.0.0.1/x"}}, 8),
        ({"status": 302, "headers": {"Location": "/words.txt"}}, 4),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(map(str, value)),
)
def test_each_fault_of_a_server_has_its_code_and_one_line(wfx, server: FaultServer, faults, code: int) -> None:
    url = server.add("/words.txt", b"b\na\nb\n", **faults)
    flow = wfx.workflow()
    env = {"WFX_FETCH_RETRIES": "1", "WFX_FETCH_IDLE_TIMEOUT": "1"}
    line = wfx.refused(code, "run", flow, "-i", f"words=@{url}", env=env)
    assert "words.txt" in line
    assert nothing_left(wfx)
    assert wfx("cache", "verify").code == 0


# -- a workflow from elsewhere and the files of this machine

READER = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs:
  f:
    type: File
    default: {{class: File, location: {place}}}
    inputBinding: {{position: 1}}
outputs: {{o: stdout}}
"""


@pytest.mark.parametrize("place", ["file:///etc/passwd", "/etc/passwd", "~/.netrc"])
def test_a_workflow_from_elsewhere_reads_no_local_file(wfx, server: FaultServer, place: str) -> None:
    url = server.add("/reader.cwl", READER.format(place=place).encode())
    line = wfx.refused(8, "run", url)
    assert "reader.cwl:7" in line or "reader.cwl:6" in line
    assert place in line
    assert "--allow-local" in line


def test_an_include_out_of_a_remote_tree_is_refused(wfx, server: FaultServer) -> None:
    tool = (
        "cwlVersion: v1.2\nclass: CommandLineTool\nrequirements:\n  InlineJavascriptRequirement:\n"
        "    expressionLib: [{$include: 'file:///etc/passwd'}]\nbaseCommand: 'true'\ninputs: []\noutputs: []\n"
    )
    line = wfx.refused(8, "run", server.add("/tool.cwl", tool.encode()))
    assert "tool.cwl:5" in line


def test_allow_local_permits_it(wfx, server: FaultServer) -> None:
    secret = wfx.write("shared.txt", "for everybody\n")
    url = server.add("/reader.cwl", READER.format(place=secret.as_uri()).encode())
    done = wfx("run", url, "--allow-local", "-o", "out")
    assert done.code == 0, done.err
    assert "for everybody" in next((wfx.folder / "out/outputs").iterdir()).read_text()


def test_the_users_own_workflow_may_name_his_files(wfx) -> None:
    mine = wfx.write("data.txt", "mine\n")
    flow = wfx.write("reader.cwl", READER.format(place=mine))
    done = wfx("run", flow, "-o", "out")
    assert done.code == 0, done.err
    assert next((wfx.folder / "out/outputs").iterdir()).read_text() == "mine\n"


def test_a_remote_workflow_is_not_run_without_a_sandbox_unless_trusted(wfx, server: FaultServer) -> None:
    url = server.add("/tool.cwl", b"cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [echo, hi]\ninputs: []\noutputs: {o: stdout}\n")  # fmt: skip
    line = wfx.refused(8, "run", url, "--sandbox", "none")
    assert "--trust" in line
    assert wfx("run", url, "--sandbox", "none", "--trust").code == 0
