"""Against OpenSSH's own server."""

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

import asyncssh
import pytest
from wfx.errors import AccessDenied, FetchError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx.testing.requirements import require_program
from wfx_sftp import SftpFetcher

pytestmark = pytest.mark.real
DATA = bytes(range(256)) * 12_288


class OpenSsh:
    """A running sshd, and a folder of this machine that it shows."""

    def __init__(self, top: Path, port: int, user: str) -> None:
        self.folder, self.key, self.user, self.port = top / "files", top / "id", user, port
        self.url = f"sftp://127.0.0.1:{port}{self.folder}"
        self.keys = {kind: (top / f"host-{kind}.pub").read_text() for kind in ("ed25519", "rsa")}

    def write(self, path: str, data: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (int(time.time()) - 3600,) * 2)


@pytest.fixture(scope="module")
def openssh() -> Iterator[OpenSsh]:
    program = os.path.realpath(require_program("sshd", package="scripts/runtimes stores"))
    # As root it would want an account of its own for its child; as somebody it lets in just him.
    somebody = pwd.getpwuid(os.geteuid() or pwd.getpwnam("daemon").pw_uid)
    top = Path(tempfile.mkdtemp(prefix="wfx-sshd-"))
    top.chmod(0o755)
    (top / "files").mkdir()
    for kind, name in (("ed25519", "host-ed25519"), ("rsa", "host-rsa"), ("ed25519", "id")):
        made = asyncssh.generate_private_key("ssh-rsa" if kind == "rsa" else "ssh-ed25519")
        made.write_private_key(top / name)
        made.write_public_key(top / f"{name}.pub")
        (top / name).chmod(0o600)
        if name != "id":
            shutil.chown(top / name, somebody.pw_uid)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (top / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {top}/host-ed25519\nHostKey {top}/host-rsa\n"
        f"AuthorizedKeysFile {top}/id.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", str(top / "conf")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, **({"user": somebody.pw_uid, "group": somebody.pw_gid} if os.geteuid() == 0 else {}),
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "sshd has ended"
                time.sleep(0.05)
        yield OpenSsh(top, port, somebody.pw_name)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(top)


@pytest.fixture
def at(openssh: OpenSsh, bench: Any, tmp_path: Path) -> Any:
    """A bench that knows the server and has the key."""
    bench.config.mkdir(parents=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["sftp://127.0.0.1:{openssh.port}"]\nusername = "{openssh.user}"\nkey_file = "{openssh.key}"\n')
    path.chmod(0o600)
    know(openssh, bench, tmp_path, "ed25519")
    return bench


def know(openssh: OpenSsh, bench: Any, tmp_path: Path, kind: str) -> None:
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{openssh.port} {openssh.keys[kind]}")
    bench.network = {"sections": {"fetcher.sftp": {"known_hosts": [str(known)]}}}


def test_files_and_folders_come(openssh: OpenSsh, at: Any) -> None:
    files = {"a.bin": DATA, "sub/ü b.txt": b"two\n", "sub/#1": b""}
    for path, data in files.items():
        openssh.write(f"d/{path}", data)
    assert at.files_of(at.one(f"{openssh.url}/d/")) == files
    assert at.files_of(at.one(f"{openssh.url}/d/**/*.txt")) == {"sub/ü b.txt": b"two\n"}


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_each_of_its_keys_makes_it_known(openssh: OpenSsh, at: Any, tmp_path: Path, kind: str) -> None:
    openssh.write("a.txt", b"a\n")
    know(openssh, at, tmp_path, kind)
    assert at.bytes_of(at.one(f"{openssh.url}/a.txt")) == b"a\n"


def test_a_transfer_goes_on_in_the_middle(openssh: OpenSsh, at: Any) -> None:
    openssh.write("a.bin", DATA)
    net, fetcher, ref = at.net(), SftpFetcher(), Reference(f"{openssh.url}/a.bin")
    whole = fetcher.open(ref, net)
    assert read(whole) == DATA
    for start, stop in ((1000, 2000), (1000, None)):
        body = fetcher.open(ref, net, Span(start, stop, whole.validator))
        assert (body.start, read(body)) == (start, DATA[start:stop])


def test_what_is_missing_a_folder_or_forbidden_is_told_apart(openssh: OpenSsh, at: Any) -> None:
    openssh.write("e/a.txt", b"a\n")
    with pytest.raises(ReferenceNotFound):
        at.one(f"{openssh.url}/none")
    with pytest.raises(FetchError, match="it is a folder"):
        at.one(f"{openssh.url}/e")
    if os.geteuid() == 0:
        with pytest.raises(AccessDenied, match="refuses it"):
            at.one(f"sftp://127.0.0.1:{openssh.port}/etc/shadow")


def test_links_are_followed_but_not_in_a_circle(openssh: OpenSsh, at: Any) -> None:
    openssh.write("links/real/a.txt", b"a\n")
    (openssh.folder / "links" / "other").symlink_to("real")
    assert at.files_of(at.one(f"{openssh.url}/links/")) == {"real/a.txt": b"a\n", "other/a.txt": b"a\n"}
    (openssh.folder / "links" / "real" / "up").symlink_to("..")
    with pytest.raises(PolicyError, match="leads back"):
        at.one(f"{openssh.url}/links/")


def test_a_key_that_is_not_wanted_is_said(openssh: OpenSsh, at: Any, tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    (tmp_path / "other").chmod(0o600)
    path = at.config / "credentials.toml"
    path.write_text(path.read_text().replace(str(openssh.key), str(tmp_path / "other")))
    with pytest.raises(AccessDenied, match="tried the key"):
        at.one(f"{openssh.url}/a.txt")
