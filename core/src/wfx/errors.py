"""What can go wrong, one class a cause that a caller may want to tell apart.

::

    WfxError                    70  a fault of wfx itself, unless a subclass says otherwise
    ├── WorkflowFailed           1  the workflow ran and failed
    ├── UsageError               2  the command line, or an impossible combination of options
    ├── DefinitionError          3  a workflow, definition, input or crate that is not valid
    │   ├── InputError              an input's value, type or name
    │   └── DocumentError           YAML or JSON that cannot be read safely
    ├── FetchError               4  a transfer failed
    │   ├── ReferenceNotFound       the place answers that there is no such thing
    │   ├── AccessDenied            the place wants (other) credentials
    │   └── OfflineError            the network is switched off and the store does not have it
    ├── IntegrityError           5  checksum, size or digest is not what was stated
    ├── PluginError              6  a plugin or an engine is missing or broken
    │   ├── UnknownKey
    │   ├── DuplicateKey
    │   ├── PluginLoadError
    │   └── EngineError             the engine is missing, broken, or died
    ├── ContainerError           7  a container image or runtime
    ├── PolicyError              8  refused: disclosure, traversal, host file, trust, licence
    ├── MachineError             9  this machine: disk, permission, lock
    ├── NotReproduced           10  compared, and not the same
    └── Interrupted        130/143  stopped by a signal

`exit_code` is the command's exit status (docs/reference/exit-codes.md). The message is one line for a person: what,
where, why, and what to do.
"""

from __future__ import annotations

import errno
import os
from typing import ClassVar


class WfxError(Exception):
    """The root of all errors that wfx raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, remedy: str | None = None
    ) -> None:
        """Say what went wrong.

        `where` is a reference, a `file:line` or an option; `remedy` completes the sentence "try to …".
        """
        super().__init__(what)
        self.what, self.where, self.why, self.remedy = what, where, why, remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f": {self.why}"
        if self.remedy:
            text += f"; {self.remedy}"
        return " ".join(text.split())


class WorkflowFailed(WfxError):
    """The workflow was run by its engine and did not succeed."""

    exit_code = 1


class UsageError(WfxError):
    """The command line is wrong, or its options cannot go together."""

    exit_code = 2


class DefinitionError(WfxError):
    """A workflow, definition, inputs file or crate is not valid."""

    exit_code = 3


class InputError(DefinitionError):
    """An input's name, type or value does not fit the workflow."""


class DocumentError(DefinitionError):
    """A YAML or JSON text is broken, or too hostile to be read."""


class FetchError(WfxError):
    """Bytes could not be brought from where they are."""

    exit_code = 4
    status: int | None = None
    """Of a web server's answer, where that is what went wrong."""


class ReferenceNotFound(FetchError):
    """The place answers that it has no such thing."""


class AccessDenied(FetchError):
    """The place asks for credentials, or refuses those that it got."""


class OfflineError(FetchError):
    """The network is switched off and the store does not have what is needed."""


class IntegrityError(WfxError):
    """What came is not what somebody stated: checksum, size or digest."""

    exit_code = 5


class PluginError(WfxError):
    """A plugin or an engine is missing or broken."""

    exit_code = 6


class UnknownKey(PluginError):
    """No installed plugin has the key."""


class DuplicateKey(PluginError):
    """Two distributions claim one key, or one declares it twice."""


class PluginLoadError(PluginError):
    """A plugin could not be imported, or does not follow the interface."""


class EngineError(PluginError):
    """The workflow's engine is missing, broken, or died."""


class ContainerError(WfxError):
    """A container image or runtime is missing or not usable."""

    exit_code = 7


class PolicyError(WfxError):
    """Refused by a rule of safety that the user can lift where the message says so."""

    exit_code = 8


class MachineError(WfxError):
    """This machine is in the way: a full disk, a permission, a lock."""

    exit_code = 9

    @classmethod
    def of(cls, error: OSError, remedy: str | None = None) -> MachineError:
        """Say in one line what the operating system said, with the path that it is about."""
        hints = {
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some of the quota",
            errno.EACCES: "check the permissions",
        }
        where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
        return cls(error.strerror or str(error), where=where, remedy=remedy or hints.get(error.errno or 0))


class NotReproduced(WfxError):
    """Two runs were compared and are not the same."""

    exit_code = 10


class Interrupted(WfxError):
    """A signal stopped the command."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted" if signal_number == 2 else "terminated")
        self.signal_number = signal_number

    @property
    def exit_status(self) -> int:
        """Return 128 + signal, the shell's convention."""
        return 128 + self.signal_number
