"""Run git so that nothing of a repository, and little of the user's settings, has a say in what it does.

No work tree is ever checked out, so hooks, filters, textconv and attributes have nothing to act on; what could still
run a program (fsmonitor, `ext::`) is switched off. Of the user's and the system's git settings only those of the
machine's network are kept (`KEPT`): proxies, certificate authorities, ssh and which directories are trusted. Aliases,
includes, credential helpers and `url.*.insteadOf` are not: a reference means the same for everybody. Secrets travel in
the environment of the one git process that needs them, never in an argument, an address or a file.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from wfx.errors import AccessDenied, FetchError, MachineError, PluginError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Net
from wfx.redaction import redact

from wfx_git.addresses import GitAddress

KEPT: Final = re.compile(
    rb"http\.(.*\.)?(proxy|proxyauthmethod|proxysslcert|proxysslkey|proxysslcainfo|sslcainfo|sslcapath|sslcert|sslkey"
    rb"|sslbackend|sslversion|schannel.*)|core\.sshcommand|ssh\.variant|safe\.directory"
)
SETTINGS: Final = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "true"),
    ("core.autocrlf", "false"),
    ("core.protectNTFS", "true"),
    ("core.protectHFS", "true"),
    ("core.alternateRefsCommand", ""),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("protocol.version", "2"),
    ("protocol.ext.allow", "never"),
    ("transfer.fsckObjects", "true"),
    ("transfer.credentialsInUrl", "die"),
    ("fetch.unpackLimit", "1"),
    # The gate has judged one host; a redirect would lead the credentials and the request to another.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    # Old but harmless mistakes in the history of well-known repositories.
    *(
        (f"fetch.fsck.{name}", "ignore")
        for name in (
            "zeroPaddedFilemode", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingEmail", "badTimezone",
            "badDate", "badDateOverflow", "missingNameBeforeEmail", "badEmail", "missingTaggerEntry", "badTagName",
        )
    ),
)  # fmt: skip
SSH: Final = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
TAIL: Final = 2000


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository with the right to read it."""

    address: GitAddress
    header: str = ""
    """The whole `Name: value`; empty where nobody gave credentials."""

    def __repr__(self) -> str:
        return f"Remote({self.address.url!r})"


def connect(address: GitAddress, net: Net) -> Remote:
    """Ask the gate for the way to a repository; a local one needs none. Raises OfflineError and PolicyError."""
    if address.scheme == "file":
        return Remote(address)
    credential = net.connect(address.origin).credential
    if address.scheme not in ("http", "https"):
        return Remote(address)
    if address.password is not None:
        return Remote(address, basic(address.user or "", address.password))
    return Remote(address, "" if credential is None else header(credential))


def basic(user: str, password: str) -> str:
    """Return the header of RFC 7617, and make its secrets known to the redactor."""
    value = base64.b64encode(f"{user}:{password}".encode()).decode()
    redact.learn(password)
    redact.learn(value)
    return f"Authorization: Basic {value}"


class Git:
    """Runs git in one bare repository of its own, made in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._config = folder / "wfx.config"

    def init(self, object_format: str = "sha1") -> None:
        """Make the repository. Raises PluginError where there is no git, MachineError where it cannot be written."""
        program()
        try:
            self.folder.mkdir()
            self._config.write_bytes(_settings())
            self._config.chmod(0o600)
        except OSError as error:
            raise MachineError.of(error) from error
        self.run(["init", "-q", "--bare", "--template=", f"--object-format={object_format}", os.fspath(self.folder)])

    def run(self, arguments: Sequence[str | bytes], remote: Remote | None = None, stdin: bytes | None = None) -> bytes:
        """Run to the end and return standard output. Raises as `explain` says."""
        with self.start(arguments, remote, subprocess.PIPE if stdin is not None else subprocess.DEVNULL) as process:
            out, err = process.communicate(stdin)
            if process.returncode:
                raise explain(err, remote)
            return out

    @contextlib.contextmanager
    def start(
        self, arguments: Sequence[str | bytes], remote: Remote | None = None, stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
        """Start git; whatever ends the block early ends git too, with the programs that it started."""
        process = subprocess.Popen(
            [program(), *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self._environment(remote), cwd=self.folder, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            process.wait()

    def _environment(self, remote: Remote | None) -> dict[str, str]:
        # Anything GIT_… may redirect or trace; the two that say how ssh is started are the machine's.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in ("GIT_SSH", "GIT_SSH_COMMAND")}
        kept |= {
            "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.fspath(self._config),
            "GIT_DIR": os.fspath(self.folder), "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_LITERAL_PATHSPECS": "1",
            "GIT_ALLOW_PROTOCOL": remote.address.scheme if remote else "none", "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ATTR_NOSYSTEM": "1",
        }  # fmt: skip
        if remote and remote.header:
            kept |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{remote.address.origin}/.extraHeader",
                "GIT_CONFIG_VALUE_0": remote.header,
            }
        if "GIT_SSH" not in kept and "GIT_SSH_COMMAND" not in kept and not _has(self._config, "sshcommand"):
            kept["GIT_SSH_COMMAND"] = SSH
        return kept


def program() -> str:
    """Return the path of git. Raises PluginError."""
    found = shutil.which("git")
    if found is None:
        raise PluginError("git is not installed", remedy="install it: apt install git")
    return found


def explain(stderr: bytes, remote: Remote | None) -> WfxError:
    """Turn what git said into the error that it means: refused, asked for credentials, not there, too often, unreachable."""
    text = redact(stderr.decode("utf-8", "replace"))[-TAIL:]
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    why = " ".join(lines or text.splitlines())[-600:]
    where = remote.address.url if remote else None
    lower = text.lower()

    def says(*phrases: str) -> bool:
        return any(phrase in lower for phrase in phrases)

    if says("error: 401", "could not read username", "could not read password", "authentication failed"):
        if remote and remote.header:
            return AccessDenied(
                "the repository refuses the credentials (401)",
                where=where,
                why=why,
                remedy="check the token of this host",
            )
        return AccessDenied(
            "the repository asks for credentials (401)", where=where, why=why,
            remedy="give a token for this host, if the repository is there at all: hosts answer so for unknown ones too",
        )  # fmt: skip
    if says("error: 403", "permission denied (publickey", "host key verification failed"):
        return AccessDenied(
            "the repository may not be read (403)", where=where, why=why, remedy="check the token's or key's rights"
        )
    if says("error: 429"):
        return FetchError(
            "the host says there were too many requests (429)", where=where, why=why, remedy="wait, or give a token"
        )
    if says("error: 301", "error: 302", "error: 303", "error: 307", "error: 308"):
        return FetchError(
            "the repository has moved", where=where, why=why, remedy="use its new address, or add .git to this one"
        )
    if says("fsck error", "fsck fail", "fsckerror"):
        return PolicyError("the repository holds an object that git thinks malformed or hostile", where=where, why=why)
    if says("no space left"):
        return MachineError("no space left", where=where, why=why, remedy="free some space")
    if says("transport '") and says("not allowed"):
        return PolicyError("the address uses a protocol that is not allowed", where=where, why=why)
    if says("error: 404", "' not found", "repository not found", "does not appear to be a git repository",
            "repository not exported", "no such file or directory", "does not exist"):  # fmt: skip
        return ReferenceNotFound("there is no such repository", where=where, why=why, remedy="check the address")
    return FetchError("git could not fetch", where=where, why=why or "it gave no reason", remedy="try again later")


def _settings() -> bytes:
    """Return the text of a git configuration: ours, after what is kept of the machine's."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_COUNT")}
    # Outside of any repository, so that no repository's settings are among them.
    listed = subprocess.run(
        [program(), "config", "--list", "-z"],
        capture_output=True,
        env=environment | {"GIT_DIR": os.devnull},
        check=False,
    ).stdout
    pairs: list[tuple[bytes, bytes]] = []
    for item in filter(None, listed.split(b"\0")):
        key, newline, value = item.partition(b"\n")
        if newline and KEPT.fullmatch(key):
            pairs.append((key, value))
    pairs += [(key.encode(), value.encode()) for key, value in SETTINGS]
    return b"".join(map(_setting, pairs))


def _setting(pair: tuple[bytes, bytes]) -> bytes:
    key, value = pair
    section, _, name = key.rpartition(b".")
    section, dot, subsection = section.partition(b".")
    if dot:
        section += b' "' + _escaped(subsection) + b'"'
    return b"[" + section + b"]\n\t" + name + b' = "' + _escaped(value).replace(b"\n", b"\\n") + b'"\n'


def _escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _has(config: Path, name: str) -> bool:
    return f"\t{name} = ".encode() in config.read_bytes().lower()
