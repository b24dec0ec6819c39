"""Exporters: plugins that describe a run (write a crate's metadata) or pack a finished crate."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from wfx.errors import DefinitionError, UsageError

if TYPE_CHECKING:
    from wfx.running import RunRecord


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    severity: Literal["error", "warning", "note"]
    """`error`: not valid; `warning`: a recommendation is missed."""
    code: str
    """Identifier of the rule."""
    message: str
    where: str = ""
    """Entity or path."""


class Exporter(ABC):
    """A plugin for one form of result. It implements what it can: `describe`, `pack`, `check`."""

    keys: ClassVar[tuple[str, ...]] = ()
    """The form: `ro-crate`, `zip`, `bagit`; the names of the package's entry points."""
    suffix: ClassVar[str] = ""
    """Of the file that `pack` writes; empty for a folder."""

    def prepare(self) -> None:
        """Import what `describe` needs; called in a thread of its own while the engine works. By default nothing."""

    def describe(self, record: RunRecord, into: Path) -> None:
        """Write the metadata of a run into its directory; change no other file there. Must be atomic for each file."""
        raise UsageError(f"{self.keys[0]} describes no runs", remedy="use --form ro-crate")

    def pack(self, crate: Path, into: Path) -> Path:
        """Write a finished crate to the file or folder `into`, which does not exist yet; return its path.

        `.wfx/` is never part of it.
        """
        raise UsageError(f"{self.keys[0]} packs nothing", remedy="use --form zip")

    def check(self, crate: Path) -> list[Finding]:
        """Look whether a crate is valid; an empty list is a clean bill."""
        raise UsageError(f"{self.keys[0]} checks nothing")


def pack(exporter: Exporter, crate: Path, into: Path) -> Path:
    """Pack a finished crate with an exporter; the result appears whole or not at all.

    Raises DefinitionError where the folder is no crate.
    """
    if not (crate / "ro-crate-metadata.json").is_file():
        raise DefinitionError("there is no crate here", where=str(crate), remedy="run it first; see `wfx runs list`")
    return exporter.pack(crate, into)
