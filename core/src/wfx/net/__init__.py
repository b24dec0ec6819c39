"""How wfx and its plugins reach the network: one gate, which checks policy, chooses credentials and keeps a journal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contact:
    """A host that was reached, for the journal and the crate."""

    origin: str
    purpose: str
    """`fetch`, `workflow`, `run`."""
    requests: int = 0
    bytes: int = 0


class Net:
    """Placeholder of the gate's interface."""
