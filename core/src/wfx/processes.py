"""Processes of engines: started in the sandbox, under a supervisor, and spoken with in JSON lines."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import signal
import site
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.errors import EngineError, MachineError
from wfx.redaction import redact
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.runtimes import Runtime

LONGEST_LINE = 64 << 20
# An engine that reads the end of its input goes by itself within this; then it is asked with SIGTERM, then killed.
POLITE = 0.5
GRACE = 5.0
TAIL_LINES = 5


@dataclass(frozen=True, slots=True)
class Order:
    """What a supervisor is to do."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    cleaning: tuple[tuple[str, ...], ...] = ()
    """Commands for the end, whatever happened: remove containers labelled with the run, unmount."""
    journal: Path | None = None
    """Gets an `orphaned` event when wfx dies first."""
    lock_fd: int | None = None
    """The run's lock, held until the last process is dead."""
    grace: float = GRACE
    """Seconds between SIGTERM and SIGKILL."""


class Supervised:
    """A command under a supervisor (wfx.supervisor), which ends it however this process ends."""

    def __init__(
        self, order: Order, *, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None
    ) -> None:
        """Start it. Raises MachineError where no process can be made; a command that is missing shows in `problem`."""
        control, self._control = os.pipe()
        self._status, status = os.pipe()
        inherited = [control, status, *([] if order.lock_fd is None else [order.lock_fd])]
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")), *map(str, inherited)]
        try:
            self._process = subprocess.Popen(
                command, stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=inherited, start_new_session=True, cwd="/",
                # Nothing of the user's environment: it could be read from /proc, and could hold a secret.
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except OSError as error:
            os.close(self._control)
            os.close(self._status)
            raise MachineError("no process can be started", why=error.strerror) from error
        finally:
            os.close(control)
            os.close(status)
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self.pid: int | None = None
        self.problem = ""
        """Why the command could not be executed."""
        self.exit_status: int | None = None
        """Of the command, once it has ended; negative for a signal, as subprocess has it."""
        self.left = 0
        """Processes that could not be killed."""
        self._told = b""
        self._ended = False
        message = marshal.dumps({
            "command": list(order.command), "env": dict(order.env), "cwd": str(order.cwd), "grace": order.grace,
            "journal": str(order.journal or ""), "cleaning": [list(c) for c in order.cleaning],
        })  # fmt: skip
        with contextlib.suppress(BrokenPipeError):  # it died at once; `wait` says so
            _write_all(self._control, len(message).to_bytes(8, "big") + message)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the command has ended and all that it left is gone; False when the time is over first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ended:
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._status], [], [], rest)
            if not ready:
                return False
            self._read_status()
        self._process.wait()
        return True

    def _read_status(self) -> None:
        part = os.read(self._status, 65536)
        self._told += part
        *lines, self._told = self._told.split(b"\n")
        for line in lines:
            told = json.loads(line)
            self.pid = told.get("started", self.pid)
            self.problem = told.get("error", self.problem)
            self.left = told.get("done", self.left)
            if "exit" in told:
                self.exit_status = told["exit"]
            elif "signal" in told:
                self.exit_status = -told["signal"]
        if not part:
            self._ended = True

    def end(self) -> None:
        """End the command and everything it started, and wait until that is done. May be called twice."""
        if self._control < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it has finished already
            os.write(self._control, b"e")
        try:
            self.wait()
        finally:
            # Closed after the wait: should a signal break it off, the end of file says the same to the supervisor.
            os.close(self._control)
            self._control = -1
            os.close(self._status)

    def explain(self) -> str:
        """Say how the command ended, in a few words."""
        if self.problem:
            return f"could not be started ({self.problem})"
        if self.exit_status is None:
            return "was lost: its supervisor died"
        if self.exit_status < 0:
            return f"died with signal {-self.exit_status} ({_signal_name(-self.exit_status)})"
        # A shell, and bubblewrap too, passes on the signal that ended a command in this way.
        by_signal = f" ({_signal_name(self.exit_status - 128)})" if self.exit_status > 128 else ""
        return f"ended with exit code {self.exit_status}{by_signal}"


class EngineChannel:
    """JSON lines with an engine's driver: `wfx.engines.Channel`. Any thread may send, one receives."""

    def __init__(self, name: str, order: Order, log: Path, published: Path | None = None) -> None:
        """Start the driver. Its stderr goes to `log`; at the end a copy without local paths goes to `published`."""
        self.name = name
        self.log = log
        self._published = published
        self._hide: tuple[tuple[str, str], ...] = ((str(order.cwd), "."),)
        with log.open("ab") as errors:
            self._start = errors.tell()
            self._supervised = Supervised(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors.fileno())
        assert self._supervised.stdin is not None
        assert self._supervised.stdout is not None
        self._stdin, self._stdout = self._supervised.stdin, self._supervised.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._sending, self._reading = threading.Lock(), threading.Lock()
        self._lines: list[bytes] = []
        self._parts: list[bytes] = []
        self._partial = 0
        self._at_end = False
        self._closed = False

    def send(self, message: Mapping[str, JsonValue]) -> None:
        """Write one JSON line to the driver. Raises EngineError when it is gone, with the tail of its stderr."""
        data = memoryview(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")
        with self._sending:
            if self._closed:
                raise EngineError(f"{self.name} has been closed")
            while data:
                # It may be writing a long answer that nobody reads yet: both would wait for ever.
                readable = [] if self._at_end else [self._stdout]
                ready, writable, _ = select.select(readable, [self._stdin], [], 1.0)
                if ready:
                    self._read()
                if writable:
                    try:
                        data = data[os.write(self._stdin.fileno(), data) :]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        raise self._gone() from None

    def receive(self, timeout: float | None = None) -> dict[str, JsonValue] | None:
        """Wait for the driver's next JSON line; None at its end.

        Raises EngineError for a line that is no JSON object or longer than 64 MiB, for a driver that died, and, with a
        `timeout` in seconds, when nothing has come by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._lines:
            if self._at_end:
                self._finish()
                return None
            rest = 1.0 if deadline is None else deadline - time.monotonic()
            if rest <= 0:
                raise EngineError(f"{self.name} has not answered for {timeout:g} s", why=self._tail())
            ready, _, _ = select.select([self._stdout], [], [], min(rest, 1.0))
            if ready:
                self._read()
        with self._reading:
            line = self._lines.pop(0)
        try:
            message = json.loads(line.decode("utf-8", "surrogateescape"))
        except ValueError:
            message = None
        if not isinstance(message, dict):
            shown = redact(line[:200].decode("utf-8", "replace"))
            raise EngineError(f"{self.name} printed what is no JSON object: {shown}", why=self._tail())
        return message

    def close(self) -> int:
        """End the driver and everything it started; return its exit status (negative for a signal)."""
        if not self._closed:
            self._closed = True
            try:
                self._stdin.close()
                self._supervised.wait(POLITE)
            finally:
                self._supervised.end()
                self._stdout.close()
                self._publish()
        status = self._supervised.exit_status
        return 127 if status is None else status

    def _read(self) -> None:
        with self._reading:
            try:
                part = os.read(self._stdout.fileno(), 1 << 20)
            except BlockingIOError:
                return
            self._at_end = not part
            first, *others = part.split(b"\n")
            self._parts.append(first)
            self._partial += len(first)
            for piece in others:
                self._lines.append(b"".join(self._parts))
                self._parts = [piece]
                self._partial = len(piece)
        if self._partial > LONGEST_LINE:
            raise EngineError(f"{self.name} printed a line of more than {LONGEST_LINE >> 20} MiB")

    def _finish(self) -> None:
        """Take the end of the output for what it is: an orderly end, or a death."""
        if self._closed:
            return
        # Its output may be closed a moment before it ends; one that lives on without output is of no use.
        if not self._supervised.wait(POLITE):
            self._supervised.end()
        if self._supervised.exit_status != 0:
            raise self._gone()
        if self._partial:
            raise EngineError(f"{self.name} ended in the middle of a line", why=self._tail())

    def _gone(self) -> EngineError:
        if not self._supervised.wait(POLITE):
            self._supervised.end()
        return EngineError(f"{self.name} {self._supervised.explain()}", why=self._tail())

    def _tail(self) -> str | None:
        """Return the last lines that the driver wrote to stderr."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, size - 8192))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return None
        lines = [line.strip() for line in text.splitlines() if line.strip()][-TAIL_LINES:]
        return "last lines: " + redact(" | ".join(lines)) if lines else None

    def _publish(self) -> None:
        """Copy what the driver wrote to stderr into the run's logs, without secrets and paths of this machine."""
        if self._published is None:
            return
        try:
            with self.log.open("r", encoding="utf-8", errors="replace") as raw:
                raw.seek(self._start)
                first = raw.readline()
                if not first:
                    return
                with self._published.open("a", encoding="utf-8") as clean:
                    clean.write(self._cleaned(first))
                    clean.writelines(map(self._cleaned, raw))
        except OSError as error:
            raise MachineError.of(error) from error

    def _cleaned(self, line: str) -> str:
        for path, name in self._hide:
            line = line.replace(path, name)
        return redact(line)

    def hide(self, *pairs: tuple[str, str]) -> None:
        """Add paths, longest first, that the published log has other words for."""
        self._hide = pairs


@dataclass(frozen=True, slots=True)
class EngineHost:
    """What the core does for an engine: `wfx.engines.Host`. Made by `for_run` or `in_folder`."""

    settings: Mapping[str, JsonValue]
    tree: Path
    aliases: Mapping[str, str]
    state: Path
    logs: Path
    sandbox: Sandbox
    root: Path
    """The folder that is writable in the sandbox."""
    read_only: tuple[Path, ...] = ()
    """Folders below the root that are not."""
    run: RunDirectory | None = None
    needs: tuple[str, ...] = ()
    """Origins that the engine must reach; without any it has no network in the sandbox."""
    readable: tuple[Path, ...] = ()
    """More that it may read: an engine that is installed elsewhere."""
    cleaning: tuple[tuple[str, ...], ...] = ()
    """Commands for the supervisor's end."""
    runtime: Runtime | None = None
    """The container runtime that the engine may drive."""
    name: str = "the engine"
    offline: bool = False
    """Whether the network is switched off for all of wfx."""
    channels: list[EngineChannel] = field(default_factory=list)

    @classmethod
    def for_run(
        cls, directory: RunDirectory, sandbox: Sandbox, settings: Mapping[str, JsonValue] | None = None,
        aliases: Mapping[str, str] | None = None, *, name: str = "the engine", needs: Sequence[str] = (),
        readable: Sequence[Path] = (), cleaning: Sequence[Sequence[str]] = (), runtime: Runtime | None = None,
        offline: bool = False,
    ) -> EngineHost:  # fmt: skip
        """Serve an engine in a run directory: inputs and workflow are read-only to it, the rest writable."""
        return cls(
            settings=settings or {}, tree=directory.workflow, aliases=aliases or {}, state=directory.engine_state,
            logs=directory.logs, sandbox=sandbox, root=directory.path, name=name, run=directory, needs=tuple(needs),
            read_only=(directory.workflow, directory.inputs), readable=tuple(readable),
            cleaning=tuple(tuple(command) for command in cleaning), runtime=runtime, offline=offline,
        )  # fmt: skip

    @classmethod
    def in_folder(
        cls, folder: Path, sandbox: Sandbox, settings: Mapping[str, JsonValue] | None = None,
        aliases: Mapping[str, str] | None = None, *, name: str = "the engine", readable: Sequence[Path] = (),
        offline: bool = False,
    ) -> EngineHost:  # fmt: skip
        """Serve an engine in a scratch folder, to describe a workflow that has no run directory."""
        folder = folder.resolve()
        places = [folder / part for part in ("workflow", "engine", "logs")]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        tree, state, logs = places
        return cls(
            settings=settings or {}, tree=tree, aliases=aliases or {}, state=state, logs=logs, sandbox=sandbox,
            root=folder, name=name, read_only=(tree,), readable=tuple(readable), offline=offline,
        )  # fmt: skip

    def launch(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, readable: Sequence[Path] = ()
    ) -> EngineChannel:
        """Start a driver under the supervisor and in the sandbox, with a clean environment plus `env`.

        It begins in the folder `state`. Close the channel, or the host, at the end.
        """
        environment = clean_environment(self.state)
        access = self.runtime.access if self.runtime is not None else None
        if access is not None and self.runtime is not None:
            environment |= access.environment
            environment["PATH"] = os.pathsep.join([str(self._wrapper(self.runtime)), environment["PATH"]])
        wrapped = self.sandbox.wrap(
            command, directory=self.root, cwd=self.state, read_only=self.read_only,
            readable=(*self.readable, *readable, *(access.readable if access else ())),
            writable=access.writable if access else (), network=bool(self.needs) or self._containers_have_network(),
            containers=self.runtime is not None and self.runtime.nests,
        )  # fmt: skip
        order = Order(
            command=tuple(wrapped), env=environment | dict(env or {}), cwd=self.state,
            cleaning=(*self.cleaning, *(access.cleaning if access else ())),
            journal=None if self.run is None else self.run.journal.path,
            lock_fd=None if self.run is None else self.run.lock_fd,
        )  # fmt: skip
        channel = EngineChannel(self.name, order, self.state / "stderr.log", self.logs / "engine.log")
        home = os.environ.get("HOME", "")
        channel.hide((str(self.root), "."), *([(home, "~")] if len(home) > 1 else []))
        self.channels.append(channel)
        return channel

    def _containers_have_network(self) -> bool:
        """Say whether the sandbox must have what its containers get; a daemon's have it from the daemon."""
        return self.runtime is not None and self.runtime.nests and self.runtime.network

    def _wrapper(self, runtime: Runtime) -> Path:
        """Put the runtime's own script, which adds the run's label and refuses to pull, first on the engine's PATH."""
        folder = self.state / "bin"
        folder.mkdir(exist_ok=True)
        for name in {runtime.name, Path(runtime.access.program).name}:
            target = folder / name
            if runtime.access.wrapper:
                target.write_text(runtime.access.wrapper)
                target.chmod(0o755)
            else:
                target.unlink(missing_ok=True)
        return folder

    def close(self) -> None:
        """End every driver that is still there."""
        while self.channels:
            self.channels.pop().close()


def clean_environment(state: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's but where programs lie; make the folders that it names."""
    places = {
        "HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "home/.cache", "XDG_CONFIG_HOME": "home/.config",
        "XDG_DATA_HOME": "home/.local/share", "XDG_STATE_HOME": "home/.local/state",
    }  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    for variable, place in places.items():
        folder = state / place
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError.of(error) from error
        environment[variable] = str(folder)
    if site.ENABLE_USER_SITE and Path(site.getuserbase()).is_dir():
        # With another HOME Python would not find what `pip install --user` has installed.
        environment["PYTHONUSERBASE"] = site.getuserbase()
    if "TZ" in os.environ:
        environment["TZ"] = os.environ["TZ"]
    return environment


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
