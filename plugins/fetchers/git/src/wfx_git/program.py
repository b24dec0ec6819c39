"""Run git so that nothing of a repository, and little of the user's settings, has a say in what it does.

No work tree is ever checked out, so hooks, filters, textconv and attributes have nothing to act on; what could still
run a program (fsmonitor, `ext::`) is switched off. Of the user's and the system's git settings only those of the
machine's network are kept (`KEPT`): proxies, certificate authorities, ssh and which directories are trusted. Aliases,
includes, credential helpers and `url.*.insteadOf` are not: a reference means the same for everybody. Of the environment
git gets what it needs (`NEEDED`) and no secret of the user's. Secrets of the repository's host travel in the environment
of the one git process that needs them, never in an argument, an address or a file.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from wfx.errors import AccessDenied, FetchError, MachineError, PluginError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Net
from wfx.net import TemporaryFailure
from wfx.net.addresses import split_origin
from wfx.net.credentials import Credential
from wfx.redaction import redact

from wfx_git.addresses import GitAddress

KEPT: Final = re.compile(
    rb"http\.(.*\.)?(proxy|proxyauthmethod|proxysslcert|proxysslkey|proxysslcainfo|sslcainfo|sslcapath|sslcert|sslkey"
    rb"|sslbackend|sslversion|schannel.*)|core\.sshcommand|ssh\.variant|safe\.directory"
)
# Where programs, libraries and the user's ssh are; how the network is reached and whom TLS trusts.
NEEDED: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|TZ|TERM|SSH_AUTH_SOCK|SSH_AGENT_PID|KRB5.*|(LD|DYLD)_LIBRARY_PATH|SSL_CERT_(FILE|DIR)"
    r"|CURL_CA_BUNDLE|GIT_SSH|GIT_SSH_COMMAND|GIT_SSL_CAINFO|GIT_SSL_CAPATH|GIT_EXEC_PATH|SYSTEMROOT"
    r"|(?i:(http|https|all|no)_proxy)"
)
SETTINGS: Final = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
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
LOOK_EVERY = 1.0
PATIENCE = 600.0
"""Seconds without a byte; a server may have to count the objects of a long history before it sends the first."""
OLDEST: Final = (2, 31)
"""Of the versions of git: the first that takes settings, so secrets too, from the environment (`GIT_CONFIG_COUNT`)."""
# These take a token over the git protocol as a password only, of a user of theirs.
TOKEN_USERS: Final = {"github.com": "x-access-token", "gitlab.com": "oauth2", "bitbucket.org": "x-token-auth"}


class Unadvertised(FetchError):
    """The server gives what its branches and tags name, and not an object by its id."""


class Dumb(Unadvertised):
    """The server is an ordinary web server with the repository's files: it can choose nothing for us."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository with the right to read it."""

    address: GitAddress
    header: str = ""
    """The whole `Name: value`, one a line; empty where nobody gave credentials."""
    ca_bundle: str = ""
    """File of certificates to trust in place of the machine's."""
    resolved: str = ""
    """`HOST:PORT:ADDRESS,…` as curl takes it: the addresses that the gate has judged."""
    gate: Net | None = field(default=None, repr=False, compare=False)
    """Told of the bytes that come; whoever breaks off what it does ends git too."""

    def __repr__(self) -> str:
        return f"Remote({self.address.url!r})"


def connect(address: GitAddress, net: Net) -> Remote:
    """Ask the gate for the way to a repository; a local one needs none. Raises OfflineError and PolicyError."""
    if address.scheme == "file":
        if net.trusted is not None:
            raise PolicyError(
                "a document from elsewhere names a repository of this machine", where=str(address.reference()),
                remedy="fetch it yourself, and give its path as an input",
            )  # fmt: skip
        return Remote(address, gate=net)
    access = net.connect(address.url)
    credential = access.credential
    if address.scheme not in ("http", "https"):
        return Remote(address, gate=net)
    if address.password is not None:
        proof = basic(address.user or "", address.password)
    elif credential is not None and credential.token and address.host in TOKEN_USERS:
        proof = basic(TOKEN_USERS[address.host], credential.token)
    elif credential is not None:
        proof = header(credential)
    else:
        # A token is often written as the user alone; never to send it would be to fall back to anonymous in silence.
        proof = basic(address.user, "") if address.user else ""
    return Remote(address, proof, net.settings.ca_bundle or "", _resolved(address, access.addresses), net)


def _resolved(address: GitAddress, addresses: Sequence[str]) -> str:
    host, port = split_origin(address.origin)
    if not addresses or ":" in host:
        return ""
    return f"{host}:{port}:{','.join(f'[{each}]' if ':' in each else each for each in addresses)}"


def basic(user: str, password: str) -> str:
    """Return the header of RFC 7617, and make its secrets known to the redactor."""
    value = base64.b64encode(f"{user}:{password}".encode()).decode()
    redact.learn(password or user)
    redact.learn(value)
    return f"Authorization: Basic {value}"


def header(credential: Credential) -> str:
    """Return the headers that a credential stands for, one a line, and make their values known to the redactor."""
    lines = []
    for name, value in credential.headers().items():
        if any(c in name + value for c in "\r\n\0"):
            raise PolicyError("a credential with a line break in it", remedy="correct the credential of this host")
        redact.learn(value)
        redact.learn(value.partition(" ")[2])
        lines.append(f"{name}: {value}")
    return "\n".join(lines)


class Git:
    """Runs git in one bare repository of its own, made in `folder`; it ends when the gate's transfers are broken off."""

    def __init__(self, folder: Path, gate: Net | None = None) -> None:
        self.folder, self._gate = folder, gate
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

    def run(
        self, arguments: Sequence[str | bytes], remote: Remote | None = None, stdin: bytes | None = None,
    ) -> bytes:  # fmt: skip
        """Run to the end and return standard output. Raises as `explain` says, TemporaryFailure where nothing goes on."""
        with self.start(arguments, remote, subprocess.PIPE if stdin is not None else subprocess.DEVNULL) as process:
            size, since = self._size() if remote else 0, time.monotonic()
            while True:
                try:
                    out, err = process.communicate(stdin, LOOK_EVERY)
                    break
                except subprocess.TimeoutExpired as error:
                    if remote is None:
                        continue
                    before, size = size, self._size()
                    self._came(remote, size - before)
                    # A peer that is gone without a word; ssh and http notice by themselves, the git protocol does not.
                    if size != before:
                        since = time.monotonic()
                    elif time.monotonic() - since >= PATIENCE:
                        raise TemporaryFailure(
                            f"nothing came for {PATIENCE:g} s",
                            where=str(remote.address.reference()),
                            remedy="try again later",
                        ) from error
            if remote is not None:
                self._came(remote, self._size() - size)
            if process.returncode:
                raise explain(err, remote)
            return out

    @staticmethod
    def _came(remote: Remote, size: int) -> None:
        """Tell the gate how many bytes have come: they are shown, and stand in the record of whom was asked."""
        if remote.gate is not None and size > 0 and remote.address.scheme != "file":
            remote.gate.journal(remote.address.origin, 0, size)

    def _size(self) -> int:
        """Return the bytes that have come, packs under way included."""
        total = 0
        for root, _, files in os.walk(self.folder / "objects"):
            for name in files:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(root, name)).st_size
        return total

    @contextlib.contextmanager
    def start(
        self, arguments: Sequence[str | bytes], remote: Remote | None = None, stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
        """Start git; whatever ends the block early ends git too, with the programs that it started."""
        process = subprocess.Popen(
            [program(), *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self._environment(remote), cwd=self.folder, start_new_session=True,
        )  # fmt: skip

        def end() -> None:
            # Not once it has been waited for: its number may be another's by then.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

        try:
            with self._gate.ending_with(end) if self._gate is not None else contextlib.nullcontext():
                yield process
        finally:
            if process.poll() is None:
                end()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            process.wait()

    def _environment(self, remote: Remote | None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if NEEDED.fullmatch(k)}
        if remote and remote.address.scheme in ("http", "https"):
            # There curl would find ~/.netrc, which is the gate's to read: it looks at its mode, and to whom it is sent.
            kept["HOME"] = os.fspath(self.folder)
        kept |= {
            "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.fspath(self._config),
            "GIT_DIR": os.fspath(self.folder), "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_ALLOW_PROTOCOL": remote.address.scheme if remote else "none", "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ATTR_NOSYSTEM": "1",
        }  # fmt: skip
        if remote and remote.ca_bundle:
            kept["GIT_SSL_CAINFO"] = remote.ca_bundle
        settings: list[tuple[str, str]] = []
        if remote and remote.header:
            settings += [(f"http.{remote.address.origin}/.extraHeader", line) for line in remote.header.split("\n")]
        if remote and remote.resolved:
            # Git knows it from 2.37 on; before that, and behind a proxy, the name is looked up once more.
            settings.append(("http.curloptResolve", remote.resolved))
        kept["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings):
            kept |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        if "GIT_SSH" not in kept and "GIT_SSH_COMMAND" not in kept and not _has(self._config, "sshcommand"):
            kept["GIT_SSH_COMMAND"] = SSH
        return kept


def program() -> str:
    """Return the path of git. Raises PluginError where there is none that is new enough."""
    found = shutil.which("git")
    if found is None:
        raise PluginError("git is not installed", remedy="install it: apt install git")
    if _version(found) < OLDEST:
        raise PluginError("git is too old", where=found, remedy=f"install git {'.'.join(map(str, OLDEST))} or newer")
    return found


@functools.cache
def _version(path: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([path, "version"], capture_output=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PluginError("git cannot be started", where=path, why=str(error)) from error
    match = re.search(rb"([0-9]+)\.([0-9]+)", said)
    return (int(match[1]), int(match[2])) if match else (0,)


def explain(stderr: bytes, remote: Remote | None) -> WfxError:
    """Turn what git said into the error that it means: refused, asked for credentials, not there, too often, unreachable."""
    text = redact(stderr.decode("utf-8", "replace"))[-TAIL:]
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    why = " ".join(lines or text.splitlines())[-600:]
    where = str(remote.address.reference()) if remote else None
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
    if says("host key verification failed"):
        return AccessDenied(
            "ssh does not know the host's key", where=where, why=why,
            remedy="look at the key that the host publishes, and accept it: ssh HOST",
        )  # fmt: skip
    if says("permission denied (publickey", "permission denied, please try again"):
        return AccessDenied(
            "ssh has no key that the host accepts", where=where, why=why,
            remedy="load one into the agent (ssh-add), or name the repository by git+https",
        )  # fmt: skip
    if says("error: 403"):
        return AccessDenied(
            "the repository may not be read (403)", where=where, why=why, remedy="check the token's or key's rights"
        )
    if says("dumb http transport does not support"):
        return Dumb("the server only gives out files", where=where, why=why)
    if says("unadvertised object", "not valid\n"):
        return Unadvertised("the server does not give single commits", where=where, why=why)
    if says("not our ref", "couldn't find remote ref"):
        return ReferenceNotFound(
            "the repository does not have it (any more)",
            where=where,
            why=why,
            remedy="name another tag, branch or commit",
        )
    if says("dubious ownership"):
        return PolicyError(
            "the repository belongs to another user", where=where, why=why,
            remedy="if you trust it: git config --global --add safe.directory FOLDER",
        )  # fmt: skip
    if says("error: 429"):
        return TemporaryFailure(
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
    if says("error: 5", "could not resolve host", "failed to connect", "couldn't connect", "connection refused",
            "connection reset", "timed out", "early eof", "hung up", "unexpected disconnect", "too slow",
            "network is unreachable", "unable to connect", "unable to look up"):  # fmt: skip
        return TemporaryFailure(
            "the connection to the repository failed", where=where, why=why, remedy="try again later"
        )
    return FetchError("git could not fetch", where=where, why=why or "it gave no reason", remedy="try again later")


def _settings() -> bytes:
    """Return the text of a git configuration: ours, after what is kept of the machine's."""
    # Anything else that is GIT_… could trace, or add settings of its own.
    files = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in files}
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
