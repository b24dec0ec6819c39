"""What a person sees while wfx works: bars and a live list of steps on a terminal, plain lines elsewhere.

Everything goes to stderr; stdout belongs to results.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from wfx.redaction import redact

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from wfx.engines import StepEvent

QUIET, NORMAL, VERBOSE = -1, 0, 1
LINES_A_SECOND = 10
SHOWN_STEPS = 12
MARKS = {"completed": "✓", "failed": "✗", "skipped": "–", "cached": "✓", "started": "•"}
WORDS = {"completed": "done", "failed": "failed", "skipped": "skipped", "cached": "done before"}


def show_size(size: float) -> str:
    """Return a number of bytes as people read it: `1.2 GB`, powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def show_time(seconds: float) -> str:
    """Return a duration: `0.8 s`, `2 min 5 s`, `3 h 2 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


class Display:
    """Shows a run; implements `wfx.flow.Reporter` and `wfx.progress.Progress`. Safe to call from several threads."""

    def __init__(self, level: int = NORMAL, stream: TextIO | None = None) -> None:
        self.level = level
        self._stream = stream or sys.stderr
        self._live_wanted = level >= NORMAL and self._stream.isatty()
        self._lock = threading.RLock()
        self._bars: Bars | None = None
        self._live: Live | None = None
        self._tasks: dict[str, TaskID] = {}
        self._overall: TaskID | None = None
        self._running: dict[str, tuple[str, float]] = {}
        self._last_line = 0.0
        self._bytes = 0
        self._total: int | None = None
        self._items = 0
        self._fetch_began = 0.0

    # -- stages and steps

    def phase(self, text: str) -> None:
        """Say that a stage begins."""
        self._close_bars()
        if self.level > NORMAL or (self.level == NORMAL and self._live_wanted):
            self._print(f"· {text}")

    def step(self, event: StepEvent) -> None:
        """Say that a step began or ended."""
        if self.level < NORMAL:
            return
        with self._lock:
            if event.state == "started":
                self._running[event.id] = (event.name or event.id, time.monotonic())
                if not self._live_wanted and self.level > NORMAL:
                    self._print(f"step {event.id} started")
            else:
                _, began = self._running.pop(event.id, ("", time.monotonic()))
                took = event.resources.get("wall_seconds", time.monotonic() - began)
                line = f"{MARKS[event.state]} {event.id} {WORDS[event.state]}"
                if event.state in ("completed", "failed"):
                    line += f" in {show_time(took)}"
                if event.state == "failed" and event.exit_code not in (None, 0):
                    line += f" (exit code {event.exit_code})"
                self._print(line if self._live_wanted else f"step {line[2:]}")
            self._refresh()

    def warn(self, text: str) -> None:
        """Say what the user should know, though it goes on."""
        if self.level >= NORMAL:
            self._print(f"warning: {text}")

    # -- fetching

    def start(self, total_items: int, total_bytes: int | None) -> None:
        """Say that a transfer of so many things begins."""
        with self._lock:
            self._bytes, self._total, self._items, self._fetch_began = 0, total_bytes, total_items, time.monotonic()

    def item(self, name: str, total: int | None) -> None:
        """Say that the transfer of one thing begins."""
        if not self._live_wanted:
            return
        with self._lock:
            self._open_bars()
            assert self._bars is not None
            if self._overall is None and self._items > 1:
                self._overall = self._bars.add_task(f"{self._items} files", total=self._total)
            if len(self._tasks) < SHOWN_STEPS:
                self._tasks[name] = self._bars.add_task(_tail(name), total=total)

    def advance(self, name: str, count: int) -> None:
        """Add bytes to the transfer of one thing."""
        with self._lock:
            self._bytes += count
            if self._bars is not None:
                for task in (self._overall, self._tasks.get(name)):
                    if task is not None:
                        self._bars.advance(task, count)
                return
            now = time.monotonic()
            if self.level >= NORMAL and now - self._last_line > 5 and now - self._fetch_began > 5:
                self._last_line = now
                rate = self._bytes / max(now - self._fetch_began, 0.1)
                self._print(f"fetched {show_size(self._bytes)} at {show_size(rate)}/s")

    def done(self, name: str) -> None:
        """Say that one thing has arrived."""
        with self._lock:
            task = self._tasks.pop(name, None)
            if self._bars is not None and task is not None:
                self._bars.remove_task(task)

    def note(self, text: str) -> None:
        """Say something worth knowing: a retry, a mirror."""
        if self.level >= NORMAL:
            self._print(text)

    def finish(self) -> None:
        """Take down what is live."""
        with self._lock:
            self._close_bars()
            if self._live is not None:
                self._live.stop()
                self._live = None

    # -- inside

    def _close_bars(self) -> None:
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None
            self._tasks.clear()
            self._overall = None

    def _open_bars(self) -> None:
        if self._bars is not None:
            return
        # Only on a terminal, and only when something is transferred: rich costs 60 ms to import.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
            console=Console(file=self._stream), transient=True, refresh_per_second=5,
        )  # fmt: skip
        self._bars.start()

    def _refresh(self) -> None:
        if not self._live_wanted:
            return
        self._close_bars()
        from rich.console import Console, Group
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        lines = [Spinner("dots", Text(f"{name}")) for name, _ in list(self._running.values())[:SHOWN_STEPS]]
        more = len(self._running) - SHOWN_STEPS
        body = Group(*lines, *([Text(f"  and {more} more")] if more > 0 else []))
        if self._live is None:
            self._live = Live(body, console=Console(file=self._stream), transient=True, refresh_per_second=8)
            self._live.start()
        else:
            self._live.update(body)
        if not self._running:
            self._live.stop()
            self._live = None

    def _print(self, text: str) -> None:
        text = redact(text)
        console = self._live.console if self._live else self._bars.console if self._bars else None
        if console is not None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()


def _tail(name: str) -> str:
    """Return the end of a reference, which tells it from others."""
    name = redact(name)
    return name if len(name) <= 40 else "…" + name[-39:]
