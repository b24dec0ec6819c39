"""A real FTP server on loopback, whose transfers go wrong as a test says."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority, make_authority
from wfx.testing.machines import private_machine
from wfx_ftp import FtpFetcher

HOUR = 3600


class FtpPlace:
    """A folder behind an FTP server; `handler` and its attributes say what kind of server, the rest how it goes wrong."""

    scheme = "ftp"

    def __init__(self, folder: Path, handler: type[Any] = FTPHandler, **more: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.cuts: list[int] = []
        """Of the next transfers: after how many bytes the data connection ends; -1 is whole."""
        self.goodbye = "426 Connection closed; transfer aborted."
        """What is said on the control connection of a transfer that is cut; nothing: it is closed too."""
        self.stalled = False
        self.asked = threading.Event()
        self.commands: list[str] = []
        self.logins = 0
        place = self

        class Data(handler.dtp_handler):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                self.limit: int | None = None

            def initiate_send(self) -> None:
                place.asked.set()
                if not place.stalled:
                    super().initiate_send()

            def push_with_producer(self, producer: Any) -> None:
                self.limit = place.cuts.pop(0) if place.cuts else -1
                place.asked.set()
                if not place.stalled:
                    super().push_with_producer(producer)

            def send(self, chunk: bytes) -> int:
                limit = -1 if self.limit is None else self.limit
                if 0 <= limit <= self.get_transmitted_bytes() + len(chunk):
                    left = limit - self.get_transmitted_bytes()
                    if left:
                        super().send(chunk[:left])
                    if place.goodbye:
                        self.cmd_channel.respond(place.goodbye)
                    else:
                        self.cmd_channel.close()
                    self.close()
                    return 0
                return super().send(chunk)

        class Handler(handler):
            def on_connect(self) -> None:
                place.logins += 1
                place.handlers.add(self)

            def on_disconnect(self) -> None:
                place.handlers.discard(self)

            def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
                place.commands.append(line)
                super().pre_process_command(line, cmd, arg)

        self.authorizer = DummyAuthorizer()
        self.authorizer.add_anonymous(str(folder))
        for name, value in {
            "use_sendfile": False,
            "banner": "ready",
            "auth_failed_timeout": 0,
            "unicode_errors": "surrogateescape",
            **more,
        }.items():
            setattr(Handler, name, value)
        Handler.authorizer, Handler.dtp_handler = self.authorizer, Data
        self.handler = Handler
        self.handlers: set[Any] = set()
        self.server = FTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"timeout": 0.02, "handle_exit": False}, daemon=True
        )
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def write(self, path: str, data: bytes, *, age: float = HOUR) -> Reference:
        """Put a file that was changed an hour ago: FTP tells times to the second, so only one that lies back counts."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (time.time() - age,) * 2)
        return Reference(f"{self.url}/{path}")

    def asked_for(self, command: str) -> list[str]:
        return [line for line in self.commands if line.split()[0] == command]

    def close(self) -> None:
        self.server.close_all()
        self.thread.join(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., FtpPlace]]:
    """Start servers: with another handler, with settings of one."""
    made: list[FtpPlace] = []

    def start(handler: type[Any] = FTPHandler, **more: Any) -> FtpPlace:
        made.append(FtpPlace(tmp_path / "ftp", handler, **more))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def serve_tls(serve: Callable[..., FtpPlace], authority: Authority, tmp_path: Path) -> Callable[..., FtpPlace]:
    """Start servers with TLS."""
    from pyftpdlib.handlers import TLS_FTPHandler

    pem = tmp_path / "server.pem"
    pem.write_bytes(authority.certificate.read_bytes() + authority.key.read_bytes())

    def start(handler: type[Any] = TLS_FTPHandler, **more: Any) -> FtpPlace:
        both = {"tls_control_required": True, "tls_data_required": True}
        made = serve(handler, certfile=str(pem), **both, **more)
        made.scheme = "ftps"
        return made

    return start


@pytest.fixture
def place(serve: Callable[..., FtpPlace]) -> FtpPlace:
    return serve()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), "data.example.org")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    made = FetchBench(tmp_path / "bench", [FtpFetcher])
    made.settings = {"retries": 0}
    yield made
    made.close()
