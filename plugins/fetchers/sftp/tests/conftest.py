"""A real SSH server on loopback (asyncssh), whose transfers go wrong as a test says."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.machines import private_machine
from wfx_sftp import SftpFetcher

HOUR = 3600
USER = "tester"


class SshPlace:
    """A folder behind an SSH server."""

    def __init__(self, folder: Path, host_key: asyncssh.SSHKey, user_keys: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.host_key, self.user_keys = folder, host_key, user_keys
        self.passwords: dict[str, str] = {}
        self.closed_to_all = False
        """Whether a proof is asked for."""
        self.cuts: list[int] = []
        """Offsets at which, one after the other, a read breaks the connection."""
        self.short_at: int | None = None
        """Offset at which files end, whatever their size is said to be."""
        self.stalled = False
        self.asked = threading.Event()
        self.logins: list[str] = []
        self.reads: list[int] = []
        self.names: list[asyncssh.SFTPName] | None = None
        """What every folder has, in place of the truth."""
        self.connections: list[Any] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        place = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: Any) -> None:
                self.conn = conn
                place.connections.append(conn)

            def begin_auth(self, username: str) -> bool:
                place.logins.append(username)
                if place.user_keys is not None:
                    self.conn.set_authorized_keys(str(place.user_keys))
                return place.closed_to_all

            def password_auth_supported(self) -> bool:
                return bool(place.passwords)

            def validate_password(self, username: str, password: str) -> bool:
                return place.passwords.get(username) == password

        class Files(asyncssh.SFTPServer):
            def __init__(self, chan: Any) -> None:
                super().__init__(chan, chroot=str(place.folder))
                self.chan = chan

            async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
                place.asked.set()
                place.reads.append(offset)
                while place.stalled:
                    await asyncio.sleep(0.02)
                if place.cuts and offset <= place.cuts[0] < offset + size:
                    # What comes before is sent, what comes after never.
                    wanted = place.cuts[0] - offset
                    if wanted:
                        place.cuts[0] = offset + wanted
                        return super().read(file_obj, offset, wanted)
                    place.cuts.pop(0)
                    self.chan.get_connection().abort()
                    return b""
                if place.short_at is not None:
                    size = max(0, min(size, place.short_at - offset))
                    if not size:
                        raise asyncssh.SFTPEOFError
                return super().read(file_obj, offset, size)

            async def scandir(self, path: bytes) -> Any:
                if place.names is not None:
                    for name in place.names:
                        yield name
                    return
                async for name in super().scandir(path):
                    yield name

        async def start() -> Any:
            return await asyncssh.create_server(
                Server, "127.0.0.1", 0, server_host_keys=[host_key], sftp_factory=Files, config=None
            )

        self.server = self.do(start())
        self.port = self.server.get_port()

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}"

    def write(self, path: str, data: bytes, *, age: float = HOUR) -> Reference:
        """Put a file that was changed an hour ago: only a time that lies back counts."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (int(time.time() - age),) * 2)
        return Reference(f"{self.url}/{path}")

    def known(self, key: asyncssh.SSHKey | None = None) -> str:
        line = (key or self.host_key).export_public_key().decode().strip()
        return f"[127.0.0.1]:{self.port} {line}\n"

    def close(self) -> None:
        async def end() -> None:
            self.server.close()
            for connection in self.connections:
                connection.abort()
            await self.server.wait_closed()

        self.stalled = False
        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="session")
def host_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def serve(tmp_path: Path, host_key: asyncssh.SSHKey) -> Iterator[Callable[..., SshPlace]]:
    made: list[SshPlace] = []

    def start(**options: Any) -> SshPlace:
        made.append(SshPlace(tmp_path / "files", options.pop("host_key", host_key), **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def place(serve: Callable[..., SshPlace]) -> SshPlace:
    return serve()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: USER)
    return private_machine(tmp_path / "machine", monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, machine: Path, place: SshPlace, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    """A bench that knows the server."""
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    known = tmp_path / "known_hosts"
    known.write_text(place.known())
    made = FetchBench(tmp_path / "bench", [SftpFetcher])
    made.settings = {"retries": 0}
    made.network = {"sections": {"fetcher.sftp": {"known_hosts": [str(known)]}}}
    yield made
    made.close()
