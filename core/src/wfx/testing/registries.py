"""Registries on loopback: one in memory that goes wrong as it is told, and Debian's docker-registry as the real one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import socket
import subprocess
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from wfx.testing.images import MadeImage
from wfx.testing.processes import wait_until
from wfx.testing.requirements import require_program
from wfx.testing.servers import FaultServer, Request, Resource

# docker-registry takes no other hash than bcrypt, which Python has none of.
LOGIN = ("user", "correct horse")
LOGIN_HASH = "$2b$04$FIzI9nsJx1GQzqsbm7yAUujZsBo1CJuzvcuyDli7MRkhOE/Wmj.xW"


class Registry(FaultServer):
    """A registry in memory (OCI distribution specification 1.1, reading only); every blob can go wrong as a Resource.

    ::

        with Registry() as registry:
            registry.push("wfx/tools", "1", make_image())
            reference = f"docker://{registry.host}/wfx/tools:1"
    """

    def __init__(self, *, auth: str = "", public: bool = True, lifetime: float = 300.0) -> None:
        """`auth`: `token` or `basic`, or empty for everybody; `public`: whether everybody gets a token."""
        super().__init__()
        self.auth, self.public, self.lifetime = auth, public, lifetime
        self.username, self.password = LOGIN
        self.tokens: set[str] = set()
        self.denied: list[Request] = []
        self.token_requests: list[Request] = []
        self.tags: dict[str, list[str]] = {}
        self.add("/v2/", b"{}")

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{self.address}:{self.port}"

    def push(self, repository: str, tag: str, image: MadeImage) -> str:
        """Put an image there; return its digest."""
        for digest, data in image.blobs.items():
            self.add(f"/v2/{repository}/blobs/{digest}", data, etag=f'"{digest}"')
            if data[:1] == b"{" and b"schemaVersion" in data:
                self._manifest(repository, digest, data)
        self._manifest(repository, tag, image.blobs[image.digest])
        tags = self.tags.setdefault(repository, [])
        if tag not in tags:
            tags.append(tag)
        self.add(f"/v2/{repository}/tags/list?n=1000", json.dumps({"name": repository, "tags": tags}).encode())
        return image.digest

    def _manifest(self, repository: str, name: str, data: bytes) -> None:
        headers = {
            "Content-Type": str(json.loads(data).get("mediaType", "")),
            "Docker-Content-Digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        }
        self.add(f"/v2/{repository}/manifests/{name}", data, headers=headers)

    def blob(self, repository: str, digest: str) -> Resource:
        """Return a blob, to make it go wrong."""
        return self.resources[f"/v2/{repository}/blobs/{digest}"]

    def manifest(self, repository: str, name: str) -> Resource:
        """Return a manifest by tag or digest, to make it go wrong."""
        return self.resources[f"/v2/{repository}/manifests/{name}"]

    def asked_blobs(self, repository: str) -> list[str]:
        """Return the digests of the blobs that were asked for and given, in order."""
        prefix = f"/v2/{repository}/blobs/"
        return [request.path.removeprefix(prefix) for request in self.requests if request.path.startswith(prefix)]

    # -- inside

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        if request.path.startswith("/token"):
            self.token_requests.append(request)
            status, answer = self._token(request)
            return self._json(connection, status, answer)
        if self.auth and not self._may(request):
            self.denied.append(request)
            return self._json(connection, 401, errors("UNAUTHORIZED"), {"WWW-Authenticate": self._challenge(request)})
        return super()._answer(connection, request)

    def _json(
        self, connection: socket.socket, status: int, value: object, headers: Mapping[str, str] | None = None
    ) -> bool:
        body = json.dumps(value).encode()
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
        connection.sendall(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)
        return True

    def basic(self) -> str:
        """Return the Authorization header of the one login."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def _may(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        if self.auth == "basic":
            return given == self.basic()
        return given.startswith("Bearer ") and given.removeprefix("Bearer ") in self.tokens

    def _challenge(self, request: Request) -> str:
        if self.auth == "basic":
            return 'Basic realm="registry"'
        parts = request.path.split("/")
        scope = f',scope="repository:{"/".join(parts[2:-2])}:pull"' if len(parts) > 4 else ""
        return f'Bearer realm="{self.url}/token",service="registry.test"{scope}'

    def _token(self, request: Request) -> tuple[int, object]:
        login = request.headers.get("authorization")
        form = urllib.parse.parse_qs(request.body.decode())
        known = login == self.basic() or form.get("refresh_token") == [self.password]
        if not known and not (self.public and login is None and not form):
            return 401, errors("UNAUTHORIZED")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return 200, {"token": token, "expires_in": self.lifetime}


def errors(code: str, message: str = "no") -> dict[str, object]:
    """Return what a registry answers when something is wrong."""
    return {"errors": [{"code": code, "message": message}]}


class DockerRegistry:
    """Debian's docker-registry on a free port of this machine, its data in a folder; use it as a context."""

    def __init__(self, folder: Path, *, private: bool = False) -> None:
        """With `private` it wants the one login, by Basic authentication."""
        self.folder = folder
        self.login = LOGIN if private else None
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """`localhost:PORT`."""
        return f"localhost:{self.port}"

    def __enter__(self) -> DockerRegistry:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, with what it had."""
        program = require_program("docker-registry")
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [
            "version: 0.1", "log: {level: warn}",
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'data'}}}, delete: {{enabled: true}}}}",
            f'http: {{addr: "127.0.0.1:{self.port}"}}',
        ]  # fmt: skip
        if self.login is not None:
            (self.folder / "htpasswd").write_text(f"{self.login[0]}:{LOGIN_HASH}\n")
            lines.append(f"auth: {{htpasswd: {{realm: wfx, path: {self.folder / 'htpasswd'}}}}}")
        config = self.folder / "registry.yml"
        config.write_text("\n".join(lines) + "\n")
        with (self.folder / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, f"the registry answers ({self.folder / 'registry.log'})", timeout=20)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "registry.log").read_text()[-2000:]
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def stop(self) -> None:
        """Stop it; its data stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def push(self, layout: Path, name: str) -> str:
        """Push the one image of an OCI layout as `REPOSITORY:TAG` with skopeo; return its name with the registry."""
        skopeo = require_program("skopeo")
        target = f"{self.host}/{name}"
        login = ["--dest-creds", ":".join(self.login)] if self.login else []
        subprocess.run(
            [skopeo, "--insecure-policy", "copy", "-q", "--all", "--dest-tls-verify=false", *login, f"oci:{layout}",
             f"docker://{target}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return target

    def digest(self, name: str) -> str:
        """Return the digest of `REPOSITORY:TAG`, as skopeo has it."""
        login = ["--creds", ":".join(self.login)] if self.login else []
        done = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", *login, "--format", "{{.Digest}}", f"docker://{self.host}/{name}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
