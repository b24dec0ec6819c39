"""What the configuration says, section `[fetcher.swh]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wfx.errors import DefinitionError
from wfx.fetching import Net

SECTION: Final = "fetcher.swh"
NAMES: Final = ("server", "submodules", "trees", "wait")
SERVER: Final = "https://archive.softwareheritage.org"
WAYS: Final = ("auto", "api", "vault")
WAIT: Final = 1800


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of this fetcher."""

    server: str = SERVER
    trees: str = "auto"
    submodules: bool = True
    wait: float = WAIT
    """Seconds that are waited at most for a bundle, and for leave to ask again."""


def settings_of(net: Net) -> Settings:
    """Read the settings. Raises DefinitionError."""
    section = net.section(SECTION)
    for key in section:
        if key not in NAMES:
            raise DefinitionError(f"there is no setting '{SECTION}.{key}'", remedy=f"use {', '.join(NAMES)}")
    server, trees = section.get("server") or SERVER, section.get("trees", "auto")
    submodules, wait = section.get("submodules", True), section.get("wait", WAIT)
    if not isinstance(server, str) or not re.fullmatch(r"https?://[^\s@?#/]+(/[^\s@?#]*)?", server):
        raise DefinitionError(f"'{SECTION}.server' is {server!r}", why="it is no address", remedy="write https://HOST")
    if trees not in WAYS:
        raise DefinitionError(f"'{SECTION}.trees' is {trees!r}", remedy=f"use {', '.join(WAYS)}")
    if not isinstance(submodules, bool):
        raise DefinitionError(f"'{SECTION}.submodules' is {submodules!r}", remedy="use true or false")
    if not isinstance(wait, int | float) or isinstance(wait, bool) or wait < 0:
        raise DefinitionError(f"'{SECTION}.wait' is {wait!r}", remedy="write a number of seconds")
    return Settings(server.rstrip("/"), trees, submodules, float(wait))
