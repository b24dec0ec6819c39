"""Real git servers on loopback, with repositories that have everything in them, and with faults.

::

    repository = make_repository(tmp_path / "served" / "one.git", {"README": b"hello"}, tag="v1")
    with GitHttp(tmp_path / "served", user="ann", password="secret") as server:
        fetch(f"git+{server.url}/one.git@v1")
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wfx.testing.processes import wait_until
from wfx.testing.repositories import (
    Executable,
    File,
    Large,
    Repository,
    Submodule,
    Symlink,
    git_environment,
    make_repository,
)

__all__ = [
    "Executable", "File", "GitDaemon", "GitHttp", "Large", "Repository", "Request", "Submodule", "Symlink", "gone",
    "has_git", "make_repository",
]  # fmt: skip

LFS_TYPE = "application/vnd.git-lfs+json"


class GitDaemon:
    """`git daemon` for all repositories in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`git://host:port`, without a slash at its end."""
        return f"git://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={self.port}",
             f"--base-path={self.folder}", os.fspath(self.folder)],
            env=git_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: _listens(self.port), "git daemon listens")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and what it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a server got."""

    method: str
    target: str
    authorization: str | None


class GitHttp:
    """Smart HTTP for all repositories in a folder, by `git http-backend`, with git LFS and with faults.

    `user` and `password` ask for Basic authentication; `lfs` holds large files by oid, None has no LFS at all;
    `version` 0 speaks the protocol of before 2018, in which a server can refuse commits that no branch names;
    `status` answers everything so, with `location` where one is given (and the path behind it, where that ends with a
    slash); `cut` ends each pack after so many bytes, `stall` says nothing for so many seconds in the middle of one;
    without `smart` files are all that is served (see `git update-server-info`).
    """

    def __init__(
        self, folder: Path, *, user: str = "", password: str = "", lfs: Mapping[str, bytes] | None = None,
        version: int = 2, status: int | None = None, cut: int | None = None, location: str = "",
        smart: bool = True, stall: float = 0.0,
    ) -> None:  # fmt: skip
        self.folder, self.user, self.password, self.lfs = folder, user, password, lfs
        self.version, self.status, self.cut, self.location = version, status, cut, location
        self.smart, self.stall = smart, stall
        self.ended = threading.Event()
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], None] = lambda _: None
        self._server: http.server.ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """`http://host:port`, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"served": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening."""
        self.ended.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None


class _Handler(http.server.BaseHTTPRequestHandler):
    served: GitHttp
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _answer(self, body: bytes) -> None:
        served = self.served
        request = Request(self.command, self.path, self.headers.get("Authorization"))
        served.requests.append(request)
        served.on_request(request)
        if served.status is not None:
            location = served.location + (self.path.lstrip("/") if served.location.endswith("/") else "")
            headers = {"Location": location} if location else {}
            return self._send(served.status, b"no", headers)
        if served.user or served.password:
            expected = base64.b64encode(f"{served.user}:{served.password}".encode()).decode()
            if request.authorization != f"Basic {expected}":
                return self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="git"'})
        path, _, query = self.path.partition("?")
        if "/info/lfs/" in path or path.startswith("/lfs/"):
            return self._large(path, body)
        return self._git(path, query, body)

    def _large(self, path: str, body: bytes) -> None:
        lfs = self.served.lfs
        if lfs is None:
            return self._send(404, b"{}", {"Content-Type": LFS_TYPE})
        if path.startswith("/lfs/"):
            content = lfs.get(path.removeprefix("/lfs/"))
            return self._send(404, b"") if content is None else self._send(200, content)
        objects = []
        for one in json.loads(body)["objects"]:
            if one["oid"] in lfs:
                objects.append(one | {"actions": {"download": {"href": f"{self.served.url}/lfs/{one['oid']}"}}})
            else:
                objects.append(one | {"error": {"code": 404, "message": "Object does not exist"}})
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        return self._send(200, answer, {"Content-Type": LFS_TYPE})

    def _git(self, path: str, query: str, body: bytes) -> None:
        environment = git_environment() | {
            "GIT_PROJECT_ROOT": os.fspath(self.served.folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if self.served.version else "",
        }  # fmt: skip
        if not self.served.smart:
            environment["QUERY_STRING"] = ""
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environment, check=False, timeout=60
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200 OK").split()[0])
        cut, stall = self.served.cut, self.served.stall
        if (cut is not None or stall) and path.endswith("/git-upload-pack") and b"PACK" in content:
            if cut is None:
                cut = len(content) // 2
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut])
            self.wfile.flush()
            self.served.ended.wait(stall)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        return self._send(status, content, headers)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


@contextlib.contextmanager
def gone(folder: Path) -> Iterator[str]:
    """Give the address of a server that no longer listens."""
    with GitHttp(folder) as server:
        url = server.url
    yield url


def has_git() -> bool:
    """Whether git is installed."""
    return shutil.which("git") is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
