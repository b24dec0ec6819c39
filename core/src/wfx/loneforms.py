"""A form of inputs on its own, without a workflow: what it stands for, planned as it would be for one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from wfx import disclosing, sidenotes, tables
from wfx.errors import InputError
from wfx.expanding import Expanding
from wfx.inputfiles import Layout, missing_locally
from wfx.inputs import Layer, assemble
from wfx.planning import PlannedInput
from wfx.values import JsonValue, Parameter, ValueType

if TYPE_CHECKING:
    from wfx.session import Session

NAME = "reference"


def planned_forms(value: JsonValue, session: Session) -> list[PlannedInput]:
    """Return the files and folders that a form means, each with its path below a folder of the user's.

    Raises InputError, and what a fetch raises: of archives and tables that must be looked at.
    """
    layer = Layer({NAME: value}, Path.cwd(), lambda path: NAME)
    values = assemble([Parameter(NAME, ValueType("any"))], [layer], expand=Expanding(session).expand)
    values, notes = sidenotes.split(values)
    values, policy = disclosing.split(values)
    layout = Layout(policy)
    layout.rewrite(values)
    if not layout.files:
        raise InputError("it is no form of a file", where=NAME, remedy="write it as {file: …} or {archive: …}")
    if missing := missing_locally(layout.files):
        raise InputError("; ".join(missing[:20]))
    files = tables.settled([notes.on(item) for item in layout.files])
    top = f"inputs/{NAME}/"
    return [dataclasses.replace(item, path=item.path.removeprefix(top)) for item in files]
