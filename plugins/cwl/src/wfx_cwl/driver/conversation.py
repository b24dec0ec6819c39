"""The conversation: a JSON object a line from stdin, answers on stdout.

`describe` gives a description, `run` gives events and a result. What cwltool and the tools print goes to stderr. Every
path in an answer is relative to the run directory.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from . import channel
from .channel import tell
from .description import describe
from .loading import Broken, Workflow
from .running import run


def answer(message: dict[str, Any], loaded: dict[str, Workflow]) -> None:
    """Do what a line asks for."""
    # Reading the language's schemas makes a million objects that all stay; looking for garbage among them takes a tenth
    # of the time.
    gc.disable()
    key = json.dumps([message[name] for name in ("tree", "entry", "fragment")])
    try:
        if key not in loaded:
            loaded[key] = Workflow(message)
        gc.freeze()
        gc.enable()
        if message["do"] == "describe":
            tell({"description": describe(loaded[key])})
        else:
            tell({"result": run(loaded[key], message)})
    except Broken as problem:
        tell({"problem": problem.answer})


def main() -> None:
    """Serve until stdin ends."""
    # Only our own lines reach stdout, whatever cwltool and its tools print.
    channel.OUT = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import cwltool
    except ImportError as problem:
        tell({"problem": {"kind": "engine", "what": "cwltool cannot be imported", "why": str(problem)}})
        return
    del cwltool
    os.umask(os.umask(0) | 0o022)
    loaded: dict[str, Workflow] = {}
    for line in sys.stdin.buffer:
        answer(json.loads(line.decode("utf-8", "surrogateescape")), loaded)
