"""Workflows and inputs from servers and stores with folders: fetched, run offline, and named in the crate."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
from wfx.testing.servers import FaultServer

WORKFLOW = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [grep, -rch, "", ]
inputs:
  reads: {type: Directory, inputBinding: {position: 1}}
  other: {type: File, default: {class: File, location: data/a.txt}, inputBinding: {position: 2}}
outputs: {counts: stdout}
stdout: counts.txt
"""
SECRET = "canary-s3-secret-51f0"


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "ftp"
    (folder / "data" / "sub").mkdir(parents=True)
    (folder / "count.cwl").write_text(WORKFLOW)
    (folder / "data" / "a.txt").write_text("one\n")
    (folder / "data" / "sub" / "b.txt").write_text("one\ntwo\n")
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(str(folder))
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = FTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.02, "handle_exit": False}, daemon=True)
    thread.start()
    yield f"ftp://127.0.0.1:{server.socket.getsockname()[1]}"
    server.close_all()
    thread.join(10)


@pytest.mark.real
def test_a_workflow_and_a_folder_of_an_ftp_server_are_run(wfx: Any, ftp: str) -> None:
    given = (f"{ftp}/count.cwl", "-i", f"reads=@{ftp}/data/")
    planned = wfx("plan", *given)
    assert planned.code == 0, planned.err
    assert "past gate  1 files are fetched by wfx-ftp" in planned.out
    done = wfx("run", *given, "-o", "run", "--trust")
    assert done.code == 0, done.err
    run = wfx.folder / "run"
    assert sorted((run / "outputs" / "counts.txt").read_text().split()) == ["1", "1", "2"]
    crate = (run / "ro-crate-metadata.json").read_text()
    assert f'"{ftp}/data/"' in crate
    assert f'"{ftp}/count.cwl"' in crate


@pytest.mark.real
def test_a_folder_of_a_store_comes_with_keys_that_stay_out_of_everything(wfx: Any) -> None:
    wfx.write("count.cwl", WORKFLOW.replace(", default: {class: File, location: data/a.txt}", ""))
    config = wfx.home / "config"
    config.mkdir(parents=True)
    with FaultServer() as server:
        (config / "config.toml").write_text(f'[fetcher.s3]\nendpoint = "{server.url}"\n')
        keys = config / "credentials.toml"
        keys.write_text(f'["s3://lab"]\naccess_key = "AKIDEXAMPLE"\nsecret_key = "{SECRET}"\n')
        keys.chmod(0o600)
        server.add("/lab/run/a.txt", b"one\n")
        server.add("/lab/run/sub/b.txt", b"one\ntwo\n")
        items = "".join(
            f"<Contents><Key>run/{key}</Key><Size>{size}</Size></Contents>"
            for key, size in (("a.txt", 4), ("sub/b.txt", 8))
        )
        listing = f"<ListBucketResult>{items}</ListBucketResult>".encode()
        server.add("/lab?encoding-type=url&list-type=2&max-keys=1000&prefix=run%2F", listing)
        given = ("count.cwl", "-i", "reads=@s3://lab/run/", "-i", "other=@s3://lab/run/a.txt")
        done = wfx("run", *given, "-o", "run")
        assert done.code == 0, done.err
        assert all(request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for request in server.requests)
    # What the store has needs neither the server nor keys.
    assert wfx("fetch", "--offline", "s3://lab/run/").code == 0
    assert sorted((wfx.folder / "run" / "outputs" / "counts.txt").read_text().split()) == ["1", "1", "2"]
    graph = json.loads((wfx.folder / "run" / "ro-crate-metadata.json").read_text())
    assert "s3://lab/run/" in json.dumps(graph)
    for path in wfx.folder.rglob("*"):
        if path.is_file() and path != keys:
            assert SECRET.encode() not in path.read_bytes(), path
