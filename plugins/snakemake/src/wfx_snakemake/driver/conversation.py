"""The conversation: a JSON object a line from stdin, answers on stdout.

`describe` gives a description, `environments` those of conda, `run` gives events and a result. What Snakemake and the
tools print goes to stderr.
Every path in an answer is relative to the run directory.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from typing import Any

from . import channel
from .channel import tell
from .problems import Broken


def answer(message: dict[str, Any]) -> None:
    """Do what a line asks for, in a process of its own.

    Snakemake keeps loggers, working directory, registries and signal handlers for the whole process; a copy of one that
    has imported it and done nothing else is as good as a new one, and is there at once.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = serve(message)
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        told = f"died by the signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        tell({"problem": {"kind": "engine", "what": f"Snakemake {told} without an answer"}})


def serve(message: dict[str, Any]) -> int:
    """Answer in this process; return its exit status."""
    from .description import describe
    from .environments import needed
    from .running import run

    try:
        if message["do"] == "describe":
            tell({"description": describe(message)})
        elif message["do"] == "environments":
            tell({"environments": needed(message)})
        else:
            tell({"result": run(message)})
    except Broken as problem:
        tell({"problem": problem.answer})
    except Exception as error:  # noqa: BLE001 (Snakemake may fail in any way, and the reader waits for an answer)
        traceback.print_exc()
        tell({"problem": {"kind": "engine", "what": f"Snakemake failed: {type(error).__name__}: {error}"}})
    return 0


def main() -> None:
    """Serve until stdin ends."""
    # Only our own lines reach stdout, whatever Snakemake and its tools print.
    channel.OUT = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import snakemake.api
        import snakemake.workflow
    except ImportError as problem:
        tell({"problem": {"kind": "engine", "what": "Snakemake cannot be imported", "why": str(problem)}})
        return
    del snakemake
    gc.freeze()
    for line in sys.stdin.buffer:
        answer(json.loads(line.decode("utf-8", "surrogateescape")))
