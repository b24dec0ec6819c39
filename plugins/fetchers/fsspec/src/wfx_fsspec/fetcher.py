"""The fetcher: a reference as an open file of fsspec's."""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import inspect
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from wfx.errors import (
    AccessDenied,
    DefinitionError,
    FetchError,
    OfflineError,
    PluginError,
    PolicyError,
    ReferenceNotFound,
    UnknownKey,
    WfxError,
)
from wfx.fetching import Body, Net, Reference, Span, StreamFetcher
from wfx.net import TemporaryFailure
from wfx.plugins import PluginManager
from wfx.redaction import redact

from wfx_fsspec.waiting import Worker

if TYPE_CHECKING:
    from wfx.net.credentials import Credential

BLOCK = 2**20
CHAIN = "::"
# What other plugins of wfx fetch with more checks, and what would be a file of this machine under another name.
ELSEWHERE = {
    "file": "wfx-file", "local": "wfx-file", "asynclocal": "wfx-file", "data": "wfx-file", "http": "wfx-http",
    "https": "wfx-http", "git": "wfx-git",
}  # fmt: skip
# Keys of fsspec's `info` that change whenever the bytes do.
STRONG = ("ETag", "etag", "e_tag", "md5Hash", "md5", "content_md5", "generation", "versionId", "version_id", "VersionId",
          "sha", "sha256", "oid", "blob_id", "CRC")  # fmt: skip
TIMES = ("mtime", "modify", "modified", "LastModified", "last_modified", "updated", "created", "date_time")
# A time of change tells two contents apart only when it lies back further than the clock of the place is coarse.
SETTLED = 60.0


class FsspecFetcher(StreamFetcher):
    """Opens what any filesystem of fsspec has, past wfx's own gate to the network.

    Settings, in `[fetcher.fsspec.PROTOCOL]`: storage options of that filesystem, as fsspec's documentation has them.
    """

    keys = ("*",)
    own_network = True

    def open(self, ref: Reference, net: Net, span: Span | None = None) -> Body:
        """Open the reference; it may be chained, `zip://a.txt::sftp://host/b.zip`."""
        credential = _permission(ref, net)
        worker = Worker(net.settings.idle_timeout)
        opened = _Opened(ref, worker)
        try:
            with net.ending_with(opened.close):
                return worker.do(lambda: opened.open(net, credential, span))
        except BaseException as error:
            opened.close()
            if isinstance(error, WfxError) or not isinstance(error, Exception):
                raise
            _explain(error, ref)


def _permission(ref: Reference, net: Net) -> Credential | None:
    """Ask whether the reference may be opened at all, and with which credential; no socket has been opened before."""
    parts = ref.uri.split(CHAIN)
    last = Reference(parts[-1])
    if len(parts) == 1 and last.scheme in ELSEWHERE:
        package = ELSEWHERE[last.scheme]
        raise UnknownKey(
            f"fsspec is not asked for '{last.scheme}:' references", where=str(ref), remedy=f"pip install {package}"
        )
    if net.offline:
        raise OfflineError(
            "the network is switched off", where=str(ref), why="fsspec's connections are not wfx's to control",
            remedy="run once without --offline",
        )  # fmt: skip
    if net.trusted is not None and (len(parts) > 1 or not last.host):
        # A document from elsewhere could name files of this machine in a dozen ways that only fsspec knows.
        raise PolicyError(
            "a document from elsewhere names what fsspec would look for itself", where=str(ref),
            remedy="give it as an input of your own",
        )  # fmt: skip
    try:
        origin = last.origin if last.host else ""
    except ValueError as error:
        raise DefinitionError("it is no URI", where=str(ref), why=str(error)) from error
    return net.connect(origin).credential if origin else None


class _Opened:
    """A file of fsspec's, opened and read in a thread that can be left: the core's `ByteStream`."""

    def __init__(self, ref: Reference, worker: Worker) -> None:
        self._ref, self._worker = ref, worker
        self._file: Any = None
        # Of an archive: it closes its files when nobody has it any more.
        self._filesystem: Any = None

    def open(self, net: Net, credential: Credential | None, span: Span | None) -> Body:
        """Open the file and say what is known of it."""
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # 150 ms, for whoever uses it

        filesystem, path = url_to_fs(self._ref.uri, **_options(self._ref, net, credential))
        self._filesystem = filesystem
        info = filesystem.info(path)
        if info.get("type") == "directory":
            raise FetchError(
                "it is a folder", where=str(self._ref), why="wfx-fsspec fetches files", remedy="name its files"
            )
        validator, size = _validator(info), info.get("size")
        self._file = filesystem.open(path, "rb", block_size=BLOCK)
        seekable = self._file.seekable()
        start = span.start if span is not None and seekable and span.validator in (None, validator) else 0
        if start:
            self._file.seek(start)
        return Body(
            self, start=start, total=size if isinstance(size, int) else None, validator=validator,
            accepts_ranges=seekable and validator is not None, name=path.rstrip("/").rpartition("/")[2] or None,
        )  # fmt: skip

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer's beginning."""

        def read() -> bytes:
            data: bytes = self._file.read(min(len(buffer), BLOCK))
            return data

        # The bytes are copied here: a read that ends when nobody waits any more must not write into what is the core's.
        try:
            data = self._worker.do(read)
        except OSError:
            raise
        except Exception as error:
            raise OSError(redact(f"{type(error).__name__}: {error}")) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of it; from another thread, the read that waits ends at once."""
        self._worker.end(self._close)

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(Exception):
                self._file.close()
            self._file = None
        self._filesystem = None


def _options(ref: Reference, net: Net, credential: Credential | None) -> dict[str, Any]:
    """Return fsspec's options for each filesystem of a chain: the user's settings, and the credential for the last."""
    from fsspec import get_filesystem_class  # type: ignore[import-untyped]

    options: dict[str, Any] = {}
    parts = ref.uri.split(CHAIN)
    for number, part in enumerate(parts):
        # Without `//` fsspec would look for a file of this machine that has such a name.
        protocol = part.partition("://" if number or CHAIN in ref.uri else ":")[0]
        try:
            cls = get_filesystem_class(protocol)
        except ValueError as error:
            unknown = PluginManager().unknown("fetcher", protocol, f"no fetcher for '{protocol}:' references")
            raise unknown from error
        except ImportError as error:
            # fsspec says which package of which name has it.
            raise PluginError(
                f"fsspec needs another package for '{protocol}:' references", where=str(ref), why=str(error)
            ) from error
        if "://" not in ref.uri:
            raise DefinitionError("fsspec's references have '://'", where=str(ref), remedy=f"write {protocol}://…")
        mine: dict[str, Any] = {**net.section(f"fetcher.fsspec.{protocol}"), "skip_instance_cache": True}
        if number == len(parts) - 1 and credential is not None:
            mine |= _login(cls, credential)
        options[protocol] = mine
    return options


def _login(cls: type[Any], credential: Credential) -> dict[str, Any]:
    """Return a credential by the names that a filesystem has for its parts. Raises FetchError where it has none."""
    known: Mapping[str, object] = inspect.signature(cls.__init__).parameters
    if credential.username and "password" in known:
        return {"user" if "user" in known else "username": credential.username, "password": credential.password}
    if credential.username and "auth" in known:
        return {"auth": (credential.username, credential.password)}
    if credential.token and "token" in known:
        return {"token": credential.token}
    if credential.username and "kwargs" in known and "host" in known:
        return {"username": credential.username, "password": credential.password}
    raise FetchError(
        f"{cls.__name__} of fsspec takes no such credential", remedy="set its options in [fetcher.fsspec.PROTOCOL]"
    )


def _validator(info: Mapping[str, Any]) -> str | None:
    """Return what changes when the bytes do, from what a filesystem tells of a file; None where it does not."""
    for key in STRONG:
        if info.get(key):
            return hashlib.sha256(f"{key} {info[key]}".encode()).hexdigest()
    for key in TIMES:
        moment = _moment(info.get(key))
        if moment is not None and (moment % 1 or time.time() - moment > SETTLED):
            return hashlib.sha256(f"{key} {moment!r} {info.get('size')}".encode()).hexdigest()
    return None


def _moment(value: Any) -> float | None:
    """Return a time in seconds, in whatever of the many forms it comes."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, tuple) and len(value) == 6:
        return datetime(*value, tzinfo=UTC).timestamp()
    if isinstance(value, str):
        readers: tuple[Callable[[str], datetime], ...] = (
            datetime.fromisoformat,
            lambda text: datetime.strptime(text.partition(".")[0], "%Y%m%d%H%M%S"),
        )
        for read in readers:
            with contextlib.suppress(ValueError):
                return _moment(read(value))
    return None


def _explain(error: Exception, ref: Reference) -> NoReturn:
    """Raise what wfx calls an error of fsspec's, or of a library behind it."""
    why = redact(f"{type(error).__name__}: {error}")
    status = getattr(error, "status", None) or getattr(error, "status_code", None)
    login = isinstance(error, ftplib.error_perm) and str(error).startswith(("530", "532"))
    if isinstance(error, FileNotFoundError) or status == 404:
        raise ReferenceNotFound("there is no such file", where=str(ref)) from error
    if isinstance(error, PermissionError) or login or status in (401, 403):
        raise AccessDenied("the place refuses it", where=str(ref), why=why) from error
    if isinstance(error, (OSError, ftplib.error_temp)):
        raise TemporaryFailure("fsspec could not open it", where=str(ref), why=why) from error
    raise FetchError("fsspec could not open it", where=str(ref), why=why) from error
