"""Processes of engines: started in the sandbox, under a supervisor, and spoken with in JSON lines."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wfx.errors import EngineError, MachineError
from wfx.redaction import redact
from wfx.values import JsonValue

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


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
