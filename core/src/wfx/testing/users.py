"""Another user of the machine, for tests that run as root: what they start as that user has no rights at all."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from wfx.testing.processes import wait_until
from wfx.testing.requirements import require_program


@dataclass(slots=True)
class OtherUser:
    """A user that was made for the tests."""

    name: str
    uid: int
    gid: int
    home: Path

    def command(self, command: Sequence[str | Path], environment: Mapping[str, str] = {}) -> list[str]:
        """Return the command line that runs a command as this user, in his home and with his own variables alone.

        This Python is seen by him even where it lies in a folder that is closed to others, as below /root: in a view of
        the file system of his own.
        """
        own = {
            "HOME": str(self.home),
            "USER": self.name,
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
        }
        variables = [f"{name}={value}" for name, value in {**own, **environment}.items()]
        words = [
            "setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--init-groups",
            "env", "-i", "-C", str(self.home), *variables, *map(str, command),
        ]  # fmt: skip
        script = "\n".join(["set -e", *_openings(), f"exec {shlex.join(words)}"])
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]

    def run(
        self, *command: str | Path, environment: Mapping[str, str] = {}, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this user."""
        return subprocess.run(
            self.command(command, environment), capture_output=True, text=True, errors="replace", timeout=timeout,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip


def _openings() -> Iterator[str]:
    """Yield the lines that show Python and its packages where others may not pass: alone, in place of the closed folder."""
    needed = {Path(sys.prefix), Path(sys.base_prefix), *(Path(p).resolve() for p in sys.path if os.path.isdir(p))}
    closed: dict[Path, set[Path]] = {}
    for path in sorted(needed):
        folder = next((p for p in reversed(path.parents) if not p.stat().st_mode & stat.S_IXOTH), None)
        if folder is not None:
            inner = closed.setdefault(folder, set())
            if not any(path.is_relative_to(other) for other in inner):
                inner.add(path)
    for folder, inner in closed.items():
        pairs = [(path, f"$kept/{number}") for number, path in enumerate(sorted(inner))]
        yield "kept=$(mktemp -d)"
        yield 'mount -t tmpfs none "$kept"'
        yield from (f'mkdir "{kept}" && mount --bind {shlex.quote(str(path))} "{kept}"' for path, kept in pairs)
        yield f"mount -t tmpfs -o mode=755 none {shlex.quote(str(folder))}"
        for path, kept in pairs:
            place = shlex.quote(str(path))
            yield f'mkdir -p {place} && mount --bind "{kept}" {place}'
        yield 'umount -l "$kept"'


@pytest.fixture(scope="session")
def other_user() -> Iterator[OtherUser]:
    """A user without rights, with a home, and ranges of ids where the machine gives them out (subuid(5))."""
    if os.geteuid() != 0:
        pytest.skip("only root makes users; without root the other tests run without rights in any case")
    for program in ("useradd", "userdel", "setpriv", "unshare"):
        require_program(program, package="passwd util-linux")
    name = f"wfx-{secrets.token_hex(4)}"
    done = subprocess.run(["useradd", "--create-home", name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    try:
        entry = pwd.getpwnam(name)
        yield OtherUser(name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
    finally:
        entry = pwd.getpwnam(name)
        # Podman leaves a process that holds his namespace; while one is there the user cannot be removed.
        wait_until(lambda: not _end_all(entry.pw_uid), "his processes end")
        # Files of his ranges of ids lie there too.
        for folder in (entry.pw_dir, f"/tmp/podman-run-{entry.pw_uid}"):
            shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run(["userdel", name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _end_all(uid: int) -> bool:
    """Kill every process of a user; say whether there was one."""
    found = False
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == uid and "(zombie)" not in (path / "status").read_text():
                os.kill(int(path.name), signal.SIGKILL)
                found = True
    return found
