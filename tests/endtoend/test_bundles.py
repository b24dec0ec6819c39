"""Bundles: a run carried to a machine without a network, and what is refused on the way."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.testing.servers import FaultServer

WORKFLOW = """cwlVersion: v1.2
class: Workflow
inputs:
  many: File[]
outputs:
  out: {type: File, outputSource: join/out}
steps:
  join: {run: tool.cwl, in: {many: many}, out: [out]}
"""
TOOL = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: [cat]
inputs:
  many: {type: 'File[]', inputBinding: {position: 1}}
outputs:
  out: stdout
stdout: out.txt
"""


class Machines:
    """One with a network, and one without."""

    def __init__(self, folder: Path, server: FaultServer) -> None:
        self.folder, self.server = folder, server
        (folder / "here").mkdir()
        (folder / "there").mkdir()
        self.here = WfxRun(folder / "home", folder / "here")
        self.there = WfxRun(folder / "elsewhere", folder / "there")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            info = tarfile.TarInfo("in/it")
            info.size = 8
            archive.addfile(info, io.BytesIO(b"archived"))
        server.add("/a.tar.gz", buffer.getvalue())
        server.add("/r.txt", b"remote")
        server.add("/wf.cwl", WORKFLOW.encode())
        server.add("/tool.cwl", TOOL.encode())
        (folder / "here" / "wf.cwl").write_text(WORKFLOW)
        (folder / "here" / "tool.cwl").write_text(TOOL)
        (folder / "here" / "l.txt").write_text("local")

    def define(self, workflow: str) -> None:
        many = [
            {"file": self.server.url + "/r.txt"}, {"file": "l.txt"},
            {"archive": self.server.url + "/a.tar.gz", "member": "in/it"},
        ]  # fmt: skip
        document = {"wfx": 1, "name": "carried", "workflow": workflow, "inputs": {"many": many}}
        (self.folder / "here" / "def.yml").write_text(json.dumps(document))

    def bundle(self, *what: str) -> tuple[Path, dict]:
        path = self.folder / "carried.tar"
        return path, self.here("cache", "export", *what, "-o", path, "--json").json

    def disconnect(self) -> None:
        self.server.resources.clear()
        for path in (self.folder / "here").glob("*.*"):
            path.unlink()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with FaultServer() as server:
        yield Machines(tmp_path, server)


@pytest.mark.parametrize("where", ["remote", "local"])
def test_a_definition_is_carried_and_run_without_a_network(machines: Machines, where: str) -> None:
    machines.define(machines.server.url + "/wf.cwl" if where == "remote" else "wf.cwl")
    bundle, made = machines.bundle("def.yml")
    machines.disconnect()
    taken = machines.there("cache", "import", bundle, "--sha256", made["manifest"], "--json").json
    assert (taken["identity"], taken["start"]) == (made["identity"], "carried/definition.wfx.json")
    asked = len(machines.server.requests)
    ran = machines.there("run", taken["start"], "--offline", "--trust", "-o", "out", "--json").json
    assert ran["identity"] == made["identity"]
    assert (machines.there.cwd / "out" / "outputs" / "out.txt").read_text() == "remotelocalarchived"
    assert len(machines.server.requests) == asked
    again = machines.there("cache", "import", bundle, "-o", "again", "--json").json
    assert again.get("new", 0) == 0
    machines.there("cache", "verify")


def test_a_run_is_carried_by_its_name(machines: Machines) -> None:
    machines.define("wf.cwl")
    machines.here("run", "def.yml", "-o", "first")
    bundle, _ = machines.bundle("first")
    machines.disconnect()
    taken = machines.there("cache", "import", bundle, "-o", "taken", "--json").json
    assert taken["start"] == "taken/crate"
    machines.there("run", "taken/crate", "--offline", "--trust", "-o", "out")
    assert (machines.there.cwd / "out" / "outputs" / "out.txt").read_text() == "remotelocalarchived"


def test_an_import_that_was_cut_goes_on(machines: Machines) -> None:
    machines.define(machines.server.url + "/wf.cwl")
    bundle, made = machines.bundle("def.yml")
    data = bundle.read_bytes()
    names = [member.name for member in tarfile.open(bundle)]  # noqa: SIM115
    last = max(i for i, name in enumerate(names) if name.startswith("blobs/"))
    with tarfile.open(bundle) as archive:
        cut = archive.getmembers()[last].offset
    part = machines.folder / "part.tar"
    for size in (100, cut, len(data) // 2):
        part.write_bytes(data[:size])
        done = machines.there("cache", "import", part, "-o", "taken", check=3)
        assert "no whole bundle" in done.stderr or "no bundle" in done.stderr
        assert not (machines.there.cwd / "taken").exists()
    taken = machines.there("cache", "import", bundle, "-o", "taken", "--json").json
    assert taken["there"] >= last - 1
    assert taken.get("new", 0) + taken["there"] == made["blobs"]
    machines.there("cache", "verify")


def rewrite(source: Path, target: Path, change) -> Path:
    """Copy a bundle with `change(name, data)` in place of each member; None leaves it out."""
    with tarfile.open(source) as archive, tarfile.open(target, "w") as written:
        for member in archive.getmembers():
            data = change(member.name, archive.extractfile(member).read())
            if data is not None:
                member.size = len(data)
                written.addfile(member, io.BytesIO(data))
    return target


def manifest(data: bytes, **changed) -> bytes:
    return json.dumps({**json.loads(data), **changed}).encode()


CHANGES = {
    "a byte of a blob": (5, lambda name, data: bytes([data[0] ^ 1]) + data[1:] if name.startswith("blobs/") else data),
    "a byte of the payload": (5, lambda name, data: data[:-1] + b" " if name.startswith("payload/") else data),
    "a longer blob": (5, lambda name, data: data + b"x" if name.startswith("blobs/") else data),
    "no payload": (3, lambda name, data: None if name.startswith("payload/") else data),
    "no manifest": (3, lambda name, data: None if name == "manifest.json" else data),
    "another format": (3, lambda name, data: manifest(data, schema=99) if name == "manifest.json" else data),
    "a broken manifest": (3, lambda name, data: data[:-9] if name == "manifest.json" else data),
    "a manifest of other types": (3, lambda name, data: manifest(data, refs=[]) if name == "manifest.json" else data),
    "a reference without sense": (
        3, lambda name, data: manifest(data, refs={"https://a/": {"x": 1}}) if name == "manifest.json" else data,
    ),
    "something that the manifest does not know": (
        5, lambda name, data: manifest(data, payload={}) if name == "manifest.json" else data,
    ),
    "a link that leads out": (
        8,
        lambda name, data: manifest(data, payload={**json.loads(data)["payload"], "x": {"link": "../../.."}})
        if name == "manifest.json" else data,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_bundle_that_is_not_what_it_says_is_refused(machines: Machines, what: str) -> None:
    machines.define("wf.cwl")
    bundle, _ = machines.bundle("def.yml")
    code, change = CHANGES[what]
    broken = rewrite(bundle, machines.folder / "broken.tar", change)
    done = machines.there.here("cache", "import", broken, "-o", "taken", check=code)
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (machines.there.cwd / "taken").exists()
    machines.there.here("cache", "verify")


def test_a_bundle_is_held_to_a_digest_and_to_the_folder(machines: Machines) -> None:
    machines.define("wf.cwl")
    bundle, made = machines.bundle("def.yml")
    assert "is stated" in machines.there.here("cache", "import", bundle, "--sha256", "0" * 64, check=5).stderr
    (machines.there.cwd / "mine").mkdir()
    assert "something already" in machines.there.here("cache", "import", bundle, "-o", "mine", check=9).stderr
    assert (
        "no whole bundle" in machines.there.here("cache", "import", machines.folder / "here" / "l.txt", check=3).stderr
    )
    assert made["size"] == bundle.stat().st_size
