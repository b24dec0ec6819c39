"""Put large files in place of their pointers (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).

The batch API is asked for the whole list, the objects come through the gate like any other download, and each is held
against the SHA-256 and the size of its pointer, which the commit id vouches for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from wfx.errors import AccessDenied, FetchError, IntegrityError, MachineError, ReferenceNotFound
from wfx.fetching import ByteStream, Net
from wfx.net import TemporaryFailure
from wfx.redaction import redact

from wfx_git.addresses import GitAddress
from wfx_git.program import Git, Remote
from wfx_git.trees import Entry

log = logging.getLogger(__name__)

POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[0-9]-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n(?:[a-z0-9.-]+ [^\n]*\n)*"
)
MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
BATCH: Final = 100
LARGEST_ANSWER: Final = 16 << 20
CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """A file whose content lies elsewhere."""

    path: bytes
    oid: str
    """SHA-256 of the content, hex."""
    size: int

    @classmethod
    def read(cls, path: bytes, content: bytes) -> Pointer | None:
        """Return the pointer that a file is, if it is one."""
        match = POINTER.fullmatch(content)
        return cls(path, match[1].decode(), int(match[2])) if match else None

    @property
    def name(self) -> str:
        """The path for people."""
        return os.fsdecode(self.path)


def replace(
    git: Git, remote: Remote, net: Net, tree: list[Entry], pointers: list[Pointer], into: Path
) -> None:  # fmt: skip
    """Replace those pointers that the tree's `.gitattributes` declare as such.

    Raises FetchError, AccessDenied or IntegrityError, each with the file's path: a pointer is never left in silence.
    """
    address = remote.address
    pointers = _declared(git, address, pointers)
    if not pointers:
        return
    if address.scheme == "file":
        provide = _stored(address)
    elif address.scheme in ("http", "https"):
        provide = _served(git, remote, net, tree, pointers)
    else:
        raise FetchError(
            f"the file {pointers[0].name} is in git LFS", where=str(address.reference()),
            why=f"large files cannot be fetched over {address.scheme}", remedy="name the repository by git+https://",
        )  # fmt: skip
    done: dict[str, Path] = {}
    for pointer in pointers:
        target = into / pointer.name
        if pointer.oid in done:
            shutil.copyfile(done[pointer.oid], target, follow_symlinks=False)
            continue
        with provide(pointer) as source:
            _put(pointer, source, target)
        done[pointer.oid] = target


def _declared(git: Git, address: GitAddress, pointers: list[Pointer]) -> list[Pointer]:
    if not pointers:
        return []
    # Attributes are read from an index, since there is no work tree; `--source` would need git 2.40.
    git.run(["read-tree", address.revision])
    answer = git.run(
        ["check-attr", "--cached", "--stdin", "-z", "filter"], stdin=b"".join(p.path + b"\0" for p in pointers)
    ).split(b"\0")
    declared = {answer[i] for i in range(0, len(answer) - 2, 3) if answer[i + 2] == b"lfs"}
    for pointer in pointers:
        if pointer.path not in declared:
            log.warning("%s looks like a git LFS pointer, but .gitattributes does not say so: kept as is", pointer.name)
    return [pointer for pointer in pointers if pointer.path in declared]


def _stored(address: GitAddress) -> Callable[[Pointer], contextlib.AbstractContextManager[ByteStream]]:
    repository = Path(os.fsdecode(unquote_to_bytes(address.location)))

    @contextlib.contextmanager
    def provide(pointer: Pointer) -> Iterator[ByteStream]:
        tail = Path("lfs", "objects", pointer.oid[:2], pointer.oid[2:4], pointer.oid)
        for place in (repository / ".git" / tail, repository / tail):
            if place.is_file():
                with open(place, "rb", buffering=0) as file:
                    yield cast("ByteStream", file)
                return
        raise FetchError(
            f"the file {pointer.name} is in git LFS", where=str(address.reference()),
            why="its content is not in the repository's lfs/objects", remedy="run there: git lfs fetch --all",
        )  # fmt: skip

    return provide


def _served(
    git: Git, remote: Remote, net: Net, tree: list[Entry], pointers: list[Pointer]
) -> Callable[[Pointer], contextlib.AbstractContextManager[ByteStream]]:
    address = remote.address
    endpoint = _endpoint(git, address, tree)
    # Where the content lies is the server's word.
    elsewhere = net.on_behalf_of(address.reference(), "fetch")
    actions: dict[str, tuple[str, dict[str, str]]] = {}
    for start in range(0, len(pointers), BATCH):
        actions |= _batch(endpoint, remote, net, pointers[start : start + BATCH])

    @contextlib.contextmanager
    def provide(pointer: Pointer) -> Iterator[ByteStream]:
        href, headers = actions[pointer.oid]
        with _naming(pointer, address):
            body = elsewhere.http(href, headers=headers)
        with contextlib.closing(body.stream):
            yield body.stream

    return provide


def _endpoint(git: Git, address: GitAddress, tree: list[Entry]) -> str:
    default = address.url + ("" if address.location.endswith(".git") else ".git") + "/info/lfs"
    config = next((e for e in tree if e.path == b".lfsconfig" and not e.is_link and not e.is_submodule), None)
    if config is None:
        return default
    url = ""
    for item in git.run(["config", "--blob", config.id, "--no-includes", "--list", "-z"]).split(b"\0"):
        key, _, value = item.partition(b"\n")
        if key == b"lfs.url":
            url = value.decode("utf-8", "replace").rstrip("/")
    # Elsewhere the credentials of this host would have to go along on a stranger's word.
    if url.startswith(address.origin + "/"):
        return url
    if url:
        log.warning("lfs.url in .lfsconfig is not on %s and is not used", address.origin)
    return default


def _batch(endpoint: str, remote: Remote, net: Net, pointers: list[Pointer]) -> dict[str, tuple[str, dict[str, str]]]:
    address = remote.address
    wanted = {pointer.oid: pointer for pointer in pointers}
    request = {
        "operation": "download", "transfers": ["basic"], "hash_algo": "sha256",
        "objects": [{"oid": p.oid, "size": p.size} for p in wanted.values()],
    }  # fmt: skip
    headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE} | _authorization(remote)
    with _naming(pointers[0], address):
        body = net.http(
            f"{endpoint}/objects/batch", method="POST", data=json.dumps(request).encode(), headers=headers
        )  # fmt: skip
        answer = body.read(LARGEST_ANSWER)
    found = {}
    try:
        for one in json.loads(answer)["objects"]:
            pointer = wanted.get(one["oid"])
            if pointer is None:
                continue
            if "error" in one:
                raise FetchError(
                    f"the file {pointer.name} is in git LFS", where=str(address.reference()),
                    why=f"the server says: {redact(str(one['error'].get('message', 'error')))} ({one['error'].get('code')})",
                    remedy="ask the repository's owner to upload it: git lfs push --all",
                )  # fmt: skip
            action = one["actions"]["download"]
            href = str(action["href"])
            given = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
            for value in given.values():
                redact.learn(value)
            if not given and href.startswith(address.origin + "/"):
                given = _authorization(remote)
            if not href.startswith(("https://", "http://") if address.scheme == "http" else "https://"):
                raise ValueError(f"it is at {redact(href)}")
            found[pointer.oid] = (href, given)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"the file {pointers[0].name} is in git LFS", where=str(address.reference()),
            why=f"the server's answer makes no sense: {error}",
        ) from error  # fmt: skip
    for pointer in pointers:
        if pointer.oid not in found:
            raise FetchError(
                f"the file {pointer.name} is in git LFS", where=str(address.reference()),
                why="the server's answer leaves it out",
            )  # fmt: skip
    return found


def _authorization(remote: Remote) -> dict[str, str]:
    """Return what git itself sends to this host; the gate would add the same, but for a token that git has to disguise."""
    return dict(line.split(": ", 1) for line in remote.header.split("\n") if line)


@contextlib.contextmanager
def _naming(pointer: Pointer, address: GitAddress) -> Iterator[None]:
    """Add the file's name to what goes wrong."""
    where = str(address.reference())
    try:
        yield
    except ReferenceNotFound as error:
        raise FetchError(
            f"the file {pointer.name} is in git LFS", where=where, why=f"the server does not have it: {error}"
        ) from error
    except AccessDenied as error:
        raise AccessDenied(f"the file {pointer.name} is in git LFS", where=where, why=str(error)) from error
    except OSError as error:
        raise FetchError(f"the file {pointer.name} is in git LFS", where=where, why=str(error)) from error


def _put(pointer: Pointer, source: ByteStream, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    buffer = memoryview(bytearray(CHUNK))
    try:
        # The pointer is there already, with its permissions; no link is, yet.
        with open(os.open(target, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as file:
            while True:
                try:
                    count = source.readinto(buffer)
                except OSError as error:
                    raise TemporaryFailure(f"the file {pointer.name} of git LFS was cut off", why=str(error)) from error
                if not count:
                    break
                size += count
                if size > pointer.size:
                    break
                digest.update(buffer[:count])
                file.write(buffer[:count])
    except OSError as error:
        raise MachineError.of(error) from error
    if size != pointer.size or digest.hexdigest() != pointer.oid:
        raise IntegrityError(
            f"the file {pointer.name} of git LFS is not what its pointer says",
            why=f"{size} bytes instead of {pointer.size}" if size != pointer.size else "its SHA-256 differs",
        )
