"""Which server a run is for, and what the configuration says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from wfx.errors import DefinitionError, EngineError
from wfx.references import Reference
from wfx.values import JsonValue

HISTORIES = ("keep", "delete", "purge")
LOCAL = "local"
ALL = "sites"
"""Where the core puts the names of all sites."""


@dataclass(frozen=True, slots=True)
class Site:
    """A Galaxy server as the configuration describes it."""

    name: str
    url: str
    """Without a slash at its end; empty for the private server of this machine."""
    history: Literal["keep", "delete", "purge"] = "keep"
    """What becomes of a run's history after a completed run."""
    cancel: bool = True
    """Whether an interrupted run cancels its jobs; else they go on, and the next run attaches to them."""
    other_versions: bool = False
    """Whether another version of a tool than the workflow names will do."""
    reuse_jobs: bool = False
    """Whether the server may take the results of equal jobs that it has run before."""
    by_url: bool = False
    """Whether the server may fetch public inputs itself; their checksums are held all the same."""
    dbkey: str = "?"
    """The genome build that uploads are marked with."""
    patience: float = 900.0
    """Seconds for which a server that does not answer is waited for."""
    largest_output: int = 0
    """Bytes; larger outputs stay on the server, as references. 0: no limit."""
    download: bool = True
    tools: Path | None = None
    """Of the private server: a folder of tools."""
    others: tuple[str, ...] = ()
    """Names of all sites in the configuration."""

    @property
    def is_local(self) -> bool:
        """Whether it is the private server of this machine, which is started for the run."""
        return self.name == LOCAL and not self.url

    def refuse(self) -> NoReturn:
        """Raise the EngineError of a run that has no server."""
        why = "a Galaxy workflow runs on one"
        if self.name:
            why = f"there is no site '{self.name}'"
            why += f"; there are {', '.join(self.others)}" if self.others else ""
        elif self.others:
            why = f"there are several: {', '.join(self.others)}"
        raise EngineError(
            "no Galaxy server is named", why=why,
            remedy='write [site.NAME] with url = "https://…" into the configuration, and choose it with --site NAME',
        )  # fmt: skip

    @property
    def origin(self) -> str:
        """`SCHEME://HOST[:PORT]` of the server; empty for the private one."""
        return Reference(self.url).origin if self.url else ""


def site_of(settings: Mapping[str, JsonValue]) -> Site:
    """Read the settings of an engine's site. Raises DefinitionError for a wrong value."""
    name = str(settings.get("site") or "")
    url = str(settings.get("url") or "").rstrip("/")
    if url and Reference(url).scheme not in ("http", "https"):
        raise DefinitionError(
            f"{url!r} is no address of a server", where=f"site.{name}.url", remedy="write https://HOST"
        )
    history = str(settings.get("history") or "keep")
    if history not in HISTORIES:
        raise DefinitionError(
            f"{history!r} is not known", where=f"site.{name}.history", remedy=f"use {', '.join(HISTORIES)}"
        )
    tools = str(settings.get("tools") or "")
    return Site(
        name=name, url=url, history=history,  # type: ignore[arg-type]
        cancel=_truth(settings, "cancel", default=True), other_versions=_truth(settings, "other_versions"),
        reuse_jobs=_truth(settings, "reuse_jobs"), by_url=_truth(settings, "by_url"),
        dbkey=str(settings.get("dbkey") or "?"), patience=_number(settings, "patience", 900.0),
        largest_output=int(_number(settings, "largest_output", 0)), download=_truth(settings, "download", default=True),
        tools=Path(tools).expanduser() if tools else None, others=_names(settings.get(ALL)),
    )  # fmt: skip


def _names(value: JsonValue) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _truth(settings: Mapping[str, JsonValue], key: str, *, default: bool = False) -> bool:
    value = settings.get(key)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise DefinitionError(f"{value!r} is neither true nor false", where=f"site.{settings.get('site')}.{key}")


def _number(settings: Mapping[str, JsonValue], key: str, default: float) -> float:
    value = settings.get(key)
    if value is None:
        return default
    try:
        return float(str(value))
    except ValueError as error:
        raise DefinitionError(f"{value!r} is no number", where=f"site.{settings.get('site')}.{key}") from error
