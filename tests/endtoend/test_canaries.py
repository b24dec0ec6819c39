"""Canaries: a secret in every place of the configuration, a run of each engine, and then none of them anywhere."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from wfx.config import Directories
from wfx.testing.commands import WfxRun
from wfx.testing.requirements import require, require_program
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

ENGINES = Directories.find().cache / "engines"
PLACES = (
    "environment-token", "environment-password", "file-token", "file-header", "file-password", "access-key-secret",
    "session-token", "passphrase", "passport", "from-env", "from-file", "from-command", "netrc", "proxy",
)  # fmt: skip
CANARY = {place: f"canary-7d1e-{place}" for place in PLACES}
DUMP = "cat {file}; env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null || true; sleep 1.5"

CWL = {
    "main.cwl": f"""cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, "{DUMP.format(file="$0")}"]
inputs: {{reads: {{type: File, inputBinding: {{position: 1}}}}}}
outputs: {{out: stdout}}
stdout: out.txt
"""
}
SNAKEMAKE = {
    "Snakefile": f"""configfile: "config.yaml"
rule all:
    input: "results/out.txt"
rule dump:
    input: config["reads"]
    output: "results/out.txt"
    shell: "({DUMP.format(file="{input}")}) > {{output}}"
""",
    "config.yaml": "reads: none.txt\n",
    "config.schema.yaml": "type: object\nproperties: {reads: {type: string, format: file-path}}\n",
}
NEXTFLOW = {
    "main.nf": f"""params.reads = null
params.outdir = 'results'
process DUMP {{
    publishDir params.outdir
    input: path reads
    output: path 'out.txt'
    script: "({DUMP.format(file="$reads")}) > out.txt"
}}
workflow {{ DUMP(file(params.reads)) }}
""",
    "nextflow.config": "manifest.name = 'dump'\n",
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def wfx(tmp_path: Path) -> WfxRun:
    made = WfxRun(tmp_path / "home", tmp_path / "work")
    (tmp_path / "work").mkdir()
    (tmp_path / "tmp").mkdir()
    made.environment |= {"TMPDIR": str(tmp_path / "tmp"), "WFX_ENGINES_FOLDER": str(ENGINES)}
    return made


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def configure(wfx: WfxRun, server: FaultServer, secrets: Path) -> str:
    """Put a canary into every place, and the input behind one of them; return the input's address."""
    port = server.port
    file = private(secrets / "file", CANARY["from-file"])
    program = private(
        secrets / "program", f"#!/bin/sh\ncat {private(secrets / 'told', CANARY['from-command'])}\n", 0o700
    )
    private(
        wfx.config / "credentials.toml",
        f"""
["{server.url}/by-token"]
token = "{CANARY["file-token"]}"
["{server.url}/by-header"]
header = "X-Api-Key"
value = "{CANARY["file-header"]}"
["{server.url}/by-password"]
username = "ada"
password = "{CANARY["file-password"]}"
["s3://bucket"]
access_key = "AK"
secret_key = "{CANARY["access-key-secret"]}"
session_token = "{CANARY["session-token"]}"
["sftp://host"]
username = "ada"
passphrase = "{CANARY["passphrase"]}"
key_file = "{private(secrets / "key", "key")}"
["drs://"]
passport = "{CANARY["passport"]}"
["{server.url}/by-env"]
token_env = "LAB_TOKEN"
["{server.url}/by-file"]
token_file = "{file}"
["{server.url}/by-command"]
token_command = ["{program}"]
""",
    )
    wfx.environment |= {
        "LAB_TOKEN": CANARY["from-env"],
        "WFX_TOKEN_DATA_EXAMPLE_ORG": CANARY["environment-token"],
        f"WFX_USER_LOCALHOST_{port}": "ada", f"WFX_PASSWORD_LOCALHOST_{port}": CANARY["environment-password"],
        "https_proxy": f"http://ada:{CANARY['proxy']}@127.0.0.1:9",
        "NETRC": str(private(secrets / "netrc", f"machine 127.0.0.1 login ada password {CANARY['netrc']}\n")),
    }  # fmt: skip
    basic = {name: base64.b64encode(f"ada:{CANARY[name]}".encode()).decode() for name in CANARY}
    proofs = {
        "by-token": ("authorization", f"Bearer {CANARY['file-token']}"), "by-header": ("x-api-key", CANARY["file-header"]),
        "by-password": ("authorization", f"Basic {basic['file-password']}"),
        "by-env": ("authorization", f"Bearer {CANARY['from-env']}"),
        "by-file": ("authorization", f"Bearer {CANARY['from-file']}"),
        "by-command": ("authorization", f"Bearer {CANARY['from-command']}"),
        "by-netrc": ("authorization", f"Basic {basic['netrc']}"),
    }  # fmt: skip
    for name, (header, value) in proofs.items():

        def look(request, resource, header=header, value=value) -> None:
            resource.status = 200 if request.headers.get(header) == value else 401

        server.add(f"/{name}/reads.txt", b"reads\n", on_request=look)
    server.add("/by-environment/reads.txt", b"reads\n", authorization=f"Basic {basic['environment-password']}")
    return f"{server.url}/by-command/reads.txt"


class Watch(threading.Thread):
    """Reads command line and environment of every process below one, as often as it can."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.stop = pid, threading.Event()
        self.lines: dict[int, bytes] = {}
        self.environments: dict[int, bytes] = {}

    def run(self) -> None:
        while not self.stop.is_set():
            parents = {}
            for folder in Path("/proc").iterdir():
                try:
                    stat = (folder / "stat").read_bytes() if folder.name.isdigit() else b""
                    parents[int(folder.name)] = int(stat.rpartition(b")")[2].split()[1])
                except (OSError, ValueError, IndexError):
                    continue
            below = {self.pid} | set(self.lines)
            while more := {pid for pid, parent in parents.items() if parent in below} - below:
                below |= more
            for pid in below & set(parents):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    environment = Path(f"/proc/{pid}/environ").read_bytes()
                except OSError:
                    continue
                if line not in self.lines.setdefault(pid, b""):
                    self.lines[pid] += line
                # Between its fork and its exec a process is still wfx itself, and the user's own program may have all.
                if b"wfx\0run" not in line and b"/secrets/program" not in line:
                    self.environments[pid] = environment
            time.sleep(0.01)


def forms() -> list[tuple[str, bytes]]:
    found = []
    for place, secret in CANARY.items():
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode(),
                     base64.b64encode(f"ada:{secret}".encode()).decode()):  # fmt: skip
            found.append((place, form.rstrip("=").encode()))
    return found


FORMS = forms()


def seen_in(data: bytes) -> set[str]:
    return {place for place, form in FORMS if form in data}


WORKFLOWS = {"cwl": CWL, "snakemake": SNAKEMAKE, "nextflow": NEXTFLOW}


@pytest.mark.parametrize("language", WORKFLOWS)
def test_no_secret_reaches_what_is_written_or_who_is_started(
    language: str, wfx: WfxRun, server: FaultServer, tmp_path: Path
) -> None:
    if language == "nextflow":
        require_program("java", package="openjdk-17-jre-headless")
        require(any(ENGINES.glob("nextflow*")), "Nextflow is not there: scripts/runtimes nextflow brings it")
    url = configure(wfx, server, tmp_path / "secrets")
    for name, text in WORKFLOWS[language].items():
        (wfx.cwd / "flow").mkdir(exist_ok=True)
        (wfx.cwd / "flow" / name).write_text(text)
    main = "flow/" + next(iter(WORKFLOWS[language]))
    said = b""
    for path in ("by-token", "by-header", "by-password", "by-env", "by-file", "by-netrc"):
        said += wfx("fetch", f"{server.url}/{path}/reads.txt").stdout.encode()
    localhost = f"http://localhost:{server.port}/by-environment/reads.txt"
    said += wfx("fetch", localhost, "--log-file", "fetch.log").stdout.encode()
    said += wfx("config", "credentials", "list").stdout.encode()
    said += wfx("plan", main, "-i", f"reads=@{url}", "--json").stdout.encode()
    process = wfx.start("run", main, "-i", f"reads=@{url}", "-o", "out", "-v", "--log-file", "run.log", "--trust")
    watch = Watch(process.pid)
    watch.start()
    out, err = process.communicate(timeout=240)
    watch.stop.set()
    watch.join()
    assert process.returncode == 0, err
    assert seen_in(said + out.encode() + err.encode()) == set()
    [dumped] = (wfx.cwd / "out" / "outputs").rglob("out.txt")
    assert dumped.read_bytes().startswith(b"reads\n")
    assert len(watch.lines) > 2, "no engine was seen"
    shown = {pid: seen_in(line) for pid, line in watch.lines.items()}
    assert not any(shown.values()), {pid: (watch.lines[pid][:300], found) for pid, found in shown.items() if found}
    handed = {pid: seen_in(text) for pid, text in watch.environments.items()}
    assert not any(handed.values()), [(found, watch.lines[pid][-200:]) for pid, found in handed.items() if found]
    own = {wfx.config / "credentials.toml", *(tmp_path / "secrets").iterdir()}
    for folder, _, names in os.walk(tmp_path):
        for name in names:
            path = Path(folder, name)
            if path not in own and path.is_file():
                assert seen_in(path.read_bytes()) == set(), path
                assert seen_in(os.fsencode(path)) == set()
    packed = subprocess.run(
        ["git", "-C", str(tmp_path), "grep", "--no-index", "-lc", "canary-7d1e"], capture_output=True, text=True
    )
    assert {tmp_path / line for line in packed.stdout.splitlines()} <= own
