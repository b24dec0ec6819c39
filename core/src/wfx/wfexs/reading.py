"""Read a stage definition of WfExS as a definition, with its security contexts as credentials of the session."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.definitions import Definition, load_definition
from wfx.errors import MachineError
from wfx.wfexs.contexts import read_contexts
from wfx.wfexs.stages import convert

if TYPE_CHECKING:
    from wfx.references import Reference
    from wfx.session import Session


def read_stage(data: bytes, name: str, base: Reference, session: Session, contexts: Path | None = None) -> Definition:
    """Return what a stage definition asks for; `contexts` is the file of its security contexts.

    Raises DefinitionError with file:line, MachineError where the file of contexts cannot be read.
    """
    converted = convert(data, name)
    notes = list(converted.notes)
    if contexts is not None:
        try:
            text = contexts.read_bytes()
        except OSError as error:
            raise MachineError.of(error) from error
        tables, more = read_contexts(text, str(contexts), converted.contexts)
        session.net.credentials.add(tables, str(contexts))
        notes += more
    elif converted.contexts:
        names = ", ".join(sorted(converted.contexts))
        notes.append(f"security contexts are named, and not given: {names}; give their file with --security-context")
    ours = json.dumps(converted.definition, indent=1, ensure_ascii=False).encode()
    definition = load_definition(ours, f"{name} (as wfx reads it)", base, session)
    return dataclasses.replace(definition, notes=tuple(notes), from_wfexs=True)
