"""An archive on loopback: the objects of real git repositories, in the answers that the Web API's documentation has."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer, Request, Resource
from wfx_swh import ContentFetcher, SwhResolver, SwhTreeFetcher

TEXT = {"type": "string"}
SHA1 = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
# Nothing is published as a schema: what the documentation of each endpoint says of its answer, with its types.
DIRECTORY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["dir_id", "name", "perms", "target", "target_url", "type"],
        "properties": {
            "checksums": {"type": "object", "properties": {"sha1_git": SHA1, "sha1": SHA1, "sha256": TEXT}},
            "dir_id": SHA1, "length": {"type": ["integer", "null"]}, "name": TEXT, "perms": {"type": "integer"},
            "target": SHA1, "target_url": TEXT, "type": {"enum": ["dir", "file", "rev"]},
            "status": {"enum": ["visible", "absent"]},
        },
    },
}  # fmt: skip
VAULT = {
    "type": "object",
    "required": ["fetch_url", "progress_message", "id", "status", "swhid"],
    "properties": {
        "fetch_url": TEXT, "progress_message": {"type": ["string", "null"]}, "id": {"type": "integer"},
        "status": {"enum": ["new", "pending", "done", "failed"]}, "swhid": TEXT,
    },
}  # fmt: skip
CONTENT = {
    "type": "object",
    "required": ["checksums", "data_url", "length", "status"],
    "properties": {"checksums": {"type": "object"}, "data_url": TEXT, "length": {"type": "integer"}, "status": TEXT},
}
JSON = {"Content-Type": "application/json"}
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2024-01-02T03:04:05+0100"))
}


def git(folder: Path, *arguments: str, data: bytes = b"") -> bytes:
    """Run git, far from the user's settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **WHO}
    command = ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.strip()


def make_repository(folder: Path, files: Mapping[str, bytes], *, name: str = "first") -> Path:
    """Commit files in a new repository."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", name)
    return folder


def check(schema: dict[str, Any], answer: Any) -> bytes:
    """Return an answer's bytes, if it is what the documentation says."""
    jsonschema.validate(answer, schema)
    return json.dumps(answer).encode()


def pack(folder: Path, value: str) -> bytes:
    """Return a folder as the vault packs it, without git's own files."""
    data = io.BytesIO()

    def leave_out(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if ".git" in info.name.split("/") else info

    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(folder, arcname=f"swh:1:dir:{value}", filter=leave_out)
    return data.getvalue()


class SwhServer(FaultServer):
    """Has objects, and answers for them as the archive does; and what makes the repositories that they are from."""

    git = staticmethod(git)
    make_repository = staticmethod(make_repository)
    pack = staticmethod(pack)

    def load(self, repository: Path) -> None:
        """Archive every object of a repository."""
        listed = git(repository, "cat-file", "--batch-all-objects", "--batch-check").decode().splitlines()
        for value, kind, _ in (line.split() for line in listed):
            data = subprocess.run(
                ["git", "cat-file", kind, value], cwd=repository, capture_output=True, check=True
            ).stdout
            self.store(kind, data)
        for value in [line.split()[0] for line in listed if " tree " in line]:
            self._list(value)

    def tree(self, files: Mapping[str, bytes]) -> str:
        """Archive files without any repository; return the hash of their directory."""
        folders: dict[str, list[tuple[bytes, bytes, str]]] = {"": []}
        for path in files:
            parts = path.split("/")
            for depth in range(1, len(parts)):
                folders.setdefault("/".join(parts[:depth]), [])
        for path, data in files.items():
            parent, _, name = path.rpartition("/")
            folders[parent].append((b"100644", name.encode(), self.store("blob", data)))
        for path in sorted(folders, key=lambda each: each.count("/") + bool(each), reverse=True):
            rows = sorted(folders[path], key=lambda row: row[1] + (b"/" if row[0] == b"40000" else b""))
            value = self.store("tree", b"".join(b"%s %s\0%s" % (m, n, bytes.fromhex(t)) for m, n, t in rows))
            self._list(value)
            parent, _, name = path.rpartition("/")
            if path:
                folders[parent].append((b"40000", name.encode(), value))
        return value

    def store(self, kind: str, data: bytes) -> str:
        """Archive one object; return its hash."""
        raw = f"{kind} {len(data)}".encode() + b"\0" + data
        value = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        name = {"blob": "cnt", "tree": "dir", "commit": "rev", "tag": "rel", "snapshot": "snp"}[kind]
        if kind == "blob":
            meta = {
                "checksums": {"sha1_git": value, "sha256": hashlib.sha256(data).hexdigest()}, "length": len(data),
                "data_url": f"{self.url}/api/1/content/sha1_git:{value}/raw/", "status": "visible",
            }  # fmt: skip
            self.add(f"/api/1/content/sha1_git:{value}/", check(CONTENT, meta), headers=JSON, etag=None)
            self.add(f"/api/1/content/sha1_git:{value}/raw/", data, etag=None, ranges=False)
        else:
            self.add(f"/api/1/raw/swh:1:{name}:{value}/", raw, etag=None, ranges=False)
        return value

    def snapshot(self, branches: Mapping[bytes, tuple[str, bytes]]) -> str:
        """Archive a snapshot."""
        rows = sorted(branches.items())
        return self.store("snapshot", b"".join(b"%s %s\0%d:%s" % (k.encode(), n, len(t), t) for n, (k, t) in rows))

    def raw(self, kind: str, value: str) -> bytes:
        """Return an object without its header."""
        return self.resources[f"/api/1/raw/swh:1:{kind}:{value}/"].body.partition(b"\0")[2]  # type: ignore[union-attr]

    def _list(self, value: str) -> None:
        body, rows, at = self.raw("dir", value), [], 0
        while at < len(body):
            null = body.index(b"\0", at)
            mode, _, name = body[at:null].partition(b" ")
            target, at = body[null + 1 : null + 21].hex(), null + 21
            perms = int(mode, 8)
            kind = {0o040000: "dir", 0o160000: "rev"}.get(perms, "file")
            path = {"dir": f"directory/{target}", "rev": f"revision/{target}", "file": f"content/sha1_git:{target}"}
            row: dict[str, Any] = {"dir_id": value, "type": kind, "perms": perms, "target": target,
                                   "target_url": f"{self.url}/api/1/{path[kind]}/", "length": None}  # fmt: skip
            try:
                row["name"] = name.decode()
            except UnicodeDecodeError:
                row |= {"name": name.decode("utf-8", "backslashreplace"), "decoding_failures": ["name"]}
            blob = self.resources.get(f"/api/1/content/sha1_git:{target}/")
            if kind == "file":
                row["status"] = "visible" if blob else "absent"
            if kind == "file" and blob:
                meta = json.loads(blob.body)  # type: ignore[arg-type]
                row |= {"length": meta["length"], "checksums": meta["checksums"]}
            rows.append(row)
        self.add(f"/api/1/directory/{value}/", check(DIRECTORY, rows), headers=JSON, etag=None)

    def cook(self, value: str, bundle: bytes, statuses: list[str], message: str | None = None) -> None:
        """Let the vault have a bundle of a directory, after these answers; a question before any order finds none."""
        swhid = f"swh:1:dir:{value}"
        path = f"/api/1/vault/flat/{swhid}/"
        states = iter(statuses)
        ordered = []

        def answer(request: Request, resource: Resource) -> None:
            if request.method == "POST":
                ordered.append(request)
            if not ordered:
                resource.status = 404
                return
            resource.status, status = 200, next(states, statuses[-1])
            resource.body = check(VAULT, {
                "fetch_url": f"{self.url}{path}raw/", "progress_message": message, "id": 1, "status": status,
                "swhid": swhid,
            })  # fmt: skip
            if status == "done":
                self.add(f"{path}raw/", bundle, headers={"Content-Type": "application/gzip"}, etag=None, ranges=False)

        self.add(path, b"", headers=JSON, etag=None, on_request=answer)


@pytest.fixture
def archive() -> Iterator[SwhServer]:
    with SwhServer() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, archive: SwhServer) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [SwhResolver, ContentFetcher, SwhTreeFetcher])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.swh": {"server": archive.url}}}
    yield made
    made.close()
