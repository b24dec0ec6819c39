"""One run whose workflow and inputs come from five kinds of places, each a server of its own; again without any of them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {store: File, object: File, server: File, record: File}
outputs: {all: {type: File, outputSource: join/all}}
steps:
  join:
    run:
      class: CommandLineTool
      baseCommand: [cat]
      inputs:
        store: {type: File, inputBinding: {position: 1}}
        object: {type: File, inputBinding: {position: 2}}
        server: {type: File, inputBinding: {position: 3}}
        record: {type: File, inputBinding: {position: 4}}
      outputs: {all: stdout}
      stdout: all.txt
    in: {store: store, object: object, server: server, record: record}
    out: [all]
"""
TRS, DRS = "/ga4gh/trs/v2", "/ga4gh/drs/v1/objects"
KEY, SECRET = "AKIDEVERYWHERE", "canary-of-the-store-77aa"


def put(server: FaultServer, path: str, answer: Any) -> None:
    server.add(path, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A real S3 server with one object; return its address."""
    program = require_program("versitygw", package="scripts/runtimes stores")
    for name in ("data/lab/reads", "sidecar"):
        (tmp_path / "s3" / name).mkdir(parents=True)
    (tmp_path / "s3/data/lab/reads/a.txt").write_text("from the store\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", f"127.0.0.1:{port}", "--access", KEY, "--secret", SECRET, "--region", "eu-north-1", "--quiet",
         "posix", "--sidecar", str(tmp_path / "s3/sidecar"), str(tmp_path / "s3/data")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "ftp"
    folder.mkdir()
    (folder / "b.txt").write_text("from the ftp server\n")
    os.utime(folder / "b.txt", (time.time() - 3600,) * 2)
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(str(folder))
    server = FTPServer(("127.0.0.1", 0), type("Handler", (FTPHandler,), {"authorizer": authorizer}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.02, "handle_exit": False}, daemon=True)
    thread.start()
    yield f"ftp://127.0.0.1:{server.socket.getsockname()[1]}"
    server.close_all()
    thread.join(10)


def publish(server: FaultServer) -> str:
    """Put a workflow into a registry (GA4GH TRS 2.0.1); return its reference."""
    tool = f"{TRS}/tools/everywhere"
    item = {"id": "1", "name": "1", "url": server.url, "descriptor_type": ["CWL"], "is_production": True}
    kind = {"id": "1", "name": "Workflow", "description": "Workflow"}
    put(
        server,
        tool,
        {"id": "everywhere", "url": server.url, "organization": "lab", "toolclass": kind, "versions": [item]},
    )
    put(server, f"{tool}/versions/1", item)
    server.add(f"{tool}/versions/1/PLAIN_CWL/descriptor/main.cwl", WORKFLOW.encode())
    put(server, f"{tool}/versions/1/CWL/files", [{"path": "main.cwl", "file_type": "PRIMARY_DESCRIPTOR"}])
    return f"trs://{server.url.partition('://')[2]}/everywhere/1"


def deposit(server: FaultServer) -> str:
    """Put an object into a data repository (GA4GH DRS 1.2); return its reference."""
    data = b"from the repository\n"
    put(server, f"{DRS}/obj", {
        "id": "obj", "self_uri": "drs://x/obj", "size": len(data), "created_time": "2024-05-06T07:08:09Z", "name": "c.txt",
        "checksums": [{"type": "sha-256", "checksum": hashlib.sha256(data).hexdigest()}],
        "access_methods": [{"type": "https", "access_url": {"url": f"{server.url}/objects/c.txt"}}],
    })  # fmt: skip
    server.add("/objects/c.txt", data)
    return f"drs://{server.url.partition('://')[2]}/obj"


def record(server: FaultServer) -> str:
    """Put a record with one file, as Zenodo answers; return its reference."""
    data = b"from the record\n"
    place = "/api/records/77/files/d.txt/content"
    server.add(place, data)
    put(server, "/api/records/77", {
        "id": 77, "recid": "77", "conceptrecid": "76", "doi": "10.5281/zenodo.77", "created": "2024-05-06T07:08:09+00:00",
        "updated": "2024-05-06T07:08:09+00:00", "state": "done", "status": "published", "links": {},
        "files": [{"id": "f", "key": "d.txt", "size": len(data), "links": {"self": f"https://zenodo.org{place}"},
                   "checksum": f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"}],
        "metadata": {"title": "x", "publication_date": "2024-05-06", "access_right": "open", "creators": [{"name": "Ada"}],
                     "license": {"id": "cc-by-4.0"}, "relations": {"version": [{"index": 0, "is_last": True}]}},
    })  # fmt: skip
    return "zenodo:77#path=d.txt"


def test_a_run_of_five_places_and_again_without_any(wfx: Any, server: FaultServer, store: str, ftp: str) -> None:
    registry, object_, file = publish(server), deposit(server), record(server)
    wfx.write(
        "home/config/config.toml",
        f'[fetcher.s3]\nendpoint = "{store}"\nregion = "eu-north-1"\n[fetcher.zenodo]\nserver = "{server.url}"\n',
    )
    keys = wfx.write("home/config/credentials.toml", f'["s3://lab"]\naccess_key = "{KEY}"\nsecret_key = "{SECRET}"\n')
    keys.chmod(0o600)
    given = (
        registry, "-i", "store=@s3://lab/reads/a.txt", "-i", f"object=@{object_}", "-i", f"server=@{ftp}/b.txt",
        "-i", f"record=@{file}",
    )  # fmt: skip
    planned = wfx("plan", *given)
    assert planned.code == 0, planned.err
    done = wfx("run", *given, "-o", "out")
    assert done.code == 0, done.err
    expected = "from the store\nfrom the repository\nfrom the ftp server\nfrom the record\n"
    assert (wfx.folder / "out/outputs/all.txt").read_text() == expected
    assert [f for f in validate(wfx.folder / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []
    graph = (wfx.folder / "out/ro-crate-metadata.json").read_text()
    for place in ("s3://lab/reads/a.txt", object_, f"{ftp}/b.txt", "zenodo:77"):
        assert place in graph, place
    asked = len(server.requests)
    again = wfx("run", *given, "-o", "again", "--offline")
    assert again.code == 0, again.err
    assert (wfx.folder / "again/outputs/all.txt").read_text() == expected
    assert len(server.requests) == asked
    for path in wfx.folder.rglob("*"):
        assert not path.is_file() or path == keys or SECRET.encode() not in path.read_bytes(), path
