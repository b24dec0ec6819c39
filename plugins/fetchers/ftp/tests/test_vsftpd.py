"""Against vsftpd: it has no MLSD, and wants the TLS session of the log-in for data."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.certificates import Authority
from wfx.testing.fetchers import read
from wfx.testing.requirements import require, require_program
from wfx_ftp import FtpFetcher

pytestmark = pytest.mark.real
DATA = bytes(range(256)) * 12_288


class Vsftpd:
    """A running vsftpd, and the folder that it shows."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.host = folder, f"127.0.0.1:{port}"

    def write(self, path: str, data: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (time.time() - 3600,) * 2)


@pytest.fixture(scope="module")
def vsftpd(authority: Authority) -> Iterator[Vsftpd]:
    program = require_program("vsftpd", package="scripts/runtimes stores")
    require(os.geteuid() == 0, "vsftpd is started by root alone")
    # Its child is nobody in particular, who must get there.
    top = Path(tempfile.mkdtemp(prefix="wfx-vsftpd-"))
    top.chmod(0o755)
    for name in ("root", "empty"):
        (top / name).mkdir(mode=0o755)
    somebody = next(each.pw_name for each in pwd.getpwall() if each.pw_uid and os.path.isdir(each.pw_dir))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "listen": "YES", "background": "NO", "listen_address": "127.0.0.1", "listen_port": port, "local_enable": "NO",
        "anonymous_enable": "YES", "anon_root": top / "root", "ftp_username": somebody, "nopriv_user": somebody,
        "secure_chroot_dir": top / "empty", "seccomp_sandbox": "NO", "ssl_enable": "YES", "allow_anon_ssl": "YES",
        "force_anon_data_ssl": "YES", "force_anon_logins_ssl": "YES", "require_ssl_reuse": "YES", "ssl_ciphers": "HIGH",
        "rsa_cert_file": authority.certificate, "rsa_private_key_file": authority.key, "utf8_filesystem": "YES",
        "vsftpd_log_file": top / "log",
    }  # fmt: skip
    (top / "conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    process = subprocess.Popen(
        [os.path.realpath(program), str(top / "conf")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "vsftpd has ended"
                time.sleep(0.05)
        yield Vsftpd(top / "root", port)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(top)


@pytest.fixture
def trusting(bench: Any, authority: Authority) -> Any:
    bench.network = {"ca_bundle": str(authority.bundle)}
    return bench


def test_files_and_folders_come_under_one_tls_session(vsftpd: Vsftpd, trusting: Any) -> None:
    files = {"a.bin": DATA, "sub/ü b.txt": b"two\n", "sub/#1": b""}
    for path, data in files.items():
        vsftpd.write(f"d/{path}", data)
    assert trusting.files_of(trusting.one(f"ftps://{vsftpd.host}/d/")) == files
    assert trusting.files_of(trusting.one(f"ftps://{vsftpd.host}/d/**/*.txt")) == {"sub/ü b.txt": b"two\n"}


def test_a_transfer_goes_on_in_the_middle_and_stops_early(vsftpd: Vsftpd, trusting: Any) -> None:
    vsftpd.write("a.bin", DATA)
    net, fetcher, ref = trusting.net(), FtpFetcher(), Reference(f"ftps://{vsftpd.host}/a.bin")
    whole = fetcher.open(ref, net)
    assert read(whole) == DATA
    for start, stop in ((1000, 2000), (1000, None)):
        body = fetcher.open(ref, net, Span(start, stop, whole.validator))
        assert (body.start, read(body)) == (start, DATA[start:stop])


def test_what_is_missing_a_folder_or_in_clear_is_told_apart(vsftpd: Vsftpd, trusting: Any) -> None:
    vsftpd.write("e/a.txt", b"a\n")
    with pytest.raises(ReferenceNotFound):
        trusting.one(f"ftps://{vsftpd.host}/none")
    with pytest.raises(FetchError, match="it is a folder"):
        trusting.one(f"ftps://{vsftpd.host}/e")
    with pytest.raises(AccessDenied, match="must use encryption"):
        trusting.one(f"ftp://{vsftpd.host}/e/a.txt")


def test_links_are_followed_but_not_in_a_circle(vsftpd: Vsftpd, trusting: Any) -> None:
    vsftpd.write("links/real/a.txt", b"a\n")
    (vsftpd.folder / "links" / "other").symlink_to("real")
    assert trusting.files_of(trusting.one(f"ftps://{vsftpd.host}/links/")) == {
        "real/a.txt": b"a\n",
        "other/a.txt": b"a\n",
    }
    (vsftpd.folder / "links" / "real" / "up").symlink_to("..")
    with pytest.raises(PolicyError, match="leads back"):
        trusting.one(f"ftps://{vsftpd.host}/links/")
