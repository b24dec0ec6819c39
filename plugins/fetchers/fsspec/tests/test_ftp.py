"""The contract of fetchers, against a real FTP server on loopback."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import ReferenceNotFound
from wfx.fetching import Reference
from wfx.testing.fetchers import FetcherContract
from wfx_fsspec import FsspecFetcher

pyftpdlib = pytest.importorskip("pyftpdlib.servers", reason="pyftpdlib is not installed (pip install pyftpdlib)")
from pyftpdlib.authorizers import DummyAuthorizer  # noqa: E402
from pyftpdlib.handlers import DTPHandler, FTPHandler  # noqa: E402


class FtpPlace:
    """A folder behind an FTP server, whose transfers go wrong as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cut_after = 0
        self.stalled = False
        self.asked = threading.Event()
        place = self

        class Data(DTPHandler):
            def initiate_send(self) -> None:
                place.asked.set()
                if not place.stalled:
                    super().initiate_send()

            def push_with_producer(self, producer: Any) -> None:
                place.asked.set()
                if not place.stalled:
                    super().push_with_producer(producer)

            def send(self, data: bytes) -> int:
                if place.cut_after and self.get_transmitted_bytes() + len(data) > place.cut_after:
                    super().send(data[: place.cut_after // 2])
                    # Without a goodbye on the other connection, as when a machine goes down.
                    self.cmd_channel.close()
                    self.close()
                    return 0
                return super().send(data)

        self.authorizer = DummyAuthorizer()
        self.authorizer.add_anonymous(str(folder))
        handler = type(
            "Handler", (FTPHandler,), {"authorizer": self.authorizer, "dtp_handler": Data, "use_sendfile": False}
        )
        self.server = pyftpdlib.ThreadedFTPServer(("127.0.0.1", 0), handler)
        self.url = f"ftp://127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"timeout": 0.05, "handle_exit": False}, daemon=True
        )

    def put(self, data: bytes) -> Reference:
        name = f"{len(list(self.folder.iterdir()))}.bin"
        path = self.folder / name
        path.write_bytes(data)
        # FTP tells times to the second: only one that lies back can be trusted.
        os.utime(path, (time.time() - 3600,) * 2)
        return Reference(f"{self.url}/{name}")


@pytest.mark.real
class TestFtp(FetcherContract):
    fetcher = FsspecFetcher
    faults = frozenset({"cut", "stall", "change", "guard"})

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[FtpPlace]:
        folder = tmp_path / "ftp"
        folder.mkdir()
        place = FtpPlace(folder)
        place.thread.start()
        yield place
        place.server.close_all()
        place.thread.join(10)

    def put(self, place: FtpPlace, data: bytes) -> Reference:
        return place.put(data)

    def missing(self, place: FtpPlace) -> Reference:
        return Reference(f"{place.url}/none.bin")

    def cut(self, place: FtpPlace, data: bytes) -> None:
        place.cut_after = len(data) // 2

    def stall(self, place: FtpPlace, data: bytes) -> threading.Event:
        place.stalled = True
        place.asked.clear()
        return place.asked

    def change(self, place: FtpPlace, data: bytes, other: bytes) -> None:
        for path in place.folder.iterdir():
            if path.read_bytes() == data:
                path.write_bytes(other)

    def guard(self, place: FtpPlace, user: str, password: str) -> None:
        place.authorizer.remove_user("anonymous")
        place.authorizer.add_user(user, password, str(place.folder))

    def test_a_folder_is_refused_with_what_to_do(self, place: FtpPlace, bench: Any) -> None:
        (place.folder / "sub").mkdir()
        with pytest.raises(Exception, match="it is a folder: wfx-fsspec fetches files; name its files"):
            bench.one(Reference(f"{place.url}/sub"))

    def test_a_server_that_is_not_there_can_be_tried_again(self, place: FtpPlace, bench: Any) -> None:
        place.server.close_all()
        with pytest.raises(Exception, match="fsspec could not open it") as caught:
            bench.one(Reference(f"{place.url}/x"))
        assert not isinstance(caught.value, ReferenceNotFound)
        assert caught.value.exit_code == 4
