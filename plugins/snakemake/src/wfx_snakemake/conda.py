"""Conda: what the setting says of it, which program it is, and from where its packages come."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from wfx.documents import load_document
from wfx.engines import Description
from wfx.errors import DefinitionError, DocumentError, EngineError, UsageError
from wfx.references import SCHEME, Reference
from wfx.values import JsonValue

ENVIRONMENT = "conda environment"
"""Name of the `Software` by which the driver says that a rule asks for one; its spec is the environment's file."""
WORDS = ("refuse", "path", "create")
HOSTS = {"defaults": "https://repo.anaconda.com"}
CHANNELS = "https://conda.anaconda.org"
"""Where a channel is that is named and not addressed."""


def word(settings: Mapping[str, JsonValue]) -> str:
    """Return what to do about conda environments: `refuse`, `path` (programs are installed) or `create`."""
    value = settings.get("conda")
    if isinstance(value, bool):
        return "create" if value else "refuse"
    if value in (None, ""):
        return "refuse"
    if value not in WORDS:
        raise UsageError(
            f"the setting engine.snakemake.snakemake.conda is {value!r}", remedy=f"set it to one of {', '.join(WORDS)}"
        )
    return str(value)


def needed(description: Description, containers: bool) -> dict[str, tuple[str, str]]:
    """Return each rule that asks for an environment, with its document and the environment's file or name.

    Of rules with a container image as well, their programs are from there, where containers are used.
    """
    return {
        tool.name: (tool.document, ", ".join(software.specs))
        for tool in description.tools
        for software in tool.software
        if software.name == ENVIRONMENT and not (containers and tool.image)
    }


def check(description: Description, settings: Mapping[str, JsonValue]) -> None:
    """Refuse rules that ask for a conda environment which nobody has said what to do about, or nothing can make.

    Raises DefinitionError, and EngineError where there is no conda.
    """
    what = word(settings)
    for rule, (document, environment) in needed(description, containers=True).items():
        if what == "refuse":
            raise DefinitionError(
                f"the rule '{rule}' asks for the conda environment {environment}", where=document,
                why="environments are made from the network, which is not done unasked",
                remedy='set conda = "create" in [engine.snakemake.snakemake] to have conda make it, or "path" where its'
                " programs are installed",
            )  # fmt: skip
        if what == "create":
            program(f"the rule '{rule}' asks for the conda environment {environment}")


def program(why: str = "") -> Path:
    """Return the conda to use: `CONDA_EXE`, else the one on PATH. Raises EngineError where there is none."""
    found = os.environ.get("CONDA_EXE") or shutil.which("conda")
    if found and os.access(found, os.X_OK):
        return Path(found)
    raise EngineError(
        "there is no conda to make environments with", why=why or None,
        remedy='install Miniforge, or set conda = "path" in [engine.snakemake.snakemake] where the programs are installed',
    )  # fmt: skip


def root(conda: Path) -> Path:
    """Return the folder that conda is installed in, above `bin` or `condabin`."""
    return conda.resolve().parent.parent


def origins(files: Iterable[Path]) -> tuple[str, ...]:
    """Return where the channels are that the files of environments name."""
    found: dict[str, None] = {}
    for file in files:
        try:
            content = load_document(file.read_bytes(), file.name).value
        except (OSError, DocumentError):
            continue
        channels = content.get("channels") if isinstance(content, dict) else None
        for channel in map(str, channels if isinstance(channels, list) and channels else ["defaults"]):
            if channel == "nodefaults":
                continue
            address = channel if SCHEME.match(channel) and "://" in channel else HOSTS.get(channel, CHANNELS)
            found[Reference(address).origin] = None
    return tuple(found)
