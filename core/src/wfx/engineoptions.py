"""Options of the engine: those of the command line over those of a definition, and files among them as their text."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.errors import DefinitionError, InputError, MachineError
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.definitions import Definition
    from wfx.engines import Engine
    from wfx.session import Session

MACHINE = ("cores", "memory")
"""Options that every engine takes."""
TEXT = "-text"
"""What is put behind the name of an option that is a file: then it is the file's text."""
LONGEST = 2**20


def parse_options(options: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE` and `NAME=@REFERENCE` as the command line gives them. Raises InputError."""
    found: dict[str, str] = {}
    for option in options:
        name, mark, value = option.partition("=")
        if not name.strip() or not mark:
            raise InputError(f"--option {option!r}", why="it is not NAME=VALUE or NAME=@REFERENCE")
        found[name.strip()] = Reference.parse(value[1:]).uri if value.startswith("@") else value
    return found


def with_texts(definition: Definition, engine: type[Engine], session: Session) -> Definition:
    """Return the definition with the text of each file among its options, so that it is part of what is run.

    A relative path starts at the definition file, or else at the working directory. Raises DefinitionError for an
    option that the engine does not know, InputError for a file that is not there.
    """
    known = (*engine.capabilities.describing, *engine.capabilities.files)
    options = dict(definition.options)
    for name in options if known else ():
        if name not in (*known, *MACHINE, *(each + TEXT for each in engine.capabilities.files)):
            near = difflib.get_close_matches(name, known, n=1)
            raise DefinitionError(
                f"{engine.capabilities.name} has no option '{name}'",
                remedy=f"did you mean '{near[0]}'?" if near else f"the options are {', '.join((*known, *MACHINE))}",
            )
    for name in engine.capabilities.files:
        if name not in options:
            continue
        reference = Reference.parse(options.pop(name), definition.base or Path.cwd())
        options[name + TEXT] = _text(name, reference, session)
    return dataclasses.replace(definition, options=options)


def _text(name: str, reference: Reference, session: Session) -> str:
    path = session.local_copy(reference)
    where = f"the option '{name}'"
    try:
        if path.stat().st_size > LONGEST:
            raise InputError(f"{where}: the file has more than {LONGEST >> 20} MiB", where=str(reference))
        return path.read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{where}: no such file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: the file is not UTF-8 text", where=str(reference)) from error
    except OSError as error:
        raise MachineError.of(error) from error
