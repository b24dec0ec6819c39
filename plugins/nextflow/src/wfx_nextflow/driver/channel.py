"""The way to wfx: JSON lines on what was stdout at the start."""

from __future__ import annotations

import json
import threading
from typing import Any

OUT: Any = None
TELLING = threading.Lock()


def tell(message: dict[str, Any]) -> None:
    """Write one line."""
    data = json.dumps(message, default=str) + "\n"
    with TELLING:
        OUT.write(data.encode("utf-8", "surrogateescape"))
        OUT.flush()
