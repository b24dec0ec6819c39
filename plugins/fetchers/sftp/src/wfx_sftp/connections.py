"""Connections: to servers whose key is known, with the user's keys, agent or password, shared by all files of a gate."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx.errors import AccessDenied, DefinitionError, FetchError, MachineError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Net
from wfx.net import Access, TemporaryFailure
from wfx.redaction import redact

from wfx_sftp.addresses import PORT, Address, Settings
from wfx_sftp.loops import leave

if TYPE_CHECKING:
    import asyncssh
    from wfx.net.credentials import Credential

# What servers of the last ten years have; not ssh-rsa, which is signed with SHA-1.
HOST_KEYS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip


@dataclass(slots=True)
class Session:
    """A connection with its SFTP channel."""

    connection: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    home: bytes
    """Folder that the log-in leads to."""
    peer: str

    @property
    def broken(self) -> bool:
        """Whether it is of no more use."""
        return bool(self.connection.is_closed())

    async def real_path(self, path: bytes) -> bytes:
        """Return where a path really leads."""
        found = await self.sftp.realpath(path)
        return found if isinstance(found, bytes) else os.fsencode(str(found))

    def path_of(self, names: Sequence[str], *, at_home: bool) -> bytes:
        """Return the server's own path of some names."""
        path = b"/".join(os.fsencode(name) for name in names)
        return self.home.rstrip(b"/") + b"/" + path if at_home else b"/" + path


@dataclass(frozen=True, slots=True)
class Login:
    """As whom one logs in, and by what."""

    user: str
    password: str = field(default="", repr=False)
    key_file: str = ""
    passphrase: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: Address, credential: Credential | None) -> Login:
        """Take what the reference says, then the credentials, then the user of this machine."""
        given = credential.username if credential else ""
        user = address.user or given
        if address.password:
            return cls(user, address.password)
        if credential is None or (address.user and given and address.user != given):
            return cls(user or _own_name())
        return cls(user or _own_name(), credential.password, credential.key_file, credential.passphrase)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise DefinitionError(
            "it is not known who logs in",
            why="this machine has no name for its user",
            remedy="write sftp://USER@HOST/…",
        ) from error


class Sessions:
    """The connections of one gate, one a log-in: SSH carries many files over each. All in the loop's thread."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], asyncio.Task[Session]] = {}

    async def get(self, net: Net, address: Address, access: Access, where: str) -> tuple[Session, bool]:
        """Return a connection, and whether it was made for this. Raises WfxError."""
        login = Login.of(address, access.credential)
        key = (address.host, address.port, login)
        task = self._made.get(key)
        if task is not None and task.done():
            broken = task.cancelled() or task.exception() is not None or task.result().broken
            if broken or (access.addresses and task.result().peer not in access.addresses):
                task = None
        fresh = task is None
        if task is None:
            task = self._made[key] = asyncio.ensure_future(_connect(net, address, access, login, where))
        try:
            # Who is tired of waiting leaves the others theirs.
            return await asyncio.shield(task), fresh
        except asyncio.CancelledError:
            if fresh:
                task.cancel()
                self._made.pop(key, None)
            raise

    def close(self) -> None:
        """Close them all; from any thread."""

        async def end() -> None:
            for task in self._made.values():
                if task.done() and not task.cancelled() and task.exception() is None:
                    task.result().connection.abort()
                else:
                    task.cancel()

        leave(end())


_sessions: weakref.WeakKeyDictionary[Net, Sessions] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def sessions_of(net: Net) -> Sessions:
    """Return the connections of a gate; they are closed when nobody has it any more."""
    with _lock:
        if net not in _sessions:
            made = _sessions[net] = Sessions()
            weakref.finalize(net, made.close)
        return _sessions[net]


async def _connect(net: Net, address: Address, access: Access, login: Login, where: str) -> Session:
    import asyncssh

    settings = Settings.of(net)
    known = _known_hosts(settings)
    client = _client(asyncssh, settings, address)
    sock, peer = None, ""
    try:
        sock = await _socket(net, address, access.addresses)
        peer = str(sock.getpeername()[0])
        connection = await asyncio.wait_for(
            asyncssh.connect(
                address.host, address.port, sock=sock, config=None, client_factory=lambda: client, known_hosts=known,
                login_timeout=net.settings.idle_timeout, **_kinds(known, address, peer), **_proofs(asyncssh, login),
            ),
            net.settings.idle_timeout,
        )  # fmt: skip
        try:
            sftp = await asyncio.wait_for(connection.start_sftp_client(), net.settings.idle_timeout)
            session = Session(connection, sftp, b"/", peer)
            session.home = await asyncio.wait_for(session.real_path(b"."), net.settings.idle_timeout)
        except BaseException:
            connection.abort()
            raise
    except BaseException as error:
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            raise client.refused(known, peer, where) from error
        if isinstance(error, asyncssh.PermissionDenied):
            raise AccessDenied(
                f"the server does not let {login.user} in", where=where, why=_tried(login),
                remedy=f"give credentials for {access.origin} (docs/tasks/credentials.md), or check those that you gave",
            ) from error  # fmt: skip
        if isinstance(error, Exception):
            raise failure(error, where) from error
        raise
    return session


async def _socket(net: Net, address: Address, addresses: Sequence[str]) -> socket.socket:
    running = asyncio.get_running_loop()
    problem: OSError | None = None
    for host in addresses or (address.host,):
        for family, kind, protocol, _, place in await running.getaddrinfo(host, address.port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                await asyncio.wait_for(running.sock_connect(sock, place), net.settings.connect_timeout)
            except OSError as error:  # TimeoutError is one
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
    raise problem or OSError("no address")


# -- who they are


def _known_hosts(settings: Settings) -> Any:
    import asyncssh

    files = [path for path in (Path(each).expanduser() for each in settings.known_hosts) if path.is_file()]
    try:
        return asyncssh.read_known_hosts([str(path) for path in files]) if files else asyncssh.import_known_hosts("")
    except OSError as error:
        raise MachineError.of(error) from error
    except ValueError as error:
        where = ", ".join(map(str, files))
        raise DefinitionError("a file of known hosts is not valid", where=where, why=str(error)) from error


def _kinds(known: asyncssh.SSHKnownHosts, address: Address, peer: str) -> dict[str, Any]:
    """Return the kinds of host keys to ask for: the known ones first, and all others, so that a new one is seen."""
    keys, authorities, *_ = known.match(address.host, peer, None if address.port == PORT else address.port)
    if authorities:
        return {}
    first = [algorithm.decode() for key in keys for algorithm in key.sig_algorithms]
    return {"server_host_key_algs": [*dict.fromkeys([*(each for each in first if each in HOST_KEYS), *HOST_KEYS])]}


def _client(asyncssh: Any, settings: Settings, address: Address) -> Any:
    """Return what looks at a server's key that stands in no file."""

    class Client(asyncssh.SSHClient):  # type: ignore[misc]
        fingerprint = ""

        def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
            self.fingerprint = str(key.get_fingerprint())
            names = {f"{address.host}:{address.port}", *([address.host] if address.port == PORT else [])}
            return any(f"{name}={self.fingerprint}" in settings.fingerprints for name in names)

        def refused(self, known: asyncssh.SSHKnownHosts, peer: str, where: str) -> WfxError:
            port = None if address.port == PORT else address.port
            keys, authorities, revoked, *_ = known.match(address.host, peer, port)
            shown = f"its key is {self.fingerprint}" if self.fingerprint else "its key is none that is known"
            if keys or authorities or revoked:
                return PolicyError(
                    "the server has another key than the one that is known for it", where=where, why=shown,
                    remedy="ask whoever runs it before you trust it: somebody may stand between; then remove the old"
                    f" one with: ssh-keygen -R '{address.place}'",
                )  # fmt: skip
            at = "" if address.port == PORT else f"-p {address.port} "
            return PolicyError(
                "the server is not known", where=where, why=shown,
                remedy=f"compare that with what its owner tells, then run: ssh-keyscan {at}{address.host} >>"
                " ~/.ssh/known_hosts",
            )  # fmt: skip

    return Client()


# -- who we are


def _proofs(asyncssh: Any, login: Login) -> dict[str, Any]:
    """Return what the log-in is proved by: what was given for it, else the agent and the user's usual keys."""
    proofs: dict[str, Any] = {"username": login.user}
    if login.key_file:
        try:
            keys = asyncssh.load_keypairs(login.key_file, login.passphrase or None)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise DefinitionError(
                "the key cannot be opened", where=login.key_file, why=str(error),
                remedy="" if login.passphrase else "give its passphrase beside key_file",
            ) from error  # fmt: skip
        except OSError as error:
            raise MachineError.of(error) from error
        return proofs | {"client_keys": keys, "agent_path": None, "password": login.password or None}
    if login.password:
        return proofs | {"client_keys": None, "agent_path": None, "password": login.password}
    agent = os.environ.get("SSH_AUTH_SOCK") or None
    return proofs | {"agent_path": agent, "password": None}


def _tried(login: Login) -> str:
    if login.key_file:
        return f"tried the key {login.key_file}"
    return "tried the password" if login.password else "tried the agent and the keys in ~/.ssh"


# -- what went wrong


def failure(error: Exception, where: str) -> WfxError:
    """Return what wfx calls an error of a connection or of the server."""
    import asyncssh

    if isinstance(error, WfxError):
        return error
    text = " ".join(redact(str(error)).split())[:200] or type(error).__name__
    if isinstance(error, (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)):
        return ReferenceNotFound("the server has no such file", where=where, why=text, remedy="check the path")
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return AccessDenied("the server refuses it", where=where, why=text)
    if isinstance(error, TimeoutError):
        return TemporaryFailure("the server does not answer", where=where, why="not a byte in time")
    if isinstance(error, socket.gaierror):
        why = error.strerror or text
        return TemporaryFailure("the host is not found", where=where, why=why, remedy="check the name and the network")
    gone = (
        asyncssh.SFTPConnectionLost,
        asyncssh.SFTPNoConnection,
        asyncssh.ConnectionLost,
        asyncssh.ServiceNotAvailable,
    )
    if isinstance(error, (*gone, asyncssh.ChannelOpenError)):
        return TemporaryFailure("the connection broke", where=where, why=text)
    if isinstance(error, OSError):
        return TemporaryFailure("the server cannot be reached", where=where, why=error.strerror or text)
    if isinstance(error, asyncssh.DisconnectError):
        return FetchError("the server and wfx do not agree on a protocol", where=where, why=text)
    return FetchError("the server refuses it", where=where, why=text)
