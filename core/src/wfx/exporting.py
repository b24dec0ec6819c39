"""Exporters: plugins that describe a run (write a crate's metadata) or pack a finished crate."""

from __future__ import annotations

import tempfile
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from wfx.errors import UsageError

if TYPE_CHECKING:
    from wfx.packing import Member
    from wfx.running import RunRecord
    from wfx.session import Session
    from wfx.values import JsonValue


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
    clause: str = ""
    """What it follows from: specification with version, and section."""


@dataclass(frozen=True, slots=True)
class Omission:
    """Something of a crate that is not handed on."""

    path: str
    """In the crate; a folder's ends with `/`."""
    why: str
    """A sentence for people."""
    size: int
    sha256: str = ""
    """Of a folder: of its manifest (`wfx.store`); empty where nobody has said it."""
    shown: str = ""
    """The path to speak of it by; another than `path` where its name is not told."""
    origin: str = ""
    """Address from which everybody may have it."""
    disclosable: bool = True
    """Whether it might be handed on, and was only not asked for."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A file that goes with an export and does not lie in the crate: the copy of a container image."""

    path: str
    """In what is handed on."""
    size: int
    sha256: str
    media_type: str
    about: str
    """Digest of the image's manifest, `sha256:…`."""
    description: str


class Exporter(ABC):
    """A plugin for one form of result. It implements what it can: `describe`, `pack`, `check`."""

    keys: ClassVar[tuple[str, ...]] = ()
    """The form: `ro-crate`, `zip`, `bagit`; the names of the package's entry points."""
    suffix: ClassVar[str] = ""
    """Of the file or folder that `pack` writes."""

    def __init__(self, settings: Mapping[str, JsonValue] | None = None) -> None:
        """Take the configuration's section `exporter.KEY`, which is in `settings` then; look at nothing yet."""
        self.settings: Mapping[str, JsonValue] = settings or {}

    def prepare(self) -> None:
        """Import what `describe` needs; called in a thread of its own while the engine works. By default nothing."""

    def describe(self, record: RunRecord, into: Path) -> None:
        """Write the metadata of a run into its directory; change no other file there. Must be atomic for each file.

        A record with the status `staged` is of a run that has not begun.
        """
        raise UsageError(f"{self.keys[0]} describes no runs", remedy="use --form ro-crate")

    def restate(
        self, crate: Path, members: Sequence[Member], omissions: Sequence[Omission], additions: Sequence[Addition],
        record: RunRecord | None,
    ) -> dict[str, bytes]:  # fmt: skip
        """Return the metadata files of a crate of which `members` alone are handed on, by their path; change nothing.

        What is left out stays in them as a reference with size and digest, and says why. `members` whose bytes were
        changed for the purpose have them as their source.
        """
        raise UsageError(f"{self.keys[0]} describes no runs", remedy="use --form ro-crate")

    def pack(self, crate: Path, into: Path) -> Path:
        """Write a finished crate to the file or folder `into`, which does not exist yet; return its path.

        `.wfx/` is never part of it.
        """
        raise UsageError(f"{self.keys[0]} packs nothing", remedy="use --form zip")

    def pack_members(self, members: Sequence[Member], into: Path) -> Path:
        """Write chosen files of a crate to `into`, as `pack` does with all of them.

        By default `pack` gets a folder of their copies; an exporter that streams them needs none.
        """
        from wfx.packing import write_folder

        with tempfile.TemporaryDirectory(prefix=".wfx-", dir=into.parent) as folder:
            return self.pack(write_folder(members, Path(folder) / "crate"), into)

    def check(self, crate: Path) -> list[Finding]:
        """Look whether a crate is valid; an empty list is a clean bill."""
        raise UsageError(f"{self.keys[0]} checks nothing")


def exporter_of(key: str, session: Session) -> Exporter:
    """Return the exporter of a form, with its section of the configuration. Raises PluginError."""
    return session.plugins.exporter(key)(session.config.section(f"exporter.{key}"))
