"""How a transfer tells of itself."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows transfers; every method may be called from several threads and must be quick."""

    def start(self, total_items: int, total_bytes: int | None) -> None:
        """Say that a transfer of so many things begins; the bytes are what is known of them."""

    def item(self, name: str, total: int | None) -> None:
        """Say that the transfer of one thing begins."""

    def advance(self, name: str, count: int) -> None:
        """Say that so many bytes of it have come."""

    def done(self, name: str) -> None:
        """Say that it has arrived."""

    def note(self, text: str) -> None:
        """Say something worth knowing: a retry, a mirror."""
