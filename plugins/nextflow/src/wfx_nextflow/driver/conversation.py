"""The conversation: a JSON object a line from stdin, answers on stdout.

`config` gives a pipeline's configuration, `images` the images of its processes, `run` events and a result. Every path in
an answer but the configuration is relative to the run directory. When stdin ends, Nextflow is ended too.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from . import channel
from .channel import tell
from .java import Broken, Nextflow, ask_configuration, ask_images
from .running import run


def main() -> None:
    """Serve until stdin ends."""
    # Only our own lines reach stdout, whatever Nextflow prints.
    channel.OUT = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while (message := orders.get()) is not None:
        try:
            if message["do"] == "config":
                tell({"config": ask_configuration(message)})
            elif message["do"] == "images":
                tell({"images": ask_images(message)})
            else:
                tell({"result": run(message)})
        except Broken as problem:
            tell({"problem": problem.answer})


def _listen(orders: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin.buffer:
        orders.put(json.loads(line.decode("utf-8", "surrogateescape")))
    orders.put(None)
    # Whoever gave the orders is gone, or has enough.
    Nextflow.end_all()
